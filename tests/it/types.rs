//! Every Arrow type, with nulls and in nests, through a snapshot and back in a new session.
//!
//! What comes back must be equal: values, type, nullability and field metadata. What Parquet cannot hold is refused
//! before any work, by the path of the column.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat, concat_batches};
use arrow::datatypes::*;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use milepost::Session;

use crate::support::{run, unique};

/// One partition, so that rows keep their order.
async fn open(store: &str) -> Session {
    let config = SessionConfig::new().with_target_partitions(1);
    Session::builder().with_config(config).with_store_url(&format!("memory://{store}")).build().await.unwrap()
}

fn ints(values: [Option<i64>; 4]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn words() -> ArrayRef {
    Arc::new(StringArray::from(vec![
        Some("ünïcødé"),
        None,
        Some(""),
        Some("a longer text than twelve bytes"),
    ]))
}

/// Types that are reached by a cast from whole numbers.
fn numbers() -> Vec<DataType> {
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

fn scalars() -> Vec<(String, ArrayRef)> {
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
fn extremes() -> Vec<(String, ArrayRef)> {
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

fn list_of(values: ArrayRef, lengths: &[usize], valid: &[bool]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
    let nulls = arrow::buffer::NullBuffer::from(valid.to_vec());
    Arc::new(ListArray::new(field, offsets, values, Some(nulls)))
}

fn structs(columns: Vec<(&str, ArrayRef)>, valid: &[bool]) -> ArrayRef {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .unzip();
    Arc::new(StructArray::new(fields.into(), arrays, Some(arrow::buffer::NullBuffer::from(valid.to_vec()))))
}

fn map_of(keys: ArrayRef, values: ArrayRef, lengths: &[usize], valid: &[bool]) -> ArrayRef {
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

fn dictionaries() -> Vec<(String, ArrayRef)> {
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

fn nested() -> Vec<(String, ArrayRef)> {
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

/// Two batches of one column, the second one without nulls in front, so that batch boundaries are met.
fn batches(field: Field, array: &ArrayRef) -> Vec<RecordBatch> {
    let schema = Arc::new(Schema::new(vec![field]));
    let twice = concat(&[array.as_ref(), array.as_ref()]).unwrap();
    [Arc::clone(array), twice]
        .into_iter()
        .map(|a| RecordBatch::try_new(Arc::clone(&schema), vec![a]).unwrap())
        .collect()
}

async fn round_trip(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<(), String> {
    let store = unique("types");
    let session = open(&store).await;
    let expected = concat_batches(&schema, &batches).unwrap();
    let source = MemTable::try_new(Arc::clone(&schema), vec![batches]).unwrap();
    session.register_table("source", Arc::new(source)).unwrap();
    run(&session, "CHECKPOINT kept AS SELECT * FROM source").await.map_err(|error| error.to_string())?;

    let later = open(&store).await;
    let frame = later.sql("SELECT * FROM kept").await.map_err(|error| error.to_string())?;
    let planned = frame.schema().as_arrow().clone();
    if planned.fields() != schema.fields() {
        return Err(format!("planned as {:?}\ninstead of {:?}", planned.fields(), schema.fields()));
    }
    let found = frame.collect().await.map_err(|error| error.to_string())?;
    for batch in &found {
        if batch.schema().fields() != schema.fields() {
            return Err(format!("read as {:?}\ninstead of {:?}", batch.schema().fields(), schema.fields()));
        }
    }
    let found = concat_batches(&schema, &found).map_err(|error| error.to_string())?;
    if found != expected { Err(format!("{found:?}\ninstead of {expected:?}")) } else { Ok(()) }
}

async fn all_come_back(columns: Vec<(String, ArrayRef)>) {
    let mut failures = Vec::new();
    for (title, array) in columns {
        let field = Field::new("x", array.data_type().clone(), true);
        let batches = batches(field, &array);
        if let Err(what) = round_trip(batches[0].schema(), batches).await {
            failures.push(format!("{title}: {what}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn scalar_types_come_back() {
    all_come_back(scalars()).await;
}

#[tokio::test]
async fn dictionary_types_come_back() {
    all_come_back(dictionaries()).await;
}

#[tokio::test]
async fn nested_types_come_back() {
    all_come_back(nested()).await;
}

/// A null list may have values behind it, and a null struct fields; equality is by what is visible.
#[tokio::test]
async fn hidden_values_behind_nulls_do_no_harm() {
    let hidden = list_of(ints([Some(1), Some(2), Some(3), None]), &[1, 2, 1], &[true, false, true]);
    let inner = ints([Some(1), Some(2), None, Some(4)]);
    let masked = structs(vec![("n", inner)], &[true, false, false, true]);
    all_come_back(vec![("hidden list".into(), hidden), ("masked struct".into(), masked)]).await;
}

#[tokio::test]
async fn nullability_names_and_metadata_come_back() {
    let meta = |key: &str| {
        HashMap::from([(key.to_string(), "välue".to_string()), ("empty".to_string(), String::new())])
    };
    let inner = Field::new("inner", DataType::Int64, false).with_metadata(meta("deep"));
    let schema = Arc::new(Schema::new(vec![
        Field::new("never_null", DataType::Int64, false).with_metadata(meta("unit")),
        Field::new("Upper Case and spaces", DataType::Int64, true),
        Field::new("a.b", DataType::Int64, true).with_metadata(meta("PARQUET:field_id_like")),
        Field::new("", DataType::Int64, true),
        Field::new("s", DataType::Struct(vec![inner].into()), false),
    ]));
    let full = || ints([Some(1), Some(2), Some(3), Some(4)]);
    let some = || ints([Some(1), None, Some(3), Some(4)]);
    let DataType::Struct(fields) = schema.field(4).data_type().clone() else { panic!("a struct") };
    let s: ArrayRef = Arc::new(StructArray::new(fields, vec![full()], None));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![full(), some(), some(), some(), s]).unwrap();
    // A table's column cannot be called nothing: it gets a name from its place.
    let renamed: Vec<Field> =
        schema
            .fields()
            .iter()
            .map(|f| {
                if f.name().is_empty() {
                    f.as_ref().clone().with_name("column_4")
                } else {
                    f.as_ref().clone()
                }
            })
            .collect();
    let kept = RecordBatch::try_new(Arc::new(Schema::new(renamed)), batch.columns().to_vec()).unwrap();
    let store = unique("types");
    let session = open(&store).await;
    let source = MemTable::try_new(Arc::clone(&schema), vec![vec![batch]]).unwrap();
    session.register_table("source", Arc::new(source)).unwrap();
    run(&session, "CHECKPOINT kept AS SELECT * FROM source").await.unwrap();
    let found = run(&open(&store).await, "SELECT * FROM kept").await.unwrap();
    assert_eq!(found[0].schema().fields(), kept.schema().fields());
    assert_eq!(found[0].columns(), kept.columns());
}

#[tokio::test]
async fn a_wide_table_comes_back() {
    let columns = 1_000;
    let fields: Vec<Field> =
        (0..columns).map(|i| Field::new(format!("column_{i}"), DataType::Int64, true)).collect();
    let arrays: Vec<ArrayRef> = (0..columns).map(|i| ints([Some(i), None, Some(-i), Some(0)])).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    round_trip(schema, vec![batch]).await.unwrap();
}

#[tokio::test]
async fn an_empty_result_keeps_every_type() {
    for (title, array) in scalars().into_iter().chain(dictionaries()).chain(nested()) {
        let field = Field::new("x", array.data_type().clone(), true);
        let batch = RecordBatch::new_empty(Arc::new(Schema::new(vec![field])));
        round_trip(batch.schema(), vec![batch]).await.unwrap_or_else(|error| panic!("{title}: {error}"));
    }
}

/// What a snapshot cannot hold, and the path of the column that the error must name.
fn refused() -> Vec<(&'static str, ArrayRef)> {
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

#[tokio::test]
async fn what_parquet_cannot_hold_is_refused_by_name_and_leaves_nothing() {
    for (path, array) in refused() {
        let schema = Arc::new(Schema::new(vec![Field::new("x", array.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&array)]).unwrap();
        let store = unique("types");
        let session = open(&store).await;
        session
            .register_table("source", Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap()))
            .unwrap();
        let error = run(&session, "CHECKPOINT kept AS SELECT * FROM source").await.unwrap_err().to_string();
        assert!(error.contains(path) && error.contains("cannot hold"), "{}: {error}", array.data_type());
        assert!(open(&store).await.checkpoint_names().await.is_empty(), "{}", array.data_type());
    }
}

#[tokio::test]
async fn a_query_without_columns_is_refused() {
    let session = open(&unique("types")).await;
    let table = MemTable::try_new(Arc::new(Schema::empty()), vec![vec![]]).unwrap();
    session.register_table("bare", Arc::new(table)).unwrap();
    let error = run(&session, "CHECKPOINT kept AS SELECT * FROM bare").await.unwrap_err().to_string();
    assert!(error.contains("column"), "{error}");
}
