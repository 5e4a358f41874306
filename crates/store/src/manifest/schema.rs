//! Schemas: what Parquet can hold, and how a schema stands in a manifest.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef};
use arrow::ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::columns::{renamed, unique_names};
use crate::error::Error;

/// Checks that a snapshot can hold every column and give it back as it was.
///
/// # Errors
/// [`Error::UnsupportedType`] names the column, with the path to the nested field; [`Error::NoColumns`].
pub fn check_schema(schema: &Schema) -> Result<(), Error> {
    if schema.fields().is_empty() {
        return Err(Error::NoColumns);
    }
    schema.fields().iter().try_for_each(|field| check_field(field, field.name()))
}

fn check_field(field: &Field, column: &str) -> Result<(), Error> {
    check_type(field.data_type(), column)
}

fn check_type(data_type: &DataType, column: &str) -> Result<(), Error> {
    let refuse = |reason| {
        Err(Error::UnsupportedType { column: column.to_owned(), data_type: data_type.to_string(), reason })
    };
    let below = |field: &Field| check_field(field, &format!("{column}.{}", field.name()));
    match data_type {
        DataType::Union(_, _) => refuse("Parquet has no unions"),
        DataType::RunEndEncoded(_, _) => refuse("Parquet gives its values back without the runs"),
        DataType::Interval(IntervalUnit::MonthDayNano) => refuse("Parquet intervals have no nanoseconds"),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale)
            if *scale < 0 =>
        {
            refuse("Parquet decimals have no negative scale")
        }
        DataType::FixedSizeBinary(0) => refuse("Parquet's writer has no values without bytes"),
        DataType::Struct(fields) if fields.is_empty() => refuse("Parquet has no structs without fields"),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| below(field)),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => below(field),
        DataType::Dictionary(key, value) => match dictionary_refusal(key, value) {
            Some(reason) => refuse(reason),
            None => check_type(value, column),
        },
        _ => Ok(()),
    }
}

/// Why a dictionary cannot be read back, if it cannot. Only what is known to come back is let in.
fn dictionary_refusal(key: &DataType, value: &DataType) -> Option<&'static str> {
    match key {
        // Every batch has its own keys, but a file's dictionary holds the values of all of them.
        DataType::Int8 | DataType::UInt8 => Some("a file may have more values than its keys can count"),
        _ if readable_in_dictionary(value) => None,
        _ => Some("Parquet does not give a dictionary of such values back"),
    }
}

fn readable_in_dictionary(value: &DataType) -> bool {
    match value {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::FixedSizeBinary(_)
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(_, _) => true,
        DataType::Decimal32(_, _) | DataType::Decimal64(_, _) => true,
        // Longer ones are stored as bytes, which come back as no decimal.
        DataType::Decimal128(precision, _) => *precision <= 18,
        other => other.is_integer(),
    }
}

/// A schema as it stands in a manifest: the list is for people, the encoded message decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredSchema {
    columns: Vec<StoredColumn>,
    /// Arrow IPC schema message, in base64.
    arrow_ipc: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    /// The name that it has in files, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_files: Option<String>,
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
}

impl StoredSchema {
    /// Of a snapshot with `schema`, whose files have `file_schema`.
    pub(crate) fn encode(schema: &Schema, file_schema: &Schema) -> Self {
        let options = IpcWriteOptions::default();
        let mut tracker = DictionaryTracker::new(true);
        let message = IpcDataGenerator::default()
            .schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options)
            .ipc_message;
        let column = |(field, in_file): (&Arc<Field>, &Arc<Field>)| StoredColumn {
            name: field.name().clone(),
            in_files: (in_file.name() != field.name()).then(|| in_file.name().clone()),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        };
        let columns = schema.fields().iter().zip(file_schema.fields()).map(column).collect();
        Self { columns, arrow_ipc: BASE64.encode(message) }
    }

    /// Whether some column has another name in files, which a reader must know of.
    pub(crate) fn renames(&self) -> bool {
        self.columns.iter().any(|column| column.in_files.is_some())
    }

    /// The schema of the snapshot, and that of its files.
    ///
    /// # Errors
    /// Says why the message cannot be read.
    pub(crate) fn decode(&self) -> Result<(SchemaRef, SchemaRef), String> {
        let message = BASE64.decode(&self.arrow_ipc).map_err(|error| error.to_string())?;
        let schema = try_schema_from_flatbuffer_bytes(&message).map_err(|error| error.to_string())?;
        if schema.fields().len() != self.columns.len() {
            return Err(format!(
                "{} columns are listed, and {} encoded",
                self.columns.len(),
                schema.fields().len()
            ));
        }
        let schema = Arc::new(schema);
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let in_files = if self.renames() {
            let in_file = |column: &StoredColumn| column.in_files.as_ref().unwrap_or(&column.name).clone();
            renamed(&schema, self.columns.iter().map(in_file))
        } else if unique_names(names(), str::to_lowercase).iter().map(String::as_str).eq(names()) {
            Arc::clone(&schema)
        } else {
            // Manifests without the feature: where names were not unique, files had all columns by place.
            renamed(&schema, (0..self.columns.len()).map(|index| format!("c{index}")))
        };
        Ok((schema, in_files))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::datatypes::{TimeUnit, UnionFields, UnionMode};

    use super::super::columns::file_schema;
    use super::*;

    #[test]
    fn what_parquet_cannot_hold_is_refused_at_any_depth() {
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let empty = DataType::Struct(arrow::datatypes::Fields::empty());
        let union = DataType::Union(UnionFields::empty(), UnionMode::Sparse);
        let run = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            item(DataType::Int32),
        );
        for bad in [
            empty.clone(),
            union,
            run,
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::Decimal128(10, -2),
        ] {
            for (nested, path) in [
                (bad.clone(), "col"),
                (DataType::List(item(bad.clone())), "col.item"),
                (
                    DataType::Struct(vec![item(DataType::LargeList(item(bad.clone())))].into()),
                    "col.item.item",
                ),
            ] {
                let schema = Schema::new(vec![Field::new("col", nested.clone(), true)]);
                match check_schema(&schema) {
                    Err(Error::UnsupportedType { column, .. }) => assert_eq!(column, path),
                    other => panic!("{nested} gave {other:?}"),
                }
            }
        }
        assert!(matches!(check_schema(&Schema::empty()), Err(Error::NoColumns)));
    }

    #[test]
    fn a_schema_comes_back_whole() {
        let metadata = HashMap::from([("k".to_owned(), "v\u{0}ü".to_owned())]);
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let whole = Arc::new(Schema::new_with_metadata(
            vec![
                Field::new("a", DataType::Utf8View, false).with_metadata(metadata.clone()),
                Field::new("a", dictionary, true),
                Field::new("", DataType::Timestamp(TimeUnit::Nanosecond, Some("Asia/Tokyo".into())), true),
                Field::new("d", DataType::Decimal32(7, 2), true),
            ],
            metadata,
        ));
        let in_files = file_schema(&whole);
        let json = serde_json::to_string(&StoredSchema::encode(&whole, &in_files)).unwrap();
        let stored: StoredSchema = serde_json::from_str(&json).unwrap();
        let (read, read_in_files) = stored.decode().unwrap();
        assert_eq!(read, whole);
        assert_eq!(read_in_files, in_files);
    }
    #[test]
    fn manifests_that_name_no_columns_of_files_have_them_by_place() {
        let fields = ["a", "A", "b"].map(|name| Field::new(name, DataType::Int32, true));
        let twins = Arc::new(Schema::new(fields.to_vec()));
        let mut stored = StoredSchema::encode(&twins, &file_schema(&twins));
        assert!(stored.renames());
        stored.columns.iter_mut().for_each(|column| column.in_files = None);
        let (_, in_files) = stored.decode().unwrap();
        let names: Vec<_> = in_files.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["c0", "c1", "c2"]);
    }
}
