//! Closes the attempt of a stage that does not reach its end.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use milepost_store::Attempt;

use crate::context::Milepost;

/// Abandons the attempt when the stage is dropped before its end.
pub(super) struct AttemptGuard {
    attempt: Option<Arc<Attempt>>,
    milepost: Arc<Milepost>,
}

impl AttemptGuard {
    pub(super) fn new(attempt: Attempt, milepost: &Arc<Milepost>) -> Self {
        Self { attempt: Some(Arc::new(attempt)), milepost: Arc::clone(milepost) }
    }

    pub(super) fn attempt(&self) -> Result<Arc<Attempt>> {
        self.attempt.clone().ok_or_else(|| exec_datafusion_err!("the attempt has ended"))
    }

    pub(super) fn finished(mut self) {
        self.attempt = None;
    }

    pub(super) fn abandon_later(&self) {
        if let Some(attempt) = self.attempt.clone() {
            self.milepost.clean_up(abandon(attempt));
        }
    }

    pub(super) async fn abandon(mut self) {
        if let Some(attempt) = self.attempt.take() {
            abandon(attempt).await;
        }
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
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
