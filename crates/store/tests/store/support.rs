//! What all tests need: a clock, a store, and a small snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use async_trait::async_trait;
use milepost_store::{
    Attempt, AttemptSpec, Cause, CheckpointName, CommitDraft, CommitJudge, CommitOutcome, ContentId,
    DataFile, DataFileWriter, Digest, Error, Fingerprint, Identity, Manifest, Origin, Owner, Receipt,
    Signature, Snapshot, SourceChanged, Store, StoreOptions, UnitNumber, UnitPlan, Version, statistics,
};
use milepost_testkit::{FaultStore, ManualClock};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

static SEEDS: AtomicU64 = AtomicU64::new(0);

/// A standing clock whose ids nobody else has.
pub fn clock() -> ManualClock {
    ManualClock::new(1_700_000_000_000, SEEDS.fetch_add(1, Ordering::SeqCst))
}

pub fn options() -> StoreOptions {
    StoreOptions { clock: Arc::new(clock()), ..StoreOptions::default() }
}

/// A store in memory that can be made to fail.
pub async fn faulty() -> (Store, FaultStore) {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    (on(&faults).await, faults)
}

/// Another process's view of the same objects, faults included.
pub async fn on(faults: &FaultStore) -> Store {
    Store::with_object_store(Arc::new(faults.clone()), Path::from("root"), "test://faulty", options())
        .await
        .unwrap()
}

/// Another process's view of the same objects, without faults.
pub async fn beside(faults: &FaultStore) -> Store {
    Store::with_object_store(faults.inner(), Path::from("root"), "test://beside", options()).await.unwrap()
}

/// Another process's view of the same objects, faults included, with a clock that the test holds.
pub async fn timed(faults: &FaultStore) -> (Store, ManualClock) {
    let clock = clock();
    let options = StoreOptions { clock: Arc::new(clock.clone()), ..StoreOptions::default() };
    let objects = Arc::new(faults.clone());
    let store = Store::with_object_store(objects, Path::from("root"), "test://timed", options).await.unwrap();
    (store, clock)
}

pub fn name() -> CheckpointName {
    CheckpointName::parse("trips").unwrap()
}

pub fn signature(text: &str) -> Signature {
    Signature::of(text.as_bytes())
}

pub fn spec(signature: Signature) -> AttemptSpec {
    AttemptSpec {
        signature,
        fingerprint: Fingerprint::of(b"plan"),
        unit_plan: UnitPlan {
            units: vec![serde_json::json!({"file": "a.parquet", "range": [0, 100]})],
            plan_hash: Digest::of(b"unit plan"),
            pure: true,
            reason: "a filter over one scan".to_owned(),
        },
        owner: Owner { host: "host".to_owned(), pid: 7, run: "run".to_owned() },
    }
}

pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("label", DataType::Utf8, true),
    ]))
}

pub fn rows(ids: &[i64]) -> RecordBatch {
    let labels: StringArray = ids.iter().map(|id| (id % 3 != 0).then(|| format!("row {id}"))).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids.to_vec())), Arc::new(labels)];
    RecordBatch::try_new(schema(), columns).unwrap()
}

pub async fn write_file(attempt: &Attempt, unit: u32, ids: &[i64]) -> Result<DataFile, Error> {
    let properties = WriterProperties::builder().build();
    let mut writer = DataFileWriter::create(attempt, UnitNumber(unit), schema(), properties)?;
    writer.write(&rows(ids)).await?;
    writer.finish().await
}

/// Writes a unit with one file and its receipt; gives the stored receipt.
pub async fn write_unit(attempt: &Attempt, unit: u32, ids: &[i64]) -> Result<Receipt, Error> {
    let file = write_file(attempt, unit, ids).await?;
    let slice = serde_json::json!({"unit": unit});
    let signature = attempt.spec().signature;
    let receipt = Receipt::new(attempt.id(), UnitNumber(unit), signature, slice, vec![file], 1);
    attempt.write_receipt(receipt).await
}

pub fn manifest(signature: Signature, files: Vec<DataFile>) -> Manifest {
    let schema = schema();
    let parts: Vec<_> = files.iter().map(|file| file.content).collect();
    let width = schema.fields().len();
    Manifest {
        file_schema: Arc::clone(&schema),
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.size).sum(),
        statistics: statistics::merge(width, files.iter().map(|file| file.statistics.as_slice())),
        memory_bytes: files.iter().map(|file| file.memory_bytes).sum(),
        ordering: vec![],
        sequence: false,
        partitions: 1,
        partitioning: None,
        identity: Identity {
            fingerprint: Fingerprint::of(b"plan"),
            signature,
            determinism: "immutable".to_owned(),
            reusable: true,
            parts: vec![],
            sources: vec![],
            settings: BTreeMap::new(),
        },
        content: ContentId::combine(&schema, &[], &parts).unwrap(),
        parents: vec![],
        definition: None,
        options: BTreeMap::new(),
        origin: Origin::default(),
        read_version: None,
        elapsed_ms: 5,
        created_ms: 1_700_000_000_000,
        producer: "test".to_owned(),
        schema,
        files,
    }
}

pub fn draft(manifest: Manifest) -> CommitDraft {
    CommitDraft { manifest, replaces: None }
}

/// Sources that never change.
pub struct Unchanged;

#[async_trait]
impl CommitJudge for Unchanged {
    async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
        Ok(None)
    }
}

/// Begins, writes one unit, and gives what is left to commit.
pub async fn staged(store: &Store, text: &str, ids: &[i64]) -> Result<(Attempt, Manifest), Error> {
    let attempt = store.begin(&name(), spec(signature(text))).await?;
    let receipt = write_unit(&attempt, 0, ids).await?;
    let manifest = manifest(signature(text), receipt.files);
    Ok((attempt, manifest))
}

/// A whole commit of `ids` under the signature of `text`.
pub async fn try_commit(store: &Store, text: &str, ids: &[i64]) -> Result<CommitOutcome, Error> {
    let (attempt, manifest) = staged(store, text, ids).await?;
    attempt.commit(draft(manifest), &Unchanged).await
}

pub async fn commit(store: &Store, text: &str, ids: &[i64]) -> Snapshot {
    match try_commit(store, text, ids).await {
        Ok(CommitOutcome::Committed(snapshot)) => snapshot,
        other => panic!("not committed: {other:?}"),
    }
}

/// The ids in a snapshot's files, sorted: read with Parquet's own reader.
pub async fn read_ids(store: &Store, snapshot: &Snapshot) -> Vec<i64> {
    let mut ids = vec![];
    for file in &snapshot.manifest.files {
        let path = store.path_of(&snapshot.name, file);
        let bytes = store.object_store().get(&path).await.unwrap().bytes().await.unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            ids.extend(batch.unwrap().column(0).as_primitive::<Int64Type>().values());
        }
    }
    ids.sort_unstable();
    ids
}

pub async fn versions(store: &Store) -> Vec<u64> {
    store.live(&name()).await.unwrap().iter().map(|live| live.version.0).collect()
}

pub async fn newest(store: &Store) -> Option<Version> {
    store.newest(&name()).await.unwrap().map(|snapshot| snapshot.version)
}

/// All objects below a path, as text.
pub async fn objects(store: &dyn ObjectStore, below: &str) -> Vec<String> {
    use futures::TryStreamExt;
    let prefix = Path::from(below);
    let mut found: Vec<String> =
        store.list(Some(&prefix)).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    found.sort();
    found
}

pub fn entry_path(slot: u64) -> Path {
    Path::from(format!("root/checkpoints/trips/log/{slot:020}.json"))
}

pub fn tail_path() -> Path {
    Path::from("root/checkpoints/trips/tail")
}

/// A small generator of numbers, the same for the same seed.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}
