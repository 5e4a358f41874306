//! `milepost bench`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Desk, Ran, files_below};

const SCRIPT: &str = "\
SET milepost.unit_bytes = '1 MiB';
CHECKPOINT squares AS SELECT i, i * i AS square, CAST(i AS DOUBLE) / 7 AS part FROM range(0, ${rows}) AS t(i);
SELECT count(*) AS n, sum(square), sum(part) FROM squares WHERE '<script>alert(1)</script>' <> '';
SELECT random() AS chance;
COPY (SELECT i FROM squares WHERE i < 5) TO 'few.csv';
SELECT count(*) FROM milepost.checkpoints;
";

fn report(desk: &Desk, out: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(desk.path(out).join("report.json")).unwrap()).unwrap()
}

/// The words of a JSON list's objects under a key.
fn words<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap()).collect()
}

/// Folders of stores that are left in the folder of a report.
fn stores(out: &Path) -> Vec<String> {
    let names = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).filter(|name| name.starts_with("stores-")).collect()
}

#[test]
fn a_script_is_measured_in_every_mode_and_reported_as_json_and_as_a_page() {
    let desk = Desk::new();
    desk.write("s.sql", SCRIPT);
    let ran = desk.run(&["bench", "s.sql", "--rounds", "2", "--var", "rows=30000", "--out", "b"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in
        ["median", "off", "cold", "warm", "squares", "3 compared statements gave the same rows", "random()"]
    {
        assert!(ran.stdout.contains(word), "{word}: {ran:?}");
    }
    assert!(
        ran.stdout.contains("report.json\n") && ran.stdout.trim_end().ends_with("report.html"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("round 2/2: warm: "), "{ran:?}");
    assert_eq!(stores(&desk.path("b")), Vec::<String>::new());
    assert!(!desk.path(".milepost").exists(), "the user's own store is left alone");

    let report = report(&desk, "b");
    assert_eq!(report["format"], 1);
    assert_eq!(words(&report["summary"]["modes"], "mode")[..3], ["off", "cold", "warm"]);
    let checkpoint = &report["summary"]["checkpoints"][0];
    assert_eq!(
        (checkpoint["rows"].as_u64(), checkpoint["warm_outcome"].as_str()),
        (Some(30_000), Some("reused"))
    );
    assert!(checkpoint["bytes"].as_u64() > Some(0) && checkpoint["compute_ms"].as_f64() > Some(0.0));
    let second = &report["summary"]["statements"][1]["outcomes"];
    assert_eq!(
        (&second["off"], &second["cold"], &second["warm"]),
        (&"view".into(), &"written".into(), &"reused".into())
    );
    assert_eq!(report["comparison"]["different"], Value::Array(Vec::new()));
    assert_eq!(
        words(&report["comparison"]["exempt"], "why").len(),
        2,
        "chance, and the tables about the store"
    );
    let orders: Vec<Vec<&str>> = report["measured"]["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| words(&round["runs"], "mode"))
        .collect();
    assert_eq!((orders[0][0], orders[1][0]), ("off", "cold"), "the order rotates");
    for run in report["measured"]["rounds"][0]["runs"].as_array().unwrap() {
        let (all, counted) = (run["wall_ms"].as_f64().unwrap(), run["time_ms"].as_f64().unwrap());
        // The question about the store is asked with checkpoints only, so its time is in no figure.
        match run["mode"].as_str().unwrap() {
            "off" => assert!(counted == all && all > 0.0, "{run}"),
            "resumed" => assert!(counted > 0.0 && counted <= all, "{run}"),
            _ => assert!(counted > 0.0 && counted < all, "{run}"),
        }
        assert_eq!(run["peak_memory_bytes"].as_u64() > Some(1 << 20), cfg!(target_os = "linux"), "{run}");
    }
    // A value may be secret, its name is not.
    assert_eq!(report["script"]["variables"], Value::Array(vec!["rows".into()]));

    let page = std::fs::read_to_string(desk.path("b/report.html")).unwrap();
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"),
        "SQL is text"
    );
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}: the page needs nothing else");
    }
    let (opened, closed) = (page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(
        (opened, closed),
        (4, 4),
        "a chart for the modes, the runs, the statements and the checkpoints"
    );
    assert_eq!(page.matches("<title id=").count(), 4);
}

#[test]
fn rows_that_differ_between_runs_are_told_loudly() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("log")).unwrap();
    // Every run adds a row to what all of them count.
    desk.write(
        "s.sql",
        "CREATE EXTERNAL TABLE log (n BIGINT) STORED AS CSV LOCATION 'log/' OPTIONS ('format.has_header' 'true');\n\
         INSERT INTO log VALUES (1);\nSELECT n FROM log;\nSELECT 1 AS same;\nSELECT sum(n) FROM log;",
    );
    let ran = desk.run(&["-q", "bench", "s.sql", "--rounds", "1", "--no-resume"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.error_line().contains("2 statements gave other rows"), "{ran:?}");
    assert!(ran.stdout.contains("DIFFERENT ROWS: 2 statements "), "{ran:?}");
    assert!(
        ran.stdout.contains("3 SELECT n FROM log: 1 row in the first run, 2 rows in the off run of round 1"),
        "{ran:?}"
    );
    let others =
        "5 SELECT sum(n) FROM log: 1 row in the first run, as many but others in the off run of round 1";
    assert!(ran.stdout.contains(others), "{ran:?}");
    assert!(ran.stdout.contains("no CHECKPOINT"), "{ran:?}");
    let report = report(&desk, "milepost-bench");
    assert_eq!(report["comparison"]["different"][0]["statement"], 3);
    assert_eq!(report["comparison"]["equal"], 2);
    let page = std::fs::read_to_string(desk.path("milepost-bench/report.html")).unwrap();
    assert!(page.contains("badge different"));
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_runs() {
    let desk = Desk::new();
    desk.write("good.sql", "SELECT 1;");
    desk.write("empty.sql", "-- nothing\n");
    desk.write("broken.sql", "SELECT 1;\nSELEC 2;");
    desk.write("shell.sql", "\\d\n");
    desk.write("taken", "a file");
    for (arguments, says) in [
        (&["missing.sql"][..], "missing.sql"),
        (&["empty.sql"], "empty.sql"),
        (&["broken.sql"], "broken.sql:2"),
        (&["shell.sql"], "shell.sql:1"),
        (&["good.sql", "--rounds", "0"], "rounds"),
        (&["good.sql", "--out", "taken"], "--out"),
        (&["good.sql", "--out", "taken/below"], "--out"),
        (&["good.sql", "--var", "year=1"], "year"),
        (&["good.sql", "--memory-limit", "0"], "memory"),
        (&["good.sql", "--store", "kept"], "--store"),
    ] {
        let ran = desk.run(&[&["-q", "bench"], arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.error_line().contains(says), "{arguments:?}: {ran:?}");
    }
    assert_eq!(std::fs::read_to_string(desk.path("taken")).unwrap(), "a file");
    assert!(!desk.path("milepost-bench").exists());
}

#[test]
fn a_statement_that_fails_is_named_and_nothing_is_left() {
    let desk = Desk::new();
    desk.write("s.sql", "SELECT 1;\nSELECT * FROM nowhere;");
    let ran = desk.run(&["-q", "bench", "s.sql", "--out", "b"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.error_line().starts_with("milepost: without checkpoints: s.sql:2: ")
            && ran.error_line().contains("nowhere"),
        "{ran:?}"
    );
    assert_eq!(std::fs::read_dir(desk.path("b")).unwrap().count(), 0);
}

#[test]
fn a_killed_job_goes_on_and_the_stores_can_be_kept() {
    let desk = Desk::new();
    // Long enough to be killed in its middle wherever this runs.
    desk.write(
        "s.sql",
        "CHECKPOINT one AS SELECT max(md5(CAST(i AS VARCHAR))) AS m FROM range(0, 2000000) AS t(i);\n\
         CHECKPOINT two AS SELECT max(md5(CAST(i AS VARCHAR))) AS m FROM range(1, 2000000) AS t(i);\n\
         SELECT * FROM one UNION ALL SELECT * FROM two;",
    );
    let ran =
        desk.run(&["bench", "s.sql", "--rounds", "1", "--out", "b", "--keep-store", "--memory-limit", "1g"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = report(&desk, "b");
    let run = &report["measured"]["rounds"][0]["runs"][3];
    assert_eq!(
        (run["mode"].as_str(), run["killed"]["killed"].as_bool()),
        (Some("resumed"), Some(true)),
        "{report}"
    );
    assert_eq!(report["settings"]["memory_limit_bytes"], 1 << 30);
    let kept = stores(&desk.path("b"));
    assert_eq!(kept.len(), 1);
    assert!(!files_below(&desk.path("b").join(&kept[0]), "milepost.json").is_empty());
}

#[test]
fn ctrl_c_ends_the_runs_and_removes_their_stores() {
    let desk = Desk::new();
    desk.write("s.sql", "SELECT max(md5(CAST(i AS VARCHAR))) FROM range(0, 100000000000) AS t(i);");
    let mut command = desk.command(&["-q", "bench", "s.sql", "--out", "b"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while files_below(&desk.path("b"), "milepost.json").is_empty()
        && started.elapsed() < Duration::from_secs(5)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.error_line().contains("interrupted"), "{ran:?}");
    assert_eq!(stores(&desk.path("b")), Vec::<String>::new());
}
