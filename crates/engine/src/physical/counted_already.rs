//! Keeps counts of one aggregation from being taken for those of another.
//!
//! Where statistics know the result of an aggregation without groups, DataFusion 55.2 puts it in the place of the aggregation. It looks
//! for the half that reads the rows below the other half, and where that one has a `FILTER`, it goes on to the next
//! aggregation below and gives that one's result. See docs/upstream/counted-already.md.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::{Guard, any};

pub(super) const GUARD: Guard =
    Guard { rule: "aggregate_statistics", may_err: |plan| any(plan, &filters_above_another), without: None };

fn filters_above_another(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return false };
    aggregate.filter_expr().iter().any(Option::is_some)
        && any(aggregate.input(), &|below| below.is::<AggregateExec>())
}
