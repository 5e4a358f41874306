//! Arrays of every Arrow type, with nulls and with values hidden behind them.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::*;

pub(super) fn ints(values: [Option<i64>; 4]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

pub(super) fn words() -> ArrayRef {
    Arc::new(StringArray::from(vec![
        Some("ünïcødé"),
        None,
        Some(""),
        Some("a longer text than twelve bytes"),
    ]))
}

/// Types that are reached by a cast from whole numbers.
pub(super) fn numbers() -> Vec<DataType> {
    use TimeUnit::*;
    let paris = || Some("Europe/Paris".into());
    vec![
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Date64,
        DataType::Time64(Microsecond),
        DataType::Time64(Nanosecond),
        DataType::Timestamp(Second, None),
        DataType::Timestamp(Millisecond, None),
        DataType::Timestamp(Microsecond, None),
        DataType::Timestamp(Nanosecond, None),
        DataType::Timestamp(Second, paris()),
        DataType::Timestamp(Millisecond, paris()),
        DataType::Timestamp(Microsecond, Some("+05:30".into())),
        DataType::Timestamp(Nanosecond, Some("UTC".into())),
        DataType::Duration(Second),
        DataType::Duration(Millisecond),
        DataType::Duration(Microsecond),
        DataType::Duration(Nanosecond),
        DataType::Decimal32(9, 0),
        DataType::Decimal32(7, 2),
        DataType::Decimal64(18, 3),
        DataType::Decimal128(38, 10),
        DataType::Decimal128(5, 5),
        DataType::Decimal256(76, 20),
    ]
}

pub(super) fn scalars() -> Vec<(String, ArrayRef)> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for data_type in numbers() {
        let source = match &data_type {
            // One whole does not fit five places behind the point.
            DataType::Decimal128(5, 5) => ints([Some(0), None, Some(0), Some(0)]),
            _ => ints([Some(1), None, Some(0), Some(100)]),
        };
        columns.push((format!("{data_type}"), cast(&source, &data_type).unwrap()));
    }
    let small = cast(&ints([Some(86_399), None, Some(0), Some(1)]), &DataType::Int32).unwrap();
    for data_type in
        [DataType::Date32, DataType::Time32(TimeUnit::Second), DataType::Time32(TimeUnit::Millisecond)]
    {
        columns.push((format!("{data_type}"), cast(&small, &data_type).unwrap()));
    }
    for data_type in
        [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, DataType::Binary, DataType::LargeBinary]
    {
        columns.push((format!("{data_type}"), cast(&words(), &data_type).unwrap()));
    }
    let bytes = cast(&words(), &DataType::Binary).unwrap();
    columns.push(("BinaryView".into(), cast(&bytes, &DataType::BinaryView).unwrap()));
    columns.extend(extremes());
    columns
}

/// Values at the ends of their types, and types that no cast makes.
pub(super) fn extremes() -> Vec<(String, ArrayRef)> {
    let floats =
        vec![Some(f64::NAN), None, Some(-0.0), Some(f64::NEG_INFINITY), Some(5e-324), Some(f64::MAX)];
    let fixed = [Some(b"four".to_vec()), None, Some(vec![0, 255, 128, 7])].into_iter();
    let spans = vec![Some(IntervalDayTime::new(-1, 86_400_000)), None, Some(IntervalDayTime::ZERO)];
    vec![
        ("Null".into(), Arc::new(NullArray::new(3))),
        ("Boolean".into(), Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("float ends".into(), Arc::new(Float64Array::from(floats))),
        ("i64 ends".into(), Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        ("u64 ends".into(), Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)]))),
        (
            "old times".into(),
            Arc::new(TimestampNanosecondArray::from(vec![Some(i64::MIN + 1), None, Some(-1)])),
        ),
        ("old seconds".into(), Arc::new(TimestampSecondArray::from(vec![Some(-62_135_596_800), None]))),
        ("old dates".into(), Arc::new(Date32Array::from(vec![Some(-719_162), None, Some(i32::MAX)]))),
        ("odd Date64".into(), Arc::new(Date64Array::from(vec![Some(1), None, Some(-1)]))),
        (
            "FixedSizeBinary".into(),
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 4).unwrap()),
        ),
        ("YearMonth".into(), Arc::new(IntervalYearMonthArray::from(vec![Some(-1), None, Some(25)]))),
        ("DayTime".into(), Arc::new(IntervalDayTimeArray::from(spans))),
        (
            "Decimal128 ends".into(),
            Arc::new(
                Decimal128Array::from(vec![Some(10_i128.pow(38) - 1), None, Some(1 - 10_i128.pow(38))])
                    .with_precision_and_scale(38, 38)
                    .unwrap(),
            ),
        ),
        (
            "Decimal256 ends".into(),
            Arc::new(
                Decimal256Array::from(vec![Some(i256::from_i128(i128::MIN)), None, Some(i256::from(7))])
                    .with_precision_and_scale(76, 0)
                    .unwrap(),
            ),
        ),
    ]
}

pub(super) fn list_of(values: ArrayRef, lengths: &[usize], valid: &[bool]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
    let nulls = arrow::buffer::NullBuffer::from(valid.to_vec());
    Arc::new(ListArray::new(field, offsets, values, Some(nulls)))
}

pub(super) fn structs(columns: Vec<(&str, ArrayRef)>, valid: &[bool]) -> ArrayRef {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .unzip();
    Arc::new(StructArray::new(fields.into(), arrays, Some(arrow::buffer::NullBuffer::from(valid.to_vec()))))
}

pub(super) fn map_of(keys: ArrayRef, values: ArrayRef, lengths: &[usize], valid: &[bool]) -> ArrayRef {
    let entries = Fields::from(vec![
        Field::new("keys", keys.data_type().clone(), false),
        Field::new("values", values.data_type().clone(), true),
    ]);
    let entries = StructArray::new(entries, vec![keys, values], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
    let nulls = arrow::buffer::NullBuffer::from(valid.to_vec());
    Arc::new(MapArray::new(field, offsets, entries, Some(nulls), false))
}

pub(super) fn dictionaries() -> Vec<(String, ArrayRef)> {
    let mut columns = Vec::new();
    for key in [DataType::Int16, DataType::UInt16, DataType::Int32, DataType::Int64] {
        let value = Box::new(DataType::Utf8);
        let data_type = DataType::Dictionary(Box::new(key), value);
        columns.push((format!("{data_type}"), cast(&words(), &data_type).unwrap()));
    }
    let numbers = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Int64));
    columns.push((
        "dictionary of numbers".into(),
        cast(&ints([Some(7), None, Some(7), Some(8)]), &numbers).unwrap(),
    ));
    columns
}

pub(super) fn nested() -> Vec<(String, ArrayRef)> {
    let four = [true, false, true, true];
    let numbers = || ints([Some(1), None, Some(3), Some(4)]);
    let dictionary = || {
        cast(&words(), &DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Utf8))).unwrap()
    };
    let list = || list_of(numbers(), &[2, 0, 1, 1], &[true, false, true, true]);
    let pair = || structs(vec![("n", numbers()), ("t", words())], &four);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
    let map = || map_of(Arc::clone(&keys), numbers(), &[2, 0, 1, 1], &four);
    let fixed = FixedSizeListArray::new(
        Arc::new(Field::new_list_field(DataType::Int64, true)),
        2,
        numbers(),
        Some(arrow::buffer::NullBuffer::from(vec![true, false])),
    );
    let large =
        cast(&list(), &DataType::LargeList(Arc::new(Field::new_list_field(DataType::Int64, true)))).unwrap();
    vec![
        ("list".into(), list()),
        ("large list".into(), large),
        ("fixed list".into(), Arc::new(fixed)),
        ("struct".into(), pair()),
        ("map".into(), map()),
        ("list of lists".into(), list_of(list(), &[1, 0, 3, 0], &four)),
        ("list of structs".into(), list_of(pair(), &[1, 0, 2, 1], &four)),
        ("list of maps".into(), list_of(map(), &[4, 0, 0, 0], &four)),
        ("list of dictionaries".into(), list_of(dictionary(), &[1, 0, 2, 1], &four)),
        ("list of views".into(), list_of(cast(&words(), &DataType::Utf8View).unwrap(), &[1, 0, 2, 1], &four)),
        (
            "struct of all".into(),
            structs(vec![("l", list()), ("s", pair()), ("m", map()), ("d", dictionary())], &four),
        ),
        ("map of lists".into(), map_of(Arc::clone(&keys), list(), &[1, 0, 2, 1], &four)),
        ("struct of struct of list".into(), structs(vec![("s", structs(vec![("l", list())], &four))], &four)),
    ]
}

/// What a snapshot cannot hold, and the path of the column that the error must name.
pub(super) fn refused() -> Vec<(&'static str, ArrayRef)> {
    let interval: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
        Some(IntervalMonthDayNano::new(1, 2, 3)),
        None,
        Some(IntervalMonthDayNano::ZERO),
        None,
    ]));
    let ends = Int32Array::from(vec![2, 4]);
    let runs = RunArray::try_new(&ends, &StringArray::from(vec!["a", "b"])).unwrap();
    let empty: ArrayRef = Arc::new(StructArray::new_empty_fields(4, None));
    let negative = Decimal128Array::from(vec![1, 2, 3, 4]).with_precision_and_scale(10, -2).unwrap();
    let union_fields = UnionFields::try_new(
        [0, 1],
        [Field::new("i", DataType::Int64, true), Field::new("t", DataType::Utf8, true)],
    )
    .unwrap();
    let union = UnionArray::try_new(
        union_fields,
        vec![0_i8, 1, 0, 1].into(),
        None,
        vec![ints([Some(1), None, Some(2), None]), words()],
    )
    .unwrap();
    let valid = [true, true, true, true];
    vec![
        ("x", Arc::clone(&interval)),
        // The values of all rows of a file share one dictionary, and eight bits may be too few to count them.
        (
            "x",
            cast(&words(), &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)))
                .unwrap(),
        ),
        ("x", Arc::new(runs)),
        ("x", Arc::clone(&empty)),
        ("x", Arc::new(negative)),
        ("x", Arc::new(union)),
        ("x.deep", structs(vec![("deep", Arc::clone(&interval))], &valid)),
        ("x", list_of(interval, &[1, 1, 1, 1], &valid)),
        ("x.deep", structs(vec![("deep", empty)], &valid)),
    ]
}
