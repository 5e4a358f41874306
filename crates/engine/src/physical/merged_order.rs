//! Rows in the order in which they were merged, and in no other.
//!
//! Rows may be in several orders at once: by `id`, and by the least value up to each `id`. Partitions that are merged by one of
//! them are in that order; DataFusion 55.2 claims the other ones for the result, too, and drops sorts by them. See
//! docs/upstream/merged-orders.md. Where a merge would claim too much, this node above it claims its own order, and what is
//! sorted is decided once more.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::hiding::{HidingExec, Shown};

/// The plan with such a node above each merge that claims too much, and its limits above sorts again where they have lost their
/// order by that; `None` if none does.
pub(super) fn with_merged_orders(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if !super::any(plan, &|node| claims_too_much(node).unwrap_or(true)) {
        return Ok(None);
    }
    let merges = MergesIn::default();
    let corrected = merges.corrected(Arc::clone(plan))?;
    Ok(merges.found.get().then_some(corrected))
}

/// Whether merges were found that claim too much.
#[derive(Default)]
struct MergesIn {
    found: std::cell::Cell<bool>,
}

impl MergesIn {
    fn corrected(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        // From the top: a merge below such a node is known already.
        if let Some(known) = plan.downcast_ref::<HidingExec>()
            && matches!(known.shown(), Shown::Order(_))
            && known.input().is::<SortPreservingMergeExec>()
        {
            let inputs = known.input().children().into_iter().cloned().map(|input| self.corrected(input));
            let merge = with_inputs(Arc::clone(known.input()), inputs.collect::<Result<_>>()?)?;
            return with_inputs(plan, vec![merge]);
        }
        let inputs = plan.children().into_iter().cloned().map(|input| self.corrected(input));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let plan = sorted_for_limit(with_inputs(plan, inputs)?)?;
        if !claims_too_much(&plan)? {
            return Ok(plan);
        }
        self.found.set(true);
        if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            let order = merge.expr().clone();
            return Ok(Arc::new(HidingExec::new(plan, Shown::Order(order))));
        }
        let Some(exchange) = plan.downcast_ref::<RepartitionExec>() else { return Ok(plan) };
        // Its input shows no order, or the exchange would be made to keep it once more.
        let input = Arc::new(HidingExec::new(Arc::clone(exchange.input()), Shown::Nothing));
        Ok(Arc::new(RepartitionExec::try_new(input, exchange.partitioning().clone())?))
    }
}

fn with_inputs(
    plan: Arc<dyn ExecutionPlan>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let same = plan.children().into_iter().zip(&inputs).all(|(old, new)| Arc::ptr_eq(old, new));
    if same {
        return Ok(plan);
    }
    plan.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}

/// Whether a node merges partitions by one order, and claims another one that does not follow.
fn claims_too_much(node: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let (input, order) = if let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() {
        (merge.input(), Some(merge.expr().clone()))
    } else if let Some(exchange) = node.downcast_ref::<RepartitionExec>().filter(|it| it.preserve_order()) {
        (exchange.input(), exchange.input().output_ordering().cloned())
    } else {
        return Ok(false);
    };
    let Some(order) = order.filter(|_| input.output_partitioning().partition_count() > 1) else {
        return Ok(false);
    };
    let claimed = input.equivalence_properties();
    let mut merged = claimed.clone();
    merged.clear_orderings();
    merged.clear_per_partition_constants();
    merged.add_ordering(order);
    for order in claimed.oeq_class().iter() {
        if !merged.ordering_satisfy(order.clone())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A limit that wants the first rows of an order that its input has lost gets them from a sort.
fn sorted_for_limit(limit: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let (input, order, fetch) = if let Some(limit) = limit.downcast_ref::<GlobalLimitExec>() {
        let fetch = limit.fetch().map(|fetch| fetch.saturating_add(limit.skip()));
        (limit.input(), limit.required_ordering(), fetch)
    } else if let Some(limit) = limit.downcast_ref::<LocalLimitExec>() {
        (limit.input(), limit.required_ordering(), Some(limit.fetch()))
    } else {
        return Ok(limit);
    };
    let Some(order) = order else { return Ok(limit) };
    if input.equivalence_properties().ordering_satisfy(order.clone())? {
        return Ok(limit);
    }
    let apart = input.output_partitioning().partition_count() > 1;
    let sort = SortExec::new(order.clone(), Arc::clone(input));
    let sort = sort.with_fetch(fetch).with_preserve_partitioning(apart);
    with_inputs(Arc::clone(&limit), vec![Arc::new(sort)])
}
