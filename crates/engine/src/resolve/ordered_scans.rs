//! Keeps scans of ordered files in their order.
//!
//! DataFusion 55.2 tells a scan below a merge with a limit that its order does not count any more. Its partitions then take files
//! from each other, none of them is sorted, and the merge loses rows; see docs/upstream/ordered-limits.md.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// The same plan, in which every scan that declares an order keeps it.
pub(super) fn in_declared_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let kept = plan.transform_up(|node| {
        let kept = declares_order(&node).then(|| node.with_preserve_order(true)).flatten();
        Ok(kept.map_or_else(|| Transformed::no(node), Transformed::yes))
    })?;
    Ok(kept.data)
}

fn declares_order(node: &Arc<dyn ExecutionPlan>) -> bool {
    let scan = node.downcast_ref::<DataSourceExec>();
    let files = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>());
    files.is_some_and(|files| !files.output_ordering.is_empty())
}
