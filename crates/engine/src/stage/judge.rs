//! Before a commit the stage looks at its sources once more.

use async_trait::async_trait;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::{Cause, CommitJudge, Error as StoreError, SourceChanged, SourceVersion};

use crate::identity::{Registries, source_changes, source_versions};
use crate::job::Turn;

/// Compares the sources of a plan with the versions that its identity was made from.
pub(crate) struct SourceJudge<'a> {
    pub(crate) plan: &'a LogicalPlan,
    pub(crate) state: &'a SessionState,
    pub(crate) registries: &'a Registries,
    pub(crate) recorded: &'a [SourceVersion],
    /// The job's turn that the stage belongs to, if it belongs to one.
    pub(crate) turn: &'a Turn,
}

#[async_trait]
impl CommitJudge for SourceJudge<'_> {
    /// Changed or vanished sources fail the commit. Files that were merely added leave it valid and already stale.
    async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
        let now = source_versions(self.plan, self.state, self.registries).await?;
        for (old, new) in self.recorded.iter().zip(&now) {
            if old.digest.is_none() {
                // It never could be told apart; its snapshot is not reused.
                continue;
            }
            let changes = source_changes(std::slice::from_ref(old), std::slice::from_ref(new));
            if let Some(change) = changes.iter().find(|change| !change.is_addition()) {
                let (source_name, what) = (old.name.clone(), change.text().to_string());
                return Ok(Some(SourceChanged { source_name, what }));
            }
        }
        Ok(None)
    }

    async fn is_fenced(&self) -> Result<bool, StoreError> {
        self.turn.is_fenced().await
    }
}
