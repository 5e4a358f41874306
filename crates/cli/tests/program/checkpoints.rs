//! Checkpoints from one process to the next.

use crate::support::{Desk, files_below};

const SQUARES: &str = "CHECKPOINT squares AS SELECT i, i * i AS square FROM range(0, 1000) AS t(i)";

/// The outcome column of a CHECKPOINT's row.
fn outcome(desk: &Desk, sql: &str) -> String {
    let rows = desk.rows(sql);
    rows[0].split(',').nth(2).unwrap().to_string()
}

#[test]
fn the_second_process_reuses_what_the_first_one_wrote() {
    let desk = Desk::new();
    assert_eq!(outcome(&desk, SQUARES), "written");
    assert_eq!(outcome(&desk, SQUARES), "reused");
    assert_eq!(desk.rows("SELECT sum(square) AS s FROM squares"), ["332833500"]);
    assert!(desk.path(".milepost/milepost.json").exists());
}

#[test]
fn the_store_is_where_the_option_or_the_environment_says() {
    let desk = Desk::new();
    let ran = desk.command(&["-c", SQUARES]).env("MILEPOST_STORE", "from_environment").output().unwrap();
    assert!(ran.status.success());
    let ran = desk
        .command(&["--store", "from_option", "-c", SQUARES])
        .env("MILEPOST_STORE", "unused")
        .output()
        .unwrap();
    assert!(ran.status.success());
    for (store, exists) in
        [("from_environment", true), ("from_option", true), ("unused", false), (".milepost", false)]
    {
        assert_eq!(desk.path(store).join("milepost.json").exists(), exists, "{store}");
    }
}

#[test]
fn a_store_that_is_a_file_is_refused_in_one_line() {
    let desk = Desk::new();
    desk.write("taken", "not a folder");
    let ran = desk.run(&["--store", "taken", "-c", "SELECT 1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.error_line().contains("taken"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(desk.path("taken")).unwrap(), "not a folder");
}

#[test]
fn credentials_in_a_store_url_are_never_printed() {
    let ran =
        Desk::new().run(&["--store", "ftp://user:hunter2@example.com/x?token=hunter2", "-c", "SELECT 1"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.error_line().contains("hunter2"), "{ran:?}");
}

#[test]
fn a_damaged_store_ends_with_4_and_names_the_file() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    let [data] = &files_below(&desk.path(".milepost"), ".parquet")[..] else { panic!("one file expected") };
    std::fs::remove_file(data).unwrap();
    let ran = desk.run(&["-c", "SELECT * FROM squares"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let name = data.file_name().unwrap().to_string_lossy().into_owned();
    assert!(ran.error_line().contains(&name), "{ran:?}");
}

/// Also where it is found in the middle of reading, by a query, by a statement over it, and by a job.
#[test]
fn a_flipped_byte_ends_with_4_and_says_what_to_do() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    flip_a_byte(&desk);
    let over = desk.write("over.sql", "CHECKPOINT over AS SELECT sum(square) AS s FROM squares WHERE i > 3;");
    for arguments in [
        &["-c", "SELECT square FROM squares WHERE i > 3"][..],
        &["-c", "CHECKPOINT over AS SELECT sum(square) AS s FROM squares WHERE i > 3"],
        &["-q", "run", over.to_str().unwrap()],
    ] {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        let line = ran.error_line();
        for part in
            ["'squares' version 1", "checkpoints/squares/attempts/", "REFRESH CHECKPOINT squares FORCE"]
        {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    let ran = desk.run(&["-c", "SET milepost.on_damage = 'recompute'", "-f", over.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(desk.rows("SELECT s FROM over"), ["332833486"]);
}

/// Another byte in the one data file that there is.
fn flip_a_byte(desk: &Desk) {
    let files = files_below(&desk.path(".milepost"), ".parquet");
    assert_eq!(files.len(), 1);
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes[6] ^= 1;
    std::fs::write(&files[0], bytes).unwrap();
}

/// The damage is met in the middle of reading, by a process that knows nothing of it.
#[test]
fn a_query_repairs_what_it_finds_damaged() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    flip_a_byte(&desk);
    let ran = desk.run(&[
        "--format",
        "csv",
        "-c",
        "SET milepost.on_damage = 'recompute'",
        "-c",
        "SELECT square FROM squares WHERE i > 3 ORDER BY square LIMIT 1",
    ]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "square\n16\n"), "{ran:?}");
    assert_eq!(desk.rows("SELECT max(version) FROM milepost.snapshots"), ["2"]);
}

/// What is asked about a store is not asked about a folder that is none, and makes none of it.
#[test]
fn a_folder_that_is_no_store_is_not_sound() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("empty")).unwrap();
    for store in ["typo", "empty"] {
        for command in ["verify", "gc", "jobs"] {
            let ran = desk.run(&["--store", store, command]);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
            let line = ran.error_line();
            assert!(
                line.contains("no checkpoint store at") && line.contains(store) && line.contains("--store"),
                "{line}"
            );
        }
    }
    assert!(!desk.path("typo").exists() && std::fs::read_dir(desk.path("empty")).unwrap().next().is_none());

    desk.rows(SQUARES);
    std::fs::remove_file(desk.path(".milepost/milepost.json")).unwrap();
    for command in ["verify", "gc"] {
        let ran = desk.run(&[command]);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(format!("{ran:?}").contains("milepost.json"), "{ran:?}");
    }
}

/// One bad object keeps nothing else from being looked at, whichever it is.
#[test]
fn a_verification_goes_on_past_a_damaged_milepost_json() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    let identity = desk.path(".milepost/milepost.json");
    std::fs::write(&identity, &std::fs::read(&identity).unwrap()[..30]).unwrap();
    let [data] = &files_below(&desk.path(".milepost"), ".parquet")[..] else { panic!("one file expected") };
    std::fs::remove_file(data).unwrap();
    let ran = desk.run(&["verify"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.contains("milepost.json") && ran.stdout.contains("| missing"), "{ran:?}");
    assert!(ran.error_line().contains("2 of the store's objects"), "{ran:?}");
    assert_eq!(desk.run(&["-c", "SELECT 1"]).code, Some(4), "nothing else works on it");
}

/// As a statement VERIFY prints its report too, and then fails: in a script and in a job.
#[test]
fn a_verify_that_finds_damage_ends_with_4() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    let script = desk.write("check.sql", "VERIFY CHECKPOINTS;\nSELECT 1;\n");
    let script = script.to_str().unwrap();
    let commands =
        [&["-c", "VERIFY CHECKPOINT squares; SELECT 1"][..], &["-f", script], &["-q", "run", script]];
    for arguments in commands {
        assert_eq!(desk.run(arguments).code, Some(0));
    }
    assert_eq!(desk.run(&["verify"]).code, Some(0));
    let [data] = &files_below(&desk.path(".milepost"), ".parquet")[..] else { panic!("one file expected") };
    std::fs::remove_file(data).unwrap();
    for arguments in commands {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.stdout.contains("| missing") && !ran.stdout.contains("| Int64(1)"), "{ran:?}");
        assert!(ran.error_line().contains("1 of the store's objects"), "{ran:?}");
    }
}

/// A damaged record of an attempt keeps what it belongs to, and the collection says so and goes on.
#[test]
fn a_collection_that_meets_damage_says_so() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    let [record] = &files_below(&desk.path(".milepost"), "attempt.json")[..] else {
        panic!("one attempt expected")
    };
    std::fs::write(record, "{").unwrap();
    let ran = desk.run(&["gc"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.contains("damaged") && ran.stdout.contains("attempt.json"), "{ran:?}");
    assert_eq!(desk.rows("SELECT count(*) AS n FROM squares"), ["1000"]);
}

#[test]
fn a_stale_read_is_noticed_on_stderr() {
    let desk = Desk::new();
    desk.write("t.csv", "a\n1\n2\n");
    let define =
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 't.csv' OPTIONS ('format.has_header' 'true')";
    let total = |sql: &str| desk.run(&["--format", "csv", "-c", define, "-c", sql]);
    assert_eq!(total("CHECKPOINT total AS SELECT sum(a) AS s FROM t").code, Some(0));
    desk.write("t.csv", "a\n1\n2\n39\n");
    let stale = total("SELECT * FROM total");
    assert_eq!((stale.code, stale.stdout.as_str()), (Some(0), "s\n3\n"), "{stale:?}");
    assert!(stale.stderr.starts_with("notice: ") && stale.stderr.contains("t.csv"), "{stale:?}");
    let refreshed = total("REFRESH CHECKPOINT total; SELECT * FROM total");
    assert!(refreshed.stdout.ends_with("s\n42\n"), "{refreshed:?}");
    assert_eq!(refreshed.stderr, "");
}

#[test]
fn a_checkpoint_comes_before_a_folder_of_the_same_name() {
    let desk = Desk::new();
    desk.write("squares/part-0.csv", "i,square\n1,99\n");
    desk.rows(SQUARES);
    assert_eq!(desk.rows("SELECT count(*) AS n FROM squares"), ["1000"]);
    assert_eq!(outcome(&desk, SQUARES), "reused");
    assert_eq!(desk.rows("SELECT square FROM 'squares/part-0.csv'"), ["99"]);
}

#[test]
fn inline_checkpoints_are_reused_by_the_next_process() {
    let desk = Desk::new();
    let sql = "WITH s AS MATERIALIZED (SELECT i * i AS square FROM range(0, 100) AS t(i)) SELECT sum(square) AS s FROM s";
    for _ in 0..2 {
        assert_eq!(desk.rows(sql), ["328350"]);
    }
    assert_eq!(desk.rows("SELECT count(*) AS n FROM milepost.snapshots"), ["1"]);
}

#[test]
fn two_processes_may_write_the_same_name_at_once() {
    let desk = Desk::new();
    let sql =
        "CHECKPOINT both AS SELECT i % 1000 AS k, count(*) AS n FROM range(0, 3000000) AS t(i) GROUP BY 1";
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut command = desk.command(&["--format", "csv", "-c", sql]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(desk.rows("SELECT count(*) AS k, sum(n) AS n FROM both"), ["1000,3000000"]);
    // Same question, same answer: whoever came second took over the first one's result.
    assert_eq!(desk.rows("SELECT count(*) AS n FROM milepost.snapshots"), ["1"]);
}

#[test]
fn an_error_about_the_whole_store_says_which_store_it_is() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    let identity = desk.path(".milepost/milepost.json");
    let whole = std::fs::read_to_string(&identity).unwrap();
    for (text, says) in [
        (whole.replace("milepost 0", "milepost 9"), "put it back from a backup"),
        (whole.replace("\"format\": 1", "\"format\": 9"), "newer version"),
    ] {
        std::fs::write(&identity, text).unwrap();
        let ran = desk.run(&["-c", "SELECT 1"]);
        let place = desk.path(".milepost").canonicalize().unwrap().display().to_string();
        assert!(ran.error_line().contains(&format!("{place}/milepost.json")), "{ran:?}");
        assert!(ran.error_line().contains(says) && !ran.error_line().contains("FORCE"), "{ran:?}");
    }
}

/// A checkpoint whose log is damaged does not vanish without a word.
#[test]
fn a_damaged_checkpoint_is_told_of_where_tables_are_listed() {
    let desk = Desk::new();
    desk.rows(SQUARES);
    desk.rows("CHECKPOINT whole AS SELECT 1 AS one");
    let log = files_below(&desk.path(".milepost/checkpoints/squares/log"), ".json").pop().unwrap();
    std::fs::write(&log, "{").unwrap();
    for sql in
        ["SHOW TABLES", "SELECT table_name FROM information_schema.tables", "SELECT * FROM milepost.files"]
    {
        let ran = desk.run(&["--format", "csv", "-c", sql]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("whole"), "{ran:?}");
        assert!(ran.stderr.contains("notice: checkpoint squares is left out"), "{sql}: {ran:?}");
    }
    desk.write("list.sql", "\\d\n");
    let listed = desk.run(&["-f", "list.sql"]);
    assert!(listed.stderr.contains("notice: checkpoint squares is left out"), "{listed:?}");
    let rows = desk.rows("SELECT checkpoint, version, status FROM milepost.checkpoints ORDER BY checkpoint");
    assert_eq!(rows, ["squares,,damaged", "whole,1,readable"]);
}
