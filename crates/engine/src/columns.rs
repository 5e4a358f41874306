//! Columns of the rows that describe checkpoints: of our statements' results and of the system tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMillisecondArray, UInt64Array};

pub(crate) fn strings(values: impl Iterator<Item = String>) -> ArrayRef {
    texts(values.map(Some))
}

pub(crate) fn texts<T: Into<String>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(Into::into)).collect::<StringArray>())
}

pub(crate) fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

/// Milliseconds since the Unix epoch.
pub(crate) fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    moments(values.map(Some))
}

/// As [`times`], where some have not come.
pub(crate) fn moments(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}
