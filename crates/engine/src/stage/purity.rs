//! Which plans can be cut into units: those where every row of unit *i* comes from slice *i* of one scan of files.
//!
//! Whatever is not listed here looks at rows of several slices, or might: its stage is one unit. Each refusal has a
//! reason that EXPLAIN shows.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::{JoinType, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::unnest::UnnestExec;

use crate::physical::{HidingExec, Shown};

pub(super) type Plan = Arc<dyn ExecutionPlan>;

/// Why a plan cannot be cut.
pub(super) type Reason = String;

/// The scan whose slices make the units of `plan`.
pub(super) fn driving_scan(plan: &Plan) -> Result<&FileScanConfig, Reason> {
    if plan.fetch().is_some() {
        return Err("LIMIT counts rows over all slices".to_string());
    }
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        let config = scan.data_source().downcast_ref::<FileScanConfig>();
        return config.ok_or_else(|| "it reads no files".to_string());
    }
    let Some(child) = driving_child(plan) else {
        return Err(format!("{} needs rows of more than one slice", operator(plan)));
    };
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        reproducible(&join.left)
            .map_err(|reason| format!("every unit reads the join's left side, and {reason}"))?;
    }
    driving_scan(plan.children().swap_remove(child))
}

/// The plan with another scan in the place of the driving one.
pub(super) fn with_driving_scan(plan: &Plan, scan: &Plan) -> Result<Plan> {
    let Some(child) = driving_child(plan) else { return Ok(Arc::clone(scan)) };
    let mut children: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
    children[child] = with_driving_scan(&children[child], scan)?;
    replace_children_if_necessary(Arc::clone(plan), children)
}

/// The scans of files that every unit reads besides its slice: those of the left sides of its joins.
pub(super) fn shared_scans(plan: &Plan) -> Vec<&FileScanConfig> {
    let Some(child) = driving_child(plan) else { return vec![] };
    let mut found = Vec::new();
    for (position, input) in plan.children().into_iter().enumerate() {
        if position == child {
            found.extend(shared_scans(input));
        } else {
            collect_scans(input, &mut found);
        }
    }
    found
}

/// All scans of files in a plan.
pub(super) fn collect_scans<'p>(plan: &'p Plan, found: &mut Vec<&'p FileScanConfig>) {
    let scan = plan.downcast_ref::<DataSourceExec>();
    found.extend(scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()));
    for child in plan.children() {
        collect_scans(child, found);
    }
}

/// The child whose rows an operator hands on one by one, whatever partition they are in.
fn driving_child(plan: &Plan) -> Option<usize> {
    if plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<UnnestExec>()
        || plan.is::<CooperativeExec>()
        || plan.downcast_ref::<HidingExec>().is_some_and(|hiding| !matches!(hiding.shown(), Shown::Order(_)))
    {
        return Some(0);
    }
    // A join hands on the rows of its right side if no row of the left one appears by itself: those rows land wherever
    // the last partition happens to end.
    let join = plan.downcast_ref::<HashJoinExec>()?;
    let by_right_rows = matches!(
        join.join_type,
        JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
    );
    (join.mode == PartitionMode::CollectLeft && by_right_rows && !join.null_aware).then_some(1)
}

/// Whether two executions over the same sources give the same rows, in whatever order. Units of two attempts may be mixed
/// only if what all of them read is the same.
fn reproducible(plan: &Plan) -> Result<(), Reason> {
    if plan.fetch().is_some() {
        return Err("a LIMIT below it may choose other rows each time".to_string());
    }
    let known = plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<UnnestExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<UnionExec>()
        || plan.is::<EmptyExec>()
        || plan.is::<HidingExec>()
        || plan.is::<HashJoinExec>();
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>() {
        let source = scan.data_source();
        let known = source.is::<FileScanConfig>() || source.is::<MemorySourceConfig>();
        return if known { Ok(()) } else { Err("it is no file and no table in memory".to_string()) };
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        exact(aggregate)?;
    } else if !known {
        return Err(format!("{} may give other rows each time", operator(plan)));
    }
    plan.children().into_iter().try_for_each(reproducible)
}

/// Whether an aggregate gives the same values in whatever order its rows come.
fn exact(aggregate: &AggregateExec) -> Result<(), Reason> {
    if aggregate.limit_options().is_some() {
        return Err("a LIMIT in an aggregation may choose other groups each time".to_string());
    }
    for function in aggregate.aggr_expr() {
        let arguments = function.expressions();
        let floats = holds_floats(function.field().data_type())
            || arguments.iter().any(|argument| {
                argument.data_type(&aggregate.input_schema()).map_or(true, |found| holds_floats(&found))
            });
        let same_in_any_order = match built_in(function) {
            Some("count" | "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor") => true,
            // The least of floats depends on where the NaNs stand, their sum on what is added first.
            Some("min" | "max" | "sum") => !floats,
            _ => false,
        };
        if !same_in_any_order {
            return Err(format!("{} may depend on the order of its rows", function.name()));
        }
    }
    Ok(())
}

/// The name of one of DataFusion's own aggregates; `None` for a user's, whatever its name.
pub(super) fn built_in(function: &AggregateFunctionExpr) -> Option<&str> {
    static OWN: LazyLock<Vec<Arc<AggregateUDF>>> =
        LazyLock::new(SessionStateDefaults::default_aggregate_functions);
    OWN.iter().any(|own| **own == *function.fun()).then(|| function.fun().name())
}

fn holds_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => holds_floats(values),
        other => other.is_floating() || other.is_nested(),
    }
}

/// An operator's name for people: `SortExec` is a sort.
fn operator(plan: &Plan) -> String {
    plan.name().strip_suffix("Exec").unwrap_or_else(|| plan.name()).to_string()
}
