//! Compares a store with what must be there.

use milepost_store::{CheckpointEntry, Snapshot, Store};

use super::expected::Expected;
use super::job::finished_steps;
use super::snapshot::{NAMES, checkpoint, content_rows, read_rows};
use crate::failure::Failure;

/// Reads everything: live versions, every row and every byte of each, the newest, the log's history, and the job.
///
/// # Errors
/// [`Failure::Broken`] if that is none of the states that are `allowed`, or if versions do not rise; the store's own
/// errors if it says itself that something is wrong.
pub async fn check(store: &Store, allowed: &[Expected]) -> Result<(), Failure> {
    let mut found = vec![];
    for name in 0..NAMES.len() {
        found.push(look(store, name).await?);
    }
    let steps = finished_steps(store).await?;
    let matches = |expected: &Expected| {
        (0..expected.job_steps()).eq(steps.iter().copied())
            && found.iter().enumerate().all(|(name, live)| *live == rows_of(expected.live(name)))
    };
    if allowed.iter().any(matches) {
        return Ok(());
    }
    Failure::broken(format!("there is {found:?} with the steps {steps:?}, allowed are {allowed:?}"))
}

type Live = Vec<(u64, Vec<i64>)>;

fn rows_of(live: &[(u64, usize)]) -> Live {
    live.iter().map(|(version, content)| (*version, content_rows(*content).concat())).collect()
}

async fn look(store: &Store, name: usize) -> Result<Live, Failure> {
    let mut live = vec![];
    for snapshot in snapshots(store, name).await? {
        store.check_files(&snapshot).await?;
        for file in &snapshot.manifest.files {
            store.verify_file(&snapshot.name, file).await?;
        }
        live.push((snapshot.version.0, read_rows(store, &snapshot).await?));
    }
    let newest = store.newest(&checkpoint(name)?).await?.map(|snapshot| snapshot.version.0);
    if newest != live.last().map(|(version, _)| *version) {
        return Failure::broken(format!("the newest of {live:?} is {newest:?}"));
    }
    versions_rise(store, name).await?;
    Ok(live)
}

async fn snapshots(store: &Store, name: usize) -> Result<Vec<Snapshot>, Failure> {
    let name = checkpoint(name)?;
    let mut found = vec![];
    for live in store.live(&name).await? {
        match store.snapshot(&name, live.version).await? {
            Some(snapshot) if snapshot.manifest.identity.signature == live.signature => found.push(snapshot),
            other => return Failure::broken(format!("{name} lists {live:?}, and has {other:?}")),
        }
    }
    Ok(found)
}

/// A version that was given once is never given again, dropped or not.
async fn versions_rise(store: &Store, name: usize) -> Result<(), Failure> {
    let history = store.history(&checkpoint(name)?).await?;
    let versions: Vec<u64> = history
        .iter()
        .filter_map(|entry| match &entry.body.entry {
            CheckpointEntry::Commit { version, .. } => Some(version.0),
            _ => None,
        })
        .collect();
    if versions.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Failure::broken(format!("the versions of {} do not rise: {versions:?}", NAMES[name]))
}
