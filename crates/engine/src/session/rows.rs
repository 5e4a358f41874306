//! The result rows of our statements.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use datafusion::common::Result;
use milepost_store::{Snapshot, unique_names};

use super::show::Shown;
use crate::columns::{moments, numbers, strings, texts, times};
use crate::resolve::Ensured;

/// The one row of CHECKPOINT and REFRESH.
pub(super) fn ensured(ensured: &Ensured) -> Result<RecordBatch> {
    let manifest = &ensured.snapshot.manifest;
    batch(vec![
        ("checkpoint", text(ensured.snapshot.name.as_str())),
        ("version", number(ensured.snapshot.version.0)),
        ("outcome", text(ensured.outcome.as_str())),
        ("rows", number(manifest.rows)),
        ("bytes", number(manifest.bytes)),
        ("files", number(manifest.files.len() as u64)),
        ("units", number(ensured.units.all)),
        ("units_reused", number(ensured.units.reused)),
        ("elapsed_ms", number(ensured.elapsed_ms)),
        ("saved_ms", number(ensured.saved_ms)),
    ])
}

/// The row of a CHECKPOINT that made only a view, in the same shape.
pub(super) fn viewed(name: &str) -> Result<RecordBatch> {
    let zero = || number(0);
    batch(vec![
        ("checkpoint", text(name)),
        ("version", zero()),
        ("outcome", text("view")),
        ("rows", zero()),
        ("bytes", zero()),
        ("files", zero()),
        ("units", zero()),
        ("units_reused", zero()),
        ("elapsed_ms", zero()),
        ("saved_ms", zero()),
    ])
}

/// SHOW CHECKPOINTS.
pub(super) fn checkpoints(found: &[Shown]) -> Result<RecordBatch> {
    let newest = |of: fn(&Snapshot) -> u64| -> ArrayRef {
        Arc::new(found.iter().map(|shown| shown.snapshot.as_ref().map(of)).collect::<UInt64Array>())
    };
    batch(vec![
        ("checkpoint", strings(found.iter().map(|shown| shown.name.to_string()))),
        ("version", newest(|s| s.version.0)),
        ("versions", Arc::new(found.iter().map(|shown| shown.versions).collect::<UInt64Array>())),
        ("rows", newest(|s| s.manifest.rows)),
        ("bytes", newest(|s| s.manifest.bytes)),
        ("files", newest(|s| s.manifest.files.len() as u64)),
        ("fresh", strings(found.iter().map(|shown| shown.state.to_string()))),
        ("why", texts(found.iter().map(|shown| shown.why.clone()))),
        ("created_at", moments(found.iter().map(|shown| Some(shown.snapshot.as_ref()?.committed_ms)))),
    ])
}

/// SHOW SNAPSHOTS.
pub(super) fn snapshots(found: &[Snapshot]) -> Result<RecordBatch> {
    let newest = found.iter().map(|snapshot| snapshot.version).max();
    let all = || found.iter();
    batch(vec![
        ("version", numbers(all().map(|s| s.version.0))),
        ("newest", Arc::new(all().map(|s| Some(Some(s.version) == newest)).collect::<BooleanArray>())),
        ("rows", numbers(all().map(|s| s.manifest.rows))),
        ("bytes", numbers(all().map(|s| s.manifest.bytes))),
        ("files", numbers(all().map(|s| s.manifest.files.len() as u64))),
        ("created_at", times(all().map(|s| s.committed_ms))),
        ("elapsed_ms", numbers(all().map(|s| s.manifest.elapsed_ms))),
        ("signature", texts(all().map(|s| Some(s.manifest.identity.signature.to_string())))),
        ("content", texts(all().map(|s| Some(s.manifest.content.to_string())))),
    ])
}

/// DESCRIBE CHECKPOINT: its columns under the names that a query reads them by, in DataFusion's words.
pub(super) fn columns(snapshot: &Snapshot) -> Result<RecordBatch> {
    let fields = || snapshot.manifest.schema.fields().iter();
    let names = unique_names(snapshot.manifest.column_names(), str::to_owned);
    let nullable = |nullable: bool| if nullable { "YES" } else { "NO" }.to_string();
    batch(vec![
        ("column_name", strings(names.into_iter())),
        ("data_type", texts(fields().map(|f| Some(f.data_type().to_string())))),
        ("is_nullable", texts(fields().map(|f| Some(nullable(f.is_nullable()))))),
    ])
}

/// DROP CHECKPOINT: one row a version that went.
pub(super) fn dropped(name: &str, versions: &[u64]) -> Result<RecordBatch> {
    batch(vec![
        ("checkpoint", texts(versions.iter().map(|_| Some(name.to_string())))),
        ("dropped_version", numbers(versions.iter().copied())),
    ])
}

/// EXPLAIN: rows of plan type and plan.
pub(super) fn explanation(rows: &[(String, String)]) -> Result<RecordBatch> {
    batch(vec![
        ("plan_type", texts(rows.iter().map(|(kind, _)| Some(kind.clone())))),
        ("plan", texts(rows.iter().map(|(_, plan)| Some(plan.clone())))),
    ])
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )?)
}

fn text(value: &str) -> ArrayRef {
    texts(std::iter::once(Some(value.to_string())))
}

fn number(value: u64) -> ArrayRef {
    numbers(std::iter::once(value))
}
