//! Options, formats and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::support::{Desk, Ran};

const THREE: &str = "SELECT i AS n, 'no, ' || CAST(i AS VARCHAR) AS name FROM range(1, 4) AS t(i) ORDER BY i";

#[test]
fn each_format_is_what_its_readers_expect() {
    let desk = Desk::new();
    let printed = |format: &str| {
        let ran = desk.run(&["--format", format, "-c", THREE]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        ran.stdout
    };
    assert_eq!(printed("csv"), "n,name\n1,\"no, 1\"\n2,\"no, 2\"\n3,\"no, 3\"\n");
    assert_eq!(printed("tsv"), "n\tname\n1\tno, 1\n2\tno, 2\n3\tno, 3\n");
    assert_eq!(printed("nd-json").lines().last(), Some(r#"{"n":3,"name":"no, 3"}"#));
    let json: serde_json::Value = serde_json::from_str(&printed("json")).unwrap();
    assert_eq!(
        json,
        serde_json::json!([
            {"n": 1, "name": "no, 1"}, {"n": 2, "name": "no, 2"}, {"n": 3, "name": "no, 3"}
        ])
    );
    let table = printed("table");
    assert!(table.contains("| 2 | no, 2 |") && table.contains("3 rows in "), "{table}");
    assert!(printed("automatic").contains("| 2 | no, 2 |"));
}

#[test]
fn quiet_prints_rows_and_nothing_else() {
    let ran = Desk::new().run(&[
        "-q",
        "--maxrows",
        "2",
        "-c",
        "SELECT 7 AS seven",
        "-c",
        "SET datafusion.execution.batch_size = 100",
    ]);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
}

#[test]
fn a_table_shows_as_many_rows_as_it_is_told() {
    let ran = Desk::new().run(&["--maxrows", "2", "-c", THREE]);
    assert!(ran.stdout.contains("| 2 ") && !ran.stdout.contains("| 3 "), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 more row"), "{}", ran.stdout);
    // Plans and other formats are never cut.
    let csv = Desk::new().run(&["--maxrows", "1", "--format", "csv", "-c", THREE]);
    assert_eq!(csv.stdout.lines().count(), 4);
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_where_to_look() {
    let desk = Desk::new();
    for arguments in
        [&["--no-such-option"][..], &["--format", "xml"], &["-m", "lots", "-c", "SELECT 1"], &["frobnicate"]]
    {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.error_line().contains("milepost --help"), "{ran:?}");
    }
    assert_eq!(desk.run(&["--help"]).code, Some(0));
    assert!(desk.run(&["--version"]).stdout.starts_with("milepost "));
}

#[test]
fn a_statement_that_fails_ends_with_1_and_nothing_runs_after_it() {
    let ran = Desk::new().run(&[
        "-q",
        "-c",
        "SELECT 1 AS one",
        "-c",
        "SELECT * FROM nowhere",
        "-c",
        "SELECT 3 AS three",
    ]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("one") && !ran.stdout.contains("three"), "{ran:?}");
    assert!(ran.error_line().contains("nowhere") && ran.error_line().contains("SHOW TABLES"), "{ran:?}");
}

#[test]
fn long_errors_of_datafusion_become_one_line() {
    for sql in [
        "SELECT",
        "SELECT '2024-13-99'::date",
        "SELECT no_such_function(1)",
        "SELECT a FROM (VALUES (1)) AS t(b)",
        "SELECT * FROM 'missing.parquet'",
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'missing/'",
        "SELECT 1; SELECT 'open",
    ] {
        let ran = Desk::new().run(&["-c", sql]);
        assert_eq!(ran.code, Some(1), "{sql}");
        assert!(ran.error_line().starts_with("milepost: -c:1: "), "{sql}: {ran:?}");
    }
}

#[test]
fn a_memory_limit_is_kept_and_named() {
    let sql = "SELECT count(*) FROM (SELECT DISTINCT i, md5(CAST(i AS VARCHAR)) AS h FROM range(0, 3000000) AS t(i))";
    let ran = Desk::new().run(&["-m", "1m", "-c", sql]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.error_line().contains("--memory-limit"), "{ran:?}");
}

#[test]
fn a_reader_who_has_seen_enough_is_left_in_peace() {
    let desk = Desk::new();
    let mut child = desk
        .command(&["--format", "csv", "-c", "SELECT * FROM range(0, 50000000)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let code = child.wait().unwrap().code();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((first.as_str(), code, stderr.as_str()), ("value\n", Some(141), ""));
}

#[test]
fn paths_of_the_command_line_begin_where_the_program_was_started() {
    let desk = Desk::new();
    desk.write("data/t.csv", "a\n1\n2\n");
    desk.write("count.sql", "CHECKPOINT c AS SELECT count(*) AS n FROM 't.csv'; SELECT * FROM c;");
    let ran = desk.run(&["-q", "--data-path", "data", "--store", "kept", "-f", "count.sql"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(desk.path("kept/milepost.json").exists() && !desk.path("data/kept").exists());
}

/// A folder that has the name of a table that is missing does not stand in for it.
#[test]
fn a_plain_name_is_no_folder() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("t")).unwrap();
    desk.write("t/any.csv", "a\n7\n");
    let plain = desk.run(&["-c", "SELECT * FROM t"]);
    assert!(plain.code == Some(1) && plain.error_line().contains("not found"), "{plain:?}");
    let path = desk.run(&["-q", "--format", "csv", "-c", "SELECT * FROM 't/any.csv'"]);
    assert_eq!((path.code, path.stdout.as_str()), (Some(0), "a\n7\n"), "{path:?}");
}

#[test]
fn an_option_takes_several_statements_or_scripts_as_datafusions_shell_does() {
    let desk = Desk::new();
    desk.write("a.sql", "SELECT 'of a' AS x;");
    desk.write("b.sql", "SELECT 'of b' AS x;");
    let printed = |arguments: &[&str]| {
        let ran = desk.run(&[&["-q", "--format", "csv"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    assert_eq!(printed(&["-f", "a.sql", "b.sql"]), "x\nof a\nx\nof b\n");
    assert_eq!(printed(&["-c", "SELECT 1 AS x", "SELECT 2 AS x"]), "x\n1\nx\n2\n");
    // A failure among several says which of them it was.
    let ran = desk.run(&["-q", "-c", "SELECT 1", "SELECT * FROM nowhere"]);
    assert!(ran.error_line().starts_with("milepost: -c#2:1: "), "{ran:?}");
}

#[test]
fn an_empty_store_is_refused_by_the_name_of_what_was_given() {
    let desk = Desk::new();
    let option = desk.run(&["--store", "", "-c", "SELECT 1"]);
    assert!(option.code == Some(2) && option.error_line().contains("--store is empty"), "{option:?}");
    let variable = Ran::from(desk.command(&["-c", "SELECT 1"]).env("MILEPOST_STORE", "").output().unwrap());
    assert!(
        variable.code == Some(2) && variable.error_line().contains("MILEPOST_STORE is empty"),
        "{variable:?}"
    );
}

#[test]
fn a_setting_of_the_environment_that_cannot_be_is_named() {
    let desk = Desk::new();
    for (name, value) in
        [("DATAFUSION_EXECUTION_BATCH_SIZE", "abc"), ("DATAFUSION_CATALOG_LOCATION", "/data/tables")]
    {
        let mut command = desk.command(&["-c", "SELECT 1"]);
        let ran =
            Ran::from(command.env(name, value).env("DATAFUSION_CATALOG_FORMAT", "CSV").output().unwrap());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.error_line().contains(name) && ran.error_line().contains(value), "{ran:?}");
    }
}

#[test]
fn a_folder_of_the_environment_is_a_schema() {
    let desk = Desk::new();
    desk.rows("COPY (SELECT * FROM range(0, 5) AS t(i)) TO 'cat/foo/part.parquet' STORED AS PARQUET");
    let location = format!("file://{}", desk.path("cat").display());
    for (default_schema, table) in [("public", "\"default\".foo"), ("default", "foo")] {
        let mut command =
            desk.command(&["-q", "--format", "csv", "-c", &format!("SELECT count(*) AS n FROM {table}")]);
        command
            .env("DATAFUSION_CATALOG_LOCATION", &location)
            .env("DATAFUSION_CATALOG_FORMAT", "PARQUET")
            .env("DATAFUSION_CATALOG_DEFAULT_SCHEMA", default_schema);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "n\n5\n"), "{ran:?}");
    }
}

#[test]
fn requests_to_the_local_disk_are_counted() {
    let desk = Desk::new();
    desk.write("t.csv", "a\n1\n");
    let script = "\\pset object_store_profiling trace\nSELECT * FROM 't.csv';\n";
    desk.write("later.sql", script);
    for arguments in
        [&["--object-store-profiling", "trace", "-c", "SELECT * FROM 't.csv'"][..], &["-f", "later.sql"]]
    {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("operation=Get") && ran.stdout.contains("t.csv"), "{ran:?}");
    }
}

#[test]
fn a_file_that_cannot_be_decoded_is_named() {
    let desk = Desk::new();
    desk.write("bad.parquet", "this is no Parquet file at all");
    desk.write("ragged.csv", "a,b\n1,2\n3,4,5\n");
    std::fs::write(desk.path("latin.csv"), b"a\nM\xfcnchen\n").unwrap();
    desk.write("words.csv", "a\n1\ntwo\n");
    for (sql, file) in [
        ("SELECT * FROM 'bad.parquet'", "bad.parquet"),
        ("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'bad.parquet'", "bad.parquet"),
        ("SELECT * FROM 'ragged.csv'", "ragged.csv"),
        ("CHECKPOINT c AS SELECT * FROM 'ragged.csv'", "ragged.csv"),
        ("SELECT * FROM 'latin.csv'", "latin.csv"),
        (
            "CREATE EXTERNAL TABLE w (a INT) STORED AS CSV LOCATION 'words.csv' OPTIONS (format.has_header true); \
             SELECT sum(a) FROM w",
            "words.csv",
        ),
        (
            "CREATE EXTERNAL TABLE w (a INT) STORED AS CSV LOCATION 'words.csv' OPTIONS (format.has_header true); \
             CHECKPOINT c AS SELECT a FROM w",
            "words.csv",
        ),
        (
            "CREATE EXTERNAL TABLE w (a INT) STORED AS CSV LOCATION 'words.csv' OPTIONS (format.has_header true); \
             CREATE TABLE x AS SELECT a FROM w",
            "words.csv",
        ),
    ] {
        let ran = desk.run(&["-q", "-c", sql]);
        assert_eq!(ran.code, Some(1), "{sql}: {ran:?}");
        assert!(ran.error_line().contains(file) && ran.error_line().contains("repair it"), "{sql}: {ran:?}");
    }
    // What a query does with values is no fault of a file.
    let cast = desk.run(&["-c", "SELECT CAST(a AS INT) FROM 'words.csv'"]);
    assert!(cast.code == Some(1) && !cast.error_line().contains("repair"), "{cast:?}");
}
