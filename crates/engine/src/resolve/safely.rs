//! Physical plans that lose no rows: DataFusion's planner, and what keeps its plans from defects of DataFusion 55.2.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::ordered_scans::in_declared_order;
use crate::logical::without_false_monotony;

/// The physical plan that `planner` makes, with what [`without_false_monotony`] and [`in_declared_order`] change in it.
pub(super) async fn plan_safely(
    planner: &Arc<dyn QueryPlanner + Send + Sync>,
    plan: &LogicalPlan,
    session: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let honest = without_false_monotony(plan)?;
    in_declared_order(planner.create_physical_plan(honest.as_ref().unwrap_or(plan), session).await?)
}
