//! What a CHECKPOINT that does not reach its end leaves on the disk: nothing half-written.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Desk, Ran, files_below};

/// More rows than anybody waits for, and enough bytes in each that files are sent in parts.
const ENDLESS: &str =
    "CHECKPOINT big AS SELECT i, md5(CAST(i AS VARCHAR)) AS h FROM range(0, 100000000000) AS t(i)";

/// A division by zero after most of the rows.
const FAILS_LATE: &str = "CHECKPOINT late AS SELECT i, md5(CAST(i AS VARCHAR)) AS h, 1 / (1400000 - i) AS q FROM range(0, 1500000) AS t(i)";

/// Files under their temporary names, with their sizes.
fn half_written(desk: &Desk) -> Vec<(String, u64)> {
    files_below(&desk.path(".milepost"), "")
        .iter()
        .filter(|path| path.to_string_lossy().contains(".milepost-tmp-"))
        .filter_map(|path| Some((path.display().to_string(), path.metadata().ok()?.len())))
        .collect()
}

fn start(desk: &Desk, arguments: &[&str]) -> Child {
    desk.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a stage has sent some megabytes.
fn wait_for_bytes(desk: &Desk) {
    let started = Instant::now();
    while half_written(desk).iter().all(|(_, bytes)| *bytes < 16 << 20) {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "nothing was written: {:?}",
            half_written(desk)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_statement_that_fails_late_leaves_no_half_file() {
    for job in [false, true] {
        let desk = Desk::new();
        desk.write("job.sql", FAILS_LATE);
        let ran = if job { desk.run(&["run", "job.sql"]) } else { desk.run(&["-c", FAILS_LATE]) };
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("ivide by zero"), "{ran:?}");
        assert_eq!(half_written(&desk), []);
    }
}

#[test]
fn ctrl_c_leaves_no_half_file() {
    for job in [false, true] {
        let desk = Desk::new();
        desk.write("job.sql", ENDLESS);
        let child = if job { start(&desk, &["run", "job.sql"]) } else { start(&desk, &["-c", ENDLESS]) };
        wait_for_bytes(&desk);
        signal(&child, "-INT");
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert_eq!(half_written(&desk), []);
    }
}

/// A limit on the size of a file stands in for a disk that is full: a write fails in the middle of one.
#[test]
fn a_write_that_fails_leaves_no_half_file() {
    let desk = Desk::new();
    let program = desk.command(&[]);
    let shell = "trap '' XFSZ; ulimit -f 40000; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(program.get_program()).args(["-c", ENDLESS]);
    command.current_dir(desk.path(".")).env("HOME", desk.path(".")).env_remove("MILEPOST_STORE");
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("too large"), "{ran:?}");
    assert_eq!(half_written(&desk), []);
}

/// Nobody could take away what a killed process left; a collection does, and says how much it was.
#[test]
fn a_collection_takes_what_a_killed_process_left() {
    let desk = Desk::new();
    let mut child = start(&desk, &["-c", ENDLESS]);
    wait_for_bytes(&desk);
    assert!(collected(&desk).is_empty(), "its writer lives");
    child.kill().unwrap();
    child.wait().unwrap();
    let left: Vec<u64> = half_written(&desk).iter().map(|(_, bytes)| *bytes).collect();
    assert!(left.iter().sum::<u64>() >= 16 << 20, "{left:?}");
    let mut told = collected(&desk);
    told.sort_unstable();
    let mut left = left;
    left.sort_unstable();
    assert_eq!(told, left);
    assert_eq!(half_written(&desk), []);
    assert!(Path::new(&desk.path(".milepost/milepost.json")).exists());
}

/// The bytes of each temporary file that a collection removes.
fn collected(desk: &Desk) -> Vec<u64> {
    let ran = desk.run(&["--format", "csv", "gc", "--grace", "0"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let deleted =
        ran.stdout.lines().filter(|line| line.contains(",deleted,") && line.contains(".milepost-tmp-"));
    deleted.map(|line| line.split(',').nth(3).unwrap().parse().unwrap()).collect()
}
