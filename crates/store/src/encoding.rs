//! How rows must be encoded so that Parquet's reader gives every column back.

use arrow::datatypes::{DataType, Field, Schema};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

/// The most values that a dictionary with 16-bit keys may have: what the signed ones can count.
const MOST_VALUES: usize = i16::MAX as usize;

/// The properties, with smaller dictionary pages for columns with 16-bit dictionary keys.
///
/// Every batch of such a column brings a dictionary of its own, but a column chunk has one dictionary page with the
/// values of all of them, and a page with more values than the keys can count cannot be read. The writer gives the
/// dictionary up once its page has a certain size, and no value takes less than a few bytes.
pub(crate) fn fit(properties: WriterProperties, schema: &Schema) -> WriterProperties {
    // The size is looked at only after each mini-batch.
    let values = MOST_VALUES.saturating_sub(2 * properties.write_batch_size()).max(1);
    let default = properties.dictionary_page_size_limit();
    let narrow: Vec<(ColumnPath, usize)> = schema
        .fields()
        .iter()
        .filter_map(|field| Some((ColumnPath::from(field.name().as_str()), value_bytes(field)?)))
        .map(|(path, bytes)| {
            let limit = properties.column_dictionary_page_size_limit(&path).min(values * bytes);
            (path, limit)
        })
        .collect();
    let nested = schema.fields().iter().filter_map(|field| nested_value_bytes(field.data_type())).min();
    let mut builder = properties.into_builder();
    if let Some(bytes) = nested {
        builder = builder.set_dictionary_page_size_limit(default.min(values * bytes));
    }
    for (path, limit) in narrow {
        builder = builder.set_column_dictionary_page_size_limit(path, limit);
    }
    builder.build()
}

/// The least bytes that a value of a dictionary with 16-bit keys takes in its page; `None` for other columns.
fn value_bytes(field: &Field) -> Option<usize> {
    match field.data_type() {
        DataType::Dictionary(key, value) if matches!(**key, DataType::Int16 | DataType::UInt16) => {
            Some(match **value {
                DataType::FixedSizeBinary(width) => usize::try_from(width).unwrap_or(1).clamp(1, 4),
                // A string has its length before it; the shortest numbers are stored in 32 bits.
                _ => 4,
            })
        }
        _ => None,
    }
}

/// The same for dictionaries within nested columns, whose paths are Parquet's own affair.
fn nested_value_bytes(data_type: &DataType) -> Option<usize> {
    let below = |field: &Field| value_bytes(field).or_else(|| nested_value_bytes(field.data_type()));
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => below(field),
        DataType::Struct(fields) => fields.iter().filter_map(|field| below(field)).min(),
        _ => None,
    }
}
