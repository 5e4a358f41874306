//! Keeps groups that somebody between an aggregation and `ORDER BY … LIMIT` needs.
//!
//! DataFusion 55.2 lets an aggregation give only the topmost groups where a sort with a limit stands above it. It looks through
//! windows, which count the groups that are missing, and for the sort's column by name, where an expression may have taken that
//! name; and among floats it loses its way where one is NaN. The rule is left to do so only where it is right; see
//! docs/upstream/topk-aggregation.md.

use std::sync::Arc;

use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::{Guard, any};

pub(super) const GUARD: Guard = Guard {
    rule: "LimitAggregation",
    may_err: |plan| any(plan, &|node| may_err_below(node)),
    without: Some(|options| options.enable_topk_aggregation = false),
};

/// Whether a sort with a limit might reach an aggregation by another way than the one that is right.
fn may_err_below(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(sort) = node.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_some()) else {
        return false;
    };
    let Some(order) = node.output_ordering().filter(|order| order.len() == 1) else { return false };
    let column = order.first().expr.downcast_ref::<Column>();
    column.is_some_and(|column| !is_right(sort.input(), column.index()))
}

/// Whether the rule does right below a node whose rows it wants the topmost of, by the column at `place`: between it and the
/// aggregation, each row stays one row, and its column that column. So does the rule where it reaches none.
fn is_right(node: &Arc<dyn ExecutionPlan>, place: usize) -> bool {
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return gives_topmost(aggregate, place);
    }
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let column = projection.expr().get(place).and_then(|kept| kept.expr.downcast_ref::<Column>());
        return match column {
            Some(column) => is_right(projection.input(), column.index()),
            None => !may_reach(projection.input()),
        };
    }
    let passes = node.is::<RepartitionExec>()
        || node.is::<CoalescePartitionsExec>()
        || node.is::<SortPreservingMergeExec>();
    match node.children().as_slice() {
        [input] if passes && node.fetch().is_none() => is_right(input, place),
        _ => !may_reach(node),
    }
}

/// Whether the rule does right at an aggregation: it stops there, or orders the groups by their one key, or by the one `min` or `max`.
/// Of two steps of an aggregation, it treats both. What is below has nothing to do with the order.
fn gives_topmost(aggregate: &AggregateExec, place: usize) -> bool {
    let keys = aggregate.group_expr();
    if keys.expr().len() != 1 || aggregate.aggr_expr().len() > 1 {
        return true;
    }
    let floats = aggregate.schema().fields().iter().any(|field| field.data_type().is_floating());
    if keys.has_grouping_set() || floats || place != aggregate.aggr_expr().len() {
        return false;
    }
    match aggregate.mode() {
        AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned => {
            !may_reach(aggregate.input())
        }
        _ => is_right(aggregate.input(), place),
    }
}

/// Whether the rule, once here, would come to an aggregation.
fn may_reach(node: &Arc<dyn ExecutionPlan>) -> bool {
    let passes =
        matches!(node.cardinality_effect(), CardinalityEffect::Equal | CardinalityEffect::GreaterEqual);
    node.is::<AggregateExec>() || passes && node.children().into_iter().any(may_reach)
}
