//! The job of a script: its steps are recorded one by one, each by a driver that takes the job from the one before.

use milepost_store::{
    Digest, DriveOutcome, Driver, JobName, Owner, RunOutcome, StartOptions, StartOutcome, StepKind,
    StepOutcome, StepRecord, Store,
};

use crate::failure::Failure;

fn job() -> Result<JobName, Failure> {
    Ok(JobName::parse("nightly")?)
}

/// Records step `index`, unless a driver before has done so whose process did not hear of it.
pub(super) async fn job_step(store: &Store, index: u64) -> Result<(), Failure> {
    let owner = Owner { host: "host".to_owned(), pid: 7, run: String::new() };
    let options = StartOptions::new(owner, Digest::of(b"script"), Digest::of(b"variables"));
    // Whoever had the job is dead, and nobody needs to wait for that to show.
    let options = StartOptions { takeover: true, ..options };
    let driver = match Driver::start(store, &job()?, options).await? {
        StartOutcome::Driving(driver) => driver,
        StartOutcome::Held { by, .. } => return Failure::broken(format!("the job is held by {by:?}")),
    };
    if !driver.finished_steps().iter().any(|finished| finished.step.index == index) {
        recorded(driver.step(step(index)).await?)?;
    }
    recorded(driver.finish(RunOutcome::Failed, None).await?)
}

fn recorded(outcome: DriveOutcome) -> Result<(), Failure> {
    match outcome {
        DriveOutcome::Recorded => Ok(()),
        DriveOutcome::Fenced(by) => Failure::broken(format!("the only driver was fenced by {by:?}")),
    }
}

fn step(index: u64) -> StepRecord {
    StepRecord {
        index,
        identity: Digest::of(&index.to_le_bytes()),
        kind: StepKind::Query,
        outcome: StepOutcome::Done,
        checkpoint: None,
        snapshots: vec![],
        unnamed: vec![],
        reads: vec![],
        rows: None,
        elapsed_ms: 5,
        times: None,
        saved_ms: 0,
    }
}

/// The indexes of the job's finished steps, each as often as the log has it.
pub(super) async fn finished_steps(store: &Store) -> Result<Vec<u64>, Failure> {
    let found = store.open_job(&job()?).await?;
    Ok(found.map_or_else(Vec::new, |job| job.run.steps.iter().map(|finished| finished.step.index).collect()))
}
