//! Runs the units of a stage: so many side by side, each from its slice to its receipt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlanProperties;
use futures::{StreamExt, TryStreamExt};
use milepost_store::{Attempt, CheckpointName, Error as StoreError, Receipt, UnitNumber};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::sync::OnceCell;

use super::progress::StageCounters;
use super::purity::Plan;
use super::running::Running;
use super::work::Work;
use super::writer::{UnitWriter, bloom_filters};
use crate::buckets::Buckets;
use crate::config::MilepostConfig;
use crate::context::Milepost;
use crate::error::store_error;

/// What all units of one attempt share.
pub(super) struct Units<'a> {
    pub(super) attempt: &'a Arc<Attempt>,
    pub(super) context: Arc<TaskContext>,
    pub(super) config: &'a MilepostConfig,
    pub(super) counters: &'a Arc<StageCounters>,
    pub(super) milepost: &'a Arc<Milepost>,
}

/// One plan whose partitions are units.
pub(super) struct Batch<'a> {
    pub(super) plan: &'a Plan,
    /// The number of the first partition's unit.
    pub(super) first: u32,
    /// What a unit's receipt says of its input.
    pub(super) slices: Vec<serde_json::Value>,
    /// The files behind each slice, to be looked at again before its receipt is written.
    pub(super) sources: Vec<Sources>,
    pub(super) schema: SchemaRef,
    pub(super) ordered: bool,
    /// What the rows are dealt out to.
    pub(super) buckets: Option<&'a Buckets>,
    pub(super) side_by_side: usize,
    pub(super) part: Part,
}

/// Which part of a stage a batch of units is, for those who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The units that hold what an aggregation has so far: their rows are not the result's.
    States,
    /// What is made of those: its units come on top of the unit plan's.
    Finish,
}

impl Units<'_> {
    /// Runs the partitions of `batch` that have no receipt in `done`, and gives the receipts of all of them, in order. Where one
    /// fails the others are stopped, and nothing half-written is left when this returns.
    pub(super) async fn run(
        &self,
        batch: &Batch<'_>,
        done: BTreeMap<UnitNumber, Receipt>,
    ) -> Result<Vec<Receipt>> {
        let mut running = Running::new(self.milepost);
        let outcome = self.run_all(batch, done, &mut running).await;
        if outcome.is_err() {
            running.stop().await;
        }
        outcome
    }

    async fn run_all(
        &self,
        batch: &Batch<'_>,
        done: BTreeMap<UnitNumber, Receipt>,
        running: &mut Running,
    ) -> Result<Vec<Receipt>> {
        let writer = Arc::new(UnitWriter {
            attempt: Arc::clone(self.attempt),
            schema: Arc::clone(&batch.schema),
            ordered: batch.ordered,
            buckets: batch.buckets.cloned(),
            compression: self.config.compression,
            row_group_rows: self.config.row_group_rows,
            bloom_filters: match batch.part {
                Part::States => vec![],
                Part::Whole | Part::Finish => bloom_filters(&batch.schema, &self.config.bloom_filters)?,
            },
            pool: Arc::clone(self.context.memory_pool()),
            counters: Arc::clone(self.counters),
            part: batch.part,
            lanes: self.lanes(batch),
        });
        let mut receipts = done;
        let partitions = batch.plan.output_partitioning().partition_count();
        let mut waiting: Vec<usize> = Vec::with_capacity(partitions);
        for partition in (0..partitions).rev() {
            if !receipts.contains_key(&batch.number(partition)?) {
                waiting.push(partition);
            }
        }
        loop {
            while running.len() < batch.side_by_side.max(1)
                && let Some(partition) = waiting.pop()
            {
                running.start(self.unit(batch, partition, &writer)?);
            }
            let Some(receipt) = running.next().await else { break };
            let receipt = receipt?;
            receipts.insert(receipt.unit, receipt);
        }
        Ok(receipts.into_values().collect())
    }

    /// Cores that no unit has are given to those that run.
    fn lanes(&self, batch: &Batch<'_>) -> usize {
        let cores = self.context.session_config().target_partitions();
        let running = batch.side_by_side.min(batch.slices.len()).max(1);
        cores.div_ceil(running)
    }

    fn unit(
        &self,
        batch: &Batch<'_>,
        partition: usize,
        writer: &Arc<UnitWriter>,
    ) -> Result<impl Future<Output = Result<Receipt>> + Send + 'static> {
        let rows = batch.plan.execute(partition, Arc::clone(&self.context))?;
        let unit = batch.number(partition)?;
        let slice = batch.slices.get(partition).cloned().unwrap_or_default();
        let sources = batch.sources.get(partition).cloned();
        let name = self.attempt.name().clone();
        let writer = Arc::clone(writer);
        // Other tools find the columns of an empty result in its one file.
        let keep_empty = partition == 0;
        Ok(async move {
            let began = Instant::now();
            let files = writer.write(unit, rows, keep_empty).await?;
            let written = began.elapsed();
            if let Some(sources) = sources {
                sources.look_again(&name).await?;
            }
            let receipt = writer.seal(unit, slice, files).await?;
            writer.counters.took(|times| times.receipts += began.elapsed().saturating_sub(written));
            Ok(receipt)
        })
    }
}

impl Batch<'_> {
    fn number(&self, partition: usize) -> Result<UnitNumber> {
        let number = u32::try_from(partition).ok().and_then(|partition| self.first.checked_add(partition));
        number.map(UnitNumber).ok_or_else(|| exec_datafusion_err!("there are too many units"))
    }
}

/// The files of one slice, as they were when the stage was planned.
#[derive(Clone)]
pub(super) struct Sources {
    own: Vec<SourceFile>,
    shared: Arc<SharedSources>,
}

/// The files that all units read: those of the left sides of joins. A plan reads a left side once, before any unit has its
/// first row, so one look after the first unit is a look after the last byte.
struct SharedSources {
    files: Vec<SourceFile>,
    looked: OnceCell<()>,
}

/// How many files are looked at side by side.
const LOOKS: usize = 32;

impl Sources {
    /// The files of each slice of `work`, and those that all units read. Snapshots are left out: their files never change and
    /// are checked as they are read.
    pub(super) fn of(work: &Work, context: &TaskContext) -> Result<Vec<Self>> {
        let Some(slices) = &work.slices else { return Ok(vec![]) };
        let mut shared = Vec::new();
        for scan in work.shared_scans() {
            if let Some(store) = source_store(scan, context)? {
                shared.extend(scan.file_groups.iter().flat_map(|group| files_of(&store, group)));
            }
        }
        let shared = Arc::new(SharedSources { files: shared, looked: OnceCell::new() });
        let driving = source_store(work.driving_scan()?, context)?;
        let of_unit = |unit| {
            let own = driving.as_ref().zip(slices.group(unit));
            let own = own.map(|(store, group)| files_of(store, group)).unwrap_or_default();
            Self { own, shared: Arc::clone(&shared) }
        };
        Ok((0..slices.len()).map(of_unit).collect())
    }

    /// Fails if a file is not what it was. A file that was overwritten, read and restored would pass for unchanged at the
    /// commit, which may be hours and another process later.
    async fn look_again(&self, name: &CheckpointName) -> Result<()> {
        self.shared.looked.get_or_try_init(|| look_at(&self.shared.files, name)).await?;
        look_at(&self.own, name).await
    }
}

async fn look_at(files: &[SourceFile], name: &CheckpointName) -> Result<()> {
    let looks = futures::stream::iter(files).map(Ok);
    looks.try_for_each_concurrent(LOOKS, |(store, then)| look_at_one(store, then, name)).await
}

async fn look_at_one(store: &Arc<dyn ObjectStore>, then: &ObjectMeta, name: &CheckpointName) -> Result<()> {
    let what = match store.head(&then.location).await {
        Ok(now) if same_object(then, &now) => return Ok(()),
        Ok(_) => "it was written to".to_string(),
        Err(error) => error.to_string(),
    };
    let (checkpoint, source_name) = (name.clone(), then.location.to_string());
    Err(store_error(StoreError::SourceChanged { checkpoint, source_name, what }))
}

type SourceFile = (Arc<dyn ObjectStore>, ObjectMeta);

fn files_of(store: &Arc<dyn ObjectStore>, group: &FileGroup) -> Vec<SourceFile> {
    group.iter().map(|file| (Arc::clone(store), file.object_meta.clone())).collect()
}

/// Where a scan's files lie; `None` for those of a checkpoint store.
fn source_store(scan: &FileScanConfig, context: &TaskContext) -> Result<Option<Arc<dyn ObjectStore>>> {
    if scan.object_store_url.as_str().starts_with(crate::context::STORE_SCHEME) {
        return Ok(None);
    }
    context.runtime_env().object_store(&scan.object_store_url).map(Some)
}

fn same_object(then: &ObjectMeta, now: &ObjectMeta) -> bool {
    let told_apart = |now: &Option<String>, then: &Option<String>| then.is_none() || now == then;
    then.size == now.size
        && then.last_modified == now.last_modified
        && told_apart(&now.e_tag, &then.e_tag)
        && told_apart(&now.version, &then.version)
}
