//! Nodes that change no row and no column.

use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, SubqueryAlias};

use super::scope::Scope;
use crate::logical::CheckpointDisplay;

/// Passes over relation aliases and over projections that give back their input column by column:
///
/// ```text
/// SubqueryAlias: t                Filter: a > 1
///   Projection: a AS x, b    ->     …
///     Filter: a > 1
///       …
/// ```
pub(in crate::identity) fn skip_renaming(mut plan: &LogicalPlan) -> &LogicalPlan {
    while let Some(input) = renamed(plan) {
        plan = input;
    }
    plan
}

/// The input of a node that changes no row and no column.
pub(in crate::identity) fn renamed(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => Some(input),
        LogicalPlan::Projection(projection) if gives_back_input(projection) => Some(&projection.input),
        // What EXPLAIN writes beside a snapshot is no part of the query.
        LogicalPlan::Extension(extension) => {
            extension.node.as_any().downcast_ref::<CheckpointDisplay>()?.snapshot()
        }
        _ => None,
    }
}

fn gives_back_input(projection: &Projection) -> bool {
    let input = projection.input.schema();
    if projection.expr.len() != input.fields().len() || projection.schema.metadata() != input.metadata() {
        return false;
    }
    let scope = Scope::new([input.as_ref()], None);
    projection.expr.iter().enumerate().all(|(position, expr)| gives_back(expr, position, &scope))
}

fn gives_back(expr: &Expr, position: usize, scope: &Scope<'_>) -> bool {
    match expr {
        Expr::Alias(Alias { expr, metadata, .. }) => {
            metadata.as_ref().is_none_or(|metadata| metadata.is_empty()) && gives_back(expr, position, scope)
        }
        Expr::Column(column) => scope.candidates(column) == [position],
        _ => false,
    }
}
