//! A stage runs its query to the end, so the query needs one.

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::datasource::stream::StreamTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

use super::purity::Plan;
use crate::error::Error;

/// Refuses a plan that would run for ever.
///
/// # Errors
/// [`Error::Endless`].
pub(super) fn refuse_endless(name: &str, query: &LogicalPlan, plan: &Plan) -> Result<()> {
    let Some(scan) = endless_scan(plan, false) else { return Ok(()) };
    let source_name = endless_table(query)?.unwrap_or(scan);
    Err(Error::Endless { name: name.to_string(), source_name }.into())
}

/// DataFusion itself refuses a node that waits for the last row of an endless table, and shows all of the plan for it. Other
/// errors stay as they are.
pub(super) fn named_if_endless(error: DataFusionError, name: &str, query: &LogicalPlan) -> DataFusionError {
    let is_refusal = matches!(error.find_root(), DataFusionError::Plan(text)
        if text.starts_with("Cannot execute pipeline breaking queries"));
    match endless_table(query) {
        Ok(Some(source_name)) if is_refusal => Error::Endless { name: name.to_string(), source_name }.into(),
        _ => error,
    }
}

/// What keeps a plan from ever ending. A node that hands on so many rows as they come, and then stops, ends what is below
/// it; a LIMIT over an aggregation of endless rows waits for ever.
fn endless_scan(plan: &Plan, ended: bool) -> Option<String> {
    let ended = ended || (plan.fetch().is_some() && plan.pipeline_behavior() != EmissionType::Final);
    let children = plan.children();
    let is_endless = |plan: &Plan| plan.boundedness().is_unbounded();
    if is_endless(plan) && !ended && !children.iter().any(|child| is_endless(child)) {
        return Some(plan.name().to_string());
    }
    // Subqueries are run to their ends before the first row, whatever is asked of the rows.
    let is_subquery = |at: usize| at > 0 && plan.is::<ScalarSubqueryExec>();
    let children = children.into_iter().enumerate();
    children.into_iter().find_map(|(at, child)| endless_scan(child, ended && !is_subquery(at)))
}

/// The name of the first table of a query that DataFusion reads as a stream.
fn endless_table(query: &LogicalPlan) -> Result<Option<String>> {
    let mut found = None;
    query.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && source_as_provider(&scan.source).is_ok_and(|table| table.is::<StreamTable>())
        {
            found = Some(scan.table_name.to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
