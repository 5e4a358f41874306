//! The shell on a terminal, which `script` of util-linux stands in for.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Desk, Ran};

fn has_script() -> bool {
    let version = Command::new("script").arg("--version").stdout(Stdio::piped()).output();
    version.is_ok_and(|ran| String::from_utf8_lossy(&ran.stdout).contains("util-linux"))
}

/// Lines that are typed while a statement runs are run after it, each once.
#[test]
fn lines_that_are_typed_ahead_are_run() {
    if !has_script() {
        eprintln!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let desk = Desk::new();
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
    let slow = "SELECT count(*) AS slow FROM generate_series(1, 50000000) AS t(i) WHERE i % 5 = 0;";
    let typed = format!("{slow}\nSELECT 'sec' || 'ond' AS x;\nCHECKPOINT c AS SELECT 3 AS n;\n\\q\n");
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for result in ["| 10000000 |", "| second |"] {
        assert_eq!(ran.stdout.matches(result).count(), 1, "{result}: {ran:?}");
    }
    assert_eq!(desk.rows("SELECT checkpoint, version FROM milepost.checkpoints"), ["c,1"]);
}
