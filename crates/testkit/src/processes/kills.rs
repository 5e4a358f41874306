//! A job that is killed at random moments, and started again until it ends.
//!
//! ```text
//! run ─▶ SIGKILL ─▶ run ─▶ SIGKILL ─▶ … ─▶ run to the end
//! ```
//! Its rows must be those of a job that nobody disturbed, every step that builds on itself must be applied once, no unit that was
//! complete may be computed again, and every byte of the store must be what was written.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::program::{Program, finish, read, signal, write};
use crate::failure::Failure;

/// How often the job's counter is raised.
const STEPS: usize = 6;

/// Of so many jobs one must have been killed, or the loop shows nothing.
const ENOUGH: u64 = 10;

/// Runs one job a seed, each killed up to four times.
///
/// # Errors
/// The first seed whose job does not end as it must, with the command that runs it again; or that nothing was killed.
pub fn run_kills(program: &Program, seeds: Range<u64>) -> Result<u64, Failure> {
    let data = tempfile::tempdir().map_err(Failure::io(std::env::temp_dir()))?;
    let job = write_job(program, data.path())?;
    let (expected, usual) = undisturbed(program, data.path(), &job)?;
    let (jobs, mut kills) = (seeds.end - seeds.start, 0);
    for seed in seeds {
        kills += disturbed(program, data.path(), &job, &expected, usual, seed)
            .map_err(|failure| failure.case(format!("kill {seed}"), "kills", seed))?;
    }
    if kills == 0 && jobs >= ENOUGH {
        return Failure::broken(format!("none of {jobs} jobs ran when it was to be killed"));
    }
    Ok(kills)
}

/// A file of rows, and a script over it: a stage that is cut into many units, an aggregation, a counter, a file that is
/// written at the end.
fn write_job(program: &Program, data: &Path) -> Result<String, Failure> {
    let numbers = data.join("numbers.parquet");
    let rows = "SELECT value AS n, value % 97 AS k, 'row ' || value AS text FROM generate_series(1, 200000)";
    let make =
        format!("COPY ({rows}) TO '{}' OPTIONS ('format.max_row_group_size' '5000')", numbers.display());
    program.must(data, &["-c", &make])?;
    let mut script = format!(
        "SET milepost.unit_bytes = '64 KiB';
         CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{}';
         CHECKPOINT odd AS SELECT n, k, upper(text) AS text FROM numbers WHERE n % 2 = 1;
         CHECKPOINT by_k AS SELECT k, count(*) AS rows, sum(n) AS total, max(text) AS last FROM odd GROUP BY k;
         CHECKPOINT counter AS SELECT 1 AS i;\n",
        numbers.display()
    );
    for _ in 1..STEPS {
        script.push_str("CHECKPOINT counter AS SELECT i + 1 AS i FROM counter;\n");
    }
    script.push_str("COPY (SELECT k, rows, total, last, i FROM by_k, counter ORDER BY k) TO '${out}';\n");
    let path = data.join("job.sql");
    write(&path, &script)?;
    Ok(path.to_string_lossy().into_owned())
}

/// What the job writes when nobody disturbs it, and how long it takes at least.
fn undisturbed(program: &Program, data: &Path, job: &str) -> Result<(String, Duration), Failure> {
    let out = data.join("undisturbed.csv");
    let variable = format!("out={}", out.display());
    let run = |folder: &Path| program.must(folder, &["run", job, "--var", &variable]);
    // The first run waits until its source is old enough. The jobs that are killed do not, and end long before.
    run(data)?;
    let mut usual = Duration::MAX;
    for _ in 0..3 {
        let folder = tempfile::tempdir_in(data).map_err(Failure::io(data))?;
        let begun = Instant::now();
        run(folder.path())?;
        usual = usual.min(begun.elapsed());
    }
    let expected = read(&out)?;
    let counted = expected.lines().skip(1).all(|line| line.ends_with(&format!(",{STEPS}")));
    if !counted || expected.lines().count() != 98 {
        return Failure::broken(format!("the undisturbed job gave {expected}"));
    }
    Ok((expected, usual))
}

fn disturbed(
    program: &Program,
    data: &Path,
    job: &str,
    expected: &str,
    usual: Duration,
    seed: u64,
) -> Result<u64, Failure> {
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir_in(data).map_err(Failure::io(data))?;
    let out = folder.path().join("out.csv");
    let variable = format!("out={}", out.display());
    let arguments = ["run", job, "--var", &variable];
    let mut kills = 0;
    for _ in 0..random.random_range(1..=4) {
        let moment = usual.mul_f64(random.random_range(0.02..1.0));
        let child = program.start(folder.path(), &arguments)?;
        std::thread::sleep(moment);
        signal(&child, "KILL")?;
        let output = finish(child)?;
        if output.status.success() {
            break;
        }
        kills += 1;
    }
    program.must(folder.path(), &arguments)?;
    let found = read(&out)?;
    if found != expected {
        return Failure::broken(format!("after {kills} kills the job gave\n{found}instead of\n{expected}"));
    }
    if let Some(unit) = completed_twice(&folder.path().join("store/checkpoints/odd/attempts"))? {
        return Failure::broken(format!(
            "after {kills} kills {unit} of odd was computed again, although it was complete"
        ));
    }
    program.must(folder.path(), &["verify"])?;
    Ok(kills)
}

/// A unit of which two attempts have a receipt, if there is one. All attempts of a stage that is cut have the same units.
fn completed_twice(attempts: &Path) -> Result<Option<String>, Failure> {
    let mut complete = BTreeSet::new();
    for attempt in std::fs::read_dir(attempts).map_err(Failure::io(attempts))? {
        let attempt = attempt.map_err(Failure::io(attempts))?.path();
        if !attempt.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&attempt).map_err(Failure::io(&attempt))? {
            let name = file.map_err(Failure::io(&attempt))?.file_name().to_string_lossy().into_owned();
            let is_receipt = name.starts_with("unit-") && name.ends_with(".json");
            if is_receipt && !complete.insert(name.clone()) {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}
