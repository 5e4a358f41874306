//! The rows of a result, summed up so that their order does not count and equal results give equal sums.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::bench::line::{Content, Floats};

/// One for each half of a row's hash.
const SEEDS: [u64; 2] = [17, 71];

/// Takes in batch after batch.
pub(super) struct Summing {
    /// The columns whose values are what they are, to the last bit.
    exact: Vec<usize>,
    converter: Option<RowConverter>,
    lanes: [u128; 2],
    floats: Vec<(usize, Floats)>,
}

impl Summing {
    /// Of rows with this schema. Columns of types that cannot be summed up are passed over.
    ///
    /// # Errors
    /// Arrow's.
    pub(super) fn of(schema: &Schema) -> Result<Self> {
        let (mut exact, mut fields, mut floats) = (Vec::new(), Vec::new(), Vec::new());
        for (index, field) in schema.fields().iter().enumerate() {
            let sorted = SortField::new(field.data_type().clone());
            if let Some(tolerance) = tolerance(field.data_type()) {
                floats.push((index, Floats { tolerance, ..Floats::default() }));
            } else if !holds_floats(field.data_type())
                && RowConverter::supports_fields(std::slice::from_ref(&sorted))
            {
                exact.push(index);
                fields.push(sorted);
            }
        }
        let converter = if fields.is_empty() { None } else { Some(RowConverter::new(fields)?) };
        Ok(Self { exact, converter, lanes: [0; 2], floats })
    }

    /// Takes the rows of a batch in.
    ///
    /// # Errors
    /// Arrow's.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut weights = Vec::new();
        if let Some(converter) = &self.converter {
            let columns: Vec<ArrayRef> =
                self.exact.iter().map(|index| batch.column(*index).clone()).collect();
            let rows = converter.convert_columns(&columns)?;
            for row in &rows {
                let hashes = SEEDS.map(|seed| xxh3_128_with_seed(row.as_ref(), seed));
                for (lane, hash) in self.lanes.iter_mut().zip(hashes) {
                    *lane = lane.wrapping_add(hash);
                }
                if !self.floats.is_empty() {
                    weights.push(weight(hashes[0]));
                }
            }
        }
        for (index, floats) in &mut self.floats {
            let column = cast(batch.column(*index), &DataType::Float64)?;
            let numbers = column.as_primitive::<Float64Type>();
            for row in 0..numbers.len() {
                let number = numbers.is_valid(row).then(|| numbers.value(row));
                add(floats, number, weights.get(row).copied().unwrap_or(1.0));
            }
        }
        Ok(())
    }

    /// What came of it.
    pub(super) fn finish(self) -> Content {
        let [first, second] = self.lanes;
        Content {
            exact: format!("{first:032x}{second:032x}"),
            floats: self.floats.into_iter().map(|(_, floats)| floats).collect(),
        }
    }
}

/// A number between 1 and 2 that a row's other columns decide, so that numbers that change rows are noticed.
fn weight(hash: u128) -> f64 {
    const PART: u32 = 1 << 20;
    1.0 + f64::from((hash as u32) % PART) / f64::from(PART)
}

fn add(floats: &mut Floats, number: Option<f64>, weight: f64) {
    let [null, nan, infinite] = &mut floats.odd;
    match number {
        None => *null += 1,
        Some(number) if number.is_nan() => *nan += 1,
        Some(number) if number.is_infinite() => *infinite += 1,
        Some(number) => {
            let [sum, weighted, absolute] = &mut floats.sums;
            *sum += number;
            *weighted += number * weight;
            *absolute += number.abs();
        }
    }
}

/// How exact the numbers of a type are when they were added up in another order; none if they are not floating-point.
fn tolerance(of: &DataType) -> Option<f64> {
    match of {
        DataType::Float64 => Some(1e-9),
        DataType::Float32 => Some(1e-4),
        DataType::Float16 => Some(1e-2),
        _ => None,
    }
}

fn holds_floats(of: &DataType) -> bool {
    match of {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => holds_floats(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_floats(field.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| holds_floats(field.data_type())),
        DataType::Dictionary(_, values) => holds_floats(values),
        DataType::RunEndEncoded(_, values) => holds_floats(values.data_type()),
        of => of.is_floating(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch(rows: &[(i64, &str, f64)]) -> RecordBatch {
        let numbers: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
        let texts: StringArray = rows.iter().map(|row| Some(row.1)).collect();
        let floats: Float64Array = rows.iter().map(|row| Some(row.2)).collect();
        RecordBatch::try_from_iter([
            ("n", Arc::new(numbers) as ArrayRef),
            ("t", Arc::new(texts) as ArrayRef),
            ("f", Arc::new(floats) as ArrayRef),
        ])
        .unwrap()
    }

    fn content(batches: &[RecordBatch]) -> Content {
        let mut sum = Summing::of(&batches[0].schema()).unwrap();
        for batch in batches {
            sum.add(batch).unwrap();
        }
        sum.finish()
    }

    #[test]
    fn order_and_batches_do_not_count() {
        let one = content(&[batch(&[(1, "a", 0.5), (2, "b", 1.5), (2, "b", 1.5)])]);
        let other = content(&[batch(&[(2, "b", 1.5)]), batch(&[(2, "b", 1.5), (1, "a", 0.5)])]);
        assert_eq!(one.exact, other.exact);
        assert!(one.is_close(&other));
    }

    #[test]
    fn every_value_and_every_repetition_counts() {
        let rows = content(&[batch(&[(1, "a", 0.5), (2, "b", 1.5)])]);
        for others in [
            &[(1, "a", 0.5)][..],
            &[(1, "a", 0.5), (2, "c", 1.5)],
            &[(1, "a", 0.5), (2, "b", 1.5), (2, "b", 1.5)],
            &[(1, "b", 0.5), (2, "a", 1.5)],
            &[(1, "a", 0.5), (2, "b", 1.6)],
            // The same numbers, in other rows.
            &[(1, "a", 1.5), (2, "b", 0.5)],
            &[(1, "a", 0.5), (2, "b", f64::NAN)],
        ] {
            assert!(!rows.is_close(&content(&[batch(others)])), "{others:?}");
        }
    }

    #[test]
    fn the_last_digits_of_sums_do_not_count() {
        let rows = content(&[batch(&[(1, "a", 0.1 + 0.2)])]);
        assert!(rows.is_close(&content(&[batch(&[(1, "a", 0.3)])])));
    }
}
