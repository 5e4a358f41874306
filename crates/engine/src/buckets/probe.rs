//! What the hash function gives for known values: a change of it shows here, whatever it is called.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use datafusion::common::hash_utils::create_hashes;
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::{BatchPartitioner, REPARTITION_RANDOM_STATE};
use milepost_store::Digest;

/// So many values of each type. Texts have all lengths up to this, since a hash may treat short ones in another way.
const VALUES: u32 = 600;

/// The hashes of known values of `types` side by side, and the `buckets` buckets that they lead to.
///
/// # Errors
/// DataFusion cannot hash such columns.
pub(super) fn probe(types: &[&DataType], buckets: usize) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let columns = types.iter().enumerate().map(|(place, data_type)| values(data_type, place));
    let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
    let mut hashes = vec![0; VALUES as usize];
    create_hashes(&columns, REPARTITION_RANDOM_STATE.random_state(), &mut hashes)?;
    for hash in hashes {
        hasher.update(&hash.to_le_bytes());
    }
    for (bucket, row) in buckets_of(columns, buckets)? {
        hasher.update(&bucket.to_le_bytes());
        hasher.update(&row.to_le_bytes());
    }
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Each bucket with the rows that the partitioner puts there.
fn buckets_of(mut columns: Vec<ArrayRef>, buckets: usize) -> Result<Vec<(u64, u32)>> {
    let key: Vec<Arc<dyn PhysicalExpr>> =
        (0..columns.len()).map(|index| Arc::new(Column::new("key", index)) as _).collect();
    columns.push(Arc::new(UInt32Array::from_iter_values(0..VALUES)));
    let fields = columns.iter().map(|column| Field::new("key", column.data_type().clone(), true));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?;
    let mut found = Vec::with_capacity(VALUES as usize);
    let mut partitioner = BatchPartitioner::new_hash_partitioner(key, buckets, Time::new())?;
    partitioner.partition(batch, |bucket, rows| {
        if let Some(numbers) = rows.columns().last() {
            let numbers = numbers.as_primitive::<UInt32Type>();
            found.extend(numbers.values().iter().map(|row| (bucket as u64, *row)));
        }
        Ok(())
    })?;
    found.sort_unstable();
    Ok(found)
}

/// Known values of a type, and a NULL. Another `place` gives them in another order.
fn values(data_type: &DataType, place: usize) -> Result<ArrayRef> {
    let numbers = (0..VALUES).map(|row| number(row, place));
    Ok(match data_type {
        DataType::Int8 => integers::<Int8Type>(numbers.map(|n| n as i8)),
        DataType::Int16 => integers::<Int16Type>(numbers.map(|n| n as i16)),
        DataType::Int32 => integers::<Int32Type>(numbers.map(|n| n as i32)),
        DataType::Int64 => integers::<Int64Type>(numbers.map(|n| n as i64)),
        DataType::UInt8 => integers::<UInt8Type>(numbers.map(|n| n as u8)),
        DataType::UInt16 => integers::<UInt16Type>(numbers.map(|n| n as u16)),
        DataType::UInt32 => integers::<UInt32Type>(numbers.map(|n| n as u32)),
        DataType::UInt64 => integers::<UInt64Type>(numbers.map(|n| n as u64)),
        DataType::Date32 => cast(&integers::<Int32Type>(numbers.map(|n| n as i32)), data_type)?,
        DataType::Date64 | DataType::Timestamp(..) => {
            cast(&integers::<Int64Type>(numbers.map(|n| n as i64)), data_type)?
        }
        DataType::Decimal128(precision, scale) => {
            let decimals = Decimal128Array::from_iter(numbers.map(|n| (n != 0).then_some(n)));
            Arc::new(decimals.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => cast(&texts(place), data_type)?,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(&cast(&texts(place), &DataType::Binary)?, data_type)?
        }
        other => return internal_err!("there are no known values of {other}"),
    })
}

/// Small ones of both signs, powers of two and their neighbours, and what looks like chance. Row 0 of place 0 is 0, and NULL.
fn number(row: u32, place: usize) -> i128 {
    let row = i128::from(row) + place as i128 * 7;
    match row {
        0..64 => row - row % 2 * row * 2,
        64..190 => (1 << (row - 64)) + row % 3 - 1,
        _ => row.wrapping_mul(0x1e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).rotate_left(29),
    }
}

fn integers<T: ArrowPrimitiveType<Native: Default + PartialEq>>(
    values: impl Iterator<Item = T::Native>,
) -> ArrayRef {
    let zero = T::Native::default();
    Arc::new(PrimitiveArray::<T>::from_iter(values.map(|value| (value != zero).then_some(value))))
}

/// Texts of all lengths, and a NULL.
fn texts(place: usize) -> ArrayRef {
    let text = |row: u32| {
        let length = (row as usize + place * 7) % VALUES as usize;
        let letter = |at: usize| char::from(b' ' + ((at * 31 + length * 7 + place) % 95) as u8);
        (row != 1).then(|| (0..length).map(letter).collect::<String>())
    };
    Arc::new((0..VALUES).map(text).collect::<StringArray>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::TimeUnit;

    fn digest(types: &[DataType], buckets: usize) -> Digest {
        probe(&types.iter().collect::<Vec<_>>(), buckets).unwrap()
    }

    #[test]
    fn a_probe_is_the_same_each_time_and_tells_keys_and_counts_apart() {
        let keys = [
            vec![DataType::Int64],
            vec![DataType::Int32],
            vec![DataType::Int64, DataType::Int64],
            vec![DataType::Int64, DataType::Utf8],
            vec![DataType::Utf8, DataType::Int64],
            vec![DataType::Utf8],
            vec![DataType::Utf8View],
        ];
        let mut seen = Vec::new();
        for key in &keys {
            for buckets in [2, 3, 8] {
                assert_eq!(digest(key, buckets), digest(key, buckets));
                seen.push(digest(key, buckets));
            }
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn every_type_that_can_be_a_key_has_a_probe() {
        for data_type in [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Date32,
            DataType::Date64,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Timestamp(TimeUnit::Second, Some("Europe/Zurich".into())),
            DataType::Decimal128(38, 10),
            DataType::Decimal128(5, 0),
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
        ] {
            assert!(super::super::can_be_key(&data_type));
            let values = values(&data_type, 0).unwrap();
            assert_eq!((values.data_type(), values.len()), (&data_type, VALUES as usize));
            assert!((1..100).contains(&values.null_count()), "{data_type}: {}", values.null_count());
            digest(&[data_type], 5);
        }
    }

    /// What is measured is the exchange's own: a row's bucket is its hash modulo their number.
    #[test]
    fn buckets_are_hashes_modulo_their_number() {
        for buckets in [1_usize, 2, 3, 7, 64] {
            let columns = vec![values(&DataType::Int64, 0).unwrap(), values(&DataType::Utf8View, 1).unwrap()];
            let mut hashes = vec![0; VALUES as usize];
            create_hashes(&columns, REPARTITION_RANDOM_STATE.random_state(), &mut hashes).unwrap();
            for (bucket, row) in buckets_of(columns, buckets).unwrap() {
                assert_eq!(bucket, hashes[row as usize] % buckets as u64);
            }
        }
    }
}
