//! An order for the inner joins above a snapshot, from measured sizes: `SET milepost.join_order = 'measured'`.
//!
//! DataFusion joins in the order in which a query is written and only chooses which side is built. A snapshot's counts are
//! measured and not estimated, so above it an order can be told that keeps what is between the joins small.
//!
//! ```text
//! Inner Join: a.x = c.x                       Inner Join: a.y = b.y
//!   Inner Join: a.y = b.y           →           Inner Join: a.x = c.x
//!     a  (1,000,000 rows)                         c  (a snapshot of 100 rows)
//!     b  (1,000,000 rows)                         a
//!     c  (a snapshot of 100 rows)               b
//! ```
//!
//! The order is changed only where that makes the rows between the joins half as many or fewer, by an estimate that
//! takes values to be spread evenly ("greedy operator ordering": Fegaras, "A new heuristic for optimizing large queries", 1998).

mod estimate;
mod graph;

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;

use self::estimate::{Relation, relation};
use self::graph::JoinGraph;
use crate::scan::snapshots_in;

/// What is between the joins must become smaller by this factor for the order to be changed.
const GAIN: f64 = 2.0;

/// Joins of more inputs are left as they are written.
const MOST: usize = 24;

/// `plan`, an optimised one, with the inner joins above snapshots in the order that measured sizes suggest; `None` if it is in that
/// order already. `inner` plans
/// the joins' inputs, whose statistics tell their sizes.
pub(super) async fn by_measured_sizes(
    plan: &LogicalPlan,
    state: &SessionState,
    inner: &Arc<dyn QueryPlanner + Send + Sync>,
) -> Result<Option<LogicalPlan>> {
    let mut reordered: Vec<(LogicalPlan, LogicalPlan)> = Vec::new();
    for root in roots(plan)? {
        if let Some(better) = better(&root, state, inner).await? {
            reordered.push((root, better));
        }
    }
    if reordered.is_empty() {
        return Ok(None);
    }
    let replaced = plan.clone().transform_down_with_subqueries(|node| {
        let better = reordered.iter().find(|(root, _)| *root == node);
        Ok(match better {
            Some((_, better)) => Transformed::new(better.clone(), true, TreeNodeRecursion::Continue),
            None => Transformed::no(node),
        })
    })?;
    // Columns that nobody needs any more, and the keys among the conditions.
    state.optimizer().optimize(replaced.data, state, |_, _| {}).map(Some)
}

/// The topmost joins of all groups of joins, from the outside to the inside.
fn roots(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    let mut found: Vec<LogicalPlan> = Vec::new();
    let mut inside: Vec<LogicalPlan> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if graph::is_inner_join(node) && !inside.contains(node) {
            inside.extend(graph::joins_below(node).cloned());
            found.push(node.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The same rows in a better order of joins, if there is one.
async fn better(
    root: &LogicalPlan,
    state: &SessionState,
    inner: &Arc<dyn QueryPlanner + Send + Sync>,
) -> Result<Option<LogicalPlan>> {
    let Some(graph) = JoinGraph::of(root) else { return Ok(None) };
    let inputs = graph.inputs();
    if !(3..=MOST).contains(&inputs.len()) || snapshots_in(root)?.is_empty() {
        return Ok(None);
    }
    let mut relations: Vec<Relation> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let planned = inner.create_physical_plan(input, state as &dyn Session).await?;
        // Without a size there is nothing to go by.
        let Some(relation) = relation(input, planned.as_ref())? else { return Ok(None) };
        relations.push(relation);
    }
    let written = graph.written_cost(&relations);
    let Some(order) = graph.greedy(&relations) else { return Ok(None) };
    if order.cost * GAIN > written {
        return Ok(None);
    }
    // What cannot be put together again stays as it is written.
    Ok(graph.rebuild(&order, root).ok())
}
