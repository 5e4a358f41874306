//! The units that run at one time. None of them outlives its stage for long, and what they have half written goes with them.

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{Result, exec_datafusion_err};
use milepost_store::Receipt;
use tokio::task::JoinSet;

use crate::context::Milepost;

/// How long a stage that failed waits for the rest of its units to stop. A unit stops between two batches of rows.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tasks that are stopped when this is dropped. Their end is the session's to wait for: see [`Milepost::settle`].
pub(super) struct Running {
    tasks: JoinSet<Result<Receipt>>,
    milepost: Arc<Milepost>,
}

impl Running {
    pub(super) fn new(milepost: &Arc<Milepost>) -> Self {
        Self { tasks: JoinSet::new(), milepost: Arc::clone(milepost) }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn start(&mut self, unit: impl Future<Output = Result<Receipt>> + Send + 'static) {
        self.tasks.spawn(unit);
    }

    /// The receipt of the next unit that ends; `None` when none runs. Safe to drop on the way.
    pub(super) async fn next(&mut self) -> Option<Result<Receipt>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.unwrap_or_else(|error| Err(exec_datafusion_err!("a unit stopped: {error}"))))
    }

    /// Stops all units, and waits until they have taken away what they had half written.
    pub(super) async fn stop(mut self) {
        if tokio::time::timeout(PATIENCE, self.tasks.shutdown()).await.is_err() {
            tracing::debug!("{} units have not stopped yet", self.tasks.len());
        }
        // A store that is no local disk ends uploads in tasks of its own.
        self.milepost.settle_uploads(PATIENCE).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut tasks = std::mem::take(&mut self.tasks);
        if !tasks.is_empty() {
            tasks.abort_all();
            self.milepost.clean_up(async move { while tasks.join_next().await.is_some() {} });
        }
    }
}
