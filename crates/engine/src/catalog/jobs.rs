//! `milepost.jobs` and `milepost.steps`: one row for each run of a job, and one for each finished step of a run.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::Field;
use datafusion::common::Result;
use futures::{StreamExt, TryStreamExt};
use milepost_store::{FinishedStep, JobName, JobRun, RunStatus, StepTimes};

use super::system::{number, text, time};
use crate::columns::{moments, numbers, strings, texts, times};
use crate::context::Milepost;
use crate::error::store_error;

/// How many jobs' logs are read side by side.
const LOGS: usize = 32;

/// A run, and whether it is its job's last.
pub(super) type Run = (JobName, JobRun, bool);

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

/// All runs of all jobs, oldest first.
pub(super) async fn runs(milepost: &Milepost) -> Result<Vec<Run>> {
    let store = &milepost.home.store;
    let names = store.jobs().await.map_err(store_error)?;
    let read = futures::stream::iter(names).map(|name| async move {
        let runs = store.job_history(&name).await?;
        let last = runs.len().saturating_sub(1);
        let numbered = runs.into_iter().enumerate().map(|(at, run)| (name.clone(), run, at == last));
        Ok(numbered.collect::<Vec<_>>())
    });
    let read: Vec<Vec<Run>> = read.buffered(LOGS).try_collect().await.map_err(store_error)?;
    Ok(read.into_iter().flatten().collect())
}

pub(super) fn run_rows(runs: &[Run]) -> Vec<ArrayRef> {
    let all = || runs.iter().map(|(_, run, _)| run);
    let last = || all().map(|run| run.drivers.last());
    let sum = |of: fn(&FinishedStep) -> u64| numbers(all().map(move |run| run.steps.iter().map(of).sum()));
    vec![
        strings(runs.iter().map(|(job, ..)| job.to_string())),
        strings(all().map(|run| run.run.to_string())),
        strings(runs.iter().map(|(_, run, last)| status(run.status, *last).to_string())),
        moments(all().map(|run| run.drivers.first().map(|driver| driver.began_ms))),
        moments(all().map(|run| run.ended_ms)),
        numbers(all().map(|run| run.drivers.len() as u64)),
        texts(last().map(|driver| driver.map(|driver| driver.owner.host.clone()))),
        numbers(last().map(|driver| driver.map_or(0, |driver| u64::from(driver.owner.pid)))),
        numbers(all().map(|run| run.steps.len() as u64)),
        sum(|done| done.step.elapsed_ms),
        sum(|done| done.step.saved_ms),
        texts(all().map(|run| run.error.clone())),
    ]
}

pub(super) fn step_rows(runs: &[Run]) -> Vec<ArrayRef> {
    let all = || runs.iter().flat_map(|(job, run, _)| run.steps.iter().map(move |done| (job, run, done)));
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
        numbers(steps().map(|step| step.saved_ms)),
        times(all().map(|(.., done)| done.written_ms)),
        numbers(all().map(|(.., done)| done.epoch.0)),
        spent(|times| times.compute_ms),
        spent(|times| times.encode_ms),
        spent(|times| times.write_ms),
        spent(|times| times.sync_ms),
        spent(|times| times.commit_ms),
    ]
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
