//! Keeps the limits of sorts, at their sorts.
//!
//! Where DataFusion 55.2 finds that a sort is not needed, it hands the sort's limit down with its order: to a sort below a window or a
//! join, which then gets too few rows, or to a node that needs no order, where the limit is lost. While sorts are looked at,
//! each limit stands above its sort once more, and no other one is kept; see docs/upstream/sort-limits.md.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The plan with the limit of each sort above it once more.
pub(super) fn with_limits_apart(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let apart = plan.transform_up(|node| {
        let fetch = node.downcast_ref::<SortExec>().and_then(SortExec::fetch);
        Ok(match fetch {
            Some(fetch) => Transformed::yes(limited(node, fetch)),
            None => Transformed::no(node),
        })
    })?;
    Ok(apart.data)
}

fn limited(sort: Arc<dyn ExecutionPlan>, fetch: usize) -> Arc<dyn ExecutionPlan> {
    let order = sort.output_ordering().cloned();
    if sort.output_partitioning().partition_count() == 1 {
        let mut limit = GlobalLimitExec::new(sort, 0, Some(fetch));
        limit.set_required_ordering(order);
        Arc::new(limit)
    } else {
        let mut limit = LocalLimitExec::new(sort, fetch);
        limit.set_required_ordering(order);
        Arc::new(limit)
    }
}

/// The plan without limits in sorts and merges that no limit above them justifies, and without limits above sorts and merges
/// that have them too.
pub(super) fn with_limits_joined(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let justified = justified(plan, None)?;
    let joined = justified.transform_up(|node| {
        let limit = limit_of(&node).filter(|(input, fetch)| {
            let limits = input.is::<SortExec>() || input.is::<SortPreservingMergeExec>();
            limits && input.fetch().is_some_and(|own| own <= *fetch)
        });
        Ok(match limit {
            Some((input, _)) => Transformed::yes(input),
            None => Transformed::no(node),
        })
    })?;
    Ok(joined.data)
}

/// The plan in which sorts, merges and exchanges have only limits that follow from one above: `above` tells how many of the node's rows, in
/// their order, are wanted at most.
fn justified(node: Arc<dyn ExecutionPlan>, above: Option<usize>) -> Result<Arc<dyn ExecutionPlan>> {
    let merges = node.is::<SortPreservingMergeExec>();
    let fetches = merges || node.is::<SortExec>() || node.is::<CoalescePartitionsExec>();
    let unjustified = fetches
        && node
            .fetch()
            .is_some_and(|own| node.is::<CoalescePartitionsExec>() || above.is_none_or(|above| own < above));
    let node = if unjustified { node.with_fetch(None).unwrap_or(node) } else { node };
    let below = match limit_of(&node) {
        Some((_, fetch)) => Some(above.map_or(fetch, |above| above.min(fetch))),
        None if merges || node.is::<ProjectionExec>() => above,
        None => None,
    };
    let inputs = node.children().into_iter().map(|input| justified(Arc::clone(input), below));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(node, inputs)
}

/// The input of a limit and how many of its rows it lets through, in each partition.
fn limit_of(node: &Arc<dyn ExecutionPlan>) -> Option<(Arc<dyn ExecutionPlan>, usize)> {
    if let Some(limit) = node.downcast_ref::<GlobalLimitExec>() {
        let one = limit.input().output_partitioning().partition_count() == 1;
        let fetch = limit.fetch().filter(|_| limit.skip() == 0 && one)?;
        return Some((Arc::clone(limit.input()), fetch));
    }
    let limit = node.downcast_ref::<LocalLimitExec>()?;
    Some((Arc::clone(limit.input()), limit.fetch()))
}
