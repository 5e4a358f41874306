//! How many rows an input of a join has, and how many rows a join would give.

use datafusion::common::stats::Precision;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

/// What a condition other than an equality of columns lets through, as a part of the rows: DataFusion's own guess.
const UNKNOWN: f64 = 0.2;

/// The size of one input.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) rows: f64,
    /// Each column, and about how many different values it has.
    columns: Vec<(Column, f64)>,
}

/// The size of `input` by the statistics of its physical plan; `None` if they do not know it.
pub(super) fn relation(input: &LogicalPlan, planned: &dyn ExecutionPlan) -> Result<Option<Relation>> {
    let statistics = StatisticsContext::new().compute(planned, &StatisticsArgs::new())?;
    let Some(rows) = statistics.num_rows.get_value().map(|rows| *rows as f64) else { return Ok(None) };
    let known = |index: usize| statistics.column_statistics.get(index);
    let columns = input.schema().columns().into_iter().enumerate().map(|(index, column)| {
        let distinct = known(index).and_then(|column| {
            let counted = column.distinct_count.get_value().map(|count| *count as f64);
            counted.or_else(|| range(&column.min_value, &column.max_value))
        });
        (column, distinct.unwrap_or(rows).min(rows).max(1.0))
    });
    Ok(Some(Relation { rows, columns: columns.collect() }))
}

/// How many whole numbers lie between the bounds.
fn range(min: &Precision<ScalarValue>, max: &Precision<ScalarValue>) -> Option<f64> {
    let distance = max.get_value()?.distance(min.get_value()?)?;
    Some(distance as f64 + 1.0)
}

/// What part of all pairs of rows meets a condition.
pub(super) fn selectivity(condition: &Expr, relations: &[Relation]) -> f64 {
    let distinct = |expr: &Expr| match expr {
        Expr::Column(column) => relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .find(|(known, _)| known == column)
            .map(|(_, distinct)| *distinct),
        _ => None,
    };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            // Each value of the side with fewer of them is taken to be among those of the other.
            match distinct(left).into_iter().chain(distinct(right)).reduce(f64::max) {
                Some(most) => 1.0 / most,
                None => UNKNOWN,
            }
        }
        _ => UNKNOWN,
    }
}
