//! Keeps every redefinition of a column: `n + 1 AS n` over `n + 1 AS n` adds two.
//!
//! DataFusion 55.2 takes a projection over an equal one for a repetition and drops it. That is right only where each column
//! that they use means the same above as below. This rule stands before `optimize_projections` and gives equal
//! neighbours a difference that means nothing: a name inside the name, which goes when they are merged. See
//! docs/adr/0006-keep-redefinitions.md.
//!
//! ```text
//! Projection: n + 1 AS n                         Projection: n + 1 AS n
//!   Projection: n + 1 AS n                 →       Projection: n + 1 AS __redefined AS n
//!     Projection: n + 1 AS n                         Projection: n + 1 AS __redefined_again AS n
//!       TableScan: t                                   TableScan: t
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Subquery};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule of DataFusion that merges projections.
const MERGES: &str = "optimize_projections";

/// Two suffice: a projection must differ from the one above it, and from all above it merged, which has no mark.
const MARKS: [&str; 2] = ["__redefined", "__redefined_again"];

/// The optimizer rule; see the module.
#[derive(Debug)]
struct KeepRedefinitions;

/// Puts the rule before each rule that it guards against.
pub(crate) fn keep_redefinitions(optimizer: &mut Optimizer) {
    super::put_before(optimizer, &[MERGES], KeepRedefinitions);
}

impl OptimizerRule for KeepRedefinitions {
    fn name(&self) -> &str {
        "keep_redefinitions"
    }

    /// From the top: a mark depends on the one above.
    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(outer) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Projection(inner) = outer.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let Some(place) = redefined(inner) else { return Ok(Transformed::no(plan)) };
        let taken = outer.expr.get(place).and_then(mark);
        let [first, second] = MARKS;
        let wanted = if taken == Some(first) { second } else { first };
        if mark(&inner.expr[place]) == Some(wanted) {
            return Ok(Transformed::no(plan));
        }
        let mut columns = inner.expr.clone();
        columns[place] = marked(&inner.expr[place], wanted);
        let inner = with_columns(inner, columns, Arc::clone(&inner.input))?;
        let outer = with_columns(outer, outer.expr.clone(), Arc::new(inner))?;
        Ok(Transformed::yes(outer))
    }
}

fn with_columns(projection: &Projection, columns: Vec<Expr>, input: Arc<LogicalPlan>) -> Result<LogicalPlan> {
    let schema = Arc::clone(&projection.schema);
    Projection::try_new_with_schema(columns, input, schema).map(LogicalPlan::Projection)
}

/// The place of a column that means something else above the projection than below it, and is used in it. Without one,
/// dropping an equal neighbour is right.
fn redefined(projection: &Projection) -> Option<usize> {
    let mut place = None;
    for expression in &projection.expr {
        // The closure gives no error.
        let _ = expression.apply(|part| {
            place = used(part).into_iter().find_map(|column| {
                let index = projection.schema.maybe_index_of_column(column)?;
                (!passes(&projection.expr[index], column)).then_some(index)
            });
            Ok(if place.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        if place.is_some() {
            break;
        }
    }
    place
}

/// The columns that an expression itself uses, its parts aside.
fn used(expression: &Expr) -> Vec<&Column> {
    match expression {
        Expr::Column(column) => vec![column],
        Expr::ScalarSubquery(subquery) => outer_columns(subquery),
        Expr::Exists(exists) => outer_columns(&exists.subquery),
        Expr::InSubquery(within) => outer_columns(&within.subquery),
        Expr::SetComparison(comparison) => outer_columns(&comparison.subquery),
        _ => vec![],
    }
}

fn outer_columns(subquery: &Subquery) -> Vec<&Column> {
    let outer = subquery.outer_ref_columns.iter();
    outer
        .filter_map(|expression| match expression {
            Expr::OuterReferenceColumn(_, column) => Some(column),
            _ => None,
        })
        .collect()
}

/// Whether an expression hands a column on as it is, under whatever names.
fn passes(mut expression: &Expr, column: &Column) -> bool {
    while let Expr::Alias(alias) = expression {
        expression = &alias.expr;
    }
    matches!(expression, Expr::Column(passed) if passed == column)
}

/// The mark that an expression bears.
fn mark(expression: &Expr) -> Option<&'static str> {
    let Expr::Alias(alias) = expression else { return None };
    let Expr::Alias(inner) = alias.expr.as_ref() else { return None };
    MARKS.into_iter().find(|mark| inner.relation.is_none() && inner.name == *mark)
}

/// The expression under the same name, with a mark inside.
fn marked(expression: &Expr, mark_with: &'static str) -> Expr {
    let unmarked = |expression: &Expr| match expression {
        Expr::Alias(alias) if MARKS.contains(&alias.name.as_str()) => alias.expr.as_ref().clone(),
        other => other.clone(),
    };
    match expression {
        Expr::Alias(alias) => {
            Expr::Alias(Alias { expr: Box::new(unmarked(&alias.expr).alias(mark_with)), ..alias.clone() })
        }
        other => {
            let (relation, name) = other.qualified_name();
            other.clone().alias(mark_with).alias_qualified(relation, name)
        }
    }
}
