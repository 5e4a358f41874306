//! Closes the attempt of a stage that does not reach its end.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use milepost_store::{Attempt, AttemptId, AttemptRecord, Owner};
use parking_lot::Mutex;

use crate::context::Milepost;

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
    milepost: Arc<Milepost>,
}

impl AttemptGuard {
    pub(super) fn new(attempt: Attempt, pure: bool, milepost: &Arc<Milepost>) -> Self {
        RUNNING.lock().insert(attempt.id());
        Self { id: attempt.id(), pure, attempt: Some(Arc::new(attempt)), milepost: Arc::clone(milepost) }
    }

    pub(super) fn id(&self) -> AttemptId {
        self.id
    }

    pub(super) fn attempt(&self) -> Result<Arc<Attempt>> {
        self.attempt.clone().ok_or_else(|| exec_datafusion_err!("the attempt has ended"))
    }

    /// Leaves the attempt as it is: committed, or open, so that its complete units can be taken over.
    pub(super) fn leave(mut self) {
        self.attempt = None;
    }

    pub(super) async fn abandon(mut self) {
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
        if let Some(attempt) = self.attempt.take().filter(|_| !goes_on) {
            self.milepost.clean_up(abandon(attempt));
        }
    }
}

async fn abandon(attempt: Arc<Attempt>) {
    // The attempt is invisible without a commit; a failed abandon costs garbage collection some waiting.
    if let Err(error) = attempt.abandon().await {
        tracing::debug!("abandoning attempt {}: {error}", attempt.id());
    }
}
