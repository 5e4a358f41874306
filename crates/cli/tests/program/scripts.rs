//! `-c`, `-f`, standard input, and commands in scripts.

use crate::support::Desk;

#[test]
fn a_script_stops_at_its_first_error_and_names_file_and_line() {
    let desk = Desk::new();
    desk.write("job.sql", "-- a job\nSELECT 1 AS one;\n\nSELECT\n  *\nFROM nowhere;\nSELECT 3 AS three;\n");
    let ran = desk.run(&["-f", "job.sql"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("job.sql:4: "), "{ran:?}");
    assert!(ran.stdout.contains("one") && !ran.stdout.contains("three"), "{ran:?}");
}

#[test]
fn a_mistake_at_the_end_is_found_before_the_first_statement_runs() {
    let desk = Desk::new();
    desk.write("job.sql", "COPY (SELECT 1 AS a) TO 'made.csv';\nSELECT 2;\nSELECT 3\nFORM t;\n");
    let ran = desk.run(&["-f", "job.sql"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("job.sql:4: ") && ran.error_line().contains("column 6"), "{ran:?}");
    assert!(ran.stdout.is_empty() && !desk.path("made.csv").exists());
    // All scripts are read before any of them runs.
    let ran = desk.run(&["-c", "COPY (SELECT 1 AS a) TO 'made.csv'", "-f", "job.sql"]);
    assert!(ran.code == Some(1) && !desk.path("made.csv").exists(), "{ran:?}");
}

#[test]
fn commands_and_files_run_in_the_order_in_which_they_are_given() {
    let desk = Desk::new();
    desk.write("two.sql", "SELECT 'second' AS x;");
    let ran = desk.run(&[
        "--format",
        "csv",
        "-c",
        "SELECT 'first' AS x",
        "-f",
        "two.sql",
        "-c",
        "SELECT 'third' AS x",
    ]);
    let rows: Vec<&str> = ran.stdout.lines().filter(|line| *line != "x").collect();
    assert_eq!(rows, ["first", "second", "third"]);
}

/// A script of a job that is run with -f says why its variables are not filled in; other text of the same look does not.
#[test]
fn a_variable_of_a_job_says_what_fills_it_in() {
    let desk = Desk::new();
    desk.write("location.sql", "SELECT 1;\nCREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '${data}/';\n");
    desk.write("name.sql", "SELECT 1;\nSELECT 2\n  FROM ${data};\n");
    for (script, place) in [("location.sql", "location.sql:2: "), ("name.sql", "name.sql:3: ")] {
        let ran = desk.run(&["-q", "-f", script]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let line = ran.error_line();
        assert!(line.contains(place) && line.contains("milepost run FILE.sql --var data=VALUE"), "{line}");
    }
    for sql in ["SELECT '${data}' FORM t", "SELECT '${data}' AS x, nope", "SELEC 1 -- ${data}"] {
        let ran = desk.run(&["-q", "-c", sql]);
        assert!(ran.code == Some(1) && !ran.error_line().contains("--var"), "{ran:?}");
    }
    let plain = desk.run(&["-q", "--format", "csv", "-c", "SELECT '${data}' AS x"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (Some(0), "x\n${data}\n"), "{plain:?}");
}

#[test]
fn a_missing_script_is_named() {
    let ran = Desk::new().run(&["-f", "nowhere.sql"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.error_line().contains("nowhere.sql"), "{ran:?}");
}

#[test]
fn standard_input_is_a_script() {
    let desk = Desk::new();
    let ran = desk
        .run_with_input(&["--format", "csv"], "SELECT 1 AS a;\nSELECT 'x;y' AS b -- no semicolon at the end");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "a\n1\nb\nx;y\n"), "{ran:?}");
    let ran = desk.run_with_input(&["-f", "-"], "SELECT 1;\nSELECT * FROM nowhere;\n");
    assert!(ran.code == Some(1) && ran.error_line().contains("stdin:2: "), "{ran:?}");
}

#[test]
fn standard_input_can_be_a_table_instead() {
    let sql = "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/dev/stdin'; SELECT sum(a) AS s FROM t";
    let ran = Desk::new().run_with_input(&["--format", "csv", "-c", sql], "a,b\n1,x\n41,y\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "s\n42\n"), "{ran:?}");
}

#[test]
fn scripts_may_hold_commands() {
    let desk = Desk::new();
    desk.write("inner.sql", "SELECT 'from inner' AS x;\n");
    let script = "\\quiet on\n\\pset format csv\nCREATE TABLE t(a INT);\n\\d t\n\\i inner.sql\n\\o rows.csv\nSELECT 5 AS five;\n\
                  \\o\n\\q\nSELECT 'never' AS x;\n";
    let ran = desk.run_with_input(&[], script);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("a,Int32,YES") && ran.stdout.contains("from inner"), "{ran:?}");
    assert!(!ran.stdout.contains("five") && !ran.stdout.contains("never"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(desk.path("rows.csv")).unwrap(), "five\n5\n");
    let ran = desk.run_with_input(&[], "SELECT 1;\n\\frobnicate\n");
    assert!(
        ran.code == Some(1) && ran.error_line().contains("stdin:2: ") && ran.stdout.is_empty(),
        "{ran:?}"
    );
}

#[test]
fn files_can_be_read_and_written_by_name() {
    let desk = Desk::new();
    let sql = "COPY (SELECT i FROM range(0, 10) AS t(i)) TO 'made/it''s.parquet' STORED AS PARQUET;\
               SELECT count(*) AS n FROM 'made/it''s.parquet';\
               SELECT count(*) AS n FROM parquet_metadata('made/it''s.parquet')";
    let ran = desk.run(&["-q", "--format", "csv", "-c", sql]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "count\n10\nn\n10\nn\n1\n"), "{ran:?}");
}

#[test]
fn a_table_sees_files_that_come_later() {
    let desk = Desk::new();
    desk.write("t/1.csv", "a\n1\n");
    let sql = "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 't/' OPTIONS ('format.has_header' 'true');\
               SELECT count(*) AS n FROM t;\
               COPY (SELECT 2 AS a) TO 't/2.csv' STORED AS CSV OPTIONS ('format.has_header' 'true');\
               SELECT count(*) AS n FROM t";
    let ran = desk.run(&["--format", "csv", "-c", sql]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "n\n1\ncount\n1\nn\n2\n"), "{ran:?}");
}
