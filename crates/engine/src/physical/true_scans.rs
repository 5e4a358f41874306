//! Scans claim no more than what is so of their files.
//!
//! DataFusion 55.2 takes files for sorted one after another where the greatest value of each is at most the least one of the next. Nulls and
//! NaN are in no bounds, and stand between the files (docs/upstream/nulls-between-files.md). A scan that reads some of the
//! columns takes those for keys that now stand in the keys' places (docs/upstream/keys-of-scans.md).
//!
//! Claims are taken back before sorts are decided about, and not only where they are wrong by then: files are dealt out
//! anew later on, and columns chosen.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Constraints, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::context::STORE_SCHEME;

/// The plan in which scans of files claim no keys, and no order that their files may not have.
pub(super) fn with_true_scans(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|node| {
        Ok(match with_true_claims(&node) {
            Some(scan) => Transformed::yes(scan),
            None => Transformed::no(node),
        })
    })?;
    Ok(plan.data)
}

/// The scan without what it may not claim; `None` for other nodes and for scans that claim nothing of that kind.
fn with_true_claims(node: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let scan = node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
    let is_ordered = node.output_ordering().is_some();
    let (sure, unsure): (Vec<_>, Vec<_>) =
        scan.output_ordering.iter().cloned().partition(|order| is_sure(scan, order, is_ordered));
    if unsure.is_empty() && scan.constraints.is_empty() {
        return None;
    }
    let mut scan = scan.clone();
    scan.output_ordering = sure;
    scan.constraints = Constraints::default();
    Some(DataSourceExec::from_data_source(scan))
}

/// Whether the files of each group are in this order one after another wherever their bounds are. Groups stay together only as long as the
/// scan `is_ordered`; else files may be dealt out to any groups, unless each is alone in its group: then bounds do not matter.
fn is_sure(scan: &FileScanConfig, order: &LexOrdering, is_ordered: bool) -> bool {
    // A unit of a snapshot was written from first to last in its order, and is a group.
    let is_snapshot = scan.object_store_url.as_str().starts_with(STORE_SCHEME);
    let groups = &scan.file_groups;
    let is_bounded = |group: &FileGroup| group.iter().all(|file| is_bounded(scan, file, order));
    groups.iter().all(|group| group.len() <= 1)
        || groups.iter().all(is_bounded)
        || is_ordered && groups.iter().all(|group| is_snapshot || group.len() <= 1 || is_bounded(group))
}

/// Whether the bounds of a file hold for all that it is ordered by.
fn is_bounded(scan: &FileScanConfig, file: &PartitionedFile, order: &LexOrdering) -> bool {
    let schema = scan.file_source().table_schema().table_schema();
    order.iter().all(|sort: &PhysicalSortExpr| {
        let Some(column) = sort.expr.downcast_ref::<Column>().map(Column::index) else { return false };
        let measured = file.statistics.as_ref().and_then(|known| known.column_statistics.get(column));
        schema.fields().get(column).is_some_and(|field| !may_hold_nan(field.data_type()))
            && measured.is_some_and(|known| known.null_count == Precision::Exact(0))
    })
}

fn may_hold_nan(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => may_hold_nan(values),
        other => other.is_floating() || other.is_nested(),
    }
}
