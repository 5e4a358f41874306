//! Keeps DataFusion 55.2 from sending dynamic filters to the wrong one of two columns with one name.
//!
//! Nodes that hand rows on, such as exchanges, look a filter's columns up in their input by name. Where two columns of a
//! join's result have the same name, a filter on the second one becomes one on the first, and rows are lost. Such plans are made
//! without dynamic filters; see docs/upstream/dynamic-filters.md.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::config::OptimizerOptions;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;

/// The physical plan that `planner` makes, without dynamic filters where they could meet two columns of one name.
pub(super) async fn plan_by_names(
    planner: &Arc<dyn QueryPlanner + Send + Sync>,
    plan: &LogicalPlan,
    session: &dyn Session,
) -> Result<Arc<dyn ExecutionPlan>> {
    let planned = planner.create_physical_plan(plan, session).await?;
    if !has_filters(session) {
        return Ok(planned);
    }
    // What EXPLAIN makes is text already: look at the plan that it shows.
    let shown = match plan {
        LogicalPlan::Explain(explain) => planner.create_physical_plan(&explain.plan, session).await.ok(),
        _ => None,
    };
    let Some(state) = session.as_any().downcast_ref::<SessionState>() else { return Ok(planned) };
    if !repeats_names(shown.as_ref().unwrap_or(&planned)) {
        return Ok(planned);
    }
    planner.create_physical_plan(plan, &without_filters(state)).await
}

fn has_filters(session: &dyn Session) -> bool {
    let options = &session.config_options().optimizer;
    options.enable_dynamic_filter_pushdown
        || options.enable_join_dynamic_filter_pushdown
        || options.enable_topk_dynamic_filter_pushdown
        || options.enable_aggregate_dynamic_filter_pushdown
}

fn without_filters(state: &SessionState) -> SessionState {
    let mut state = state.clone();
    no_dynamic_filters(&mut state.config_mut().options_mut().optimizer);
    state
}

/// Switches DataFusion's dynamic filters off, each by its own setting: the common one does so only where it is set by name.
pub(crate) const fn no_dynamic_filters(options: &mut OptimizerOptions) {
    options.enable_dynamic_filter_pushdown = false;
    options.enable_join_dynamic_filter_pushdown = false;
    options.enable_topk_dynamic_filter_pushdown = false;
    options.enable_aggregate_dynamic_filter_pushdown = false;
}

/// Whether some node of the plan gives two columns of one name.
fn repeats_names(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut seen = HashSet::with_capacity(schema.fields().len());
    !schema.fields().iter().all(|field| seen.insert(field.name()))
        || plan.children().into_iter().any(repeats_names)
}
