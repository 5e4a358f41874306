//! Jobs whose processes are killed, stopped and interrupted.
//!
//! `MILEPOST_KILLS` says how often the job of the first test is killed, `MILEPOST_SEED` when: every run prints its seed.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Desk, Ran, files_below};

/// State, units that take a while, a loop over one name, time, a forced refresh, a drop, and sinks.
const JOB: &str = "
SET milepost.unit_bytes = '4 KiB';
CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '${data}';
CREATE TABLE words AS SELECT * FROM (VALUES (0, 'zero'), (1, 'one')) AS t (k, word);
INSERT INTO words VALUES (2, 'two');
CHECKPOINT hashed AS SELECT n, n % 3 AS k, encode(sha512(repeat(CAST(n AS VARCHAR), 2000)), 'hex') AS h FROM numbers;
CHECKPOINT grouped AS SELECT word, count(*) AS rows, max(h) AS h FROM hashed JOIN words USING (k) GROUP BY word;
CREATE TABLE before AS SELECT * FROM grouped;
CHECKPOINT steps AS SELECT 1 AS n;
CHECKPOINT steps AS SELECT n + 1 AS n FROM steps;
CREATE TABLE two AS SELECT * FROM steps;
CHECKPOINT steps AS SELECT n + 1 AS n FROM steps;
REFRESH CHECKPOINT grouped FORCE;
CHECKPOINT began AS SELECT now() AS at;
CHECKPOINT passing AS SELECT * FROM began;
CREATE TABLE kept AS SELECT * FROM passing;
DROP CHECKPOINT passing;
COPY (SELECT steps.n, two.n AS two, kept.at = began.at AS same FROM steps, two, kept, began) TO 'state.csv';
COPY (SELECT * FROM before UNION ALL SELECT * FROM grouped ORDER BY word) TO 'rows.csv';
SELECT count(*) FROM hashed;
";

struct Bench {
    data: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let desk = Desk::new();
        let data = tempfile::tempdir().unwrap();
        let rows = format!(
            "COPY (SELECT value AS n FROM generate_series(1, 12000)) TO '{}' OPTIONS ('format.max_row_group_size' '500')",
            data.path().join("numbers.parquet").display()
        );
        desk.rows(&rows);
        Self { data }
    }

    fn desk(&self) -> Desk {
        let desk = Desk::new();
        desk.write("job.sql", JOB);
        desk
    }

    fn start(&self, desk: &Desk, more: &[&str]) -> Child {
        let data = format!("data={}", self.data.path().join("numbers.parquet").display());
        let arguments = [&["run", "job.sql", "--var", &data][..], more].concat();
        desk.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, desk: &Desk, more: &[&str]) -> Ran {
        Ran::from(self.start(desk, more).wait_with_output().unwrap())
    }
}

/// All that a job leaves: what its checkpoints hold, how many versions each has, and its files.
fn result(desk: &Desk) -> Vec<String> {
    let mut left =
        desk.rows("SELECT checkpoint, version, rows FROM milepost.snapshots ORDER BY checkpoint, version");
    left.extend(desk.rows("SELECT count(*), count(DISTINCT n), min(h), max(h), sum(k) FROM hashed"));
    left.extend(desk.rows("SELECT * FROM grouped ORDER BY word"));
    left.extend(desk.rows("SELECT * FROM steps"));
    for file in ["state.csv", "rows.csv"] {
        left.push(std::fs::read_to_string(desk.path(file)).unwrap());
    }
    left
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn wait_for_attempt(store: &Path) {
    let started = Instant::now();
    while files_below(store, "attempt.json").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no attempt was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers that a seed gives.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn a_job_that_is_killed_ends_as_one_that_is_not() {
    let bench = Bench::new();
    let undisturbed = bench.desk();
    let started = Instant::now();
    let ran = bench.run(&undisturbed, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut long = milliseconds(started);
    let expected = result(&undisturbed);
    assert!(expected.iter().any(|line| line == "3,2,true\n" || line.ends_with("3,2,true\n")), "{expected:?}");

    let kills = from_environment("MILEPOST_KILLS").unwrap_or(30);
    let seed = from_environment("MILEPOST_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) | 1);
    println!("{kills} kills within {long} ms; MILEPOST_SEED={seed}");
    let (mut dice, mut killed, mut kept) = (Dice(seed), 0, 0);
    while killed < kills {
        let desk = bench.desk();
        let mut deaths = vec![];
        let last = loop {
            let left = units_left(&desk);
            let started = Instant::now();
            let mut child = bench.start(&desk, &["--format", "csv"]);
            let delay = if killed < kills { dice.up_to(long) } else { u64::MAX };
            if !ends_within(&mut child, delay) {
                child.kill().unwrap();
                killed += 1;
                deaths.push(delay);
            }
            let ran = Ran::from(child.wait_with_output().unwrap());
            // Repeated work is at most the units in flight.
            no_complete_unit_is_computed_again(&desk);
            let reused = units_reused(&ran);
            if let (Some(left), Some(reused)) = (left, reused) {
                assert!(
                    reused >= left,
                    "seed {seed}, killed after {deaths:?} ms: {reused} of {left}: {ran:?}"
                );
                kept += reused;
            }
            assert!(left.is_none() || reused.is_some() || ran.code != Some(0), "{ran:?}");
            // Killed after its last entry, on its way out: the next start would be another run.
            let is_through =
                || desk.rows("SELECT status FROM milepost.jobs").iter().any(|status| status == "done");
            if ran.code.is_none() && is_through() {
                break Ran { code: Some(0), ..ran };
            }
            if ran.code.is_some() {
                if deaths.is_empty() {
                    // Other tests that ran beside the first one may have slowed it down.
                    long = long.min(milliseconds(started));
                }
                break ran;
            }
        };
        println!("killed after {deaths:?} ms");
        assert_eq!(last.code, Some(0), "seed {seed}, killed after {deaths:?} ms: {last:?}");
        assert_eq!(result(&desk), expected, "seed {seed}, killed after {deaths:?} ms");
    }
    println!("{kept} complete units of killed processes were kept");
}

/// The receipts of complete units of `hashed`, the one stage of the job that is cut into units: those of all attempts.
fn receipts(desk: &Desk) -> Vec<PathBuf> {
    let mut found = files_below(&desk.path(".milepost/checkpoints/hashed/attempts"), ".json");
    found.retain(|path| is_receipt(path));
    found
}

/// How many units of `hashed` dead processes have completed; `None` once it is committed.
fn units_left(desk: &Desk) -> Option<usize> {
    let committed = !files_below(&desk.path(".milepost/checkpoints/hashed/log"), ".json").is_empty();
    (!committed).then(|| receipts(desk).len())
}

/// All attempts have the same slices: a unit with two receipts was computed twice, although it had been complete.
fn no_complete_unit_is_computed_again(desk: &Desk) {
    let receipts = receipts(desk);
    let units: BTreeSet<_> = receipts.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(units.len(), receipts.len(), "{receipts:?}");
}

/// What the row of `hashed` says, if the process came to print it.
fn units_reused(ran: &Ran) -> Option<usize> {
    let row: Vec<&str> = ran.stdout.lines().find(|line| line.starts_with("hashed,"))?.split(',').collect();
    // A killed process may have printed half of it.
    row.get(8).and_then(|_| row[7].parse().ok())
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap()
}

/// Whether the child ends by itself in so many milliseconds.
fn ends_within(child: &mut Child, delay: u64) -> bool {
    let started = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        if started.elapsed() >= Duration::from_millis(delay) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The first process is stopped in the middle of a step, the job is taken from it, and it wakes up.
#[test]
fn a_stopped_process_loses_its_job_and_notices_when_it_wakes_up() {
    let bench = Bench::new();
    let desk = bench.desk();
    let asleep = bench.start(&desk, &[]);
    wait_for_attempt(&desk.path(".milepost"));
    signal(&asleep, "-STOP");

    let held = bench.run(&desk, &[]);
    assert_eq!(held.code, Some(3), "{held:?}");
    let line = held.error_line();
    assert!(line.contains(&asleep.id().to_string()) && line.contains("--takeover"), "{line}");
    let supervised = bench.run(&desk, &["--supervise"]);
    assert_eq!(
        (supervised.code, supervised.error_line()),
        (Some(3), line),
        "there is no use in trying again"
    );

    let taken = bench.run(&desk, &["--takeover"]);
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let (log, before) = (desk.path(".milepost/jobs/job/log"), result(&desk));
    let entries = files_below(&log, ".json").len();
    signal(&asleep, "-CONT");
    let awake = Ran::from(asleep.wait_with_output().unwrap());
    assert_eq!(awake.code, Some(3), "{awake:?}");
    assert!(awake.stderr.lines().last().unwrap().contains("was taken over by process"), "{awake:?}");
    assert!(
        awake.stdout.contains("adopted") && !awake.stdout.contains("written"),
        "what its successor committed is not its own: {awake:?}"
    );
    assert_eq!(files_below(&log, ".json").len(), entries, "it appended nothing");
    assert_eq!(result(&desk), before, "it committed nothing");
}

#[test]
fn an_interrupted_job_goes_on_from_its_units() {
    let bench = Bench::new();
    let desk = bench.desk();
    let child = bench.start(&desk, &[]);
    let started = Instant::now();
    while receipts(&desk).len() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "no unit was written");
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child, "-INT");
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(desk.rows("SELECT status, error FROM milepost.jobs"), ["failed,interrupted"]);
    let again = bench.run(&desk, &[]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("resumed in"), "{again:?}");

    // What the units took is saved, and said alike wherever it is said.
    let resumed = desk.rows("SELECT saved_ms FROM milepost.steps WHERE outcome = 'resumed'").remove(0);
    assert!(resumed.parse::<u64>().unwrap() > 0, "{again:?}");
    assert!(again.stdout.contains(&format!(" {resumed} ")), "{resumed} in the result row: {again:?}");
    let saved = desk.rows("SELECT saved_ms FROM milepost.jobs").remove(0).parse::<u64>().unwrap();
    assert_eq!(desk.rows("SELECT sum(saved_ms) FROM milepost.steps"), [saved.to_string()]);
    let seconds = Duration::from_millis(saved).as_secs_f64();
    let said = if saved < 10_000 { format!("{seconds:.3} s") } else { format!("{seconds:.1} s") };
    let last = again.stderr.lines().last().unwrap();
    assert!(last.ends_with(&format!("; saved {said}")), "{saved}: {again:?}");
    let listed = desk.run(&["jobs", "job", "--format", "csv"]);
    assert!(listed.stdout.lines().nth(1).unwrap().contains(&format!(",{saved},")), "{listed:?}");
}

fn is_receipt(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("unit-"))
}

#[test]
fn a_supervisor_starts_a_killed_job_again_and_passes_ctrl_c_on() {
    let bench = Bench::new();
    let desk = bench.desk();
    let supervisor = bench.start(&desk, &["--supervise"]);
    wait_for_attempt(&desk.path(".milepost"));
    let driver = || desk.rows("SELECT pid, status FROM milepost.jobs").remove(0);
    let first = driver();
    let pid = first.split(',').next().unwrap();
    assert_ne!(pid, supervisor.id().to_string());
    assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    let started = Instant::now();
    while driver() == first {
        assert!(started.elapsed() < Duration::from_secs(60), "it was not started again");
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&supervisor, "-INT");
    let ran = Ran::from(supervisor.wait_with_output().unwrap());
    assert!(ran.stderr.contains("notice: the job was ended by signal 9; start 1 of 5 in 1 s"), "{ran:?}");
    // A fast machine may be through before the signal comes.
    let through = driver().ends_with(",done");
    assert_eq!(ran.code, Some(if through { 0 } else { 130 }), "{ran:?}");
    assert_eq!(bench.run(&desk, &[]).code, Some(0));
}

/// A supervisor that is killed can tell nobody; its child must not go on unseen and keep the next start out.
#[test]
fn a_supervised_job_ends_when_its_supervisor_is_killed() {
    let desk = Desk::new();
    desk.write(
        "job.sql",
        "CHECKPOINT big AS SELECT max(md5(CAST(i AS VARCHAR))) AS m FROM range(0, 100000000000) AS t(i);",
    );
    let mut supervisor = desk.command(&["run", "job.sql", "--supervise"]);
    let mut supervisor = supervisor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_attempt(&desk.path(".milepost"));
    let status = || desk.rows("SELECT status, pid FROM milepost.jobs").remove(0);
    let pid = status().split(',').nth(1).unwrap().to_string();
    assert_ne!(pid, supervisor.id().to_string());
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let (started, process) = (Instant::now(), Path::new("/proc").join(&pid));
    while process.exists() && !is_zombie(&process) {
        assert!(started.elapsed() < Duration::from_secs(30), "the child goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(status(), format!("failed,{pid}"));
}

/// Whether a process has ended and only waits for somebody to ask how.
fn is_zombie(process: &Path) -> bool {
    std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| stat.contains(") Z "))
}
