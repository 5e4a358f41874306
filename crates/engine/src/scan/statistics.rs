//! A manifest's statistics in DataFusion's terms.
//!
//! Exact counts, minima and maxima answer queries without opening a file, so only those are called exact that were
//! measured over all rows. Sizes are Arrow's in memory: the optimizer compares them with other Arrow sizes.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use milepost_store::{ColumnStatistics as Measured, DataFile, Manifest, StatValue};

/// The whole snapshot's statistics.
pub(super) fn of_snapshot(manifest: &Manifest, schema: &Schema) -> Statistics {
    statistics(manifest.rows, manifest.memory_bytes, &manifest.statistics, schema)
}

/// One file's statistics.
pub(super) fn of_file(file: &DataFile, schema: &Schema) -> Statistics {
    statistics(file.rows, file.memory_bytes, &file.statistics, schema)
}

fn statistics(rows: u64, memory_bytes: u64, columns: &[Measured], schema: &Schema) -> Statistics {
    let column_statistics = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| {
            columns.get(index).map_or_else(ColumnStatistics::new_unknown, |c| column(c, field.data_type()))
        })
        .collect();
    Statistics { num_rows: exact(rows), total_byte_size: exact(memory_bytes), column_statistics }
}

fn column(measured: &Measured, data_type: &DataType) -> ColumnStatistics {
    let bound = |value: &Option<StatValue>| -> Precision<ScalarValue> {
        let scalar = value
            .as_ref()
            .and_then(|value| value.to_array(data_type))
            .and_then(|array| ScalarValue::try_from_array(&array, 0).ok());
        match scalar {
            // Floats compare in more than one way (-0.0, NaN), so their bounds prune and never answer.
            Some(scalar) if measured.exact && !data_type.is_floating() => Precision::Exact(scalar),
            Some(scalar) => Precision::Inexact(scalar),
            None => Precision::Absent,
        }
    };
    ColumnStatistics {
        null_count: measured.null_count.map_or(Precision::Absent, exact),
        min_value: bound(&measured.min),
        max_value: bound(&measured.max),
        sum_value: Precision::Absent,
        distinct_count: measured.distinct.map_or(Precision::Absent, |n| exact(n).to_inexact()),
        byte_size: measured.memory_bytes.map_or(Precision::Absent, exact),
    }
}

fn exact(count: u64) -> Precision<usize> {
    usize::try_from(count).map_or(Precision::Absent, Precision::Exact)
}
