//! What of a schema and an ordering belongs to a content's identity.

use arrow::datatypes::{DataType, Field, Schema};

use crate::manifest::SortField;

pub(super) fn hash_ordering(hasher: &mut blake3::Hasher, ordering: &[SortField]) {
    hasher.update(&(ordering.len() as u64).to_le_bytes());
    for field in ordering {
        hasher.update(&(field.column as u64).to_le_bytes());
        hasher.update(&[u8::from(field.descending), u8::from(field.nulls_first)]);
    }
}

/// Hashes names, types, nullability and metadata; maps of metadata by sorted key.
pub(super) fn hash_schema(hasher: &mut blake3::Hasher, schema: &Schema) {
    hash_metadata(hasher, schema.metadata());
    hasher.update(&(schema.fields().len() as u64).to_le_bytes());
    for field in schema.fields() {
        hash_field(hasher, field);
    }
}

fn hash_field(hasher: &mut blake3::Hasher, field: &Field) {
    hash_text(hasher, field.name());
    hasher.update(&[u8::from(field.is_nullable())]);
    hash_metadata(hasher, field.metadata());
    hash_type(hasher, field.data_type());
}

fn hash_type(hasher: &mut blake3::Hasher, data_type: &DataType) {
    let mut nested = |kind: &str, fields: &[&Field]| {
        hash_text(hasher, kind);
        hasher.update(&(fields.len() as u64).to_le_bytes());
        for field in fields {
            hash_field(hasher, field);
        }
    };
    match data_type {
        DataType::List(field) => nested("list", &[field]),
        DataType::LargeList(field) => nested("large_list", &[field]),
        DataType::ListView(field) => nested("list_view", &[field]),
        DataType::LargeListView(field) => nested("large_list_view", &[field]),
        DataType::FixedSizeList(field, size) => nested(&format!("fixed_size_list {size}"), &[field]),
        DataType::Map(field, sorted) => nested(&format!("map {sorted}"), &[field]),
        DataType::RunEndEncoded(ends, values) => nested("run_end", &[ends, values]),
        DataType::Struct(fields) => {
            nested("struct", &fields.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        }
        DataType::Union(fields, mode) => {
            let tags: Vec<_> = fields.iter().map(|(tag, _)| tag).collect();
            let fields: Vec<_> = fields.iter().map(|(_, field)| field.as_ref()).collect();
            nested(&format!("union {mode:?} {tags:?}"), &fields);
        }
        DataType::Dictionary(key, value) => {
            hash_text(hasher, "dictionary");
            hash_type(hasher, key);
            hash_type(hasher, value);
        }
        plain => hash_text(hasher, &format!("{plain:?}")),
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn hash_metadata(hasher: &mut blake3::Hasher, metadata: &std::collections::HashMap<String, String>) {
    let mut pairs: Vec<_> = metadata.iter().collect();
    pairs.sort();
    hasher.update(&(pairs.len() as u64).to_le_bytes());
    for (key, value) in pairs {
        hash_text(hasher, key);
        hash_text(hasher, value);
    }
}
