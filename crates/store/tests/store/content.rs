//! Content identity: equal rows are equal however they are cut, encoded or ordered; other rows are not.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int8Array, Int64Array, ListArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Int8Type, Int64Type, Schema, SchemaRef};
use milepost_store::{CONTENT_SCHEME, ContentHasher, ContentId, ContentPart, SortField};

use crate::support::*;

fn hash(batches: &[RecordBatch], ordered: bool) -> ContentPart {
    let mut hasher = ContentHasher::new(&batches[0].schema(), ordered).unwrap();
    for batch in batches {
        hasher.update(batch).unwrap();
    }
    hasher.finish()
}

fn id(schema: &Schema, parts: &[ContentPart]) -> ContentId {
    ContentId::combine(schema, &[], parts).unwrap()
}

fn one_column(array: ArrayRef) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("a", array.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap()
}

/// Cuts a batch at random places.
fn cut(batch: &RecordBatch, numbers: &mut Numbers) -> Vec<RecordBatch> {
    let mut parts = vec![];
    let mut start = 0;
    while start < batch.num_rows() {
        let length = 1 + numbers.below(batch.num_rows() - start);
        parts.push(batch.slice(start, length));
        start += length;
    }
    parts
}

fn shuffle(batch: &RecordBatch, numbers: &mut Numbers) -> RecordBatch {
    let mut order: Vec<i64> = (0..i64::try_from(batch.num_rows()).unwrap()).collect();
    for index in (1..order.len()).rev() {
        order.swap(index, numbers.below(index + 1));
    }
    take_record_batch(batch, &Int64Array::from(order)).unwrap()
}

#[test]
fn batch_boundaries_never_count() {
    let mut numbers = Numbers(11);
    for round in 1..50 {
        let ids: Vec<i64> = (0..round).map(|_| i64::try_from(numbers.below(9)).unwrap()).collect();
        let whole = rows(&ids);
        let parts = cut(&whole, &mut numbers);
        for ordered in [false, true] {
            assert_eq!(hash(std::slice::from_ref(&whole), ordered), hash(&parts, ordered));
        }
    }
}

#[test]
fn order_counts_only_where_rows_have_one() {
    let mut numbers = Numbers(12);
    let whole = rows(&(0..100).collect::<Vec<_>>());
    let shuffled = shuffle(&whole, &mut numbers);
    assert_ne!(whole, shuffled);
    assert_eq!(hash(std::slice::from_ref(&whole), false), hash(std::slice::from_ref(&shuffled), false));
    assert_ne!(hash(&[whole], true), hash(&[shuffled], true));
}

#[test]
fn files_of_unordered_rows_may_be_cut_and_swapped() {
    let mut numbers = Numbers(13);
    let whole = rows(&(0..200).collect::<Vec<_>>());
    let schema = whole.schema();
    let expected = id(&schema, &[hash(std::slice::from_ref(&whole), false)]);
    for _ in 0..20 {
        let mut parts: Vec<_> = cut(&shuffle(&whole, &mut numbers), &mut numbers)
            .iter()
            .map(|part| hash(std::slice::from_ref(part), false))
            .collect();
        let half = parts.len() / 2;
        parts.rotate_left(half);
        assert_eq!(id(&schema, &parts), expected);
    }
}

#[test]
fn one_row_more_less_or_other_is_another_content() {
    let mut numbers = Numbers(14);
    let mut seen = std::collections::HashSet::new();
    let base: Vec<i64> = vec![1, 2, 2, 3];
    let variants: Vec<Vec<i64>> = vec![
        base.clone(),
        vec![1, 2, 3],
        vec![1, 2, 2, 2, 3],
        vec![1, 2, 3, 3],
        vec![1, 1, 2, 2, 3, 3],
        vec![],
        (0..50).map(|_| i64::try_from(numbers.below(1000)).unwrap()).collect(),
    ];
    for ordered in [false, true] {
        for variant in &variants {
            let part = hash(&[rows(variant)], ordered);
            let id = id(&schema(), &[part]);
            assert!(seen.insert(id) || variant.is_empty(), "{variant:?}");
        }
    }
    assert_eq!(seen.len(), 2 * variants.len() - 1, "no rows are no rows in whatever order");
}

#[test]
fn nulls_empty_strings_and_column_boundaries_are_told_apart() {
    let pair = |a: [Option<&str>; 2]| {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(StringArray::from(vec![a[0]]))),
            ("b", Arc::new(StringArray::from(vec![a[1]]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
    };
    let variants = [
        [Some("ab"), Some("")],
        [Some("a"), Some("b")],
        [Some(""), Some("ab")],
        [None, Some("ab")],
        [Some("ab"), None],
        [None, None],
    ];
    let hashes: std::collections::HashSet<_> =
        variants.iter().map(|variant| hash(&[pair(*variant)], false).digest).collect();
    assert_eq!(hashes.len(), variants.len());
}

#[test]
fn how_values_lie_in_memory_never_counts() {
    let long = "a value of more than twelve bytes";
    // The same strings, with other buffers behind them.
    let fresh: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None, Some(long)]));
    let wide: ArrayRef =
        Arc::new(StringViewArray::from(vec![Some("unused, but long enough"), Some("x"), None, Some(long)]));
    assert_eq!(hash(&[one_column(fresh)], true), hash(&[one_column(wide.slice(1, 3))], true));
    // The same dictionary values behind other keys, one of them unused, and a null key or a null value.
    let dictionary = |keys: Vec<Option<i8>>, values: Vec<Option<&str>>| -> ArrayRef {
        Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(keys), Arc::new(StringArray::from(values))))
    };
    let a = dictionary(vec![Some(0), Some(1), None], vec![Some("x"), Some(long)]);
    let b = dictionary(vec![Some(2), Some(0), Some(1)], vec![Some(long), None, Some("x"), Some("unused")]);
    assert_eq!(hash(&[one_column(a)], true), hash(&[one_column(b)], true));
    // A null list with values behind it.
    let list = |null: Vec<i64>| -> ArrayRef {
        let values = Int64Array::from_iter_values([1, 2].into_iter().chain(null.iter().copied()));
        let end = i32::try_from(2 + null.len()).unwrap();
        let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 2, end].into());
        let field = Arc::new(Field::new_list_field(DataType::Int64, true));
        Arc::new(ListArray::new(field, offsets, Arc::new(values), Some(vec![true, false].into())))
    };
    assert_eq!(hash(&[one_column(list(vec![]))], true), hash(&[one_column(list(vec![8, 9]))], true));
    assert_ne!(
        hash(&[one_column(list(vec![]))], true),
        hash(
            &[one_column(Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
                Some(vec![Some(1), Some(2)]),
                Some(vec![]),
            ])))],
            true
        ),
        "a null list is no empty list"
    );
}

#[test]
fn names_types_nullability_metadata_and_order_are_part_of_the_identity() {
    let part = hash(&[rows(&[1, 2])], false);
    let field = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
    let with = |field: Field| -> SchemaRef { Arc::new(Schema::new(vec![field])) };
    let metadata = |n: usize| (0..n).map(|i| (format!("{i}"), "v".to_owned())).collect();
    let schemas = [
        with(field("a", true)),
        with(field("b", true)),
        with(field("a", false)),
        with(Field::new("a", DataType::UInt64, true)),
        with(field("a", true).with_metadata(metadata(1))),
        with(Field::new("a", DataType::List(Arc::new(field("x", true))), true)),
        with(Field::new("a", DataType::List(Arc::new(field("x", false))), true)),
    ];
    let ids: std::collections::HashSet<_> = schemas.iter().map(|schema| id(schema, &[part])).collect();
    assert_eq!(ids.len(), schemas.len());
    // Metadata has no order: the same pairs are the same, run for run.
    let many = || with(field("a", true).with_metadata(metadata(40)));
    assert!((0..10).all(|_| id(&many(), &[part]) == id(&many(), &[part])));
    let order = SortField { column: 0, descending: false, nulls_first: true };
    let ordered = |order| ContentId::combine(&schemas[0], &[order], &[part]).unwrap();
    assert_ne!(ordered(order), id(&schemas[0], &[part]));
    assert_ne!(ordered(order), ordered(SortField { descending: true, ..order }));
}

#[test]
fn contents_that_cannot_be_compared_have_no_common_identity() {
    let (unordered, ordered) = (hash(&[rows(&[1])], false), hash(&[rows(&[1])], true));
    assert_eq!(ContentId::combine(&schema(), &[], &[unordered, ordered]), None);
    let unknown = ContentPart { digest: None, ..unordered };
    assert_eq!(ContentId::combine(&schema(), &[], &[unknown]), None);
    let newer = ContentPart { scheme: CONTENT_SCHEME + 1, ..unordered };
    assert_eq!(ContentId::combine(&schema(), &[], &[newer]), None);
    let (a, b) = (ContentId::unique(ulid::Ulid::from(1)), ContentId::unique(ulid::Ulid::from(2)));
    assert_ne!(a, b);
}

#[test]
fn floats_differ_by_their_bits_where_sorting_tells_them_apart() {
    let float = |value: f64| hash(&[one_column(Arc::new(Float64Array::from(vec![value])))], false);
    assert_ne!(float(0.0), float(-0.0));
    assert_eq!(float(f64::NAN), float(f64::NAN));
    assert_ne!(float(1.0), float(1.0 + f64::EPSILON));
}

#[test]
fn a_string_is_the_same_row_in_any_string_type_but_not_the_same_content() {
    let base: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let view = one_column(cast(&base, &DataType::Utf8View).unwrap());
    let plain = one_column(base);
    let joined = concat_batches(&plain.schema(), [&plain]).unwrap();
    assert_eq!(hash(&[joined], false), hash(std::slice::from_ref(&plain), false));
    let (a, b) = (hash(std::slice::from_ref(&plain), false), hash(std::slice::from_ref(&view), false));
    assert_ne!(id(&plain.schema(), &[a]), id(&view.schema(), &[b]));
}
