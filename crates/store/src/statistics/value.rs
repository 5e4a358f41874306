//! One value in statistics: readable as JSON, and lossless.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, StringArray, StringViewArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longest string or byte value that statistics keep, in bytes.
pub const MAX_VALUE_BYTES: usize = 256;

/// One value. The column's Arrow type says how to read it: dates, times, timestamps and durations are
/// the integers that Arrow stores, decimals are unscaled.
#[derive(Clone, Debug, PartialEq)]
pub enum StatValue {
    /// A boolean.
    Boolean(bool),
    /// A signed integer, date, time, timestamp or duration.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A floating point number, never NaN.
    Float(f64),
    /// The unscaled digits of a decimal.
    Decimal(i256),
    /// A string of at most [`MAX_VALUE_BYTES`] bytes.
    Utf8(String),
    /// At most [`MAX_VALUE_BYTES`] bytes.
    Binary(Vec<u8>),
}

/// Calls `$do!(ArrowType, Variant)` for the primitive type `$data_type`.
macro_rules! for_primitive {
    ($data_type:expr, $do:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $do!(Int8Type, Int),
            DataType::Int16 => $do!(Int16Type, Int),
            DataType::Int32 => $do!(Int32Type, Int),
            DataType::Int64 => $do!(Int64Type, Int),
            DataType::UInt8 => $do!(UInt8Type, UInt),
            DataType::UInt16 => $do!(UInt16Type, UInt),
            DataType::UInt32 => $do!(UInt32Type, UInt),
            DataType::UInt64 => $do!(UInt64Type, UInt),
            DataType::Float16 => $do!(Float16Type, Float),
            DataType::Float32 => $do!(Float32Type, Float),
            DataType::Float64 => $do!(Float64Type, Float),
            DataType::Decimal32(_, _) => $do!(Decimal32Type, Decimal),
            DataType::Decimal64(_, _) => $do!(Decimal64Type, Decimal),
            DataType::Decimal128(_, _) => $do!(Decimal128Type, Decimal),
            DataType::Decimal256(_, _) => $do!(Decimal256Type, Decimal),
            DataType::Date32 => $do!(Date32Type, Int),
            DataType::Date64 => $do!(Date64Type, Int),
            DataType::Time32(TimeUnit::Second) => $do!(Time32SecondType, Int),
            DataType::Time32(TimeUnit::Millisecond) => $do!(Time32MillisecondType, Int),
            DataType::Time64(TimeUnit::Microsecond) => $do!(Time64MicrosecondType, Int),
            DataType::Time64(TimeUnit::Nanosecond) => $do!(Time64NanosecondType, Int),
            DataType::Timestamp(TimeUnit::Second, _) => $do!(TimestampSecondType, Int),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $do!(TimestampMillisecondType, Int),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $do!(TimestampMicrosecondType, Int),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $do!(TimestampNanosecondType, Int),
            DataType::Duration(TimeUnit::Second) => $do!(DurationSecondType, Int),
            DataType::Duration(TimeUnit::Millisecond) => $do!(DurationMillisecondType, Int),
            DataType::Duration(TimeUnit::Microsecond) => $do!(DurationMicrosecondType, Int),
            DataType::Duration(TimeUnit::Nanosecond) => $do!(DurationNanosecondType, Int),
            _ => $otherwise,
        }
    };
}
pub(super) use for_primitive;

impl StatValue {
    /// The value of one row; `None` if it is null, too long, NaN, or of a type without statistics.
    #[must_use]
    pub fn from_array(array: &dyn Array, row: usize) -> Option<Self> {
        if row >= array.len() || array.is_null(row) {
            return None;
        }
        macro_rules! primitive {
            ($type:ty, $variant:ident) => {
                Self::$variant(<$type>::widen(array.as_primitive::<$type>().value(row))).not_nan()
            };
        }
        match array.data_type() {
            DataType::Boolean => Some(Self::Boolean(array.as_boolean().value(row))),
            DataType::Utf8 => Self::from_str(array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Self::from_str(array.as_string::<i64>().value(row)),
            DataType::Utf8View => Self::from_str(array.as_string_view().value(row)),
            DataType::Binary => Self::from_bytes(array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Self::from_bytes(array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Self::from_bytes(array.as_binary_view().value(row)),
            other => for_primitive!(other, primitive, None),
        }
    }

    /// An array of `data_type` with this value as its one row; `None` if the value does not fit the type.
    #[must_use]
    pub fn to_array(&self, data_type: &DataType) -> Option<ArrayRef> {
        macro_rules! primitive {
            ($type:ty, $variant:ident) => {{
                let Self::$variant(wide) = self else { return None };
                let value = <$type>::narrow(*wide)?;
                let array = PrimitiveArray::<$type>::from_iter_values([value]);
                Some(Arc::new(array.with_data_type(data_type.clone())) as ArrayRef)
            }};
        }
        match (data_type, self) {
            (DataType::Boolean, Self::Boolean(value)) => Some(Arc::new(BooleanArray::from(vec![*value]))),
            (DataType::Utf8, Self::Utf8(value)) => Some(Arc::new(StringArray::from_iter_values([value]))),
            (DataType::LargeUtf8, Self::Utf8(value)) => {
                Some(Arc::new(LargeStringArray::from_iter_values([value])))
            }
            (DataType::Utf8View, Self::Utf8(value)) => {
                Some(Arc::new(StringViewArray::from_iter_values([value])))
            }
            (DataType::Binary, Self::Binary(value)) => Some(Arc::new(BinaryArray::from_iter_values([value]))),
            (DataType::LargeBinary, Self::Binary(value)) => {
                Some(Arc::new(LargeBinaryArray::from_iter_values([value])))
            }
            (DataType::BinaryView, Self::Binary(value)) => {
                Some(Arc::new(BinaryViewArray::from_iter_values([value])))
            }
            (other, _) => for_primitive!(other, primitive, None),
        }
    }

    /// How two values of one column are ordered; `None` if they are of different kinds.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::UInt(a), Self::UInt(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(b),
            (Self::Utf8(a), Self::Utf8(b)) => a.cmp(b),
            (Self::Binary(a), Self::Binary(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// The value, unless it is NaN, which is no bound.
    pub(super) fn not_nan(self) -> Option<Self> {
        match self {
            Self::Float(value) if value.is_nan() => None,
            value => Some(value),
        }
    }

    /// A string, unless it is too long to keep.
    pub(super) fn from_str(value: &str) -> Option<Self> {
        (value.len() <= MAX_VALUE_BYTES).then(|| Self::Utf8(value.to_owned()))
    }

    /// Bytes, unless they are too long to keep.
    pub(super) fn from_bytes(value: &[u8]) -> Option<Self> {
        (value.len() <= MAX_VALUE_BYTES).then(|| Self::Binary(value.to_vec()))
    }
}

/// Arrow's primitive types, to and from the wide type of a [`StatValue`] variant, without loss.
pub(super) trait Widen: ArrowPrimitiveType {
    /// The type that the variant holds.
    type Wide;
    fn widen(native: Self::Native) -> Self::Wide;
    /// `None` where the value does not fit.
    fn narrow(wide: Self::Wide) -> Option<Self::Native>;
}

macro_rules! widen {
    ($wide:ty, $widen:expr, $narrow:expr; $($type:ty),* $(,)?) => {$(
        impl Widen for $type {
            type Wide = $wide;

            fn widen(native: Self::Native) -> $wide {
                $widen(native)
            }

            fn narrow(wide: $wide) -> Option<Self::Native> {
                $narrow(wide)
            }
        }
    )*};
}
widen!(u64, u64::from, |wide| Self::Native::try_from(wide).ok(); UInt8Type, UInt16Type, UInt32Type);
widen!(u64, std::convert::identity, Some; UInt64Type);
widen!(
    i64, i64::from, |wide| Self::Native::try_from(wide).ok();
    Int8Type, Int16Type, Int32Type, Date32Type, Time32SecondType, Time32MillisecondType,
);
widen!(
    i64, std::convert::identity, Some;
    Int64Type, Date64Type, Time64MicrosecondType, Time64NanosecondType,
    TimestampSecondType, TimestampMillisecondType, TimestampMicrosecondType, TimestampNanosecondType,
    DurationSecondType, DurationMillisecondType, DurationMicrosecondType, DurationNanosecondType,
);
widen!(
    i256,
    |native| i256::from_i128(i128::from(native)),
    |wide: i256| wide.to_i128().and_then(|wide| Self::Native::try_from(wide).ok());
    Decimal32Type, Decimal64Type,
);
widen!(i256, i256::from_i128, |wide: i256| wide.to_i128(); Decimal128Type);
widen!(i256, std::convert::identity, Some; Decimal256Type);
widen!(
    f64, f64::from, |wide| Some(<Self as ArrowPrimitiveType>::Native::from_f64(wide));
    Float16Type,
);
widen!(f64, f64::from, |wide| Some(wide as f32); Float32Type);
widen!(f64, std::convert::identity, Some; Float64Type);

/// The JSON form: floats and decimals as text, because JSON numbers would lose digits; bytes in hex.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Text {
    Boolean(bool),
    Int(i64),
    Uint(u64),
    Float(String),
    Decimal(String),
    Utf8(String),
    Binary(String),
}

impl Serialize for StatValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => Text::Boolean(*value),
            Self::Int(value) => Text::Int(*value),
            Self::UInt(value) => Text::Uint(*value),
            Self::Float(value) => Text::Float(format!("{value:?}")),
            Self::Decimal(value) => Text::Decimal(value.to_string()),
            Self::Utf8(value) => Text::Utf8(value.clone()),
            Self::Binary(value) => Text::Binary(to_hex(value)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StatValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bad = |what: &str, text: &str| de::Error::custom(format!("{text:?} is not a {what}"));
        Ok(match Text::deserialize(deserializer)? {
            Text::Boolean(value) => Self::Boolean(value),
            Text::Int(value) => Self::Int(value),
            Text::Uint(value) => Self::UInt(value),
            Text::Float(text) => Self::Float(text.parse().map_err(|_| bad("float", &text))?),
            Text::Decimal(text) => Self::Decimal(text.parse::<i256>().map_err(|_| bad("decimal", &text))?),
            Text::Utf8(value) => Self::Utf8(value),
            Text::Binary(text) => Self::Binary(from_hex(&text).ok_or_else(|| bad("hex string", &text))?),
        })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(array: &dyn Array) {
        let value = StatValue::from_array(array, 0).unwrap();
        let json = serde_json::to_string(&value).unwrap();
        let back: StatValue = serde_json::from_str(&json).unwrap();
        assert_eq!(back.to_array(array.data_type()).unwrap().as_ref(), &*array.slice(0, 1), "{json}");
    }

    #[test]
    fn every_kind_of_value_survives_json() {
        round_trip(&BooleanArray::from(vec![true]));
        round_trip(&PrimitiveArray::<Int64Type>::from(vec![i64::MIN]));
        round_trip(&PrimitiveArray::<UInt64Type>::from(vec![u64::MAX]));
        for value in [0.1, -0.0, f64::MIN_POSITIVE, 1e300, f64::INFINITY, 123_456_789.123_456_79] {
            round_trip(&PrimitiveArray::<Float64Type>::from(vec![value]));
        }
        round_trip(&PrimitiveArray::<Float32Type>::from(vec![0.1_f32]));
        round_trip(&PrimitiveArray::<Float16Type>::from(vec![Float16Type::narrow(0.1).unwrap()]));
        round_trip(
            &PrimitiveArray::<Decimal32Type>::from(vec![-7]).with_data_type(DataType::Decimal32(9, 2)),
        );
        round_trip(&PrimitiveArray::<Decimal128Type>::from(vec![i128::MAX]));
        round_trip(&PrimitiveArray::<Decimal256Type>::from(vec![i256::MIN]));
        round_trip(&PrimitiveArray::<Date32Type>::from(vec![-1]));
        round_trip(&PrimitiveArray::<TimestampNanosecondType>::from(vec![5]).with_timezone("Asia/Tokyo"));
        round_trip(&PrimitiveArray::<DurationSecondType>::from(vec![5]));
        round_trip(&PrimitiveArray::<Time32SecondType>::from(vec![5]));
        round_trip(&StringArray::from(vec!["a\u{0}ü\"\n"]));
        round_trip(&StringViewArray::from(vec!["longer than twelve bytes"]));
        round_trip(&LargeBinaryArray::from_vec(vec![&[0, 255, 10]]));
        round_trip(&BinaryViewArray::from(vec![&[0_u8, 255][..]]));
    }

    #[test]
    fn what_cannot_be_a_bound_is_not_kept() {
        assert_eq!(StatValue::from_array(&PrimitiveArray::<Float64Type>::from(vec![f64::NAN]), 0), None);
        assert_eq!(StatValue::from_array(&StringArray::from(vec!["x".repeat(257)]), 0), None);
        assert!(StatValue::from_array(&StringArray::from(vec!["x".repeat(256)]), 0).is_some());
        assert_eq!(StatValue::from_array(&StringArray::from(vec![None::<&str>]), 0), None);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        assert!(StatValue::Int(300).to_array(&DataType::Int8).is_none());
        assert!(StatValue::Utf8("a".into()).to_array(&DataType::Int8).is_none());
        assert!(StatValue::Int(1).to_array(&DataType::Decimal128(10, 2)).is_none());
    }
}
