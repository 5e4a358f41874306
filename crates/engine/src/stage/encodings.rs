//! How the columns of a row group are encoded, chosen from its first rows.
//!
//! | a column | is written |
//! |---|---|
//! | of integers, dates, times or decimals, whose differences take little more room than the places in a dictionary | as packed differences, and under `fast` not compressed again unless values repeat: finding the places costs more than all other work on the value |
//! | the same, with many values | likewise: a dictionary of them grows large, is given up, and has cost its time by then |
//! | of text or bytes, with many values | as it is; without statistics, which would hold long texts that nobody compares with |
//! | of text or bytes, with few values in no order, or all of them everywhere | with a dictionary, without statistics: each row group has all values |
//! | of decimals of more than 18 digits, or of bytes of one length, with many values | likewise |
//! | of floats, with many values | as it is, or byte by byte (the first bytes of all values, then the second ones) where that leaves more to compress |
//! | of floats | without statistics: those of Parquet leave NaN out, which DataFusion compares as the greatest, so that rows would be passed over |
//! | any other | as Parquet's writer does by itself: with a dictionary |

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type};
use arrow::row::{Row, RowConverter, SortField};
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::config::LEAST_ROW_GROUP_ROWS;

/// So many rows are looked at.
const SAMPLE: usize = 4_096;

/// A column each of whose parts of a sample, so many, has all of its values has them everywhere.
const PARTS: usize = 8;

/// A column whose second half of the sample adds fewer new values than this part of those of its first half has few values.
const GROWTH: f64 = 0.5;

/// A column with fewer values than this part of the sample has few values.
const FEW: f64 = 0.05;

/// Packed differences may take so many bits a value more than places in a dictionary.
const SPARE_BITS: f64 = 2.0;

/// What is known of a column that has many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Stored in 32 or 64 bits whose differences are small.
    Whole,
    Bytes,
    /// Stored as so many bytes each.
    Fixed,
    Float,
}

/// Whether a row group's first rows are enough to choose from.
pub(super) fn tells(first: &RecordBatch) -> bool {
    first.num_rows() >= LEAST_ROW_GROUP_ROWS
}

/// What the codec of a file leaves to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Profile {
    /// Packed differences are always compressed like everything else, though they seldom shrink.
    pub(super) compress_packed: bool,
    /// How evenly the bytes at one place of all values may be spread so that the codec still makes them less, in bits.
    pub(super) compressible_bits: f64,
}

/// Adds what suits the columns of `first`, the first rows of a row group, under the names of its schema.
pub(super) fn choose(
    mut builder: WriterPropertiesBuilder,
    first: &RecordBatch,
    profile: Profile,
) -> WriterPropertiesBuilder {
    for (field, column) in first.schema().fields().iter().zip(first.columns()) {
        let path = ColumnPath::from(field.name().as_str());
        if holds_floats(field.data_type()) {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
        let Some(kind) = kind(field.data_type()) else { continue };
        let sample = column.slice(0, column.len().min(SAMPLE));
        let Some(seen) = Sample::of(&sample) else { continue };
        if !seen.has_many_values() && !packs_well(kind, &sample, &seen) {
            // Each row group has all of its values, so that bounds would rule nothing out.
            if kind == Kind::Bytes && (seen.everywhere || !seen.repeats()) {
                builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
            continue;
        }
        builder = builder.set_column_dictionary_enabled(path.clone(), false);
        builder = match kind {
            Kind::Whole => {
                if !profile.compress_packed && !seen.repeats() {
                    builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
                }
                builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
            }
            Kind::Bytes | Kind::Fixed => builder.set_column_statistics_enabled(path, EnabledStatistics::None),
            Kind::Float if splits_well(&sample, profile) => {
                builder.set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT)
            }
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
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::FixedSizeBinary(_) => {
            Some(Kind::Fixed)
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

/// What a look at a column's first rows found.
struct Sample {
    rows: usize,
    distinct: usize,
    /// How many of the distinct values are in the first half.
    in_half: usize,
    /// How often a value differs from the one before.
    runs: usize,
    /// Whether there are several values, and each part of the sample has all of them.
    everywhere: bool,
}

impl Sample {
    /// `None` if there are too few rows to tell, or if they cannot be told apart; then the column is encoded as ever.
    fn of(column: &ArrayRef) -> Option<Self> {
        let rows = column.len();
        if rows < LEAST_ROW_GROUP_ROWS {
            return None;
        }
        let field = SortField::new(column.data_type().clone());
        let converter = RowConverter::new(vec![field]).ok()?;
        let encoded = converter.convert_columns(std::slice::from_ref(column)).ok()?;
        // In which parts of the sample each value is, a bit each.
        let mut parts: HashMap<Row<'_>, u16> = HashMap::new();
        let (mut in_half, mut runs, mut before) = (0, 0, None);
        for (index, value) in encoded.iter().enumerate() {
            if index == rows / 2 {
                in_half = parts.len();
            }
            runs += usize::from(before != Some(value));
            before = Some(value);
            *parts.entry(value).or_default() |= 1 << (index / (rows / PARTS));
        }
        const ALL: u16 = (1 << PARTS) - 1;
        let everywhere = parts.len() > 1 && parts.values().all(|seen| seen & ALL == ALL);
        Some(Self { rows, distinct: parts.len(), in_half, runs, everywhere })
    }

    /// Whether the values go on to be new ones. Keys that come in runs count by their runs: what matters is that a dictionary
    /// of them would not come to an end.
    fn has_many_values(&self) -> bool {
        let (all, in_half) = (self.distinct as f64, self.in_half as f64);
        all > FEW * self.rows as f64 && all - in_half > GROWTH * in_half
    }

    /// Whether a value often equals the one before, which leaves something to compress.
    fn repeats(&self) -> bool {
        const OFTEN: f64 = 0.25;
        self.runs as f64 <= (1.0 - OFTEN) * self.rows as f64
    }

    /// About how many bits a value takes as its place in a dictionary: packed, or as a part of a run.
    fn dictionary_bits(&self) -> f64 {
        /// What a run takes in Parquet's encoding of places.
        const RUN: f64 = 24.0;
        let packed = f64::from(self.distinct.next_power_of_two().trailing_zeros().max(1));
        packed.min(RUN * self.runs as f64 / self.rows as f64)
    }
}

fn packs_well(kind: Kind, column: &ArrayRef, seen: &Sample) -> bool {
    kind == Kind::Whole
        && whole_numbers(column)
            .is_some_and(|numbers| packed_bits(&numbers) <= seen.dictionary_bits() + SPARE_BITS)
}

/// Whether the bytes at some place are nearly the same in all values: those of the exponent in numbers of one size, the last
/// ones in numbers of few digits.
fn splits_well(column: &ArrayRef, profile: Profile) -> bool {
    let data = column.to_data();
    let width = column.data_type().primitive_width().unwrap_or(0);
    let (Some(buffer), false) = (data.buffers().first(), width == 0) else { return false };
    let values = buffer.as_slice().get(data.offset() * width..).unwrap_or_default();
    let values = values.get(..data.len() * width).unwrap_or_default();
    (0..width).any(|place| entropy(values.iter().skip(place).step_by(width)) <= profile.compressible_bits)
}

/// How evenly bytes are spread over their values: 0 bits where all are the same, 8 where all values are as frequent.
fn entropy<'a>(bytes: impl Iterator<Item = &'a u8>) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = f64::from(counts.iter().sum::<u32>());
    let parts = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / all);
    parts.map(|part| -part * part.log2()).sum()
}

/// The numbers that Parquet would store.
fn whole_numbers(column: &ArrayRef) -> Option<Vec<i64>> {
    let numbers: Int64Array = match column.data_type() {
        DataType::Decimal32(..) => column.as_primitive::<Decimal32Type>().unary(i64::from),
        DataType::Decimal64(..) => column.as_primitive::<Decimal64Type>().unary(|digits| digits),
        DataType::Decimal128(..) => {
            column.as_primitive::<Decimal128Type>().unary_opt(|digits| i64::try_from(digits).ok())
        }
        DataType::Decimal256(..) => return None,
        _ => cast(column, &DataType::Int64).ok()?.as_primitive_opt()?.clone(),
    };
    Some(numbers.iter().flatten().collect())
}

/// About how many bits a value takes as its difference to the one before: Parquet packs them in blocks of 32, each as wide
/// as its widest.
fn packed_bits(numbers: &[i64]) -> f64 {
    const BLOCK: usize = 32;
    /// A block's own description.
    const HEADER: f64 = 16.0;
    let differences: Vec<i64> =
        numbers.windows(2).filter_map(|pair| pair.last()?.checked_sub(*pair.first()?)).collect();
    if differences.is_empty() || differences.len() + 1 < numbers.len() {
        return 64.0;
    }
    let bits = differences.chunks(BLOCK).map(|block| {
        let (least, most) = (block.iter().min().copied(), block.iter().max().copied());
        let range = least.zip(most).map_or(0, |(least, most)| most.abs_diff(least));
        f64::from(64 - range.leading_zeros()) * block.len() as f64 + HEADER
    });
    bits.sum::<f64>() / differences.len() as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray};
    use parquet::file::properties::WriterProperties;

    use super::*;

    const SNAPPY: Profile = Profile { compress_packed: true, compressible_bits: 1.0 };

    /// Whether a column of so many rows would have a dictionary, and its encoding without one.
    fn chosen(column: ArrayRef) -> (bool, Option<Encoding>, EnabledStatistics) {
        let first = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let properties = choose(WriterProperties::builder(), &first, SNAPPY).build();
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
        let wide = (false, None, EnabledStatistics::None);
        assert_eq!(chosen(decimals(30)), wide, "it does not fit into 64 bits");
    }

    #[test]
    fn many_texts_are_written_as_they_are() {
        let texts: StringArray = (0..4_096).map(|i| Some(format!("text {i}"))).collect();
        assert_eq!(chosen(Arc::new(texts)), (false, None, EnabledStatistics::None));
        // Of all sizes, so that no byte of them is more frequent than others.
        let any = |i: u64| f64::from_bits(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & !(1 << 62) | 1);
        let floats: Float64Array = (0..4_096).map(any).collect();
        assert_eq!(chosen(Arc::new(floats)), (false, None, EnabledStatistics::None));
        let few: Float64Array = (0..4_096).map(|_| 0.5).collect();
        assert_eq!(chosen(Arc::new(few)), (true, None, EnabledStatistics::None));
    }

    #[test]
    fn floats_of_one_size_are_split_into_their_bytes() {
        let split = (false, Some(Encoding::BYTE_STREAM_SPLIT), EnabledStatistics::None);
        let ratios: Float64Array = (0..4_096).map(|i| 1.0 + f64::from(i) / 4_099.0).collect();
        assert_eq!(chosen(Arc::new(ratios)), split, "one exponent");
        let whole: Float64Array = (0..4_096).map(f64::from).collect();
        assert_eq!(chosen(Arc::new(whole)), split, "their last bytes are zero");
    }

    #[test]
    fn texts_have_statistics_where_these_can_rule_rows_out() {
        let texts = |value: fn(usize) -> usize| {
            let texts: StringArray = (0..8_192).map(|row| Some(format!("text {}", value(row)))).collect();
            chosen(Arc::new(texts))
        };
        let (with, without) = ((true, None, EnabledStatistics::Page), (true, None, EnabledStatistics::None));
        assert_eq!(texts(|row| row / 3 % 2), without, "two, in short runs");
        assert_eq!(texts(|row| row * 7_919 % 50), without, "fifty, in no order");
        assert_eq!(texts(|row| row / 300), with, "in order");
        assert_eq!(texts(|row| usize::from(row > 3_900)), with, "the first of two, then the other");
        assert_eq!(texts(|_| 1), with, "one, of which others may come later");
    }

    #[test]
    fn few_values_have_a_dictionary_unless_their_differences_are_as_small() {
        let dictionary = (true, None, EnabledStatistics::Page);
        let packed = (false, Some(Encoding::DELTA_BINARY_PACKED), EnabledStatistics::Page);
        let scattered = |i: i64| i * 7_919 % 50 * 1_000_003;
        assert_eq!(chosen(integers((0..8_192).map(scattered))), dictionary, "fifty, far apart");
        assert_eq!(chosen(integers((0..8_192).map(|i| i * 7_919 % 50))), packed, "fifty in a row");
        assert_eq!(chosen(integers((0..8_192).map(|i| scattered(i / 8)))), dictionary, "runs, far apart");
        assert_eq!(chosen(integers((0..8_192).map(|_| 1))), packed);
        assert_eq!(chosen(integers(0..1_000)), dictionary, "too few rows to tell");
        let far = (0..8_192).map(|i| if i % 2 == 0 { i64::MIN } else { i64::MAX });
        assert_eq!(chosen(integers(far)), dictionary, "differences that no 64 bits hold");
    }

    #[test]
    fn packed_numbers_are_compressed_only_where_it_is_asked_for() {
        let first = RecordBatch::try_from_iter([("c", integers(0..8_192))]).unwrap();
        let compression = |compress| {
            let builder = WriterProperties::builder().set_compression(Compression::SNAPPY);
            choose(builder, &first, Profile { compress_packed: compress, ..SNAPPY })
                .build()
                .compression(&ColumnPath::from("c"))
        };
        assert_eq!((compression(false), compression(true)), (Compression::UNCOMPRESSED, Compression::SNAPPY));
    }
}
