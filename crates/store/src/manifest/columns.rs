//! How columns are named where each needs a name of its own: in Parquet files, and in tables.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

/// The schema of the Parquet files of a new snapshot with this schema.
///
/// The first column of each name keeps it, and the others take one with a number: `id, id` are `id, id_2`. Upper and lower
/// case count as one, because readers that mind no case tell columns apart as well.
#[must_use]
pub fn file_schema(schema: &SchemaRef) -> SchemaRef {
    let names = unique_names(schema.fields().iter().map(|field| field.name().as_str()), str::to_lowercase);
    if schema.fields().iter().map(|field| field.name()).eq(names.iter()) {
        return Arc::clone(schema);
    }
    renamed(schema, names.into_iter())
}

/// The same columns under other names.
pub(super) fn renamed(schema: &Schema, names: impl Iterator<Item = String>) -> SchemaRef {
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Gives each column a name of its own, where those with equal `key`s count as one: the first of each keeps it, and the others
/// take names that no column has. `id, id, id_2` becomes `id, id_3, id_2`.
#[must_use]
pub fn unique_names<'n>(names: impl Iterator<Item = &'n str>, key: fn(&str) -> String) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let given: HashSet<String> = names.iter().map(|name| key(name)).collect();
    let mut taken = HashSet::new();
    let mut own_name = |(index, name): (usize, &&str)| {
        if !name.is_empty() && taken.insert(key(name)) {
            return (*name).to_owned();
        }
        let base = if name.is_empty() { format!("column_{}", index + 1) } else { (*name).to_owned() };
        let mut made = base.clone();
        let mut number = 2;
        while given.contains(&key(&made)) || !taken.insert(key(&made)) {
            made = format!("{base}_{number}");
            number += 1;
        }
        made
    };
    names.iter().enumerate().map(&mut own_name).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::datatypes::DataType;

    use super::*;

    fn in_files(names: &[&str]) -> Vec<String> {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Int32, true)).collect();
        let schema = file_schema(&Arc::new(Schema::new(fields)));
        schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    #[test]
    fn columns_keep_their_names_where_any_reader_can_tell_them_apart() {
        assert_eq!(in_files(&["a", "b"]), ["a", "b"]);
        assert_eq!(in_files(&["a", "a", "b"]), ["a", "a_2", "b"]);
        assert_eq!(in_files(&["a", "A", "b"]), ["a", "A_2", "b"]);
        assert_eq!(in_files(&["a", "A", "A_2"]), ["a", "A_3", "A_2"]);
        assert_eq!(in_files(&["", "b"]), ["column_1", "b"]);
    }

    #[test]
    fn tables_tell_cases_apart() {
        let unique = |names: &[&str]| unique_names(names.iter().copied(), str::to_owned);
        assert_eq!(unique(&["a", "A"]), ["a", "A"]);
        assert_eq!(unique(&["id", "id", "id_2", ""]), ["id", "id_3", "id_2", "column_4"]);
        assert_eq!(unique(&["x", "x", "x_2", "x_2"]), ["x", "x_3", "x_2", "x_2_2"]);
        assert_eq!(unique(&["", "column_1"]), ["column_1_2", "column_1"]);
    }

    #[test]
    fn renaming_keeps_nullability_and_metadata() {
        let metadata = HashMap::from([("k".to_owned(), "v".to_owned())]);
        let field = Field::new("a", DataType::Int32, false).with_metadata(metadata.clone());
        let whole = Schema::new_with_metadata(vec![field.clone(), field], metadata.clone());
        let stored = file_schema(&Arc::new(whole));
        assert_eq!(stored.metadata(), &metadata);
        assert!(stored.fields().iter().all(|field| !field.is_nullable() && field.metadata() == &metadata));
    }
}
