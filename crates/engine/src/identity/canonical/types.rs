//! Arrow types, fields and schemas.

use std::collections::HashMap;

use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode,
};
use datafusion::common::DFSchema;

use super::Encoder;

/// A schema with its names, types, nullability and metadata.
pub fn encode_schema(schema: &Schema, out: &mut Encoder) {
    fields(schema.fields(), out);
    metadata(schema.metadata(), out);
}

/// A field with its name, type, nullability and metadata.
pub fn encode_field(field: &Field, out: &mut Encoder) {
    out.str(field.name());
    unnamed_field(field, out);
}

/// The columns of a plan node: all but their names and relations.
pub(super) fn output(schema: &DFSchema, out: &mut Encoder) {
    out.len(schema.fields().len());
    for field in schema.fields() {
        unnamed_field(field, out);
    }
    metadata(schema.metadata(), out);
}

/// What [`encode_field`] writes, without the name.
pub(super) fn unnamed_field(field: &Field, out: &mut Encoder) {
    encode_data_type(field.data_type(), out);
    out.bool(field.is_nullable());
    out.option(field.dict_is_ordered(), Encoder::bool);
    metadata(field.metadata(), out);
}

/// Metadata in the order of its keys.
pub(super) fn metadata(metadata: &HashMap<String, String>, out: &mut Encoder) {
    let mut entries: Vec<_> = metadata.iter().collect();
    entries.sort_unstable();
    out.map(entries.into_iter());
}

/// A type with all its parameters, and everything of the fields inside it.
pub fn encode_data_type(data_type: &DataType, out: &mut Encoder) {
    match data_type {
        DataType::Null => out.tag(0),
        DataType::Boolean => out.tag(1),
        DataType::Int8 => out.tag(2),
        DataType::Int16 => out.tag(3),
        DataType::Int32 => out.tag(4),
        DataType::Int64 => out.tag(5),
        DataType::UInt8 => out.tag(6),
        DataType::UInt16 => out.tag(7),
        DataType::UInt32 => out.tag(8),
        DataType::UInt64 => out.tag(9),
        DataType::Float16 => out.tag(10),
        DataType::Float32 => out.tag(11),
        DataType::Float64 => out.tag(12),
        DataType::Timestamp(unit, zone) => {
            out.tag(13);
            out.tag(time_unit(*unit));
            out.option(zone.as_deref(), Encoder::str);
        }
        DataType::Date32 => out.tag(14),
        DataType::Date64 => out.tag(15),
        DataType::Time32(unit) => tagged(16, time_unit(*unit), out),
        DataType::Time64(unit) => tagged(17, time_unit(*unit), out),
        DataType::Duration(unit) => tagged(18, time_unit(*unit), out),
        DataType::Interval(unit) => tagged(19, interval_unit(*unit), out),
        DataType::Binary => out.tag(20),
        DataType::FixedSizeBinary(size) => {
            out.tag(21);
            out.i64(i64::from(*size));
        }
        DataType::LargeBinary => out.tag(22),
        DataType::BinaryView => out.tag(23),
        DataType::Utf8 => out.tag(24),
        DataType::LargeUtf8 => out.tag(25),
        DataType::Utf8View => out.tag(26),
        DataType::List(item) => nested(27, item, out),
        DataType::ListView(item) => nested(28, item, out),
        DataType::FixedSizeList(item, size) => {
            nested(29, item, out);
            out.i64(i64::from(*size));
        }
        DataType::LargeList(item) => nested(30, item, out),
        DataType::LargeListView(item) => nested(31, item, out),
        DataType::Struct(members) => {
            out.tag(32);
            fields(members, out);
        }
        DataType::Union(members, mode) => {
            out.tag(33);
            union(members, *mode, out);
        }
        DataType::Dictionary(key, value) => {
            out.tag(34);
            encode_data_type(key, out);
            encode_data_type(value, out);
        }
        DataType::Decimal32(precision, scale) => decimal(35, *precision, *scale, out),
        DataType::Decimal64(precision, scale) => decimal(36, *precision, *scale, out),
        DataType::Decimal128(precision, scale) => decimal(37, *precision, *scale, out),
        DataType::Decimal256(precision, scale) => decimal(38, *precision, *scale, out),
        DataType::Map(entries, sorted) => {
            nested(39, entries, out);
            out.bool(*sorted);
        }
        DataType::RunEndEncoded(ends, values) => {
            nested(40, ends, out);
            encode_field(values, out);
        }
    }
}

pub(super) fn union(members: &UnionFields, mode: UnionMode, out: &mut Encoder) {
    out.len(members.len());
    for (id, member) in members.iter() {
        out.i64(i64::from(id));
        encode_field(member, out);
    }
    out.tag(match mode {
        UnionMode::Sparse => 0,
        UnionMode::Dense => 1,
    });
}

fn fields(fields: &Fields, out: &mut Encoder) {
    out.len(fields.len());
    for field in fields {
        encode_field(field, out);
    }
}

fn nested(tag: u8, field: &FieldRef, out: &mut Encoder) {
    out.tag(tag);
    encode_field(field, out);
}

fn tagged(tag: u8, parameter: u8, out: &mut Encoder) {
    out.tag(tag);
    out.tag(parameter);
}

fn decimal(tag: u8, precision: u8, scale: i8, out: &mut Encoder) {
    out.tag(tag);
    out.tag(precision);
    out.i64(i64::from(scale));
}

fn time_unit(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

fn interval_unit(unit: IntervalUnit) -> u8 {
    match unit {
        IntervalUnit::YearMonth => 0,
        IntervalUnit::DayTime => 1,
        IntervalUnit::MonthDayNano => 2,
    }
}
