//! Ctrl-C.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Desk, Ran, files_below};

/// Hours of work.
const ENDLESS: &str =
    "CHECKPOINT big AS SELECT max(md5(CAST(i AS VARCHAR))) AS m FROM range(0, 100000000000) AS t(i)";

fn start(desk: &Desk, arguments: &[&str]) -> Child {
    desk.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn press_ctrl_c(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a stage of the store has begun to write.
fn wait_for_attempt(store: &Path) {
    let started = Instant::now();
    while files_below(store, "attempt.json").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no attempt was begun");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_interrupted_stage_leaves_nothing_visible_and_the_next_run_works() {
    let desk = Desk::new();
    let child = start(&desk, &["-c", ENDLESS, "-c", "SELECT 'never' AS x"]);
    wait_for_attempt(&desk.path(".milepost"));
    let pressed = Instant::now();
    press_ctrl_c(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(pressed.elapsed() < Duration::from_secs(10), "took {:?}", pressed.elapsed());
    assert!(ran.error_line().contains("interrupted") && !ran.stdout.contains("never"), "{ran:?}");

    assert_eq!(desk.rows("SHOW CHECKPOINTS"), Vec::<String>::new());
    let small = "CHECKPOINT big AS SELECT max(md5(CAST(i AS VARCHAR))) AS m FROM range(0, 10) AS t(i)";
    assert!(desk.rows(small)[0].starts_with("big,1,written,"), "the first commit is version 1");
}

/// There is no terminal to show a bar on, and nothing else would tell why nothing happens.
#[test]
fn a_writer_that_waits_for_another_one_says_so_once() {
    let desk = Desk::new();
    let first = start(&desk, &["-c", ENDLESS]);
    wait_for_attempt(&desk.path(".milepost"));
    let mut second = start(&desk, &["-c", ENDLESS]);
    let mut told = BufReader::new(second.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = told.next().unwrap();
    let expected = format!("notice: big waits for process {} on ", first.id());
    assert!(line.starts_with(&expected) && line.ends_with("which computes the same"), "{line}");
    std::thread::sleep(Duration::from_millis(1500));
    press_ctrl_c(&second);
    assert_eq!(second.wait().unwrap().code(), Some(130));
    assert_eq!(told.filter(|line| line.starts_with("notice: ")).count(), 0);
    press_ctrl_c(&first);
    assert_eq!(Ran::from(first.wait_with_output().unwrap()).code, Some(130));
}

#[test]
fn an_interrupted_query_ends_with_130_too() {
    let desk = Desk::new();
    desk.write("endless.sql", "SELECT max(md5(CAST(i AS VARCHAR))) FROM range(0, 100000000000) AS t(i);");
    let child = start(&desk, &["-f", "endless.sql"]);
    // Nothing on disk says that a query runs; a second is enough to start one.
    std::thread::sleep(Duration::from_secs(1));
    press_ctrl_c(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
}

#[test]
fn interrupted_data_generation_leaves_no_half_table() {
    let desk = Desk::new();
    let child = start(&desk, &["datagen", "tpch", "--scale", "100", "--out", "data"]);
    let started = Instant::now();
    while files_below(&desk.path("data"), ".parquet").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no file was begun");
        std::thread::sleep(Duration::from_millis(20));
    }
    press_ctrl_c(&child);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(files_below(&desk.path("data"), ".parquet"), Vec::<std::path::PathBuf>::new());
}
