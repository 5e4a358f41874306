//! Smallest and largest value of one array, by Arrow's kernels.

use arrow::array::{Array, AsArray, GenericByteViewArray};
use arrow::compute;
use arrow::datatypes::{
    ByteViewType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
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
            let (min, max) = extremes(array)?;
            text(Some(array.value(min)), Some(array.value(max)))
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
            let (min, max) = extremes(array)?;
            bytes(Some(array.value(min)), Some(array.value(max)))
        }
        other => for_primitive!(other, primitive, None),
    }
}

/// Where a smallest and a largest value stand. Arrow's kernels compare whole values; here the first four bytes, which every
/// view holds, decide almost always.
fn extremes<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> Option<(usize, usize)> {
    let views = array.views();
    let widest = |(low, high): (u32, u32), prefix: u32| (low.min(prefix), high.max(prefix));
    let prefixes = views.iter().map(prefix);
    let none = (u32::MAX, 0);
    let (low, high) = match array.nulls() {
        None => prefixes.fold(none, widest),
        Some(nulls) => {
            prefixes.zip(nulls).filter(|(_, valid)| *valid).map(|(prefix, _)| prefix).fold(none, widest)
        }
    };
    let first = |wanted: u32| {
        let mut rows = views.iter().enumerate();
        rows.find(|(row, view)| prefix(view) == wanted && array.is_valid(*row))
            .map(|(row, view)| (row, *view))
    };
    let (mut min, mut max) = (first(low)?, first(high)?);
    let bytes = |row: usize| -> &[u8] { array.value(row).as_ref() };
    for (row, view) in views.iter().enumerate() {
        let prefix = prefix(view);
        // Equal views are equal values, and a text that is written once stands in many rows. Few get past this one branch.
        if !((prefix == low) & (*view != min.1) | (prefix == high) & (*view != max.1)) || array.is_null(row) {
            continue;
        }
        if prefix == low && bytes(row) < bytes(min.0) {
            min = (row, *view);
        }
        if prefix == high && bytes(row) > bytes(max.0) {
            max = (row, *view);
        }
    }
    Some((min.0, max.0))
}

/// The first four bytes of a value as a number that orders like them. Shorter values are padded with zeros.
const fn prefix(view: &u128) -> u32 {
    ((*view >> 32) as u32).swap_bytes()
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryViewArray, StringViewArray};

    use super::*;

    #[test]
    fn views_have_the_bounds_that_arrow_finds() {
        let pool = [
            "",
            "\0",
            "a",
            "a\0",
            "aa",
            "aaaa",
            "aaaab",
            "aaaac",
            "b",
            "a long text of more than twelve bytes",
            "a long text of more than twelve letters",
            "é",
            "\u{10FFFF}",
        ];
        let mut state = 7_u64;
        for length in 0..200_usize {
            let values: Vec<Option<&str>> = (0..length % 9)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    pool.get((state >> 33) as usize % (pool.len() + 2)).copied()
                })
                .collect();
            let texts: StringViewArray = values.iter().copied().collect();
            let found = extremes(&texts).map(|(min, max)| (texts.value(min), texts.value(max)));
            let expected = compute::min_string_view(&texts).zip(compute::max_string_view(&texts));
            assert_eq!(found, expected, "{values:?}");
            let bytes: BinaryViewArray = values.iter().map(|value| value.map(str::as_bytes)).collect();
            let found = extremes(&bytes).map(|(min, max)| (bytes.value(min), bytes.value(max)));
            assert_eq!(found, expected.map(|(min, max)| (min.as_bytes(), max.as_bytes())));
        }
    }
}
