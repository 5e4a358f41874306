//! Small snapshots: made of numbers, read with Parquet's own reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use milepost_store::{
    Attempt, AttemptSpec, Cause, CheckpointName, CommitJudge, ContentId, DataFile, DataFileWriter, Digest,
    Error, Fingerprint, Identity, Manifest, Origin, Owner, Receipt, Signature, Snapshot, SourceChanged,
    Store, StoreOptions, UnitNumber, UnitPlan, choose_units, statistics,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use crate::clock::ManualClock;
use crate::failure::Failure;

/// The checkpoints that scripts write.
pub const NAMES: [&str; 2] = ["trips", "stops"];

/// Where a store lies among its objects.
pub(crate) const ROOT: &str = "root";

/// How many different contents scripts have.
pub(super) const CONTENTS: usize = 4;

/// The rows of each unit of a content. The first content has no rows.
#[must_use]
pub fn content_rows(content: usize) -> Vec<Vec<i64>> {
    match content {
        0 => vec![vec![]],
        1 => vec![vec![10]],
        2 => vec![vec![20, 21], vec![22]],
        3 => vec![vec![30], vec![31, 32, 33], vec![34]],
        other => vec![vec![other as i64 * 10], vec![other as i64 * 10 + 1]],
    }
}

/// Sources that never change.
pub(super) struct Unchanged;

#[async_trait]
impl CommitJudge for Unchanged {
    async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
        Ok(None)
    }
}

/// Opens the store on `objects` as a new process, whose ids nobody else has if nobody else has `process`.
///
/// # Errors
/// The errors of [`Store::with_object_store`].
pub async fn open(objects: Arc<dyn ObjectStore>, process: u64) -> Result<Store, Failure> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000, process));
    let options = StoreOptions { clock, ..StoreOptions::default() };
    Ok(Store::with_object_store(objects, Path::from(ROOT), "test://crash", options).await?)
}

pub(crate) fn checkpoint(name: usize) -> Result<CheckpointName, Failure> {
    Ok(CheckpointName::parse(NAMES[name])?)
}

/// The newest snapshot of a checkpoint.
///
/// # Errors
/// The errors of [`Store::newest`].
pub async fn newest_snapshot(store: &Store, name: usize) -> Result<Option<Snapshot>, Failure> {
    Ok(store.newest(&checkpoint(name)?).await?)
}

/// The rows of a snapshot, unit by unit.
///
/// # Errors
/// [`Failure::Store`] if a file cannot be read; [`Failure::Broken`] if it is no Parquet file.
pub async fn read_rows(store: &Store, snapshot: &Snapshot) -> Result<Vec<i64>, Failure> {
    let mut rows = vec![];
    for file in &snapshot.manifest.files {
        let path = store.path_of(&snapshot.name, file);
        let failed =
            |source| Error::Storage { operation: "read", object: path.to_string(), source: Box::new(source) };
        let bytes = store.object_store().get(&path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let decoded =
            decode(bytes).map_err(|error| Failure::Broken(format!("{path} cannot be read: {error}")))?;
        rows.extend(decoded);
    }
    Ok(rows)
}

fn decode(bytes: bytes::Bytes) -> Result<Vec<i64>, Box<dyn std::error::Error>> {
    let mut rows = vec![];
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        rows.extend(batch?.column(0).as_primitive::<Int64Type>().values());
    }
    Ok(rows)
}

/// The signature of a content.
#[must_use]
pub fn signature_of(content: usize) -> Signature {
    Signature::of(format!("content {content}").as_bytes())
}

/// Begins, writes all units but the last, and dies.
pub(super) async fn leave_units(store: &Store, name: usize, content: usize) -> Result<(), Failure> {
    let units = content_rows(content);
    let attempt = store.begin(&checkpoint(name)?, spec(signature_of(content), units.len())).await?;
    for (unit, rows) in (0..).zip(&units).take(units.len() - 1) {
        write_unit(&attempt, UnitNumber(unit), rows).await?;
    }
    Ok(())
}

/// Begins, and writes all units with their receipts, but for those that dead attempts have left where `adopts` says so; gives
/// what is left to commit.
pub(super) async fn stage(
    store: &Store,
    name: usize,
    content: usize,
    step: usize,
    adopts: Adopts,
) -> Result<(Attempt, Manifest), Failure> {
    let signature = signature_of(content);
    let units = content_rows(content);
    let attempt = store.begin(&checkpoint(name)?, spec(signature, units.len())).await?;
    let mut adopted = match adopts {
        Adopts::Nothing => BTreeMap::new(),
        Adopts::WhatTheDeadLeft => choose_units(&attempt.adoptable().await?),
    };
    let mut files = vec![];
    for (unit, rows) in (0..).zip(&units) {
        files.extend(match adopted.remove(&UnitNumber(unit)) {
            Some(receipt) => receipt.files,
            None => write_unit(&attempt, UnitNumber(unit), rows).await?,
        });
    }
    Ok((attempt, manifest(signature, files, step)?))
}

/// Whose units a stage makes its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Adopts {
    Nothing,
    WhatTheDeadLeft,
}

async fn write_unit(attempt: &Attempt, unit: UnitNumber, rows: &[i64]) -> Result<Vec<DataFile>, Error> {
    let properties = WriterProperties::builder().build();
    let mut writer = DataFileWriter::create(attempt, unit, schema(), properties)?;
    let column = Arc::new(Int64Array::from(rows.to_vec()));
    let batch = RecordBatch::try_new(schema(), vec![column]).map_err(|source| Error::Parquet {
        operation: "encode",
        object: "a batch of rows".to_owned(),
        source: Box::new(source),
    })?;
    writer.write(&batch).await?;
    let files = vec![writer.finish().await?];
    let signature = attempt.spec().signature;
    let slice = serde_json::json!({ "unit": unit.0 });
    let receipt = Receipt::new(attempt.id(), unit, signature, slice, files, 1);
    Ok(attempt.write_receipt(receipt).await?.files)
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn spec(signature: Signature, units: usize) -> AttemptSpec {
    AttemptSpec {
        signature,
        fingerprint: Fingerprint::of(b"a query"),
        unit_plan: UnitPlan {
            units: (0..units).map(|unit| serde_json::json!({ "unit": unit })).collect(),
            plan_hash: Digest::of(b"a plan"),
            pure: true,
            reason: "a filter over one scan".to_owned(),
        },
        owner: Owner { host: "host".to_owned(), pid: 7, run: "run".to_owned() },
    }
}

/// Every second step says which step of a run it is; the others are known again by their signatures only.
fn manifest(signature: Signature, files: Vec<DataFile>, step: usize) -> Result<Manifest, Failure> {
    let schema = schema();
    let parts: Vec<_> = files.iter().map(|file| file.content).collect();
    let content = ContentId::combine(&schema, &[], &parts)
        .ok_or_else(|| Failure::Broken("parts of one schema make no content".to_owned()))?;
    let of_run = Origin { run: "run".to_owned(), step: step as u64, ..Origin::default() };
    Ok(Manifest {
        file_schema: Arc::clone(&schema),
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.size).sum(),
        statistics: statistics::merge(1, files.iter().map(|file| file.statistics.as_slice())),
        memory_bytes: files.iter().map(|file| file.memory_bytes).sum(),
        sequence: false,
        ordering: vec![],
        partitions: 1,
        partitioning: None,
        identity: Identity {
            fingerprint: Fingerprint::of(b"a query"),
            signature,
            determinism: "immutable".to_owned(),
            reusable: true,
            parts: vec![],
            sources: vec![],
            settings: BTreeMap::new(),
        },
        content,
        parents: vec![],
        definition: None,
        options: BTreeMap::new(),
        origin: if step % 2 == 1 { of_run } else { Origin::default() },
        read_version: None,
        elapsed_ms: 5,
        created_ms: 1_700_000_000_000,
        producer: "testkit".to_owned(),
        schema,
        files,
    })
}
