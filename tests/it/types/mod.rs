//! Every Arrow type, with nulls and in nests, through a snapshot and back in a new session.
//!
//! What comes back must be equal: values, type, nullability and field metadata. What Parquet cannot hold is refused
//! before any work, by the path of the column.

mod arrays;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::*;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use milepost::Session;

use self::arrays::{dictionaries, ints, list_of, nested, refused, scalars, structs};
use crate::support::{run, unique};

/// One partition, so that rows keep their order.
async fn open(store: &str) -> Session {
    let config = SessionConfig::new().with_target_partitions(1);
    Session::builder().with_config(config).with_store_url(&format!("memory://{store}")).build().await.unwrap()
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
