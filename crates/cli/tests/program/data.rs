//! `datagen` and `demo`.

use crate::support::{Desk, files_below};

/// Rows at scale 0.01, as the benchmark's own generator makes them.
const ROWS: [(&str, u64); 8] = [
    ("lineitem", 60_175),
    ("orders", 15_000),
    ("partsupp", 8_000),
    ("part", 2_000),
    ("customer", 1_500),
    ("supplier", 100),
    ("nation", 25),
    ("region", 5),
];

fn count(desk: &Desk, table: &str) -> u64 {
    let sql = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'data/{table}/'; SELECT count(*) AS n FROM t"
    );
    desk.rows(&sql).last().unwrap().parse().unwrap()
}

#[test]
fn every_table_has_its_rows() {
    let desk = Desk::new();
    let ran = desk.run(&["datagen", "tpch", "--scale", "0.01", "--out", "data"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    for (table, rows) in ROWS {
        assert_eq!(count(&desk, table), rows, "{table}");
        assert!(
            ran.stdout.lines().any(|line| line.starts_with(table) && line.contains("written")),
            "{ran:?}"
        );
    }
}

#[test]
fn what_is_there_is_left_alone_and_what_is_missing_is_made() {
    let desk = Desk::new();
    let make = |arguments: &[&str]| {
        desk.run(&[&["datagen", "tpch", "--scale", "0.01", "--out", "data"], arguments].concat())
    };
    assert_eq!(make(&["--parts", "3"]).code, Some(0));
    assert_eq!(files_below(&desk.path("data/lineitem"), ".parquet").len(), 3);
    assert_eq!(count(&desk, "lineitem"), 60_175);
    let before = std::fs::metadata(desk.path("data/lineitem/part-0.parquet")).unwrap().modified().unwrap();
    std::fs::remove_dir_all(desk.path("data/orders")).unwrap();

    let again = make(&["--parts", "3"]);
    assert_eq!(again.stdout.matches("already there").count(), 7, "{again:?}");
    assert_eq!(
        std::fs::metadata(desk.path("data/lineitem/part-0.parquet")).unwrap().modified().unwrap(),
        before
    );
    assert_eq!(count(&desk, "orders"), 15_000);
}

#[test]
fn other_data_is_never_mixed_in_or_replaced() {
    let desk = Desk::new();
    desk.run(&["datagen", "tpch", "--scale", "0.01", "--out", "data"]);
    let other = desk.run(&["datagen", "tpch", "--scale", "0.02", "--out", "data"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.error_line().contains("scale 0.01"), "{other:?}");
    std::fs::remove_dir_all(desk.path("data/nation")).unwrap();
    desk.write("data/nation/mine.txt", "keep me");
    let foreign = desk.run(&["datagen", "tpch", "--scale", "0.01", "--out", "data"]);
    assert!(foreign.code == Some(1) && foreign.error_line().contains("nation"), "{foreign:?}");
    assert_eq!(std::fs::read_to_string(desk.path("data/nation/mine.txt")).unwrap(), "keep me");
}

#[test]
fn a_scale_that_is_none_is_refused() {
    for scale in ["0", "-1", "nan", "1e9"] {
        let ran = Desk::new().run(&["datagen", "tpch", &format!("--scale={scale}"), "--out", "data"]);
        assert_eq!(ran.code, Some(2), "{scale}: {ran:?}");
        assert!(ran.error_line().contains("scale"), "{ran:?}");
    }
}

#[test]
fn the_demo_reuses_everything_the_second_time() {
    let desk = Desk::new();
    let run = || desk.run(&["demo", "--dir", "d", "--scale", "0.01"]);
    let first = run();
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{first:?}");
    let (before, after) = first.stdout.split_once("second run").unwrap();
    assert!(before.contains(" written "), "{before}");
    // The tour drops one checkpoint at its end, so that one alone is written again.
    let written: Vec<&str> = after.lines().filter(|line| line.contains(" written ")).collect();
    assert!(after.contains(" reused ") && written.iter().all(|line| line.contains("passing")), "{after}");
    assert!(desk.path("d/.milepost/milepost.json").exists() && !desk.path(".milepost").exists());
    a_kill_in_the_middle_leaves_rows(&first.stdout);

    let again = run();
    a_kill_in_the_middle_leaves_rows(&again.stdout);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(again.stdout.matches("already there").count(), 8, "{again:?}");
    assert!(again.stdout.contains("Both runs reused"), "{again:?}");
}

/// What the demo says of the job that it kills. A fast machine may be through with the job, or with its big step, before.
fn a_kill_in_the_middle_leaves_rows(printed: &str) {
    assert!(printed.contains("\nA job (job.sql) "), "{printed}");
    assert!(printed.contains("rows of its result equal those of a run that nobody disturbed"), "{printed}");
    if !printed.contains("in its first checkpoint") {
        assert!(!printed.contains(" units, "), "{printed}");
        return;
    }
    // Such as `Started again: resumed, 4 of 8 units, 32,768 rows, were kept and not computed again.`
    let started = printed.lines().find_map(|line| line.strip_prefix("Started again: ")).unwrap();
    let words: Vec<&str> = started.split(", ").collect();
    let number = |text: &str| text.split(' ').next().unwrap().replace(',', "").parse::<u64>().unwrap();
    let (units, rows) = (number(words[1]), number(words[2]));
    assert!(words[0] == "resumed" && units > 0 && rows > 0 && rows <= 60_175, "{started}");
}
