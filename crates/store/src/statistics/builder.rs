//! Collects statistics while batches go by.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{FieldRef, Schema};

use super::bounds::bounds_of;
use super::distinct::DistinctSketch;
use super::memory::array_memory_size;
use super::{ColumnStatistics, StatValue};
use crate::words::{has_words, words_of};

/// Collects the statistics of all columns of a stream of batches.
#[derive(Debug)]
pub struct StatisticsBuilder {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    seen: ColumnStatistics,
    /// Absent for types whose values cannot be told apart by their words.
    sketch: Option<DistinctSketch>,
    min_lost: bool,
    max_lost: bool,
}

impl StatisticsBuilder {
    /// Starts with no rows of these types.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let column = |field: &FieldRef| Column {
            seen: ColumnStatistics::empty(),
            sketch: has_words(field.data_type()).then(DistinctSketch::default),
            min_lost: false,
            max_lost: false,
        };
        Self { columns: schema.fields().iter().map(column).collect() }
    }

    /// Takes a batch's rows in. Its columns must have the schema's types, in order.
    pub fn update(&mut self, batch: &RecordBatch) {
        for (sketch, array) in self.sketches().zip(batch.columns()) {
            if let Some(sketch) = sketch {
                words_of(array.as_ref(), sketch);
            }
        }
        self.update_uncounted(batch);
    }

    /// The same, but for the different values, which are counted by the [`Self::sketches`].
    pub(crate) fn update_uncounted(&mut self, batch: &RecordBatch) {
        if batch.num_rows() == 0 {
            return;
        }
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.update(array.as_ref());
        }
    }

    /// What counts the different values of each column, where they can be told apart.
    pub(crate) fn sketches(&mut self) -> impl Iterator<Item = Option<&mut DistinctSketch>> {
        self.columns.iter_mut().map(|column| column.sketch.as_mut())
    }

    /// The statistics of everything seen, by column.
    #[must_use]
    pub fn finish(self) -> Vec<ColumnStatistics> {
        self.columns.into_iter().map(Column::finish).collect()
    }
}

impl Column {
    fn update(&mut self, array: &dyn Array) {
        let nulls = array.logical_null_count() as u64;
        let mut part = ColumnStatistics {
            rows: array.len() as u64,
            null_count: Some(nulls),
            memory_bytes: Some(array_memory_size(array) as u64),
            ..ColumnStatistics::empty()
        };
        if !part.has_no_value() {
            part.distinct = None;
            let (min, max) = self.bounds(array);
            self.min_lost |= min.is_none();
            self.max_lost |= max.is_none();
            (part.min, part.max) = (min, max);
        }
        self.seen = self.seen.merge(&part);
    }

    /// Looks for bounds only while some are still to be had.
    fn bounds(&self, array: &dyn Array) -> (Option<StatValue>, Option<StatValue>) {
        if self.min_lost && self.max_lost {
            return (None, None);
        }
        let (min, max) = bounds_of(array).unwrap_or_default();
        (min.filter(|_| !self.min_lost), max.filter(|_| !self.max_lost))
    }

    fn finish(self) -> ColumnStatistics {
        if self.seen.has_no_value() {
            return self.seen;
        }
        let distinct = self.sketch.as_ref().map(|sketch| sketch.estimate().min(self.seen.values()));
        ColumnStatistics { distinct, sketch: self.sketch, ..self.seen }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Float64Array, Int32Array, StringArray, StructArray};
    use arrow::datatypes::{Field, Int8Type};

    use super::*;

    fn collect(arrays: &[ArrayRef]) -> ColumnStatistics {
        let field = Field::new("a", arrays[0].data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let mut builder = StatisticsBuilder::new(&schema);
        for array in arrays {
            builder.update(&RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]).unwrap());
        }
        builder.finish().remove(0)
    }

    #[test]
    fn bounds_cover_all_batches_and_skip_nulls() {
        let found = collect(&[
            Arc::new(Int32Array::from(vec![Some(3), None])),
            Arc::new(Int32Array::from(vec![None::<i32>])),
            Arc::new(Int32Array::from(vec![Some(-7), Some(9)])),
        ]);
        assert_eq!((found.rows, found.null_count), (5, Some(2)));
        assert_eq!(found.min, Some(StatValue::Int(-7)));
        assert_eq!(found.max, Some(StatValue::Int(9)));
    }

    #[test]
    fn one_nan_anywhere_takes_the_bounds_away_for_good() {
        for arrays in [vec![vec![1.0, f64::NAN], vec![2.0]], vec![vec![1.0], vec![-f64::NAN]]] {
            let arrays: Vec<ArrayRef> =
                arrays.into_iter().map(|values| Arc::new(Float64Array::from(values)) as ArrayRef).collect();
            let found = collect(&arrays);
            assert_eq!((found.min, found.max), (None, None));
        }
    }

    #[test]
    fn a_string_too_long_takes_its_bound_away_for_good() {
        let long = "z".repeat(300);
        let found = collect(&[
            Arc::new(StringArray::from(vec!["b", &long])),
            Arc::new(StringArray::from(vec!["a", "zz"])),
        ]);
        assert_eq!(found.min, Some(StatValue::Utf8("a".into())));
        assert_eq!(found.max, None);
    }

    #[test]
    fn a_dictionary_key_that_points_to_a_null_is_a_null() {
        let values = Arc::new(StringArray::from(vec![Some("a"), None]));
        let keys = arrow::array::Int8Array::from(vec![Some(0), Some(1), None]);
        let found = collect(&[Arc::new(DictionaryArray::<Int8Type>::new(keys, values))]);
        assert_eq!(found.null_count, Some(2));
    }

    #[test]
    fn values_are_counted_once_and_nulls_not_at_all() {
        let found = collect(&[
            Arc::new(Int32Array::from(vec![Some(3), None, Some(3)])),
            Arc::new(Int32Array::from(vec![Some(4), Some(3), None])),
        ]);
        assert_eq!(found.distinct, Some(2));
        let nulls = collect(&[Arc::new(Int32Array::from(vec![None, None]))]);
        assert_eq!((nulls.distinct, nulls.sketch), (Some(0), None));
    }

    #[test]
    fn a_type_without_order_has_counts_only() {
        let field = Arc::new(Field::new("x", arrow::datatypes::DataType::Int32, true));
        let inner: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let found = collect(&[Arc::new(StructArray::from(vec![(field, inner)]))]);
        assert_eq!((found.rows, found.null_count, found.min), (2, Some(0), None));
        assert_eq!((found.distinct, found.sketch), (None, None));
    }
}
