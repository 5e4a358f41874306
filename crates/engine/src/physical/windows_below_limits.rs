//! Keeps rows that windows below a limit look ahead to.
//!
//! DataFusion 55.2 lets a sort below a window give only as many rows as a limit above it wants, and some more if the window looks
//! ahead. Of two windows it takes the longer look, where the one looks ahead from where the other has looked to, and
//! `lag(a, -2)`, which looks ahead, it takes for one that looks back; see docs/upstream/window-limits.md.

use std::sync::Arc;

use datafusion::physical_expr::window::{PlainAggregateWindowExpr, SlidingAggregateWindowExpr, WindowExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::windows::BoundedWindowAggExec;

use super::Guard;

pub(super) const GUARD: Guard = Guard {
    rule: "LimitPushPastWindows",
    may_err: |plan| {
        let windows = windows_in(plan);
        windows.len() > 1 || windows.iter().any(|window| !window.window_expr().iter().all(is_aggregate))
    },
    without: Some(|options| options.enable_window_limits = false),
};

fn windows_in(plan: &Arc<dyn ExecutionPlan>) -> Vec<&BoundedWindowAggExec> {
    let below = plan.children().into_iter().flat_map(windows_in);
    plan.downcast_ref::<BoundedWindowAggExec>().into_iter().chain(below).collect()
}

/// An aggregate sees what is in its frame, and no further.
fn is_aggregate(window: &Arc<dyn WindowExpr>) -> bool {
    window.as_any().is::<PlainAggregateWindowExpr>() || window.as_any().is::<SlidingAggregateWindowExpr>()
}
