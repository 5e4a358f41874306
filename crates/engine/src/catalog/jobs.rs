//! `milepost.jobs` and `milepost.steps`: one row for each run of a job, and one for each finished step of a run.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::Field;
use datafusion::common::Result;
use milepost_store::{Epoch, Error as StoreError, FinishedStep, JobName, JobRun, RunStatus, StepTimes};

use super::system::{number, text, time};
use crate::columns::{moments, numbers, strings, texts, times};
use crate::context::Milepost;
use crate::error::store_error;
use crate::job::saved_ms;

/// A run, and whether it is its job's last.
type Run = (JobName, JobRun, bool);

/// What the logs of all jobs say.
pub(super) struct Jobs {
    runs: Vec<Run>,
    /// Jobs whose logs cannot be read, and why.
    unreadable: Vec<(JobName, StoreError)>,
}

pub(super) fn run_fields() -> Vec<Field> {
    vec![
        text("job"),
        text("run"),
        text("status"),
        time("started_at"),
        time("ended_at"),
        number("drivers"),
        text("host"),
        number("pid"),
        number("steps"),
        number("elapsed_ms"),
        number("saved_ms"),
        text("error"),
    ]
}

pub(super) fn step_fields() -> Vec<Field> {
    vec![
        text("job"),
        text("run"),
        number("step"),
        text("kind"),
        text("outcome"),
        text("checkpoint"),
        number("version").with_nullable(true),
        number("rows").with_nullable(true),
        number("elapsed_ms"),
        number("saved_ms"),
        time("finished_at"),
        number("epoch"),
        number("compute_ms").with_nullable(true),
        number("encode_ms").with_nullable(true),
        number("write_ms").with_nullable(true),
        number("sync_ms").with_nullable(true),
        number("commit_ms").with_nullable(true),
    ]
}

/// All runs of all jobs, by job, oldest first.
pub(super) async fn read(milepost: &Milepost) -> Result<Jobs> {
    let found = milepost.home.store.job_histories().await.map_err(store_error)?;
    let runs = found.jobs.into_iter().flat_map(|(name, runs)| {
        let last = runs.len().saturating_sub(1);
        runs.into_iter().enumerate().map(move |(at, run)| (name.clone(), run, at == last))
    });
    Ok(Jobs { runs: runs.collect(), unreadable: found.unreadable })
}

/// One row for each run, and one for each job whose runs nobody can tell.
pub(super) fn run_rows(jobs: &Jobs) -> Vec<ArrayRef> {
    let all = || jobs.runs.iter().map(|(_, run, _)| run);
    let last = || all().map(|run| run.drivers.last());
    let unreadable = || jobs.unreadable.iter();
    let (zero, nothing) = (|| unreadable().map(|_| 0), || unreadable().map(|_| None));
    let never = || unreadable().map(|_| None);
    let sum = |of: fn(&JobRun, &FinishedStep) -> u64| {
        numbers(all().map(move |run| run.steps.iter().map(|done| of(run, done)).sum()).chain(zero()))
    };
    let names = jobs.runs.iter().map(|(job, ..)| job).chain(unreadable().map(|(job, _)| job));
    let states = jobs.runs.iter().map(|(_, run, last)| status(run.status, *last));
    let states =
        states.chain(unreadable().map(|(_, error)| if error.is_damage() { "damaged" } else { "unreadable" }));
    let errors = all().map(|run| run.error.clone());
    vec![
        strings(names.map(ToString::to_string)),
        texts(all().map(|run| Some(run.run.to_string())).chain(nothing())),
        strings(states.map(ToString::to_string)),
        moments(all().map(|run| run.drivers.first().map(|driver| driver.began_ms)).chain(never())),
        moments(all().map(|run| run.ended_ms).chain(never())),
        numbers(all().map(|run| run.drivers.len() as u64).chain(zero())),
        texts(last().map(|driver| driver.map(|driver| driver.owner.host.clone())).chain(nothing())),
        numbers(last().map(|driver| driver.map_or(0, |driver| u64::from(driver.owner.pid))).chain(zero())),
        numbers(all().map(|run| run.steps.len() as u64).chain(zero())),
        sum(|_, done| done.step.elapsed_ms),
        sum(|run, done| saved_ms(done, last_epoch(run))),
        texts(errors.chain(unreadable().map(|(_, error)| Some(error.to_string())))),
    ]
}

/// One row for each finished step; a notice names the jobs whose steps nobody can tell.
pub(super) fn step_rows(jobs: &Jobs, milepost: &Milepost) -> Vec<ArrayRef> {
    for (name, error) in &jobs.unreadable {
        milepost.notify(format!("the steps of job {name} are left out: {error}"));
    }
    let all =
        || jobs.runs.iter().flat_map(|(job, run, _)| run.steps.iter().map(move |done| (job, run, done)));
    let steps = || all().map(|(.., done)| &done.step);
    let spent = |of: fn(&StepTimes) -> u64| -> ArrayRef {
        Arc::new(steps().map(|step| step.times.as_ref().map(of)).collect::<UInt64Array>())
    };
    vec![
        strings(all().map(|(job, ..)| job.to_string())),
        strings(all().map(|(_, run, _)| run.run.to_string())),
        numbers(steps().map(|step| step.index + 1)),
        strings(steps().map(|step| step.kind.as_str().to_string())),
        strings(steps().map(|step| step.outcome.as_str().to_string())),
        texts(steps().map(|step| step.checkpoint.as_ref().map(|made| made.checkpoint.to_string()))),
        Arc::new(
            steps().map(|step| step.checkpoint.as_ref().map(|made| made.version.0)).collect::<UInt64Array>(),
        ),
        Arc::new(steps().map(|step| step.rows).collect::<UInt64Array>()),
        numbers(steps().map(|step| step.elapsed_ms)),
        numbers(all().map(|(_, run, done)| saved_ms(done, last_epoch(run)))),
        times(all().map(|(.., done)| done.written_ms)),
        numbers(all().map(|(.., done)| done.epoch.0)),
        spent(|times| times.compute_ms),
        spent(|times| times.encode_ms),
        spent(|times| times.write_ms),
        spent(|times| times.sync_ms),
        spent(|times| times.commit_ms),
    ]
}

/// The turn of the run's last driver, which had what all others had finished.
fn last_epoch(run: &JobRun) -> Epoch {
    run.drivers.last().map(|driver| driver.epoch).unwrap_or_default()
}

/// A run that nobody ended and that is not the last was given up for a new one.
const fn status(status: RunStatus, last: bool) -> &'static str {
    match status {
        RunStatus::Running if last => "running",
        RunStatus::Running => "given up",
        RunStatus::Done => "done",
        RunStatus::Failed => "failed",
    }
}
