//! Values as words of 64 bits: what a value is, whatever array holds it.
//!
//! | a value | its words |
//! |---|---|
//! | boolean, integer, date, time, timestamp, duration, float | its bits |
//! | decimal | its unscaled digits, in words of 64 bits from the lowest |
//! | text or bytes, up to 12 bytes | its length and its bytes |
//! | longer text or bytes | their XXH3, 128 bits |
//!
//! Values of other types, nested ones and dictionaries among them, have none.

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use xxhash_rust::xxh3::xxh3_128;

/// Text up to so many bytes is not hashed.
const SHORT: usize = 12;

/// Takes the words of a column's values, from the first row to the last.
pub(crate) trait Words {
    /// Takes values of `N` words each; those that `nulls` tells to be null have words without meaning.
    fn take<const N: usize>(&mut self, nulls: Option<&NullBuffer>, values: impl Iterator<Item = [u64; N]>);
}

/// Whether values of a type have words.
pub(crate) fn has_words(data_type: &DataType) -> bool {
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

/// Gives a column's words to `taker`; `false` if its type has none.
pub(crate) fn words_of(column: &dyn Array, taker: &mut impl Words) -> bool {
    macro_rules! signed {
        ($type:ty) => {
            primitive::<$type, 1>(column, taker, |v| [i64::from(v).cast_unsigned()])
        };
    }
    macro_rules! unsigned {
        ($type:ty) => {
            primitive::<$type, 1>(column, taker, |v| [u64::from(v)])
        };
    }
    macro_rules! text {
        ($array:expr) => {{
            let array = $array;
            taker.take(nulls(array), (0..array.len()).map(|i| bytes_words(array.value(i).as_ref())))
        }};
    }
    macro_rules! views {
        ($array:expr) => {{
            let array = $array;
            let words = |(i, view): (usize, &u128)| view_words(*view, || array.value(i).as_ref());
            taker.take(nulls(array), array.views().iter().enumerate().map(words))
        }};
    }
    match column.data_type() {
        DataType::Null => {
            let none = NullBuffer::new_null(column.len());
            taker.take(Some(&none), std::iter::repeat_n([0], column.len()));
        }
        DataType::Boolean => {
            let array = column.as_boolean();
            taker.take(nulls(array), array.values().iter().map(|value| [u64::from(value)]));
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
            primitive::<Float16Type, 1>(column, taker, |v| [u64::from(v.to_bits())]);
        }
        DataType::Float32 => {
            primitive::<Float32Type, 1>(column, taker, |v| [u64::from(v.to_bits())]);
        }
        DataType::Float64 => primitive::<Float64Type, 1>(column, taker, |v| [v.to_bits()]),
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
            primitive::<Decimal128Type, 2>(column, taker, |v| halves(v.cast_unsigned()));
        }
        DataType::Decimal256(..) => {
            primitive::<Decimal256Type, 4>(column, taker, quarters);
        }
        DataType::Utf8 => text!(column.as_string::<i32>()),
        DataType::LargeUtf8 => text!(column.as_string::<i64>()),
        DataType::Utf8View => views!(column.as_string_view()),
        DataType::Binary => text!(column.as_binary::<i32>()),
        DataType::LargeBinary => text!(column.as_binary::<i64>()),
        DataType::BinaryView => views!(column.as_binary_view()),
        _ => return false,
    }
    true
}

fn primitive<T: ArrowPrimitiveType, const N: usize>(
    column: &dyn Array,
    taker: &mut impl Words,
    words: impl Fn(T::Native) -> [u64; N],
) {
    let array = column.as_primitive::<T>();
    taker.take(nulls(array), array.values().iter().map(|value| words(*value)));
}

fn nulls(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0)
}

/// The low and the high half.
pub(crate) const fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

fn quarters(number: i256) -> [u64; 4] {
    let (low, high) = number.to_parts();
    let ([a, b], [c, d]) = (halves(low), halves(high.cast_unsigned()));
    [a, b, c, d]
}

/// The words of a value that a view stands for. A short one is all in its view, in the very places where its words have it.
fn view_words<'a>(view: u128, bytes: impl FnOnce() -> &'a [u8]) -> [u64; 2] {
    if view as u32 <= SHORT as u32 { halves(view) } else { halves(xxh3_128(bytes())) }
}

fn bytes_words(bytes: &[u8]) -> [u64; 2] {
    if bytes.len() > SHORT {
        return halves(xxh3_128(bytes));
    }
    halves(short(bytes) << 32 | bytes.len() as u128)
}

/// Up to [`SHORT`] bytes as a number, the first one lowest. They are read from both ends, in registers: copying so few of them to
/// where a number is read again takes several times as long.
fn short(bytes: &[u8]) -> u128 {
    let from_last = |last: u64, size: usize| u128::from(last) << (8 * (bytes.len() - size));
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u128::from(u64::from_le_bytes(*first)) | from_last(u64::from_le_bytes(*last), 8)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        u128::from(u32::from_le_bytes(*first)) | from_last(u32::from_le_bytes(*last).into(), 4)
    } else {
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, BinaryViewArray, LargeBinaryArray};

    use super::*;

    #[derive(Default)]
    struct Taken(Vec<Vec<u64>>);

    impl Words for Taken {
        fn take<const N: usize>(&mut self, _: Option<&NullBuffer>, values: impl Iterator<Item = [u64; N]>) {
            self.0.extend(values.map(|words| words.to_vec()));
        }
    }

    /// By the table above, byte for byte, however the array holds them.
    #[test]
    fn bytes_have_the_same_words_in_every_array() {
        let pool: Vec<u8> = (0..40).map(|i| (i * 37 + 201) as u8).collect();
        let values: Vec<&[u8]> = (0..=pool.len()).map(|length| &pool[..length]).collect();
        let expected: Vec<Vec<u64>> = values
            .iter()
            .map(|value| {
                if value.len() > 12 {
                    let hash = xxh3_128(value);
                    return vec![hash as u64, (hash >> 64) as u64];
                }
                let mut bytes = vec![value.len() as u8, 0, 0, 0];
                bytes.extend_from_slice(value);
                bytes.resize(16, 0);
                bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
            })
            .collect();
        let arrays: [ArrayRef; 3] = [
            Arc::new(BinaryArray::from(values.clone())),
            Arc::new(LargeBinaryArray::from(values.clone())),
            Arc::new(BinaryViewArray::from(values.clone())),
        ];
        for array in arrays {
            let mut taken = Taken::default();
            assert!(words_of(array.as_ref(), &mut taken));
            assert_eq!(taken.0, expected, "{:?}", array.data_type());
        }
    }
}
