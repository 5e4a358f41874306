//! A process ends, or its requests fail, and another goes on.
//!
//! What was reported before must be there after, whole; what was under way is there whole or not at all; running the
//! script on must end like a run without faults, version numbers included.

mod every_operation;
mod flips;
mod rivals;
mod schedules;

use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::ObjectStore;

pub use every_operation::{count_requests, stop_at_every_request};
pub use flips::{flip_data_files, flip_manifest};
pub use rivals::run_rivals;
pub use schedules::{run_schedule, run_schedules};

use crate::failure::Failure;
use crate::scenario::{Progress, Script, check, open};

/// Runs on in a new process until the first failure.
async fn run_process(objects: Arc<dyn ObjectStore>, process: u64, script: &Script, from: usize) -> Progress {
    match open(objects, process).await {
        Ok(store) => script.run(&store, from, |_| {}).await,
        Err(failure) => Progress { done: from, failure: Some(failure) },
    }
}

/// A new process without faults: looks, runs the rest of the script, looks again.
async fn recover(
    objects: Arc<dyn ObjectStore>,
    process: u64,
    script: &Script,
    done: usize,
) -> Result<(), Failure> {
    let store = open(Arc::clone(&objects), process).await?;
    check(&store, script.between(done)).await?;
    if let Some(failure) = script.run(&store, done, |_| {}).await.failure {
        return Err(failure);
    }
    check(&open(objects, process + 1).await?, script.end()).await
}

/// How many cases wait for a pause of the store's at once.
const AT_ONCE: usize = 64;

/// Runs the case of every seed of a loop; gives the sum of what they give.
fn over_seeds<Running>(name: &str, seeds: Range<u64>, run: impl Fn(u64) -> Running) -> Result<usize, Failure>
where
    Running: Future<Output = Result<usize, Failure>>,
{
    let cases = futures::stream::iter(seeds)
        .map(|seed| run(seed).map_err(move |failure| failure.case(format!("seed {seed}"), name, seed)));
    let sum = cases.buffer_unordered(AT_ONCE).try_fold(0, async |sum, count| Ok(sum + count));
    runtime()?.block_on(sum)
}

/// A single-threaded runtime, so that equal seeds give equal orders.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
    built.map_err(Failure::io("a runtime"))
}
