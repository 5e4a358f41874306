//! Shows that the attempt of a stage lives, and closes it if the stage does not reach its end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use milepost_store::{Attempt, AttemptId, AttemptRecord, AttemptSpec, CheckpointName, Owner, Store};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::context::Milepost;
use crate::error::store_error;
use crate::heartbeat::Heartbeat;

/// The attempts of this process whose stages run.
static RUNNING: Mutex<BTreeSet<AttemptId>> = Mutex::new(BTreeSet::new());

/// Whether nobody needs to wait for the attempt's silence: this process began it and its stage has stopped; or an earlier
/// driver of this job began it, which is dead or fenced.
pub(super) fn is_gone(record: &AttemptRecord, milepost: &Milepost) -> bool {
    let owner = &record.spec.owner;
    let ours = Owner::here(&owner.run);
    if owner.same_host(&ours) && owner.pid == ours.pid {
        return !RUNNING.lock().contains(&record.attempt);
    }
    milepost.turn.goes_on && owner.run == milepost.run.id
}

/// Abandons the attempt when the stage is dropped before its end, unless somebody may go on with it.
pub(super) struct AttemptGuard {
    id: AttemptId,
    /// Whether its complete units are of use to others.
    pure: bool,
    attempt: Option<Arc<Attempt>>,
    heartbeat: Option<Heartbeat>,
    milepost: Arc<Milepost>,
}

impl AttemptGuard {
    /// Begins an attempt that is guarded from its first object on: whoever drops the future while that is written gets no
    /// guard, and the attempt is abandoned as soon as it is there.
    pub(super) async fn begin(
        store: Store,
        name: CheckpointName,
        spec: AttemptSpec,
        pure: bool,
        milepost: &Arc<Milepost>,
    ) -> Result<Self> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(milepost);
        milepost.clean_up(async move {
            let begun = store.begin(&name, spec).await;
            // A receiver that is gone gives the guard back, and its drop abandons.
            let _ = sender.send(begun.map(|attempt| Self::new(attempt, pure, &shared)));
        });
        match receiver.await {
            Ok(begun) => begun.map_err(store_error),
            Err(_) => exec_err!("no attempt was begun: there is no runtime to begin it in"),
        }
    }

    fn new(attempt: Attempt, pure: bool, milepost: &Arc<Milepost>) -> Self {
        RUNNING.lock().insert(attempt.id());
        let (id, attempt) = (attempt.id(), Arc::new(attempt));
        let heartbeat = Some(Heartbeat::of(&attempt, beat));
        Self { id, pure, attempt: Some(attempt), heartbeat, milepost: Arc::clone(milepost) }
    }

    pub(super) fn id(&self) -> AttemptId {
        self.id
    }

    pub(super) fn attempt(&self) -> Result<Arc<Attempt>> {
        self.attempt.clone().ok_or_else(|| exec_datafusion_err!("the attempt has ended"))
    }

    /// How long showing that it lives took so far.
    pub(super) fn spent_beating(&self) -> Duration {
        self.heartbeat.as_ref().map(Heartbeat::spent).unwrap_or_default()
    }

    /// Leaves the attempt as it is: committed, or open, so that its complete units can be taken over.
    pub(super) async fn leave(mut self) {
        stop(self.heartbeat.take()).await;
        self.attempt = None;
    }

    pub(super) async fn abandon(mut self) {
        stop(self.heartbeat.take()).await;
        if let Some(attempt) = self.attempt.take() {
            abandon(attempt).await;
        }
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        RUNNING.lock().remove(&self.id);
        // The next driver of a job goes on from the units of this one.
        let goes_on = self.pure && self.milepost.turn.goes_on;
        if let Some(attempt) = self.attempt.take() {
            let heartbeat = self.heartbeat.take();
            self.milepost.clean_up(async move {
                stop(heartbeat).await;
                if !goes_on {
                    abandon(attempt).await;
                }
            });
        }
    }
}

/// A writer whose heartbeats fail only looks dead; adopting its units is safe all the same.
async fn beat(attempt: Arc<Attempt>) {
    if let Err(error) = attempt.heartbeat().await {
        tracing::debug!("heartbeat of {}: {error}", attempt.name());
    }
}

async fn stop(heartbeat: Option<Heartbeat>) {
    if let Some(heartbeat) = heartbeat {
        heartbeat.stop().await;
    }
}

async fn abandon(attempt: Arc<Attempt>) {
    // The attempt is invisible without a commit; a failed abandon costs garbage collection some waiting.
    if let Err(error) = attempt.abandon().await {
        tracing::debug!("abandoning attempt {}: {error}", attempt.id());
    }
}
