//! Filters that leave so few rows that it pays to decode their columns first, and of the others only what is left.
//!
//! Where many rows are left, or few of every page, picking them costs more than it spares: `benches/scripts/filters.py` shows both.
//! Lists of values, ranges and patterns are left alone: how many rows they leave nobody has counted.

use std::sync::Arc;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use milepost_store::Manifest;

use arrow::datatypes::SchemaRef;

/// A column with at least so many values is selective: one value of it is in few rows.
const VALUES: u64 = 1_000;

/// The columns of a snapshot of which one value is in few rows, by the names in its files.
#[derive(Debug, Clone, Default)]
pub(super) struct Selective(Vec<String>);

impl Selective {
    /// The selective columns of a snapshot, as far as its statistics tell.
    pub(super) fn of(manifest: &Manifest, stored: &SchemaRef) -> Self {
        let many = stored.fields().iter().zip(&manifest.statistics);
        let many = many.filter(|(_, column)| column.distinct.is_some_and(|distinct| distinct >= VALUES));
        Self(many.map(|(field, _)| field.name().clone()).collect())
    }

    /// Whether one of these filters asks for one value of such a column.
    pub(super) fn leave_few(&self, filters: &[Arc<dyn PhysicalExpr>]) -> bool {
        filters.iter().flat_map(split_conjunction).any(|filter| {
            let Some(binary) = filter.downcast_ref::<BinaryExpr>() else { return false };
            let of_one_value = |column: &Arc<dyn PhysicalExpr>, value: &Arc<dyn PhysicalExpr>| {
                let column = column.downcast_ref::<Column>();
                column.is_some_and(|column| self.0.iter().any(|name| name == column.name()))
                    && value.is::<Literal>()
            };
            *binary.op() == Operator::Eq
                && (of_one_value(binary.left(), binary.right())
                    || of_one_value(binary.right(), binary.left()))
        })
    }
}
