//! Smallest and largest value of one array, by Arrow's kernels.

use arrow::array::{Array, AsArray};
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::value::{StatValue, Widen, for_primitive};

/// Smallest and largest non-null value; each absent if it cannot be kept.
pub(super) type Bounds = (Option<StatValue>, Option<StatValue>);

/// The bounds of an array with at least one non-null value; `None` if its type has no bounds, or if a NaN is in it.
pub(super) fn bounds_of(array: &dyn Array) -> Option<Bounds> {
    macro_rules! primitive {
        ($type:ty, $variant:ident) => {{
            let array = array.as_primitive::<$type>();
            // In Arrow's total order NaN lies beyond both infinities, by its sign.
            let min = StatValue::$variant(<$type>::widen(compute::min(array)?)).not_nan()?;
            let max = StatValue::$variant(<$type>::widen(compute::max(array)?)).not_nan()?;
            Some((Some(min), Some(max)))
        }};
    }
    let text = |min: Option<&str>, max: Option<&str>| {
        Some((min.and_then(StatValue::from_str), max.and_then(StatValue::from_str)))
    };
    let bytes = |min: Option<&[u8]>, max: Option<&[u8]>| {
        Some((min.and_then(StatValue::from_bytes), max.and_then(StatValue::from_bytes)))
    };
    match array.data_type() {
        DataType::Boolean => {
            let array = array.as_boolean();
            let boolean = |value: Option<bool>| value.map(StatValue::Boolean);
            Some((boolean(compute::min_boolean(array)), boolean(compute::max_boolean(array))))
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            text(compute::min_string(array), compute::max_string(array))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            text(compute::min_string(array), compute::max_string(array))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            text(compute::min_string_view(array), compute::max_string_view(array))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            bytes(compute::min_binary(array), compute::max_binary(array))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            bytes(compute::min_binary(array), compute::max_binary(array))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            bytes(compute::min_binary_view(array), compute::max_binary_view(array))
        }
        other => for_primitive!(other, primitive, None),
    }
}
