//! The process ends at every single request, reads too, in every way that it can.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::{recover, run_process, runtime};
use crate::failure::Failure;
use crate::fault::FaultStore;
use crate::scenario::{ROOT, Script, check, open};
use crate::stop::Stop;

/// How many cases wait for a pause of the store's at once.
const AT_ONCE: usize = 16;

/// How many requests a script makes.
///
/// # Errors
/// The script's failure, if it fails without faults.
pub fn count_requests(script: &Script) -> Result<usize, Failure> {
    runtime()?.block_on(async {
        let faults = FaultStore::new(Arc::new(InMemory::new()));
        match run_process(Arc::new(faults.clone()), 0, script, 0).await.failure {
            Some(failure) => Err(failure),
            None => Ok(faults.calls().len()),
        }
    })
}

/// Stops the script of a seed at each of its requests; gives how many cases there were. The first script does everything
/// once, the others are random.
///
/// # Errors
/// The first case that broke a promise.
pub fn stop_at_every_request(seed: u64, how: Stop) -> Result<usize, Failure> {
    let script = &if seed == 0 { Script::everything_once() } else { Script::random(seed, 6) };
    let requests = count_requests(script)?;
    let cases = futures::stream::iter(0..requests).map(|request| async move {
        let case = format!("{how:?} request {request} of {requests}");
        stopped(script, request, how).await.map_err(|failure| failure.case(case, "stops", seed))
    });
    runtime()?.block_on(cases.buffer_unordered(AT_ONCE).try_collect::<()>())?;
    Ok(requests)
}

async fn stopped(script: &Script, request: usize, how: Stop) -> Result<(), Failure> {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    faults.stop_at(request, how);
    let progress = run_process(Arc::new(faults.clone()), 0, script, 0).await;
    if let Some(failure) = progress.failure.filter(|failure| !failure.is_expected()) {
        return Err(failure);
    }
    restore_torn(&faults, script, progress.done).await?;
    recover(faults.inner(), 1, script, progress.done).await
}

/// A half-written object is a file of an attempt that nobody names, a hint, or damage that is named. Damage is repaired
/// as its error says, which is by taking the object away, since it was never reported as written.
async fn restore_torn(faults: &FaultStore, script: &Script, done: usize) -> Result<(), Failure> {
    let Some(torn) = faults.torn() else { return Ok(()) };
    let looked = match open(faults.inner(), 8).await {
        Ok(store) => check(&store, script.between(done)).await,
        Err(failure) => Err(failure),
    };
    match looked {
        Err(Failure::Store(error))
            if error.is_damage() && error.to_string().contains(within_store(&torn)) =>
        {
            let deleted = faults.inner().delete(&torn).await;
            deleted.or_else(|error| Failure::broken(format!("cannot delete {torn}: {error}")))
        }
        other => other,
    }
}

/// The path as errors name it, below the store.
fn within_store(path: &Path) -> &str {
    let path = path.as_ref();
    path.strip_prefix(ROOT).map_or(path, |below| below.trim_start_matches('/'))
}
