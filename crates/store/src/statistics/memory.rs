//! How much Arrow memory the rows of an array take, however its buffers are shared.

use arrow::array::{Array, AsArray, OffsetSizeTrait};
use arrow::datatypes::DataType;

/// Bytes that the array's own rows take in Arrow memory: an estimate.
///
/// Unlike Arrow's own measures it counts neither the unused capacity of a buffer nor the rows of a buffer
/// that a slice does not show, so the sizes of slices add up to the size of the whole.
#[must_use]
pub fn array_memory_size(array: &dyn Array) -> usize {
    let validity = if array.nulls().is_some() { array.len().div_ceil(8) } else { 0 };
    validity + values_size(array)
}

fn values_size(array: &dyn Array) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows.div_ceil(8),
        DataType::Utf8 => offsets_size(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => offsets_size(array.as_string::<i64>().value_offsets()),
        DataType::Binary => offsets_size(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => offsets_size(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => views_size(array.as_string_view().views()),
        DataType::BinaryView => views_size(array.as_binary_view().views()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            list_size(list.value_offsets(), list.values().as_ref())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            list_size(list.value_offsets(), list.values().as_ref())
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            list_size(map.value_offsets(), map.entries())
        }
        DataType::FixedSizeList(_, _) => array_memory_size(array.as_fixed_size_list().values().as_ref()),
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| array_memory_size(column.as_ref())).sum()
        }
        DataType::Dictionary(key, _) => rows * key.primitive_width().unwrap_or(8) + dictionary_size(array),
        other => match other.primitive_width() {
            Some(width) => rows * width,
            None => array.to_data().get_slice_memory_size().unwrap_or(0),
        },
    }
}

fn offsets_size<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    std::mem::size_of_val(offsets) + span(offsets)
}

fn span<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => last.as_usize() - first.as_usize(),
        _ => 0,
    }
}

/// The low 32 bits of a view are the value's length; up to 12 bytes live in the view itself.
fn views_size(views: &[u128]) -> usize {
    let outside = |view: &u128| match *view as u32 as usize {
        0..=12 => 0,
        length => length,
    };
    std::mem::size_of_val(views) + views.iter().map(outside).sum::<usize>()
}

fn list_size<O: OffsetSizeTrait>(offsets: &[O], values: &dyn Array) -> usize {
    let shown = span(offsets);
    let start = offsets.first().map_or(0, |first| first.as_usize());
    std::mem::size_of_val(offsets) + array_memory_size(values.slice(start, shown).as_ref())
}

/// A dictionary is shared by many batches: count no more of it than the rows could point to.
fn dictionary_size(array: &dyn Array) -> usize {
    let values = array.as_any_dictionary().values();
    let size = array_memory_size(values.as_ref());
    if values.len() <= array.len() { size } else { size / values.len() * array.len() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn slices_count_only_their_own_rows() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(
            (0..1000).map(|i| Some((0..i % 7).map(Some).collect::<Vec<_>>())),
        );
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..1000)),
            Arc::new(StringArray::from_iter_values((0..1000).map(|i| "x".repeat(i % 40)))),
            Arc::new(StringViewArray::from_iter_values((0..1000).map(|i| "x".repeat(i % 40)))),
            Arc::new(list),
        ];
        for array in arrays {
            let whole = array_memory_size(array.as_ref());
            let parts: usize = (0..10).map(|i| array_memory_size(array.slice(i * 100, 100).as_ref())).sum();
            // Offsets have one number more than rows in every part, bitmaps round up.
            assert!(parts >= whole && parts < whole + 10 * 24, "{:?}: {parts} of {whole}", array.data_type());
        }
    }

    #[test]
    fn long_views_count_their_bytes() {
        let array = StringViewArray::from(vec!["short", "a value of more than twelve bytes"]);
        assert_eq!(array_memory_size(&array), 2 * 16 + 33);
    }
}
