//! `milepost jobs`: runs, and the steps of one job, from the system tables.

use milepost::job::JobName;

use super::arguments::JobsArgs;
use crate::failure::{Failure, Place};
use crate::run::Runner;

/// Prints the runs of all jobs, or the runs of one and their steps.
///
/// # Errors
/// A job that was never started, a log that cannot be read, output that cannot be written.
pub(crate) async fn list(runner: &mut Runner, args: &JobsArgs) -> Result<(), Failure> {
    const RUNS: &str = "SELECT job, run, status, started_at, ended_at, drivers, steps, elapsed_ms, saved_ms, error \
                        FROM milepost.jobs";
    const STEPS: &str = "SELECT run, step, kind, outcome, checkpoint, version, rows, elapsed_ms, saved_ms, finished_at \
                         FROM milepost.steps";
    let place = Place { script: String::new(), line: 1 };
    let Some(name) = &args.name else {
        return runner.sql(&format!("{RUNS} ORDER BY job, started_at"), place).await;
    };
    // A parsed name holds no quote.
    let name = JobName::parse(name).map_err(|error| Failure::Refused(error.to_string()))?;
    let store = runner.session.store();
    let known = store.open_job(&name).await.map_err(|error| Failure::job(error.into()))?;
    if known.is_none() {
        let store = store.url();
        return Err(Failure::Missing(format!(
            "there is no job '{name}' in {store}: milepost jobs lists those there are"
        )));
    }
    runner.sql(&format!("{RUNS} WHERE job = '{name}' ORDER BY started_at"), place.clone()).await?;
    runner.sql(&format!("{STEPS} WHERE job = '{name}' ORDER BY run, step"), place).await
}
