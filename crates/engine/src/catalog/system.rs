//! The schema `milepost`: `checkpoints`, `snapshots`, `files`, `lineage`, `jobs`, `steps`, and single versions as
//! `"name@3"`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use milepost_store::{CheckpointName, Error as StoreError, Overviews, Snapshot, Version, Which};

use super::jobs;
use crate::columns::{moments, numbers, strings, texts, times};
use crate::context::Milepost;
use crate::error::store_error;
use crate::scan::{ReadBy, SnapshotTable, named_scan};

#[derive(Debug)]
pub(super) struct SystemSchema {
    milepost: Arc<Milepost>,
}

impl SystemSchema {
    pub(super) fn new(milepost: Arc<Milepost>) -> Self {
        Self { milepost }
    }

    /// The table behind `milepost."name@3"`.
    async fn version(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some((name, version)) = name.rsplit_once('@') else { return Ok(None) };
        let (Ok(name), Ok(version)) = (CheckpointName::parse(name), version.parse()) else { return Ok(None) };
        let home = &self.milepost.home;
        match home.store.snapshot(&name, Version(version)).await.map_err(store_error)? {
            Some(snapshot) => {
                Ok(Some(named_scan(SnapshotTable::new(home.clone(), snapshot, ReadBy::Version))?))
            }
            None => Err(self.milepost.missing(&name, Some(Version(version))).await?.into()),
        }
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        SystemKind::ALL.iter().map(|kind| kind.name().to_string()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match SystemKind::ALL.iter().find(|kind| kind.name() == name) {
            Some(kind) => {
                Ok(Some(Arc::new(SystemTable { milepost: Arc::clone(&self.milepost), kind: *kind })))
            }
            None => self.version(name).await,
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        SystemKind::ALL.iter().any(|kind| kind.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SystemKind {
    Checkpoints,
    Snapshots,
    Files,
    Lineage,
    Jobs,
    Steps,
}

impl SystemKind {
    const ALL: [Self; 6] =
        [Self::Checkpoints, Self::Snapshots, Self::Files, Self::Lineage, Self::Jobs, Self::Steps];

    fn name(self) -> &'static str {
        match self {
            Self::Checkpoints => "checkpoints",
            Self::Snapshots => "snapshots",
            Self::Files => "files",
            Self::Lineage => "lineage",
            Self::Jobs => "jobs",
            Self::Steps => "steps",
        }
    }

    fn schema(self) -> SchemaRef {
        Arc::new(Schema::new(match self {
            Self::Checkpoints => vec![
                text("checkpoint"),
                number("version").with_nullable(true),
                number("versions").with_nullable(true),
                number("rows").with_nullable(true),
                number("bytes").with_nullable(true),
                number("files").with_nullable(true),
                time("created_at"),
                number("elapsed_ms").with_nullable(true),
                text("definition"),
                text("status"),
                text("error"),
            ],
            Self::Snapshots => vec![
                text("checkpoint"),
                number("version"),
                number("rows"),
                number("bytes"),
                number("files"),
                time("created_at"),
                number("elapsed_ms"),
                text("determinism"),
                flag("reusable"),
                text("signature"),
                text("fingerprint"),
                text("content"),
                text("run"),
                text("producer"),
            ],
            Self::Files => vec![
                text("checkpoint"),
                number("version"),
                number("unit"),
                text("path"),
                number("rows"),
                number("bytes"),
                text("checksum"),
            ],
            Self::Lineage => vec![
                text("checkpoint"),
                number("version"),
                text("source"),
                text("kind"),
                text("source_version"),
                number("files"),
                text("note"),
            ],
            Self::Jobs => jobs::run_fields(),
            Self::Steps => jobs::step_fields(),
        }))
    }

    /// Reads the logs.
    async fn rows(self, milepost: &Milepost) -> Result<Vec<ArrayRef>> {
        let snapshots = || live_snapshots(milepost);
        Ok(match self {
            Self::Checkpoints => checkpoints(&milepost.look_over(Which::Newest).await?),
            Self::Snapshots => all_snapshots(&snapshots().await?),
            Self::Files => files(&snapshots().await?),
            Self::Lineage => lineage(&snapshots().await?),
            Self::Jobs => jobs::run_rows(&jobs::read(milepost).await?),
            Self::Steps => jobs::step_rows(&jobs::read(milepost).await?, milepost),
        })
    }
}

/// Reads the logs each time it is scanned.
#[derive(Debug)]
struct SystemTable {
    milepost: Arc<Milepost>,
    kind: SystemKind,
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batch = RecordBatch::try_new(self.schema(), self.kind.rows(&self.milepost).await?)?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}

/// Every live snapshot. A notice names the checkpoints of which nobody can tell.
async fn live_snapshots(milepost: &Milepost) -> Result<Vec<Snapshot>> {
    let checkpoints = milepost.overview(Which::All).await?.into_iter();
    Ok(checkpoints.flat_map(|checkpoint| checkpoint.snapshots).collect())
}

pub(super) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

pub(super) fn number(name: &str) -> Field {
    Field::new(name, DataType::UInt64, false)
}

pub(super) fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, false)
}

/// One row for each checkpoint, also for those whose logs cannot be read.
fn checkpoints(found: &Overviews) -> Vec<ArrayRef> {
    let unreadable = || found.unreadable.iter();
    let newest = || found.checkpoints.iter().map(|checkpoint| checkpoint.snapshots.last());
    let names = found.checkpoints.iter().map(|checkpoint| &checkpoint.name);
    let names = names.chain(unreadable().map(|(name, _)| name));
    let of = |of: fn(&Snapshot) -> u64| -> ArrayRef {
        let known = newest().map(|newest| newest.map(of));
        Arc::new(known.chain(unreadable().map(|_| None)).collect::<UInt64Array>())
    };
    let versions = found.checkpoints.iter().map(|checkpoint| Some(checkpoint.live.len() as u64));
    let definition = |newest: Option<&Snapshot>| Some(newest?.manifest.definition.as_ref()?.sql.clone());
    let status = |error: &StoreError| if error.is_damage() { "damaged" } else { "unreadable" };
    let readable = || found.checkpoints.iter().map(|_| "readable");
    vec![
        strings(names.map(ToString::to_string)),
        of(|s| s.version.0),
        Arc::new(versions.chain(unreadable().map(|_| None)).collect::<UInt64Array>()),
        of(|s| s.manifest.rows),
        of(|s| s.manifest.bytes),
        of(|s| s.manifest.files.len() as u64),
        moments(newest().map(|newest| Some(newest?.committed_ms)).chain(unreadable().map(|_| None))),
        of(|s| s.manifest.elapsed_ms),
        texts(newest().map(definition).chain(unreadable().map(|_| None))),
        strings(readable().chain(unreadable().map(|(_, error)| status(error))).map(ToString::to_string)),
        texts(readable().map(|_| None).chain(unreadable().map(|(_, error)| Some(error.to_string())))),
    ]
}

fn all_snapshots(snapshots: &[Snapshot]) -> Vec<ArrayRef> {
    let all = || snapshots.iter();
    let identity = || all().map(|s| &s.manifest.identity);
    vec![
        strings(all().map(|s| s.name.to_string())),
        numbers(all().map(|s| s.version.0)),
        numbers(all().map(|s| s.manifest.rows)),
        numbers(all().map(|s| s.manifest.bytes)),
        numbers(all().map(|s| s.manifest.files.len() as u64)),
        times(all().map(|s| s.committed_ms)),
        numbers(all().map(|s| s.manifest.elapsed_ms)),
        strings(identity().map(|i| i.determinism.clone())),
        Arc::new(identity().map(|i| Some(i.reusable)).collect::<BooleanArray>()),
        strings(identity().map(|i| i.signature.to_string())),
        strings(identity().map(|i| i.fingerprint.to_string())),
        strings(all().map(|s| s.manifest.content.to_string())),
        strings(all().map(|s| s.manifest.origin.run.clone())),
        strings(all().map(|s| s.manifest.producer.clone())),
    ]
}

fn files(snapshots: &[Snapshot]) -> Vec<ArrayRef> {
    let all = || snapshots.iter().flat_map(|s| s.manifest.files.iter().map(move |file| (s, file)));
    vec![
        strings(all().map(|(s, _)| s.name.to_string())),
        numbers(all().map(|(s, _)| s.version.0)),
        numbers(all().map(|(_, file)| u64::from(file.unit.0))),
        strings(all().map(|(s, file)| format!("checkpoints/{}/{}", s.name, file.path))),
        numbers(all().map(|(_, file)| file.rows)),
        numbers(all().map(|(_, file)| file.size)),
        strings(all().map(|(_, file)| file.checksum.to_string())),
    ]
}

fn lineage(snapshots: &[Snapshot]) -> Vec<ArrayRef> {
    let all =
        || snapshots.iter().flat_map(|s| s.manifest.identity.sources.iter().map(move |source| (s, source)));
    vec![
        strings(all().map(|(s, _)| s.name.to_string())),
        numbers(all().map(|(s, _)| s.version.0)),
        strings(all().map(|(_, source)| source.name.clone())),
        strings(all().map(|(_, source)| source.kind.clone())),
        texts(all().map(|(_, source)| source.digest.as_ref().map(ToString::to_string))),
        numbers(all().map(|(_, source)| source.objects.len() as u64)),
        texts(all().map(|(_, source)| source.note.clone())),
    ]
}
