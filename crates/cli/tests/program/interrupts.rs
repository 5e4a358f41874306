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

/// Hours of a join that finds nothing, and so never gives way: whichever threads run it hear nothing meanwhile.
const DEAF: &str = "SELECT count(*) AS n FROM range(0, 300000) AS a(i) CROSS JOIN range(0, 300000) AS b(i) \
                    WHERE a.i || 'x' || b.i = 'q'";

/// The query under settings, once it runs.
fn start_deaf(desk: &Desk, setting: &str) -> Child {
    let begun = "SELECT 'begun' AS now";
    let mut child = start(desk, &["--format", "csv", "-c", setting, "-c", begun, "-c", DEAF]);
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("begun") {
        line.clear();
        assert!(printed.read_line(&mut line).unwrap() > 0, "the query was not begun");
    }
    child.stdout = Some(printed.into_inner());
    // It is planned within milliseconds.
    std::thread::sleep(Duration::from_secs(2));
    child
}

/// What a process that was told to end leaves behind.
fn end_of(mut child: Child, patience: Duration) -> Ran {
    let pressed = Instant::now();
    while child.try_wait().unwrap().is_none() {
        let late = pressed.elapsed() > patience;
        if late {
            child.kill().unwrap();
        }
        assert!(!late, "it still runs after {patience:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ran::from(child.wait_with_output().unwrap())
}

/// One partition runs where statements are waited for, so nobody is there to end it in order.
#[test]
fn a_second_ctrl_c_ends_what_does_not_give_way() {
    let desk = Desk::new();
    let mut child = start_deaf(&desk, "SET datafusion.execution.target_partitions = 1");
    press_ctrl_c(&child);
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut notice = String::new();
    told.read_line(&mut notice).unwrap();
    let expected = "notice: the statement does not give way yet; Ctrl-C again ends the program at once";
    assert!(notice.starts_with(expected), "{notice}");
    press_ctrl_c(&child);
    let ran = end_of(child, Duration::from_secs(20));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    assert_eq!(told.lines().count(), 0, "it is told once");
}

/// As many partitions as there are processors keep every other thread busy.
#[test]
fn ctrl_c_is_heard_while_all_threads_are_busy() {
    let desk = Desk::new();
    let child = start_deaf(&desk, "SET datafusion.execution.batch_size = 8192");
    press_ctrl_c(&child);
    let ran = end_of(child, Duration::from_secs(20));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    assert!(ran.error_line().contains("interrupted"), "{ran:?}");
}

/// Nobody can abandon the attempt of such a stage in order, so it is left as a crash would leave it.
#[test]
fn ctrl_c_ends_a_checkpoint_that_does_not_give_way() {
    let desk = Desk::new();
    let child = start(&desk, &["-c", &format!("CHECKPOINT deaf AS {}", DEAF.replace("300000", "3000000"))]);
    wait_for_attempt(&desk.path(".milepost"));
    std::thread::sleep(Duration::from_secs(2));
    press_ctrl_c(&child);
    let ran = end_of(child, Duration::from_secs(30));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(130), ""), "{ran:?}");
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert!(told[0].starts_with("notice: the statement does not give way yet"), "{ran:?}");
    assert!(told[1].starts_with("notice: the statement still does not give way"), "{ran:?}");
    assert!(told[2].contains("interrupted") && told.len() == 3, "{ran:?}");
    let small = "CHECKPOINT deaf AS SELECT 1 AS n";
    assert!(desk.rows(small)[0].starts_with("deaf,1,written,"), "nothing is in its way");
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
