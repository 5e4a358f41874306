//! Our logical nodes, the checkpoint itself, its stand-in for EXPLAIN and the query that is held back, and our rules.

mod checkpoint;
mod conditions;
mod dependencies;
mod display;
mod display_exec;
mod hold;
mod lists;
mod monotony;
mod redefinitions;
mod walk;

pub use checkpoint::{Checkpoint, NodeId};
pub(crate) use checkpoint::{checkpoints_in, is_checkpoint};
pub(crate) use conditions::guard_conditions;
pub(crate) use dependencies::{
    TrueDependencies, TrueRelations, guard_dependencies, refuse_unclear_groups, with_true_dependencies,
    without_false_claims,
};
pub(crate) use display::CheckpointDisplay;
pub(crate) use display_exec::DisplayPlanner;
pub(crate) use hold::{hold_queries, is_held, release, released, released_queries};
pub(crate) use lists::guard_lists;
pub(crate) use monotony::without_false_monotony;
pub(crate) use redefinitions::keep_redefinitions;
pub(crate) use walk::any_node;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use milepost_store::CheckpointName;

/// Puts a rule of ours before each of DataFusion's that it guards against.
fn put_before<R>(optimizer: &mut Optimizer, guarded: &[&str], rule: R)
where
    R: OptimizerRule + Send + Sync + 'static,
{
    let rule: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(rule);
    for theirs in std::mem::take(&mut optimizer.rules) {
        if guarded.contains(&theirs.name()) {
            optimizer.rules.push(Arc::clone(&rule));
        }
        optimizer.rules.push(theirs);
    }
}

/// Wraps a query's plan into a [`Checkpoint`] leaf, named or not.
///
/// # Errors
/// An invalid name.
pub fn checkpoint_node(plan: LogicalPlan, name: Option<&str>) -> Result<LogicalPlan> {
    let name = name.map(CheckpointName::parse).transpose().map_err(crate::error::store_error)?;
    checkpoint_plan(Checkpoint::new(without_false_claims(plan)?, name))
}

/// A checkpoint as a plan of its own. A single column gets a projection on top: the optimizer asks the root of an `IN`
/// subquery for its expression, and a leaf has none.
pub(crate) fn checkpoint_plan(node: Checkpoint) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = node.input().schema().columns().into_iter().map(Expr::Column).collect();
    let plan = node.into_plan();
    if columns.len() == 1 { LogicalPlanBuilder::from(plan).project(columns)?.build() } else { Ok(plan) }
}
