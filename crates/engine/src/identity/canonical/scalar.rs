//! Literal values.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use super::Encoder;
use super::types::{encode_data_type, encode_field, union};

/// A value with its exact type. Floats are written by their bits, so that `0.0` and `-0.0` differ.
///
/// # Errors
/// A nested value holds a type that DataFusion cannot take apart.
pub fn encode_scalar(value: &ScalarValue, out: &mut Encoder) -> Result<()> {
    use ScalarValue as V;
    encode_data_type(&value.data_type(), out);
    match value {
        V::Null => {}
        V::Boolean(value) => out.option(*value, Encoder::bool),
        V::Float16(value) => out.option(*value, |out, v| out.u64(u64::from(v.to_bits()))),
        V::Float32(value) => out.option(*value, |out, v| out.u64(u64::from(v.to_bits()))),
        V::Float64(value) => out.option(*value, |out, v| out.u64(v.to_bits())),
        V::Decimal32(value, _, _) => out.option(*value, |out, v| out.i64(i64::from(v))),
        V::Decimal64(value, _, _) => out.option(*value, Encoder::i64),
        V::Decimal128(value, _, _) => out.option(*value, |out, v| out.bytes(&v.to_le_bytes())),
        V::Decimal256(value, _, _) => out.option(*value, |out, v| out.bytes(&v.to_le_bytes())),
        V::Int8(value) => out.option(*value, |out, v| out.i64(i64::from(v))),
        V::Int16(value) => out.option(*value, |out, v| out.i64(i64::from(v))),
        V::UInt8(value) => out.option(*value, |out, v| out.u64(u64::from(v))),
        V::UInt16(value) => out.option(*value, |out, v| out.u64(u64::from(v))),
        V::UInt32(value) => out.option(*value, |out, v| out.u64(u64::from(v))),
        V::UInt64(value) => out.option(*value, Encoder::u64),
        V::Int32(value) | V::Date32(value) | V::Time32Second(value) | V::Time32Millisecond(value) => {
            out.option(*value, |out, v| out.i64(i64::from(v)));
        }
        V::IntervalYearMonth(value) => out.option(*value, |out, v| out.i64(i64::from(v))),
        V::Int64(value)
        | V::Date64(value)
        | V::Time64Microsecond(value)
        | V::Time64Nanosecond(value)
        | V::TimestampSecond(value, _)
        | V::TimestampMillisecond(value, _)
        | V::TimestampMicrosecond(value, _)
        | V::TimestampNanosecond(value, _)
        | V::DurationSecond(value)
        | V::DurationMillisecond(value)
        | V::DurationMicrosecond(value)
        | V::DurationNanosecond(value) => out.option(*value, Encoder::i64),
        V::IntervalDayTime(value) => out.option(*value, |out, v| {
            out.i64(i64::from(v.days));
            out.i64(i64::from(v.milliseconds));
        }),
        V::IntervalMonthDayNano(value) => out.option(*value, |out, v| {
            out.i64(i64::from(v.months));
            out.i64(i64::from(v.days));
            out.i64(v.nanoseconds);
        }),
        V::Utf8(value) | V::Utf8View(value) | V::LargeUtf8(value) => {
            out.option(value.as_deref(), Encoder::str)
        }
        V::Binary(value) | V::BinaryView(value) | V::LargeBinary(value) | V::FixedSizeBinary(_, value) => {
            out.option(value.as_deref(), Encoder::bytes);
        }
        V::FixedSizeList(array) => elements(array.is_null(0), || array.value(0), out)?,
        V::List(array) => elements(array.is_null(0), || array.value(0), out)?,
        V::LargeList(array) => elements(array.is_null(0), || array.value(0), out)?,
        V::ListView(array) => elements(array.is_null(0), || array.value(0), out)?,
        V::LargeListView(array) => elements(array.is_null(0), || array.value(0), out)?,
        V::Map(array) => elements(array.is_null(0), || Arc::new(array.value(0)), out)?,
        V::Struct(array) => {
            out.bool(array.is_null(0));
            if !array.is_null(0) {
                members(array.columns(), 0, out)?;
            }
        }
        V::Union(value, fields, mode) => {
            union(fields, *mode, out);
            out.bool(value.is_some());
            if let Some((id, value)) = value {
                out.i64(i64::from(*id));
                encode_scalar(value, out)?;
            }
        }
        V::Dictionary(key, value) => {
            encode_data_type(key, out);
            encode_scalar(value, out)?;
        }
        V::RunEndEncoded(ends, values, value) => {
            encode_field(ends, out);
            encode_field(values, out);
            encode_scalar(value, out)?;
        }
    }
    Ok(())
}

fn elements(is_null: bool, values: impl FnOnce() -> ArrayRef, out: &mut Encoder) -> Result<()> {
    out.bool(is_null);
    if is_null {
        return Ok(());
    }
    let values = values();
    out.len(values.len());
    (0..values.len()).try_for_each(|row| encode_scalar(&ScalarValue::try_from_array(&values, row)?, out))
}

fn members(columns: &[ArrayRef], row: usize, out: &mut Encoder) -> Result<()> {
    out.len(columns.len());
    columns.iter().try_for_each(|column| encode_scalar(&ScalarValue::try_from_array(column, row)?, out))
}
