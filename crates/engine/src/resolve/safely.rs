//! Physical plans that lose no rows: DataFusion's planner, and what keeps its plans from defects of DataFusion 55.2.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

use super::equal_names::plan_by_names;
use super::ordered_scans::in_declared_order;

/// The physical plan that `planner` makes, with what [`plan_by_names`] and [`in_declared_order`] change in it.
pub(super) async fn plan_safely(
    planner: &Arc<dyn QueryPlanner + Send + Sync>,
    plan: &LogicalPlan,
    session: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    in_declared_order(plan_by_names(planner, plan, session).await?)
}
