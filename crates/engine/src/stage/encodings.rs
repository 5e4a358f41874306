//! How the columns of a file are encoded, chosen from its first rows.
//!
//! | a column | is written |
//! |---|---|
//! | with few values | with a dictionary, as Parquet's writer does by itself |
//! | of integers, dates, times or decimals, with many values | as packed differences: a dictionary of them grows large, is given up, and has cost its time by then |
//! | of text or bytes, with many values | as it is; without statistics, which would hold long texts that nobody compares with |
//! | of floats, with many values | as it is |
//! | of floats | without statistics: those of Parquet leave NaN out, which DataFusion compares as the greatest, so that rows would be passed over |
//! | nested, or in another type | as Parquet's writer does by itself |

use std::collections::HashSet;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use parquet::basic::Encoding;
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// So many rows are looked at.
const SAMPLE: usize = 4_096;

/// Fewer rows tell nothing.
const LEAST: usize = 1_024;

/// A column whose second half of the sample adds fewer new values than this part of those of its first half has few values.
const GROWTH: f64 = 0.5;

/// A column with fewer values than this part of the sample has few values.
const FEW: f64 = 0.05;

/// What is known of a column that has many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Stored in 32 or 64 bits whose differences are small.
    Whole,
    Bytes,
    Float,
}

/// Adds what suits the columns of `first`, the first rows of a file, under the names of its schema.
pub(super) fn choose(mut builder: WriterPropertiesBuilder, first: &RecordBatch) -> WriterPropertiesBuilder {
    for (field, column) in first.schema().fields().iter().zip(first.columns()) {
        if holds_floats(field.data_type()) {
            let path = ColumnPath::from(field.name().as_str());
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        let Some(kind) = kind(field.data_type()).filter(|_| has_many_values(column)) else { continue };
        let path = ColumnPath::from(field.name().as_str());
        builder = builder.set_column_dictionary_enabled(path.clone(), false);
        builder = match kind {
            Kind::Whole => builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Kind::Bytes => builder.set_column_statistics_enabled(path, EnabledStatistics::None),
            Kind::Float => builder,
        };
    }
    builder
}

fn kind(data_type: &DataType) -> Option<Kind> {
    /// The most digits that Parquet stores in 64 bits.
    const DIGITS: u8 = 18;
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_) => Some(Kind::Whole),
        DataType::Decimal32(digits, _)
        | DataType::Decimal64(digits, _)
        | DataType::Decimal128(digits, _)
        | DataType::Decimal256(digits, _)
            if *digits <= DIGITS =>
        {
            Some(Kind::Whole)
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Some(Kind::Bytes),
        DataType::Float32 | DataType::Float64 => Some(Kind::Float),
        _ => None,
    }
}

fn holds_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => holds_floats(values),
        other => other.is_floating(),
    }
}

/// Whether the values of a column go on to be new ones. Keys that come in runs count by their runs: what matters is that a
/// dictionary of them would not come to an end.
fn has_many_values(column: &ArrayRef) -> bool {
    let rows = column.len().min(SAMPLE);
    if rows < LEAST {
        return false;
    }
    let field = SortField::new(column.data_type().clone());
    let encoded = RowConverter::new(vec![field])
        .and_then(|converter| converter.convert_columns(&[column.slice(0, rows)]));
    // What cannot be told apart here is encoded as ever.
    let Ok(encoded) = encoded else { return false };
    let mut seen = HashSet::with_capacity(rows);
    let half = rows / 2;
    let mut in_half = 0;
    for (at, row) in encoded.iter().enumerate() {
        if at == half {
            in_half = seen.len();
        }
        seen.insert(row.as_ref().to_vec());
    }
    let (all, in_half) = (seen.len() as f64, in_half as f64);
    all > FEW * rows as f64 && all - in_half > GROWTH * in_half
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray};
    use parquet::file::properties::WriterProperties;

    use super::*;

    /// Whether a column of so many rows would have a dictionary, and its encoding without one.
    fn chosen(column: ArrayRef) -> (bool, Option<Encoding>, EnabledStatistics) {
        let first = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let properties = choose(WriterProperties::builder(), &first).build();
        let path = ColumnPath::from("c");
        (
            properties.dictionary_enabled(&path),
            properties.encoding(&path),
            properties.statistics_enabled(&path),
        )
    }

    fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
        Arc::new(values.collect::<Int64Array>())
    }

    #[test]
    fn many_numbers_are_packed() {
        let packed = (false, Some(Encoding::DELTA_BINARY_PACKED), EnabledStatistics::Page);
        assert_eq!(chosen(integers((0..8_192).map(|i| i * 7_919 % 100_003))), packed);
        assert_eq!(chosen(integers((0..8_192).map(|i| i / 4))), packed, "a key with four rows each");
        let decimals = (0..8_192).map(|i| i * 31).collect::<Decimal128Array>();
        let decimals =
            |digits| Arc::new(decimals.clone().with_precision_and_scale(digits, 2).unwrap()) as ArrayRef;
        assert_eq!(chosen(decimals(15)), packed);
        assert_eq!(
            chosen(decimals(30)),
            (true, None, EnabledStatistics::Page),
            "it does not fit into 64 bits"
        );
    }

    #[test]
    fn many_texts_are_written_as_they_are() {
        let texts: StringArray = (0..4_096).map(|i| Some(format!("text {i}"))).collect();
        assert_eq!(chosen(Arc::new(texts)), (false, None, EnabledStatistics::None));
        let floats: Float64Array = (0..4_096).map(|i| f64::from(i) * 0.1).collect();
        assert_eq!(chosen(Arc::new(floats)), (false, None, EnabledStatistics::None));
        let few: Float64Array = (0..4_096).map(|_| 0.5).collect();
        assert_eq!(chosen(Arc::new(few)), (true, None, EnabledStatistics::None));
    }

    #[test]
    fn few_values_have_a_dictionary() {
        let dictionary = (true, None, EnabledStatistics::Page);
        assert_eq!(chosen(integers((0..8_192).map(|i| i * 7_919 % 50))), dictionary);
        assert_eq!(chosen(integers((0..8_192).map(|i| i * 7_919 % 1_009))), dictionary, "all seen by half");
        assert_eq!(chosen(integers(0..1_000)), dictionary, "too few rows to tell");
        assert_eq!(chosen(integers((0..8_192).map(|_| 1))), dictionary);
    }
}
