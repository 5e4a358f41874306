//! The query planner that resolves checkpoints before another one makes the physical plan.
//!
//! It is the one async hook that every way of running a plan goes through: collect, show, count, COPY, CREATE TABLE AS,
//! INSERT … SELECT, EXPLAIN ANALYZE, prepared statements and views.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::explain::explained;
use super::join_order::by_measured_sizes;
use super::resolver::{Mode, Resolver};
use super::safely::plan_safely;
use super::serve::serve;
use crate::context::Milepost;
use crate::error::Error;
use crate::logical::{any_node, is_checkpoint, is_held, released, released_queries, with_true_dependencies};
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

impl MilepostPlanner {
    /// An optimised plan with its joins in a better order; see [`by_measured_sizes`].
    async fn in_order(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Option<LogicalPlan>> {
        match session.as_any().downcast_ref::<SessionState>() {
            Some(state) => Box::pin(by_measured_sizes(plan, state, &self.inner)).await,
            None => Ok(None),
        }
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
        if session.config().get_extension::<ResolvedAlready>().is_some() {
            let ordered = self.in_order(logical_plan, session).await?;
            return plan_safely(&self.inner, ordered.as_ref().unwrap_or(logical_plan), session).await;
        }
        if !concerns_us(logical_plan)? {
            return plan_safely(&self.inner, logical_plan, session).await;
        }
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return Err(Error::NotInstalled.into());
        };
        let milepost = Milepost::of(session)?;
        if let LogicalPlan::Explain(explain) = logical_plan {
            return Box::pin(explained(explain, state, milepost)).await;
        }
        let resolver = Resolver::new(milepost, state, Mode::Stage);
        let optimised = match released_queries(logical_plan)? {
            Some(held) => Box::pin(looked_up(&resolver, &held)).await?,
            // Only now do filters, columns and limits reach the scans, and do measured counts decide about joins.
            None => optimise_again(state, &resolver.resolve_all(logical_plan).await?)?,
        };
        let ordered = self.in_order(&optimised, session).await?;
        let plan = plan_safely(&self.inner, ordered.as_ref().unwrap_or(&optimised), session).await?;
        let analyses = matches!(logical_plan, LogicalPlan::Analyze(_));
        Ok(if analyses { resolver.outcomes.before(plan) } else { plan })
    }
}

/// A query that was held back, resolved, without the parts of it that the store holds, and optimised.
async fn looked_up(resolver: &Resolver<'_>, held: &LogicalPlan) -> Result<LogicalPlan> {
    // Names first: what they stand for may be stale, and then a notice or a refresh is due, served or not.
    let resolved = resolver.resolve_all(held).await?;
    match serve(resolver, &resolved, |_, scan| scan).await? {
        Some(analysed) => optimise_analysed(resolver.state, analysed),
        None => optimise(resolver.state, &resolved),
    }
}

/// Optimises a plan that DataFusion has optimised before its checkpoints were replaced. Fields of structs were taken out of filters
/// then; done a second time, columns lose their tables' names (DataFusion 55.2).
pub(super) fn optimise_again(state: &SessionState, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let mut state = state.clone();
    state.config_mut().options_mut().optimizer.enable_leaf_expression_pushdown = false;
    optimise(&state, plan)
}

/// Optimises a plan as it stands.
pub(super) fn optimise(state: &SessionState, plan: &LogicalPlan) -> Result<LogicalPlan> {
    released(state).optimize(&with_true_dependencies(plan.clone())?.data)
}

/// Optimises a plan that is analysed: the analyzer changes some plans each time it sees them.
pub(super) fn optimise_analysed(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let state = released(state);
    state.optimizer().optimize(plan, state.as_ref(), |_, _| {})
}

/// Whether a plan holds a checkpoint, reads one by name, or waits for a look at the store. Most plans do not, and pay no
/// more than this look.
fn concerns_us(plan: &LogicalPlan) -> Result<bool> {
    any_node(plan, |node| match node {
        LogicalPlan::Extension(_) => is_checkpoint(node).is_some() || is_held(node),
        LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
            .is_ok_and(|table| table.downcast_ref::<SnapshotTable>().is_some_and(SnapshotTable::is_named)),
        _ => false,
    })
}
