//! A result by value: column names, types and rows, so that two ways of computing it can be compared.

use std::collections::HashMap;
use std::fmt::Write as _;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::error::Result;
use datafusion::prelude::DataFrame;
use datafusion::scalar::ScalarValue;

/// Rows with the names and types of their columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name and type of every column.
    pub columns: Vec<(String, DataType)>,
    /// The values, row by row. Floats are equal when their bits are.
    pub rows: Vec<Vec<ScalarValue>>,
}

/// What two equal results must agree in.
#[derive(Debug, Clone, Copy)]
pub struct Compare {
    /// Rows must come in the same order.
    pub in_order: bool,
    /// Floats may differ by one part in a thousand million.
    pub approximate: bool,
}

impl Table {
    /// Runs a query to its end.
    ///
    /// # Errors
    /// Whatever planning or running it gives.
    pub async fn collect(frame: DataFrame) -> Result<Self> {
        let schema = frame.schema().as_arrow().clone();
        Self::new(&schema, &frame.collect().await?)
    }

    /// Takes batches apart. Types are those of the batches where there are any, else those of `schema`.
    ///
    /// # Errors
    /// A type that has no scalar form.
    pub fn new(schema: &Schema, batches: &[RecordBatch]) -> Result<Self> {
        let real = batches.first().map_or_else(|| schema.clone(), |batch| batch.schema().as_ref().clone());
        let columns = real.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
                rows.push(values.collect::<Result<Vec<_>>>()?);
            }
        }
        Ok(Self { columns, rows })
    }

    /// Says in what `other` differs, or nothing.
    pub fn difference(&self, other: &Table, compare: Compare) -> Option<String> {
        if self.columns != other.columns {
            return Some(format!("columns {:?}\nbecame  {:?}", self.columns, other.columns));
        }
        if self.rows.len() != other.rows.len() {
            return Some(format!("{} rows became {}", self.rows.len(), other.rows.len()));
        }
        if compare.in_order || compare.approximate {
            self.by_position(other, compare)
        } else {
            self.by_count(other)
        }
    }

    fn by_position(&self, other: &Table, compare: Compare) -> Option<String> {
        let pairs = self.rows.iter().zip(&other.rows).enumerate();
        let mut different = pairs.filter(|(_, (a, b))| !same_row(a, b, compare.approximate));
        different.next().map(|(at, (a, b))| format!("row {at}: {a:?}\nbecame {b:?}"))
    }

    fn by_count(&self, other: &Table) -> Option<String> {
        let mut counts: HashMap<&[ScalarValue], i64> = HashMap::new();
        for row in &self.rows {
            *counts.entry(row).or_default() += 1;
        }
        for row in &other.rows {
            *counts.entry(row).or_default() -= 1;
        }
        counts.retain(|_, count| *count != 0);
        if counts.is_empty() {
            return None;
        }
        let mut text = "rows that are missing (+) or too many (-):".to_string();
        for (row, count) in counts.iter().take(6) {
            let _ = write!(text, "\n{count:+} {row:?}");
        }
        Some(text)
    }
}

fn same_row(a: &[ScalarValue], b: &[ScalarValue], approximate: bool) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b || (approximate && close(a, b)))
}

fn close(a: &ScalarValue, b: &ScalarValue) -> bool {
    match (a, b) {
        (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => {
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
        }
        _ => false,
    }
}
