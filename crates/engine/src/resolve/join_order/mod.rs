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
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::optimize_projections::OptimizeProjections;

use self::estimate::{Relation, relation};
use self::graph::JoinGraph;
use crate::config::JoinOrder;
use crate::context::settings;
use crate::logical::{CheckpointDisplay, TrueDependencies, any_node};
use crate::scan::snapshots_in;

/// What is between the joins must become smaller by this factor for the order to be changed.
const GAIN: f64 = 2.0;

/// Joins of more inputs are left as they are written.
const MOST: usize = 24;

/// `plan`, an optimised one, with the inner joins above snapshots in the order that measured sizes suggest; `None` if it is in that
/// order already, or if the session does not ask for it. `inner` plans the joins' inputs, whose statistics tell their sizes.
pub(super) async fn by_measured_sizes(
    plan: &LogicalPlan,
    state: &SessionState,
    inner: &Arc<dyn QueryPlanner + Send + Sync>,
) -> Result<Option<LogicalPlan>> {
    if settings(state).join_order == JoinOrder::Written {
        return Ok(None);
    }
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
        let better = reordered.iter().find(|(root, _)| is_same(root, &node));
        Ok(match better {
            Some((_, better)) => Transformed::new(better.clone(), true, TreeNodeRecursion::Continue),
            None => Transformed::no(node),
        })
    })?;
    // Columns that nobody needs any more. The other rules have seen all parts of the plan, and one of them would bring the
    // joins back into the order of their inputs.
    let columns =
        Optimizer::with_rules(vec![Arc::new(TrueDependencies), Arc::new(OptimizeProjections::new())]);
    columns.optimize(replaced.data, state, |_, _| {}).map(Some)
}

/// Whether two plans are the same, and read the same tables: DataFusion compares scans by name alone.
fn is_same(a: &LogicalPlan, b: &LogicalPlan) -> bool {
    let sources = |plan: &LogicalPlan| -> Result<Vec<Arc<dyn TableSource>>> {
        let mut found = Vec::new();
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                found.push(Arc::clone(&scan.source));
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    };
    let read_the_same = || -> Result<bool> {
        let (a, b) = (sources(a)?, sources(b)?);
        Ok(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| Arc::ptr_eq(a, b)))
    };
    a == b && read_the_same().unwrap_or(false)
}

/// The topmost joins of all groups of joins, from the outside to the inside.
fn roots(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    let mut found: Vec<LogicalPlan> = Vec::new();
    let mut inside: Vec<LogicalPlan> = Vec::new();
    plan.apply_with_subqueries(|node| {
        if graph::is_inner_join(node) && !inside.iter().any(|join| is_same(join, node)) {
            inside.extend(graph::joins_below(node).cloned());
            found.push(node.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether something below is measured: a snapshot, or in EXPLAIN what stands for one.
fn reads_snapshots(plan: &LogicalPlan) -> Result<bool> {
    Ok(!snapshots_in(plan)?.is_empty() || any_node(plan, stands_for_a_snapshot)?)
}

fn stands_for_a_snapshot(node: &LogicalPlan) -> bool {
    let LogicalPlan::Extension(extension) = node else { return false };
    let shown: Option<&CheckpointDisplay> = extension.node.as_any().downcast_ref();
    shown.is_some_and(|shown| shown.snapshot().is_some())
}

/// The same rows in a better order of joins, if there is one.
async fn better(
    root: &LogicalPlan,
    state: &SessionState,
    inner: &Arc<dyn QueryPlanner + Send + Sync>,
) -> Result<Option<LogicalPlan>> {
    let Some(graph) = JoinGraph::of(root) else { return Ok(None) };
    let inputs = graph.inputs();
    if !(3..=MOST).contains(&inputs.len()) || !reads_snapshots(root)? {
        return Ok(None);
    }
    let mut relations: Vec<Relation> = Vec::with_capacity(inputs.len());
    for input in inputs {
        // An input that does not plan by itself, or whose size is not known: then there is nothing to go by.
        let Ok(planned) = inner.create_physical_plan(input, state as &dyn Session).await else {
            return Ok(None);
        };
        let Ok(Some(relation)) = relation(input, planned.as_ref()) else { return Ok(None) };
        relations.push(relation);
    }
    let written = graph.written_cost(&relations);
    let Some(order) = graph.greedy(&relations) else { return Ok(None) };
    tracing::debug!(
        written,
        ordered = order.cost,
        "about so many rows lie between {} joined inputs",
        inputs.len()
    );
    if order.cost * GAIN > written {
        return Ok(None);
    }
    match graph.rebuild(&order, root) {
        Ok(rebuilt) => Ok(Some(rebuilt)),
        // What cannot be put together again stays as it is written.
        Err(error) => {
            tracing::debug!(%error, "joins stay in the order of the query");
            Ok(None)
        }
    }
}
