//! The query planner that resolves checkpoints before another one makes the physical plan.
//!
//! It is the one async hook that every way of running a plan goes through: collect, show, count, COPY, CREATE TABLE AS,
//! INSERT … SELECT, EXPLAIN ANALYZE, prepared statements and views.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::explain::explained;
use super::resolver::{Mode, Resolver};
use crate::context::Milepost;
use crate::error::Error;
use crate::logical::is_checkpoint;
use crate::scan::SnapshotTable;

/// Wraps the planner that was set before it.
#[derive(Debug)]
pub(crate) struct MilepostPlanner {
    inner: Arc<dyn QueryPlanner + Send + Sync>,
}

impl MilepostPlanner {
    pub(crate) fn new(inner: Arc<dyn QueryPlanner + Send + Sync>) -> Self {
        Self { inner }
    }
}

/// Marks the configuration of a stage, whose plan has been resolved and whose named reads have been minded.
#[derive(Debug)]
pub(crate) struct ResolvedAlready;

#[async_trait]
impl QueryPlanner for MilepostPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if session.config().get_extension::<ResolvedAlready>().is_some() || !concerns_us(logical_plan)? {
            return self.inner.create_physical_plan(logical_plan, session).await;
        }
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return Err(Error::NotInstalled.into());
        };
        let milepost = Milepost::of(session)?;
        if let LogicalPlan::Explain(explain) = logical_plan {
            return explained(explain, state, milepost).await;
        }
        let resolver = Resolver::new(milepost, state, Mode::Stage);
        let resolved = resolver.resolve_all(logical_plan).await?;
        // Only now do filters, columns and limits reach the scans, and do measured counts decide about joins.
        let optimised = state.optimize(&resolved)?;
        self.inner.create_physical_plan(&optimised, session).await
    }
}

/// Whether a plan holds a checkpoint or reads one by name. Most plans do not, and pay no more than this look.
fn concerns_us(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= match node {
            LogicalPlan::Extension(_) => is_checkpoint(node).is_some(),
            LogicalPlan::TableScan(scan) => source_as_provider(&scan.source).is_ok_and(|table| {
                table.downcast_ref::<SnapshotTable>().is_some_and(SnapshotTable::is_named)
            }),
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}
