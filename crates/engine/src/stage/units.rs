//! How a stage's work is cut: here, one unit for every partition of its physical plan.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, displayable};
use milepost_store::{Digest, UnitPlan};

/// Bounds the number of writers that run side by side: a union of a hundred tables has hundreds of partitions, and each
/// writer holds a row group in memory. An ordered plan is left alone; dealing out its rows would lose the order.
pub(crate) fn bound_partitions(
    plan: Arc<dyn ExecutionPlan>,
    target: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let target = target.max(1);
    if plan.output_partitioning().partition_count() <= 2 * target || plan.output_ordering().is_some() {
        return Ok(plan);
    }
    Ok(Arc::new(RepartitionExec::try_new(plan, Partitioning::RoundRobinBatch(target))?))
}

/// The unit plan that stands in attempt.json.
pub(crate) fn unit_plan(plan: &dyn ExecutionPlan) -> UnitPlan {
    let partitions = plan.output_partitioning().partition_count();
    let shown = displayable(plan).indent(true).to_string();
    UnitPlan {
        units: (0..partitions).map(|partition| serde_json::json!({ "partition": partition })).collect(),
        plan_hash: Digest::from_bytes(*blake3::hash(shown.as_bytes()).as_bytes()),
        pure: false,
        reason: "each unit is one partition of the plan, which need not be the same in another attempt"
            .to_string(),
    }
}
