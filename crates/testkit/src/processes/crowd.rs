//! Two to eight processes on one store at once: writers of one name, readers of it, garbage collection, and writers that are
//! stopped for a while with SIGSTOP.
//!
//! Every reader must see one of the results that a writer can have committed, whole. A step that builds on its own earlier
//! version is applied as often as it was acknowledged. Nobody may fail but by losing such a step to another.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::program::{Program, finish, last_words, signal, write};
use crate::failure::Failure;

/// The rows of the table that everybody reads.
const ROWS: u64 = 20_000;

/// How often each process does what it does.
const TURNS: usize = 6;

/// Runs one crowd a seed.
///
/// # Errors
/// The first seed at which something is wrong, with the command that runs it again.
pub fn run_crowds(program: &Program, seeds: Range<u64>) -> Result<u64, Failure> {
    let data = tempfile::tempdir().map_err(Failure::io(std::env::temp_dir()))?;
    let numbers = data.path().join("numbers.parquet");
    let rows = format!("SELECT value AS n FROM generate_series(1, {ROWS})");
    program.must(data.path(), &["-c", &format!("COPY ({rows}) TO '{}'", numbers.display())])?;
    let mut processes = 0;
    for seed in seeds {
        processes += crowd(program, data.path(), &numbers.to_string_lossy(), seed)
            .map_err(|failure| failure.case(format!("crowd {seed}"), "crowds", seed))?;
    }
    Ok(processes)
}

/// What one process of the crowd does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Commits the multiples of a number under the shared name, again and again.
    Writes(u64),
    /// Adds one to the shared counter, again and again.
    Counts,
    /// Reads the shared name.
    Reads,
    /// Collects garbage.
    Collects,
}

fn crowd(program: &Program, data: &Path, numbers: &str, seed: u64) -> Result<u64, Failure> {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir_in(data).map_err(Failure::io(data))?;
    let folder = folder.path();
    let table = format!("CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{numbers}'");
    let begin = format!("{table}; {}; CHECKPOINT counter AS SELECT 0 AS i", written(2));
    program.must(folder, &["-c", &begin])?;

    let mut roles = vec![Role::Writes(2), Role::Reads];
    for _ in 0..random.random_range(0..=6) {
        roles.push(match random.random_range(0..5) {
            0 => Role::Writes(3),
            1 => Role::Writes(7),
            2 => Role::Counts,
            3 => Role::Collects,
            _ => Role::Reads,
        });
    }
    let started: Result<Vec<(Role, Child)>, Failure> = roles
        .iter()
        .enumerate()
        .map(|(number, role)| Ok((*role, start(program, folder, &table, *role, number)?)))
        .collect();
    let mut started = started?;
    stop_some(&mut random, &started)?;
    let mut acknowledged = 0;
    for (role, child) in started.drain(..) {
        acknowledged += judge(role, &finish(child)?)?;
    }
    let counted = program.must(folder, &["-c", "SELECT i FROM counter"])?;
    if counted.trim() != format!("i\n{acknowledged}") {
        return Failure::broken(format!(
            "{acknowledged} steps were acknowledged, the counter says {counted:?}"
        ));
    }
    program.must(folder, &["verify"])?;
    Ok(roles.len() as u64)
}

fn written(divisor: u64) -> String {
    // A writer that may reuse what is there writes nothing: without that, writers of one result race, too.
    format!(
        "CHECKPOINT shared WITH (keep_versions = 1, reuse = 'off') AS SELECT n FROM numbers WHERE n % {divisor} = 0"
    )
}

/// Each process runs a script of its own. One that counts runs its steps as so many programs would: the first that is lost to
/// another ends it.
fn start(program: &Program, folder: &Path, table: &str, role: Role, number: usize) -> Result<Child, Failure> {
    let turn = match role {
        Role::Writes(divisor) => written(divisor),
        Role::Counts => "CHECKPOINT counter AS SELECT i + 1 AS i FROM counter".to_owned(),
        Role::Reads => {
            "SET milepost.on_stale = 'use'; SELECT 'seen', count(*), sum(n), min(n) FROM shared".to_owned()
        }
        Role::Collects => "VACUUM CHECKPOINTS".to_owned(),
    };
    let script = format!("{table};\n{}", format!("{turn};\n").repeat(TURNS));
    let path = folder.join(format!("turns-{number}.sql"));
    write(&path, &script)?;
    program.start(folder, &["-f", &path.to_string_lossy()])
}

/// Stops processes at random and lets them go on.
fn stop_some(random: &mut StdRng, started: &[(Role, Child)]) -> Result<(), Failure> {
    for _ in 0..random.random_range(0..6) {
        let (_, child) = &started[random.random_range(0..started.len())];
        std::thread::sleep(Duration::from_millis(random.random_range(0..40)));
        signal(child, "STOP")?;
        std::thread::sleep(Duration::from_millis(random.random_range(0..60)));
        signal(child, "CONT")?;
    }
    Ok(())
}

/// How many steps of the counter a process had acknowledged.
fn judge(role: Role, output: &std::process::Output) -> Result<u64, Failure> {
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let words = last_words(output);
        let lost_a_step = role == Role::Counts && words.contains("run the statement again");
        if !lost_a_step {
            return Failure::broken(format!("{role:?} ended with {}: {words}", output.status));
        }
    }
    match role {
        Role::Counts => Ok(printed.lines().filter(|line| line.starts_with("counter,")).count() as u64),
        Role::Reads => {
            let right: BTreeSet<String> = [2, 3, 7].map(seen).into();
            match printed.lines().find(|line| line.starts_with("seen,") && !right.contains(*line)) {
                Some(line) => Failure::broken(format!("a reader saw {line}")),
                None => Ok(0),
            }
        }
        Role::Writes(_) | Role::Collects => Ok(0),
    }
}

/// What a reader sees of the multiples of a number.
fn seen(divisor: u64) -> String {
    let count = ROWS / divisor;
    format!("seen,{count},{},{divisor}", divisor * count * (count + 1) / 2)
}
