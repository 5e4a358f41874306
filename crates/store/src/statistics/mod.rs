//! Per-column statistics that are true bounds over every row, or absent.

mod bounds;
mod builder;
mod distinct;
mod memory;
mod value;

use serde::{Deserialize, Serialize};

pub use builder::StatisticsBuilder;
pub use distinct::DistinctSketch;
pub use memory::array_memory_size;
pub use value::{MAX_VALUE_BYTES, StatValue};

/// What is known about one column over a set of rows.
///
/// An absent value means "unknown", never "none".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// How many rows these statistics cover.
    pub rows: u64,
    /// How many of them are null, logically (a dictionary key that points to a null counts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_count: Option<u64>,
    /// A value that no non-null row is below. Absent if unknown, or if every row is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<StatValue>,
    /// A value that no non-null row is above. Absent if unknown, or if every row is null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<StatValue>,
    /// How many different non-null values there are: an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// What `distinct` is estimated from, so that parts can be merged. Receipts have it; a manifest does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sketch: Option<DistinctSketch>,
    /// Size of the column in Arrow memory, in bytes: an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Whether `min` and `max`, where present, are values that occur (not only bounds).
    pub exact: bool,
}

impl ColumnStatistics {
    /// The statistics of no rows at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            rows: 0,
            null_count: Some(0),
            min: None,
            max: None,
            distinct: Some(0),
            sketch: None,
            memory_bytes: Some(0),
            exact: true,
        }
    }

    /// The statistics of all rows of `self` and `other` together.
    ///
    /// What is unknown in one part is unknown in the whole, unless that part has no non-null row.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if other.rows == 0 {
            return self.clone();
        }
        if self.rows == 0 {
            return other.clone();
        }
        let rows = self.rows + other.rows;
        let (distinct, sketch) = self.merge_distinct(other);
        Self {
            rows,
            null_count: self.null_count.zip(other.null_count).map(|(a, b)| a + b),
            min: self.merge_bound(other, |s| s.min.as_ref(), std::cmp::Ordering::Less),
            max: self.merge_bound(other, |s| s.max.as_ref(), std::cmp::Ordering::Greater),
            distinct,
            sketch,
            memory_bytes: self.memory_bytes.zip(other.memory_bytes).map(|(a, b)| a + b),
            exact: self.exact && other.exact,
        }
    }

    /// The same without what is only there to be merged.
    #[must_use]
    pub fn settled(self) -> Self {
        Self { sketch: None, ..self }
    }

    /// Two parts may share values, so where both have some, only their sketches tell.
    fn merge_distinct(&self, other: &Self) -> (Option<u64>, Option<DistinctSketch>) {
        match (self.has_no_value(), other.has_no_value()) {
            (true, _) => (other.distinct, other.sketch.clone()),
            (false, true) => (self.distinct, self.sketch.clone()),
            (false, false) => {
                let merged = self.sketch.as_ref().zip(other.sketch.as_ref()).map(|(a, b)| {
                    let mut merged = a.clone();
                    merged.merge(b);
                    merged
                });
                let values = self.values().saturating_add(other.values());
                (merged.as_ref().map(|sketch| sketch.estimate().min(values)), merged)
            }
        }
    }

    /// How many rows are not null, as far as is known.
    const fn values(&self) -> u64 {
        match self.null_count {
            Some(nulls) => self.rows.saturating_sub(nulls),
            None => self.rows,
        }
    }

    /// Whether it is certain that every row is null.
    #[must_use]
    pub fn has_no_value(&self) -> bool {
        self.null_count == Some(self.rows)
    }

    fn merge_bound(
        &self,
        other: &Self,
        bound: impl Fn(&Self) -> Option<&StatValue>,
        wanted: std::cmp::Ordering,
    ) -> Option<StatValue> {
        match (self.has_no_value(), other.has_no_value()) {
            (true, true) => None,
            (true, false) => bound(other).cloned(),
            (false, true) => bound(self).cloned(),
            (false, false) => {
                let (a, b) = (bound(self)?, bound(other)?);
                let ordering = a.compare(b)?;
                Some(if ordering == wanted { a } else { b }.clone())
            }
        }
    }
}

/// Merges the statistics of several sets of rows, column by column.
///
/// Every part must have `width` columns; a part of another width makes everything unknown.
#[must_use]
pub fn merge<'a>(
    width: usize,
    parts: impl IntoIterator<Item = &'a [ColumnStatistics]>,
) -> Vec<ColumnStatistics> {
    let mut whole = vec![ColumnStatistics::empty(); width];
    for part in parts {
        for (index, total) in whole.iter_mut().enumerate() {
            *total = match part.get(index) {
                Some(column) => total.merge(column),
                None => ColumnStatistics {
                    null_count: None,
                    min: None,
                    max: None,
                    distinct: None,
                    sketch: None,
                    ..total.clone()
                },
            };
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, RecordBatch};

    use super::*;

    fn ints(rows: u64, nulls: u64, bounds: Option<(i64, i64)>) -> ColumnStatistics {
        ColumnStatistics {
            rows,
            null_count: Some(nulls),
            min: bounds.map(|b| StatValue::Int(b.0)),
            max: bounds.map(|b| StatValue::Int(b.1)),
            distinct: None,
            sketch: None,
            memory_bytes: Some(rows * 8),
            exact: true,
        }
    }

    #[test]
    fn bounds_widen_and_counts_add_up() {
        let whole = ints(3, 1, Some((5, 9))).merge(&ints(2, 0, Some((-1, 7))));
        assert_eq!(whole, ints(5, 1, Some((-1, 9))));
    }

    #[test]
    fn a_part_with_unknown_bounds_makes_them_unknown() {
        let unknown = ints(2, 0, None);
        assert_eq!(ints(3, 0, Some((5, 9))).merge(&unknown).min, None);
        assert_eq!(unknown.merge(&ints(3, 0, Some((5, 9)))).max, None);
    }

    #[test]
    fn a_part_of_nulls_or_of_nothing_leaves_the_bounds_alone() {
        let known = ints(3, 0, Some((5, 9)));
        let nulls = ints(2, 2, None);
        assert_eq!(known.merge(&nulls).min, Some(StatValue::Int(5)));
        assert_eq!(nulls.merge(&known).max, Some(StatValue::Int(9)));
        assert_eq!(known.merge(&ColumnStatistics::empty()), known);
        assert_eq!(ColumnStatistics::empty().merge(&known), known);
    }

    #[test]
    fn values_that_parts_share_are_counted_once() {
        let part = |values: std::ops::Range<i32>| {
            let batch = RecordBatch::try_from_iter([(
                "a",
                Arc::new(Int32Array::from_iter_values(values)) as ArrayRef,
            )]);
            let batch = batch.unwrap();
            let mut builder = StatisticsBuilder::new(&batch.schema());
            builder.update(&batch);
            builder.finish()
        };
        let parts = [part(0..600), part(400..1_000), part(0..1_000)];
        let whole = merge(1, parts.iter().map(Vec::as_slice)).remove(0);
        // Five standard errors.
        assert!(whole.distinct.unwrap().abs_diff(1_000) < 325, "{whole:?}");
        assert_eq!(whole.sketch, part(0..1_000).remove(0).sketch);
        let unknown = merge(1, [parts[0].as_slice(), &[ints(3, 0, None)]]).remove(0);
        assert_eq!((unknown.distinct, unknown.sketch), (None, None));
        let unknown = merge(2, [parts[0].as_slice()]).remove(1);
        assert_eq!(unknown.distinct, None, "a part without this column");
    }

    #[test]
    fn no_parts_is_no_rows() {
        assert_eq!(merge(2, []), vec![ColumnStatistics::empty(); 2]);
    }
}
