//! The shell on a terminal, which `script` of util-linux stands in for.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Desk, Ran};

fn has_script() -> bool {
    let version = Command::new("script").arg("--version").stdout(Stdio::piped()).output();
    version.is_ok_and(|ran| String::from_utf8_lossy(&ran.stdout).contains("util-linux"))
}

/// What the shell shows and answers when all of `keys` is typed at once; `None` without a terminal to type on.
fn typed(desk: &Desk, keys: &str) -> Option<Ran> {
    if !has_script() {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return None;
    }
    let program = env!("CARGO_BIN_EXE_milepost");
    let mut command = Command::new("script");
    command.args(["-q", "-e", "-c", program, "/dev/null"]).current_dir(desk.path(""));
    command
        .env("HOME", desk.path(""))
        .env("TERM", "xterm")
        .env_remove("MILEPOST_STORE")
        .env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    Some(ran)
}

/// Lines that are typed while a statement runs are run after it, each once.
#[test]
fn lines_that_are_typed_ahead_are_run() {
    let desk = Desk::new();
    let slow = "SELECT count(*) AS slow FROM generate_series(1, 50000000) AS t(i) WHERE i % 5 = 0;";
    let keys = format!("{slow}\nSELECT 'sec' || 'ond' AS x;\nCHECKPOINT c AS SELECT 3 AS n;\n\\q\n");
    let Some(ran) = typed(&desk, &keys) else { return };
    for result in ["| 10000000 |", "| second |"] {
        assert_eq!(ran.stdout.matches(result).count(), 1, "{result}: {ran:?}");
    }
    assert_eq!(desk.rows("SELECT checkpoint, version FROM milepost.checkpoints"), ["c,1"]);
}

/// Only as the first line of a statement: inside of one they are names.
#[test]
fn exit_and_quit_leave() {
    let desk = Desk::new();
    let keys = "CHECKPOINT a AS SELECT 1 AS\nexit\n;\nexit\nCHECKPOINT b AS SELECT 1 AS n;\n\\q\n";
    let Some(_) = typed(&desk, keys) else { return };
    assert_eq!(desk.rows("SELECT checkpoint FROM milepost.checkpoints"), ["a"]);
    assert_eq!(desk.rows("SELECT exit FROM a"), ["1"]);
    typed(&desk, "quit;\n");
}

#[test]
fn tab_completes_names_of_checkpoints_and_of_their_columns() {
    let desk = Desk::new();
    let keys = "CHECKPOINT long_name AS SELECT 41 + 1 AS forty_two;\n\
                SELECT fort\t - 1 AS before FROM long_n\t;\n\\q\n";
    let Some(ran) = typed(&desk, keys) else { return };
    assert!(ran.stdout.contains("| 41     |"), "{ran:?}");
}

/// Arrow up, in the same shell and in the next one.
#[test]
fn the_history_outlives_the_shell() {
    let desk = Desk::new();
    let Some(ran) = typed(&desk, "SELECT 6 * 7 AS x,\n2 AS y;\n\x1b[A\n\\q\n") else { return };
    assert_eq!(ran.stdout.matches("| 42 | 2 |").count(), 2, "{ran:?}");
    let Some(ran) = typed(&desk, "\x1b[A\x1b[A\n\\q\n") else { return };
    assert_eq!(ran.stdout.matches("| 42 | 2 |").count(), 1, "{ran:?}");
}

/// Arrow up brings back the statement before it.
#[test]
fn a_statement_with_a_secret_is_not_remembered() {
    let desk = Desk::new();
    let keys = "SELECT 6 * 7 AS x;\n\
                EXPLAIN COPY (SELECT 1) TO 's3://AK:hunter2@b/x.csv' OPTIONS ('aws.region' 'x');\n\
                EXPLAIN COPY (SELECT 1) TO 's3://b/x.csv' OPTIONS ('aws.secret_access_key' 'hunter2');\n\
                \x1b[A\n\\q\n";
    let Some(ran) = typed(&desk, keys) else { return };
    assert_eq!(ran.stdout.matches("| 42 |").count(), 2, "{ran:?}");
    let remembered = std::fs::read_to_string(desk.path(".milepost_history")).unwrap();
    assert!(remembered.contains("6 * 7") && !remembered.contains("hunter2"), "{remembered}");
}

#[test]
fn a_bar_shows_rows_bytes_and_rate_while_a_stage_runs() {
    let desk = Desk::new();
    let keys = "CHECKPOINT numbers AS SELECT sha512(CAST(i AS VARCHAR)) AS s FROM generate_series(1, 4000000) AS t(i);\n\\q\n";
    let Some(ran) = typed(&desk, keys) else { return };
    let shown = ran.stdout.split('\r').any(|shown| {
        shown.contains("numbers ") && [" rows, ", "iB, ", "iB/s"].iter().all(|part| shown.contains(part))
    });
    assert!(shown, "{ran:?}");
}
