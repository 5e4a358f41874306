//! Keeps `min` and `max` from leaving out rows that they need.
//!
//! While DataFusion 55.2 computes `min(a), max(b)` over all rows, it tells the scan to leave out what can be neither. It forgets each
//! of the two that has no value yet, and each that is not of a plain column: rows that only the forgotten one needs are left out.
//! Such filters are not made; see docs/upstream/aggregate-filters.md.

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::{Guard, any};

pub(super) const GUARD: Guard = Guard {
    rule: "FilterPushdown(Post)",
    may_err: |plan| {
        any(plan, &|node| {
            node.downcast_ref::<AggregateExec>()
                .is_some_and(|aggregate| !aggregate.dynamic_expressions_produced().is_empty())
        })
    },
    without: Some(|options| options.enable_aggregate_dynamic_filter_pushdown = false),
};
