//! One number for each row, from its values alone: not from batch boundaries, dictionary keys or how values lie in memory.
//!
//! Every value becomes one or more words of 64 bits, and a row's number is the sum of its words, each times a key of 128 bits that
//! belongs to the column and to the word's place in the value, modulo 2^128. That is multilinear hashing (Lemire and Kaser,
//! "Strongly universal string hashing is fast", 2014); columns are worked through one after the other, so a value costs one
//! multiplication.
//!
//! | a value | its words |
//! |---|---|
//! | boolean, integer, date, time, timestamp, duration, float | its bits |
//! | decimal | its unscaled digits, in words of 64 bits from the lowest |
//! | text or bytes, up to 12 bytes | its length and its bytes |
//! | longer text or bytes | their XXH3, 128 bits |
//! | null | none: a key of the column's is added |
//! | nested, dictionary and other values | XXH3 over Arrow's row format, of all such columns together |

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// Words of the widest value, a decimal of 256 bits.
const WORDS: usize = 4;

/// Text up to so many bytes is not hashed by itself.
const SHORT: usize = 12;

/// Gives each row its number.
#[derive(Debug)]
pub(super) struct RowHasher {
    columns: Vec<Keys>,
    /// Columns that go through Arrow's row format.
    others: Option<(Vec<usize>, RowConverter, Keys)>,
    rows: Vec<u128>,
}

impl RowHasher {
    /// `None` if some column cannot be hashed.
    pub(super) fn new(schema: &Schema) -> Result<Option<Self>, ArrowError> {
        let fields = schema.fields();
        if fields.is_empty() {
            return Ok(None);
        }
        let others: Vec<usize> =
            (0..fields.len()).filter(|index| !has_words(fields[*index].data_type())).collect();
        let formats: Vec<SortField> =
            others.iter().map(|index| SortField::new(fields[*index].data_type().clone())).collect();
        if !RowConverter::supports_fields(&formats) {
            return Ok(None);
        }
        let others = if others.is_empty() {
            None
        } else {
            Some((others, RowConverter::new(formats)?, Keys::of(fields.len())))
        };
        Ok(Some(Self { columns: (0..fields.len()).map(Keys::of).collect(), others, rows: vec![] }))
    }

    /// The numbers of a batch's rows.
    pub(super) fn hash(&mut self, batch: &RecordBatch) -> Result<&[u128], ArrowError> {
        self.rows.clear();
        self.rows.resize(batch.num_rows(), 0);
        for (keys, column) in self.columns.iter().zip(batch.columns()) {
            add_column(&mut self.rows, keys, column);
        }
        if let Some((others, converter, keys)) = &mut self.others {
            let columns: Vec<ArrayRef> =
                others.iter().filter_map(|index| batch.columns().get(*index)).cloned().collect();
            let encoded = converter.convert_columns(&columns)?;
            add(&mut self.rows, keys, None, encoded.iter().map(|row| halves(xxh3_128(row.as_ref()))));
        }
        Ok(&self.rows)
    }
}

/// The keys of one column.
#[derive(Debug)]
struct Keys {
    words: [u128; WORDS],
    null: u128,
}

impl Keys {
    fn of(column: usize) -> Self {
        let key = |place: usize| {
            let seed = (column as u64).wrapping_mul(WORDS as u64 + 1).wrapping_add(place as u64);
            // Odd, so that no word is lost.
            xxh3_128_with_seed(b"milepost row", seed) | 1
        };
        Self { words: std::array::from_fn(key), null: key(WORDS) }
    }
}

/// Adds a column's words to the rows.
fn add<const N: usize>(
    rows: &mut [u128],
    keys: &Keys,
    nulls: Option<&NullBuffer>,
    values: impl Iterator<Item = [u64; N]>,
) {
    let product = |words: [u64; N]| {
        let products = words.iter().zip(&keys.words).map(|(word, key)| key.wrapping_mul(u128::from(*word)));
        products.fold(0, u128::wrapping_add)
    };
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (row, words) in rows.iter_mut().zip(values) {
                *row = row.wrapping_add(product(words));
            }
        }
        Some(nulls) => {
            for ((row, words), valid) in rows.iter_mut().zip(values).zip(nulls) {
                *row = row.wrapping_add(if valid { product(words) } else { keys.null });
            }
        }
    }
}

fn add_primitive<T: ArrowPrimitiveType, const N: usize>(
    rows: &mut [u128],
    keys: &Keys,
    column: &ArrayRef,
    words: impl Fn(T::Native) -> [u64; N],
) {
    let array = column.as_primitive::<T>();
    add(rows, keys, array.nulls(), array.values().iter().map(|value| words(*value)));
}

fn has_words(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Null
            | DataType::Boolean
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Duration(_)
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    ) || data_type.is_integer()
        || data_type.is_floating()
}

fn add_column(rows: &mut [u128], keys: &Keys, column: &ArrayRef) {
    macro_rules! signed {
        ($type:ty) => {
            add_primitive::<$type, 1>(rows, keys, column, |v| [i64::from(v).cast_unsigned()])
        };
    }
    macro_rules! unsigned {
        ($type:ty) => {
            add_primitive::<$type, 1>(rows, keys, column, |v| [u64::from(v)])
        };
    }
    macro_rules! text {
        ($array:expr) => {{
            let array = $array;
            add(rows, keys, array.nulls(), (0..array.len()).map(|i| bytes_words(array.value(i).as_ref())))
        }};
    }
    match column.data_type() {
        DataType::Null => rows.iter_mut().for_each(|row| *row = row.wrapping_add(keys.null)),
        DataType::Boolean => {
            let array = column.as_boolean();
            add(rows, keys, array.nulls(), array.values().iter().map(|value| [u64::from(value)]));
        }
        DataType::Int8 => signed!(Int8Type),
        DataType::Int16 => signed!(Int16Type),
        DataType::Int32 => signed!(Int32Type),
        DataType::Int64 => signed!(Int64Type),
        DataType::UInt8 => unsigned!(UInt8Type),
        DataType::UInt16 => unsigned!(UInt16Type),
        DataType::UInt32 => unsigned!(UInt32Type),
        DataType::UInt64 => unsigned!(UInt64Type),
        DataType::Float16 => {
            add_primitive::<Float16Type, 1>(rows, keys, column, |v| [u64::from(v.to_bits())]);
        }
        DataType::Float32 => {
            add_primitive::<Float32Type, 1>(rows, keys, column, |v| [u64::from(v.to_bits())]);
        }
        DataType::Float64 => add_primitive::<Float64Type, 1>(rows, keys, column, |v| [v.to_bits()]),
        DataType::Date32 => signed!(Date32Type),
        DataType::Date64 => signed!(Date64Type),
        DataType::Time32(TimeUnit::Second) => signed!(Time32SecondType),
        DataType::Time32(_) => signed!(Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => signed!(Time64MicrosecondType),
        DataType::Time64(_) => signed!(Time64NanosecondType),
        DataType::Timestamp(TimeUnit::Second, _) => signed!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => signed!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => signed!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => signed!(TimestampNanosecondType),
        DataType::Duration(TimeUnit::Second) => signed!(DurationSecondType),
        DataType::Duration(TimeUnit::Millisecond) => signed!(DurationMillisecondType),
        DataType::Duration(TimeUnit::Microsecond) => signed!(DurationMicrosecondType),
        DataType::Duration(TimeUnit::Nanosecond) => signed!(DurationNanosecondType),
        DataType::Decimal32(..) => signed!(Decimal32Type),
        DataType::Decimal64(..) => signed!(Decimal64Type),
        DataType::Decimal128(..) => {
            add_primitive::<Decimal128Type, 2>(rows, keys, column, |v| halves(v.cast_unsigned()));
        }
        DataType::Decimal256(..) => {
            add_primitive::<Decimal256Type, 4>(rows, keys, column, quarters);
        }
        DataType::Utf8 => text!(column.as_string::<i32>()),
        DataType::LargeUtf8 => text!(column.as_string::<i64>()),
        DataType::Utf8View => text!(column.as_string_view()),
        DataType::Binary => text!(column.as_binary::<i32>()),
        DataType::LargeBinary => text!(column.as_binary::<i64>()),
        DataType::BinaryView => text!(column.as_binary_view()),
        // The others, which go through Arrow's row format.
        _ => {}
    }
}

/// The low and the high half.
const fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

fn quarters(number: i256) -> [u64; 4] {
    let (low, high) = number.to_parts();
    let ([a, b], [c, d]) = (halves(low), halves(high.cast_unsigned()));
    [a, b, c, d]
}

fn bytes_words(bytes: &[u8]) -> [u64; 2] {
    if bytes.len() > SHORT {
        return halves(xxh3_128(bytes));
    }
    let mut padded = [0; 16];
    padded[0] = bytes.len() as u8;
    padded[4..4 + bytes.len()].copy_from_slice(bytes);
    halves(u128::from_le_bytes(padded))
}
