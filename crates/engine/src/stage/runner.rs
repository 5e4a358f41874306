//! Runs a plan to its end and commits its rows as a snapshot, or leaves nothing visible.
//!
//! ```text
//! plan ─▶ look at the sources again ─▶ begin ─▶ unit 0: stream → files → receipt ─┐
//!                                              unit 1: stream → files → receipt ─┼─▶ judge ─▶ commit
//!                                              …                                  ─┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::future::BoxFuture;
use milepost_store::{
    Attempt, AttemptSpec, CheckpointName, CommitDraft, CommitOutcome, Definition, Origin, Owner, Parent,
    Receipt, Snapshot, SortField, UnitNumber, Version,
};
use tokio::task::JoinSet;

use super::judge::SourceJudge;
use super::progress::StageCounters;
use super::units::{bound_partitions, unit_plan};
use super::writer::UnitWriter;
use crate::config::MilepostConfig;
use crate::context::{Home, Milepost};
use crate::error::{Error, store_error};
use crate::identity::{PlanIdentity, describe_change, identify};
use crate::resolve::ResolvedAlready;

/// How often a living attempt says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How often a stage plans anew when its sources change under it.
const PLANNINGS: usize = 3;

/// Everything that one stage needs.
pub(crate) struct Stage<'a> {
    pub(crate) milepost: &'a Arc<Milepost>,
    pub(crate) home: &'a Home,
    pub(crate) state: &'a SessionState,
    pub(crate) name: &'a CheckpointName,
    /// What runs: its inner checkpoints are scans.
    pub(crate) plan: &'a LogicalPlan,
    /// The same, analysed: what identity is taken from.
    pub(crate) analysed: &'a LogicalPlan,
    pub(crate) identity: PlanIdentity,
    pub(crate) config: &'a MilepostConfig,
    pub(crate) options: &'a [(String, String)],
    pub(crate) definition: Option<Definition>,
    pub(crate) parents: Vec<Parent>,
    pub(crate) read_version: Option<Version>,
    /// Set by FORCE and by the repair of damage: the version that must be replaced, and may not be adopted.
    pub(crate) replaces: Option<Version>,
    pub(crate) origin: Origin,
}

/// How a snapshot came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// By this stage.
    Here,
    /// By another writer, with the same signature, while this stage ran.
    Elsewhere,
}

/// What a stage gives back.
pub(crate) struct StageReport {
    pub(crate) snapshot: Snapshot,
    pub(crate) written: Written,
    /// The physical plan that ran, with its metrics.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
}

impl Stage<'_> {
    /// Runs the stage. Dropping the future stops it and abandons the attempt.
    ///
    /// # Errors
    /// Whatever the query or the store fails with; nothing is visible then.
    pub(crate) fn run<'f>(mut self) -> BoxFuture<'f, Result<StageReport>>
    where
        Self: 'f,
    {
        Box::pin(async move {
            // Refused before any work starts: planning may already read files.
            milepost_store::check_schema(self.plan.schema().as_arrow()).map_err(store_error)?;
            self.home.store.set_durability(self.config.durability);
            let state = self.pinned_state();
            let plan = self.physical_plan(&state).await?;
            let schema = result_schema(self.plan, plan.as_ref());
            milepost_store::check_schema(&schema).map_err(store_error)?;
            let spec = AttemptSpec {
                signature: self.identity.signature,
                fingerprint: self.identity.fingerprint,
                unit_plan: unit_plan(plan.as_ref()),
                owner: this_process(&self.milepost.run.id),
            };
            let attempt = self.home.store.begin(self.name, spec).await.map_err(store_error)?;
            let guard =
                AttemptGuard { attempt: Some(Arc::new(attempt)), milepost: Arc::clone(self.milepost) };
            let counters = self.milepost.progress.begin(self.name.to_string(), partitions(&plan));
            let ordering = ordering_of(plan.as_ref());
            let written =
                self.write_units(&guard, &state, &plan, &schema, !ordering.is_empty(), &counters).await;
            let outcome = match written {
                Ok(receipts) => self.commit(&guard, schema, ordering, receipts, &counters).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok((snapshot, written)) => {
                    guard.finished();
                    Ok(StageReport { snapshot, written, plan })
                }
                Err(error) => {
                    guard.abandon().await;
                    Err(error)
                }
            }
        })
    }

    /// The session's state with `now()` as the run has it, for a plan whose checkpoints are scans already.
    fn pinned_state(&self) -> SessionState {
        let mut state = self.state.clone();
        let now = chrono::DateTime::from_timestamp_nanos(self.milepost.run.now_ns);
        state.execution_props_mut().query_execution_start_time = Some(now);
        state.config_mut().set_extension(Arc::new(ResolvedAlready));
        state
    }

    /// Plans between two equal looks at the sources, so that the files in the plan are those of the signature. A physical
    /// plan keeps state and runs once, so every attempt gets its own.
    fn physical_plan<'f>(
        &'f mut self,
        state: &'f SessionState,
    ) -> BoxFuture<'f, Result<Arc<dyn ExecutionPlan>>> {
        Box::pin(async move {
            let mut change = String::new();
            for _ in 0..PLANNINGS {
                forget_cached_files(state);
                let plan = state.create_physical_plan(self.plan).await?;
                let again =
                    identify(self.analysed, state, &self.milepost.registries, &self.milepost.run).await?;
                if again.signature == self.identity.signature || !again.reusable {
                    return bound_partitions(plan, state.config().target_partitions());
                }
                let changes = self
                    .identity
                    .sources
                    .iter()
                    .zip(&again.sources)
                    .map(|(old, new)| describe_change(old, new));
                change = changes.flatten().collect::<Vec<_>>().join("; ");
                self.identity = again;
            }
            let source_name =
                self.identity.sources.first().map_or_else(|| "a table".to_string(), |s| s.name.clone());
            Err(Error::Restless { source_name, what: change }.into())
        })
    }

    async fn write_units(
        &self,
        guard: &AttemptGuard,
        state: &SessionState,
        plan: &Arc<dyn ExecutionPlan>,
        schema: &SchemaRef,
        ordered: bool,
        counters: &Arc<StageCounters>,
    ) -> Result<Vec<Receipt>> {
        let attempt = guard.attempt()?;
        let writer = Arc::new(UnitWriter {
            attempt: Arc::clone(&attempt),
            schema: Arc::clone(schema),
            ordered,
            compression: self.config.compression,
            pool: Arc::clone(&state.runtime_env().memory_pool),
            counters: Arc::clone(counters),
        });
        let mut units: JoinSet<Result<Receipt>> = JoinSet::new();
        for partition in 0..partitions(plan) {
            let rows = plan.execute(partition, state.task_ctx())?;
            let writer = Arc::clone(&writer);
            let unit = UnitNumber(
                u32::try_from(partition).map_err(|_| exec_datafusion_err!("too many partitions"))?,
            );
            let slice = serde_json::json!({ "partition": partition });
            // Other tools find the columns of an empty result in its one file.
            let keep_empty = partition == 0;
            units.spawn(async move { writer.write(unit, slice, rows, keep_empty).await });
        }
        let mut receipts = Vec::with_capacity(units.len());
        let mut beat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                finished = units.join_next() => match finished {
                    Some(receipt) => receipts.push(receipt.map_err(|e| exec_datafusion_err!("a unit stopped: {e}"))??),
                    None => break,
                },
                _ = beat.tick() => {
                    // A heartbeat that fails only makes this writer look dead; adopting its units is safe all the same.
                    if let Err(error) = attempt.heartbeat().await {
                        tracing::debug!("heartbeat of {}: {error}", self.name);
                    }
                }
            }
        }
        receipts.sort_by_key(|receipt| receipt.unit);
        Ok(receipts)
    }

    fn commit<'f>(
        &'f self,
        guard: &'f AttemptGuard,
        schema: SchemaRef,
        ordering: Vec<SortField>,
        receipts: Vec<Receipt>,
        counters: &'f StageCounters,
    ) -> BoxFuture<'f, Result<(Snapshot, Written)>> {
        Box::pin(async move {
            let manifest = self.manifest(schema, ordering, receipts, counters);
            let draft = CommitDraft { manifest, replaces: self.replaces };
            let judge = SourceJudge {
                plan: self.plan,
                state: self.state,
                registries: &self.milepost.registries,
                recorded: &self.identity.sources,
            };
            let name = || self.name.to_string();
            match guard.attempt()?.commit(draft, &judge).await.map_err(store_error)? {
                CommitOutcome::Committed(snapshot) => Ok((snapshot, Written::Here)),
                CommitOutcome::Adopted(snapshot) => {
                    // Our files are nobody's now; the abandon entry lets garbage collection have them.
                    guard.abandon_later();
                    Ok((snapshot, Written::Elsewhere))
                }
                CommitOutcome::AlreadyCommitted(snapshot) => Ok((snapshot, Written::Here)),
                CommitOutcome::Closed => Err(Error::Closed { name: name() }.into()),
                CommitOutcome::Superseded { newest } => {
                    let shown = |v: Option<Version>| {
                        v.map_or_else(|| "no version".to_string(), |v| format!("version {v}"))
                    };
                    Err(Error::MovedOn { name: name(), read: shown(self.read_version), now: shown(newest) }
                        .into())
                }
            }
        })
    }
}

fn this_process(run: &str) -> Owner {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string();
    Owner { host, pid: std::process::id(), run: run.to_string() }
}

/// The result's schema: names and metadata are the query's, types are those of the rows that come. Names may repeat.
fn result_schema(plan: &LogicalPlan, running: &dyn ExecutionPlan) -> SchemaRef {
    let (wanted, given) = (plan.schema().as_arrow(), running.schema());
    let fields = wanted.fields().iter().zip(given.fields()).map(|(wanted, given)| {
        let nullable = wanted.is_nullable() || given.is_nullable();
        wanted.as_ref().clone().with_data_type(given.data_type().clone()).with_nullable(nullable)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), wanted.metadata().clone()))
}

fn partitions(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.output_partitioning().partition_count()
}

/// The leading columns by which every partition of the plan is sorted.
fn ordering_of(plan: &dyn ExecutionPlan) -> Vec<SortField> {
    let Some(ordering) = plan.output_ordering() else { return vec![] };
    ordering
        .iter()
        .map_while(|sort| {
            let column = sort.expr.downcast_ref::<Column>()?.index();
            let (descending, nulls_first) = (sort.options.descending, sort.options.nulls_first);
            Some(SortField { column, descending, nulls_first })
        })
        .collect()
}

/// DataFusion keeps file listings for ever, and statistics and footers for as long as size and modification time are
/// the same. A stage must read what its signature names, so it reads them anew.
fn forget_cached_files(state: &SessionState) {
    let caches = &state.runtime_env().cache_manager;
    if let Some(listings) = caches.get_list_files_cache() {
        listings.clear();
    }
    if let Some(statistics) = caches.get_file_statistic_cache() {
        statistics.clear();
    }
    caches.get_file_metadata_cache().clear();
}

/// Abandons the attempt when the stage is dropped before its end.
struct AttemptGuard {
    attempt: Option<Arc<Attempt>>,
    milepost: Arc<Milepost>,
}

impl AttemptGuard {
    fn attempt(&self) -> Result<Arc<Attempt>> {
        self.attempt.clone().ok_or_else(|| exec_datafusion_err!("the attempt has ended"))
    }

    fn finished(mut self) {
        self.attempt = None;
    }

    fn abandon_later(&self) {
        if let Some(attempt) = self.attempt.clone() {
            self.milepost.clean_up(abandon(attempt));
        }
    }

    async fn abandon(mut self) {
        if let Some(attempt) = self.attempt.take() {
            abandon(attempt).await;
        }
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.milepost.clean_up(abandon(attempt));
        }
    }
}

async fn abandon(attempt: Arc<Attempt>) {
    // The attempt is invisible without a commit; a failed abandon costs garbage collection some waiting.
    if let Err(error) = attempt.abandon().await {
        tracing::debug!("abandoning attempt {}: {error}", attempt.id());
    }
}
