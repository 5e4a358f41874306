//! Keeps the rows that windows look ahead to where only the first ones of each partition are wanted.
//!
//! Under `enable_window_topn`, DataFusion 55.2 reads only so many rows of a partition as `row_number()` is asked for, also where the
//! same window computes `lead()`. Where there is more than the number of rows in a window, that is not done.

use datafusion::physical_plan::windows::BoundedWindowAggExec;

use super::{Guard, any};

pub(super) const GUARD: Guard = Guard {
    rule: "WindowTopN",
    may_err: |plan| {
        any(plan, &|node| {
            node.downcast_ref::<BoundedWindowAggExec>().is_some_and(|window| window.window_expr().len() > 1)
        })
    },
    without: Some(|options| options.enable_window_topn = false),
};
