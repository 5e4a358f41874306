//! Several writers of one checkpoint, each with faults of its own, in turns that the seed decides.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures::future::try_join_all;
use milepost_store::{CheckpointEntry, Store, Version};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::over_seeds;
use crate::failure::Failure;
use crate::fault::FaultStore;
use crate::scenario::{checkpoint, commit, content_rows, open, read_rows, signature_of};
use crate::stop::Stop;

const WRITERS: usize = 3;
const COMMITS: usize = 3;

/// After so many failures a writer has no more faults.
const PATIENCE: u64 = 10;

/// What one writer was told.
#[derive(Debug, Default)]
struct Told {
    /// Version and content.
    committed: Vec<(Version, usize)>,
    dropped: Vec<Version>,
    failures: usize,
}

/// Runs the race of every seed; gives how many statements failed and were run again.
///
/// # Errors
/// The first race that broke a promise, with the command that runs it alone.
pub fn run_rivals(seeds: Range<u64>) -> Result<usize, Failure> {
    over_seeds("rivals", seeds, race)
}

async fn race(seed: u64) -> Result<usize, Failure> {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let faults: Vec<FaultStore> = (0..WRITERS).map(|_| FaultStore::new(Arc::clone(&objects))).collect();
    let writers = faults.iter().enumerate().map(|(writer, faults)| write(faults, seed, writer));
    let told = try_join_all(writers).await?;
    let look = async |process| look(&open(Arc::clone(&objects), process).await?, &told).await;
    look(1_000_000).await?;
    for faults in &faults {
        faults.arrive().await;
    }
    look(1_000_001).await?;
    Ok(told.iter().map(|told| told.failures).sum())
}

/// Commits contents that nobody else has, and drops some of them again; every statement until it is reported as done.
async fn write(faults: &FaultStore, seed: u64, writer: usize) -> Result<Told, Failure> {
    let mut numbers = StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(writer as u64));
    let mut told = Told::default();
    // Every process has a number of its own, or two would make the same ids.
    let mut process = writer as u64 * 1_000;
    for commit_number in 0..COMMITS {
        let step = writer * 100 + commit_number;
        let content = 10 + step;
        let version = persist(faults, &mut numbers, &mut process, &mut told, async |store: &Store| {
            Ok(commit(store, 0, content, step).await?.version)
        });
        let version = version.await?;
        told.committed.push((version, content));
        if numbers.random_bool(0.3) {
            let drop = async |store: &Store| {
                let _gone = store.drop_version(&checkpoint(0)?, version).await?;
                Ok(version)
            };
            let gone = persist(faults, &mut numbers, &mut process, &mut told, drop).await?;
            told.dropped.push(gone);
        }
    }
    Ok(told)
}

/// Runs a statement again in a new process, until it is reported as done.
async fn persist(
    faults: &FaultStore,
    numbers: &mut StdRng,
    process: &mut u64,
    told: &mut Told,
    statement: impl AsyncFn(&Store) -> Result<Version, Failure>,
) -> Result<Version, Failure> {
    for tries in 0.. {
        *process += 1;
        faults.heal();
        if tries < PATIENCE {
            faults.misbehave_at_random(numbers.random(), [0.02, 0.1, 0.2][numbers.random_range(0..3)]);
            if numbers.random_bool(0.5) {
                // Somewhere in or after a commit: the next process does not know what this one was told.
                faults.stop_at(numbers.random_range(0..40), Stop::ALL[numbers.random_range(0..3)]);
            }
        }
        let result = async { statement(&open(Arc::new(faults.clone()), *process).await?).await }.await;
        match result {
            Ok(version) => return Ok(version),
            Err(failure) if failure.is_expected() && tries <= PATIENCE => told.failures += 1,
            Err(failure) => return Err(failure),
        }
    }
    Failure::broken("no try was made")
}

/// Every report is true; what is there is whole; a step that says which it is stands in the log once.
async fn look(store: &Store, told: &[Told]) -> Result<(), Failure> {
    let name = checkpoint(0)?;
    let mut versions: BTreeMap<Version, usize> = BTreeMap::new();
    let mut steps = vec![];
    for entry in store.history(&name).await? {
        let CheckpointEntry::Commit { version, manifest, .. } = entry.body.entry else { continue };
        let signature = manifest.identity.signature;
        let content = (10..10 + WRITERS * 100).find(|content| signature_of(*content) == signature);
        let Some(content) = content else { return Failure::broken(format!("nobody computes {signature}")) };
        if versions.last_key_value().is_some_and(|(last, _)| *last >= version) {
            return Failure::broken(format!("version {version} comes after {versions:?}"));
        }
        versions.insert(version, content);
        if !manifest.origin.run.is_empty() {
            steps.push(manifest.origin.step);
        }
    }
    let count = steps.len();
    steps.sort_unstable();
    steps.dedup();
    if steps.len() != count {
        return Failure::broken(format!("of {count} commits with steps only {steps:?} differ"));
    }
    for (version, content) in told.iter().flat_map(|told| &told.committed) {
        if versions.get(version) != Some(content) {
            return Failure::broken(format!(
                "{content} was reported as {version}, and there is {versions:?}"
            ));
        }
    }
    look_at_live(store, told, &versions).await
}

async fn look_at_live(
    store: &Store,
    told: &[Told],
    versions: &BTreeMap<Version, usize>,
) -> Result<(), Failure> {
    let name = checkpoint(0)?;
    let dropped: Vec<Version> = told.iter().flat_map(|told| told.dropped.clone()).collect();
    for (version, content) in versions {
        let found = store.snapshot(&name, *version).await?;
        match found {
            None if dropped.contains(version) => {}
            Some(snapshot) if !dropped.contains(version) => {
                store.check_files(&snapshot).await?;
                let (rows, expected) = (read_rows(store, &snapshot).await?, content_rows(*content).concat());
                if rows != expected {
                    return Failure::broken(format!("version {version} has {rows:?}, not {expected:?}"));
                }
            }
            other => {
                return Failure::broken(format!("version {version}: {other:?}, dropped are {dropped:?}"));
            }
        }
    }
    Ok(())
}
