//! What the tests of jobs need: one job, its steps, and drivers of it.

use std::path::Path as FilePath;
use std::time::Duration;

use milepost_store::{
    Digest, DriveOutcome, Driver, Error, Holder, JobName, Owner, Sign, SnapshotRef, StartOptions,
    StartOutcome, StepKind, StepOutcome, StepRecord, Store, Version,
};

use crate::support::*;

pub fn job() -> JobName {
    JobName::parse("nightly").unwrap()
}

pub fn identity(index: u64) -> Digest {
    Digest::of(format!("statements up to {index}").as_bytes())
}

pub fn step(index: u64) -> StepRecord {
    StepRecord {
        index,
        identity: identity(index),
        kind: StepKind::Checkpoint,
        outcome: StepOutcome::Written,
        checkpoint: Some(SnapshotRef { checkpoint: name(), version: Version(index + 1) }),
        snapshots: vec![],
        unnamed: vec![],
        reads: vec![],
        rows: Some(index * 10),
        elapsed_ms: 5,
        times: None,
        saved_ms: 0,
    }
}

/// Looks often, because the test and not the time decides.
pub fn start() -> StartOptions {
    let owner = Owner { host: "host".to_owned(), pid: 7, run: String::new() };
    let options = StartOptions::new(owner, Digest::of(b"script"), Digest::of(b"variables"));
    StartOptions { poll: Duration::from_millis(2), ..options }
}

pub fn taking_over() -> StartOptions {
    StartOptions { takeover: true, ..start() }
}

pub async fn start_with(store: &Store, options: StartOptions) -> StartOutcome {
    Driver::start(store, &job(), options).await.unwrap()
}

pub fn driving(outcome: StartOutcome) -> Driver {
    match outcome {
        StartOutcome::Driving(driver) => *driver,
        StartOutcome::Held { by, sign } => panic!("held by {by:?}: {sign:?}"),
    }
}

pub fn held(outcome: StartOutcome) -> (Holder, Sign) {
    match outcome {
        StartOutcome::Held { by, sign } => (by, sign),
        StartOutcome::Driving(driver) => panic!("{} drives", driver.id()),
    }
}

pub async fn drive(store: &Store) -> Driver {
    driving(start_with(store, start()).await)
}

pub fn recorded(outcome: Result<DriveOutcome, Error>) {
    assert_eq!(outcome.unwrap(), DriveOutcome::Recorded);
}

/// Asserts that a driver is fenced by another one.
pub fn fenced(outcome: Result<DriveOutcome, Error>, by: &Driver) {
    match outcome.unwrap() {
        DriveOutcome::Fenced(holder) => assert_eq!((holder.driver, holder.epoch), (by.id(), by.epoch())),
        DriveOutcome::Recorded => panic!("a fenced driver wrote"),
    }
}

/// The indexes of the finished steps of the current run.
pub async fn finished(store: &Store) -> Vec<u64> {
    let found = store.open_job(&job()).await.unwrap().unwrap();
    found.run.steps.iter().map(|finished| finished.step.index).collect()
}

pub async fn on_disk(root: &FilePath) -> Store {
    Store::open(root.to_str().unwrap(), options()).await.unwrap()
}

/// The files beside a job's log, but for the hint.
pub fn signs_of_life(root: &FilePath) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("jobs/nightly")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names.filter(|name| !matches!(name.as_str(), "log" | "tail")).collect();
    found.sort();
    found
}
