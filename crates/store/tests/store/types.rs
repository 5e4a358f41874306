//! Every Arrow type, plain and nested: it comes back as it was, or it is refused before any work starts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeListArray, Int32Array, Int64Array,
    LargeListArray, LargeListViewArray, ListArray, ListViewArray, MapArray, NullArray, RecordBatch,
    StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit, UnionMode};
use milepost_store::{ContentHasher, DataFileWriter, Error, Store, UnitNumber, check_schema, file_schema};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use crate::support::*;

fn plain_types() -> Vec<DataType> {
    use DataType as T;
    let mut types = vec![
        T::Null,
        T::Boolean,
        T::Int8,
        T::Int16,
        T::Int32,
        T::Int64,
        T::UInt8,
        T::UInt16,
        T::UInt32,
        T::UInt64,
        T::Float16,
        T::Float32,
        T::Float64,
        T::Utf8,
        T::LargeUtf8,
        T::Utf8View,
        T::Binary,
        T::LargeBinary,
        T::BinaryView,
        T::FixedSizeBinary(1),
        T::FixedSizeBinary(3),
        T::Date32,
        T::Date64,
        T::Time32(TimeUnit::Second),
        T::Time32(TimeUnit::Millisecond),
        T::Time64(TimeUnit::Microsecond),
        T::Time64(TimeUnit::Nanosecond),
        T::Interval(IntervalUnit::YearMonth),
        T::Interval(IntervalUnit::DayTime),
        T::Interval(IntervalUnit::MonthDayNano),
    ];
    for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
        types.push(T::Duration(unit));
        for zone in [None, Some("UTC"), Some("+02:00"), Some("Asia/Tokyo")] {
            types.push(T::Timestamp(unit, zone.map(Into::into)));
        }
    }
    for scale in [0, 2, -2] {
        for (precision, make) in [
            (9, T::Decimal32 as fn(u8, i8) -> T),
            (18, T::Decimal64),
            (5, T::Decimal128),
            (38, T::Decimal128),
            (20, T::Decimal256),
            (76, T::Decimal256),
        ] {
            types.push(make(precision, scale));
        }
    }
    types
}

fn nested_types(inner: &DataType) -> Vec<DataType> {
    let item = Arc::new(Field::new_list_field(inner.clone(), true));
    // A column of nulls cannot be one without nulls.
    let required = Arc::new(Field::new("other_name", inner.clone(), *inner == DataType::Null));
    let key = Field::new("keys", DataType::Utf8, false);
    let entries = DataType::Struct(Fields::from(vec![key, Field::new("values", inner.clone(), true)]));
    vec![
        DataType::List(Arc::clone(&item)),
        DataType::List(required),
        DataType::LargeList(Arc::clone(&item)),
        DataType::ListView(Arc::clone(&item)),
        DataType::LargeListView(Arc::clone(&item)),
        DataType::FixedSizeList(Arc::clone(&item), 2),
        DataType::Struct(Fields::from(vec![
            Field::new("x", inner.clone(), true),
            Field::new("y", DataType::Int32, false),
        ])),
        DataType::Map(Arc::new(Field::new("entries", entries, false)), false),
    ]
}

fn dictionaries() -> Vec<DataType> {
    let keys = plain_types().into_iter().filter(DataType::is_integer);
    let mut types: Vec<_> =
        keys.map(|key| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8))).collect();
    for value in plain_types() {
        types.push(DataType::Dictionary(Box::new(DataType::Int32), Box::new(value)));
    }
    types
}

/// Five values, the second one null where the type has nulls. `None`: this test cannot make such an array.
fn sample(data_type: &DataType, nulls: bool) -> Option<ArrayRef> {
    let rows = 5;
    let validity = || nulls.then(|| NullBuffer::from(vec![true, false, true, true, true]));
    match data_type {
        DataType::Null => Some(Arc::new(NullArray::new(rows))),
        DataType::FixedSizeBinary(width) => {
            let width = usize::try_from(*width).ok()?;
            let value = |row: u8| (!nulls || row != 1).then(|| vec![row; width]);
            let values = (0..5).map(value);
            let array =
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, i32::try_from(width).ok()?);
            Some(Arc::new(array.ok()?))
        }
        DataType::List(field) => {
            let values = values_for(field)?;
            let offsets = OffsetBuffer::new(vec![0, 2, 2, 5, 5, 5].into());
            Some(Arc::new(ListArray::new(Arc::clone(field), offsets, values, validity())))
        }
        DataType::LargeList(field) => {
            let values = values_for(field)?;
            let offsets = OffsetBuffer::new(vec![0_i64, 2, 2, 5, 5, 5].into());
            Some(Arc::new(LargeListArray::new(Arc::clone(field), offsets, values, validity())))
        }
        DataType::ListView(field) => {
            let values = values_for(field)?;
            let (offsets, sizes) = (vec![3, 0, 0, 1, 5].into(), vec![2, 0, 3, 1, 0].into());
            Some(Arc::new(ListViewArray::new(Arc::clone(field), offsets, sizes, values, validity())))
        }
        DataType::LargeListView(field) => {
            let values = values_for(field)?;
            let (offsets, sizes) = (vec![3_i64, 0, 0, 1, 5].into(), vec![2_i64, 0, 3, 1, 0].into());
            Some(Arc::new(LargeListViewArray::new(Arc::clone(field), offsets, sizes, values, validity())))
        }
        DataType::FixedSizeList(field, size) => {
            let part = values_for(field)?;
            let values = concat(&vec![part.as_ref(); usize::try_from(*size).ok()?]).ok()?;
            Some(Arc::new(FixedSizeListArray::new(Arc::clone(field), *size, values, validity())))
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| values_for(field)).collect::<Option<Vec<_>>>()?;
            Some(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, validity(), rows).ok()?))
        }
        DataType::Map(field, sorted) => {
            let entries = values_for(field)?;
            let offsets = OffsetBuffer::new(vec![0, 2, 2, 5, 5, 5].into());
            let entries = entries.as_struct().clone();
            Some(Arc::new(MapArray::new(Arc::clone(field), offsets, entries, validity(), *sorted)))
        }
        other => plain_sample(other, nulls),
    }
}

fn values_for(field: &Field) -> Option<ArrayRef> {
    sample(field.data_type(), field.is_nullable())
}

fn plain_sample(data_type: &DataType, nulls: bool) -> Option<ArrayRef> {
    let second = (!nulls).then_some(7);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), second, Some(3), Some(100), Some(0)]));
    let small: ArrayRef =
        Arc::new(Int32Array::from(vec![Some(1), second.map(|_| 7), Some(3), Some(100), Some(0)]));
    let text = cast(&numbers, &DataType::Utf8).ok()?;
    // Date64 must be whole days for Parquet's date.
    let days: ArrayRef = cast(&cast(&small, &DataType::Date32).ok()?, &DataType::Date64).ok()?;
    if let DataType::Dictionary(_, value) = data_type {
        let values = if value.as_ref() == &DataType::Null {
            new_null_array(&DataType::Null, 5)
        } else {
            sample(value, nulls)?
        };
        return cast(&values, data_type).ok();
    }
    [days, numbers, small, text].into_iter().find_map(|array| {
        cast(&array, data_type).ok().filter(|made| made.logical_null_count() == usize::from(nulls))
    })
}

/// Writes and reads back; says what went wrong.
async fn round_trip(store: &Store, schema: &SchemaRef, batch: &RecordBatch) -> Result<(), String> {
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let stored = file_schema(schema);
    let properties = WriterProperties::builder().build();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), stored, properties)
        .map_err(|error| format!("create: {error}"))?;
    writer.write(batch).await.map_err(|error| format!("write: {error}"))?;
    let file = writer.finish().await.map_err(|error| format!("finish: {error}"))?;
    let bytes =
        store.object_store().get(&store.path_of(&name(), &file)).await.unwrap().bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| format!("read: {error}"))?;
    let back: Vec<RecordBatch> =
        reader.collect::<Result<_, _>>().map_err(|error| format!("read: {error}"))?;
    let [back] = &back[..] else { return Err(format!("{} batches came back", back.len())) };
    if back.schema().field(0) != schema.field(0) {
        return Err(format!("came back as {}", back.schema().field(0)));
    }
    // Two arrays are equal if all their values are, whatever lies behind nulls.
    if back.column(0) != batch.column(0) {
        return Err(format!("came back as {:?}", back.column(0)));
    }
    let mut hashers =
        [ContentHasher::new(schema, true), ContentHasher::new(schema, true)].map(Result::unwrap);
    hashers[0].update(batch).map_err(|error| format!("hash: {error}"))?;
    hashers[1].update(back).map_err(|error| format!("hash: {error}"))?;
    let [a, b] = hashers.map(ContentHasher::finish);
    if a != b || a.digest.is_none() {
        return Err("its content is another".to_owned());
    }
    Ok(())
}

async fn check(store: &Store, data_type: DataType) -> Option<String> {
    let mut problems = vec![];
    let mut accepted = false;
    for nullable in [true, false] {
        let schema = Arc::new(Schema::new(vec![Field::new("col", data_type.clone(), nullable)]));
        accepted = check_schema(&schema).is_ok();
        let Some(array) = sample(&data_type, nullable) else {
            problems.push("the test cannot make it".to_owned());
            continue;
        };
        if !accepted || (!nullable && array.logical_null_count() > 0) {
            continue;
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap();
        let trip = tokio::spawn({
            let (store, schema) = (store.clone(), Arc::clone(&schema));
            async move { round_trip(&store, &schema, &batch).await }
        });
        match trip.await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => problems.push(problem),
            Err(panic) => problems.push(format!("panic: {panic}")),
        }
    }
    (accepted && !problems.is_empty()).then(|| format!("{data_type}: {}", problems.join("; ")))
}

#[tokio::test]
async fn what_is_accepted_comes_back_as_it_was() {
    let (store, _) = faulty().await;
    let mut types = plain_types();
    types.extend(dictionaries());
    let deep: Vec<_> = plain_types().iter().flat_map(nested_types).collect();
    let deeper: Vec<_> = nested_types(&DataType::Utf8).iter().flat_map(nested_types).collect();
    types.extend(deep);
    types.extend(nested_types(&DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))));
    types.extend(deeper);
    let total = types.len();
    let mut problems = vec![];
    for data_type in types {
        problems.extend(check(&store, data_type).await);
    }
    assert!(problems.is_empty(), "{} of {total} types:\n{}", problems.len(), problems.join("\n"));
}

/// A column of 40 batches with 5,000 values each, all different.
fn many_values(data_type: &DataType) -> Vec<ArrayRef> {
    let dictionary = |batch: i64| {
        let values = Int64Array::from_iter_values(batch * 5_000..(batch + 1) * 5_000);
        cast(&cast(&values, &DataType::Utf8).unwrap(), data_type).unwrap()
    };
    (0..40).map(dictionary).collect()
}

/// Every batch brings its own dictionary; together they have far more values than 16-bit keys can count.
#[tokio::test]
async fn many_small_dictionaries_come_back_whole() {
    let (store, _) = faulty().await;
    for (key, nested) in [(DataType::UInt16, false), (DataType::Int16, false), (DataType::Int16, true)] {
        let data_type = DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
        let field = Field::new("col", data_type.clone(), false);
        let columns: Vec<ArrayRef> = many_values(&data_type)
            .into_iter()
            .map(|column| match nested {
                true => Arc::new(StructArray::from(vec![(Arc::new(field.clone()), column)])) as ArrayRef,
                false => column,
            })
            .collect();
        let schema = Schema::new(vec![field.with_data_type(columns[0].data_type().clone())]);
        let found = write_and_read(&store, &Arc::new(schema), &columns).await;
        let whole = concat_texts(&columns);
        assert!(concat_texts(&found) == whole, "{data_type}, nested: {nested}");
    }
}

/// All values of a column, as strings.
fn concat_texts(columns: &[ArrayRef]) -> Vec<String> {
    let mut texts = vec![];
    for column in columns {
        let values = column.as_struct_opt().map_or(column, |column| column.column(0));
        let text = cast(values, &DataType::Utf8).unwrap();
        texts.extend(text.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    texts
}

async fn write_and_read(store: &Store, schema: &SchemaRef, columns: &[ArrayRef]) -> Vec<ArrayRef> {
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let properties = WriterProperties::builder().build();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), Arc::clone(schema), properties).unwrap();
    for column in columns {
        let batch = RecordBatch::try_new(Arc::clone(schema), vec![Arc::clone(column)]).unwrap();
        writer.write(&batch).await.unwrap();
    }
    let file = writer.finish().await.unwrap();
    let bytes =
        store.object_store().get(&store.path_of(&name(), &file)).await.unwrap().bytes().await.unwrap();
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().with_batch_size(8192).build().unwrap();
    reader.map(|batch| Arc::clone(batch.unwrap().column(0))).collect()
}

#[tokio::test]
async fn what_parquet_cannot_hold_is_refused_before_any_work() {
    let (store, faults) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    faults.forget_calls();
    let union = arrow::datatypes::UnionFields::try_new(vec![0], vec![Field::new("i", DataType::Int32, true)])
        .unwrap();
    for data_type in [
        DataType::Union(union, UnionMode::Dense),
        DataType::Struct(Fields::empty()),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Decimal128(10, -1),
        DataType::FixedSizeBinary(0),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View)),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Decimal128(38, 2))),
        DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Utf8, true)),
        ),
    ] {
        for refused in [data_type.clone(), nested_types(&data_type).remove(0)] {
            let schema = Arc::new(Schema::new(vec![Field::new("bad_column", refused, true)]));
            let result = DataFileWriter::create(&attempt, UnitNumber(0), schema, WriterProperties::default());
            match result {
                Err(error @ Error::UnsupportedType { .. }) => {
                    assert!(error.to_string().contains("bad_column"))
                }
                other => panic!("{data_type}: {other:?}"),
            }
        }
    }
    assert_eq!(faults.calls(), []);
}
