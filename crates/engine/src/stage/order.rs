//! The order of a stage's rows, where it means something.

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use milepost_store::SortField;

/// What a snapshot remembers of the order in which its rows were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowOrder {
    /// The leading columns by which every partition is sorted.
    pub(super) columns: Vec<SortField>,
    /// Whether the rows of the one partition stand in the order that the query asked for. `ORDER BY n % 7` says so too,
    /// though no column shows it.
    pub(super) sequence: bool,
}

impl RowOrder {
    /// None: rows that are dealt out to buckets.
    pub(super) fn none() -> Self {
        Self { columns: vec![], sequence: false }
    }

    /// The order of the rows that `running` gives for the query `asked`.
    pub(super) fn of(asked: &LogicalPlan, running: &dyn ExecutionPlan) -> Self {
        let ordering = running.output_ordering();
        let one = running.output_partitioning().partition_count() == 1;
        let columns = ordering.into_iter().flatten().map_while(|sort| {
            let column = sort.expr.downcast_ref::<Column>()?.index();
            let (descending, nulls_first) = (sort.options.descending, sort.options.nulls_first);
            Some(SortField { column, descending, nulls_first })
        });
        Self { columns: columns.collect(), sequence: one && (ordering.is_some() || ends_in_sort(asked)) }
    }
}

/// Whether the last thing that the query does to the order of its rows is an ORDER BY.
pub(super) fn ends_in_sort(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(above) => ends_in_sort(&above.input),
        LogicalPlan::Filter(above) => ends_in_sort(&above.input),
        LogicalPlan::Limit(above) => ends_in_sort(&above.input),
        LogicalPlan::SubqueryAlias(above) => ends_in_sort(&above.input),
        _ => false,
    }
}
