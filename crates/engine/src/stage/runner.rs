//! Runs a plan to its end and commits its rows as a snapshot, or leaves nothing visible.
//!
//! ```text
//! plan, cut into units ─▶ begin ─▶ unit 0: rows → files → receipt ─┐
//!                                  unit 1: rows → files → receipt ─┼─▶ [finish what they began] ─▶ judge ─▶ commit
//!                                  …                               ─┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::future::BoxFuture;
use milepost_store::{
    Attempt, AttemptId, AttemptSpec, CheckpointName, CommitDraft, CommitJudge, CommitOutcome, DataFile,
    Definition, Error as StoreError, Origin, Parent, Receipt, Snapshot, SourceChanged, UnitNumber, UnitPlan,
    Version,
};

use super::guard::AttemptGuard;
use super::judge::SourceJudge;
use super::partial::with_states;
use super::planning::result_schema;
use super::progress::{StageCounters, StageTimes};
use super::purity::Plan;
use super::units::{Batch, Part, Sources, Units};
use super::work::{Rest, Work};
use super::writer::bloom_filters;
use crate::config::MilepostConfig;
use crate::context::{Home, Milepost};
use crate::error::{Error, store_error};
use crate::identity::PlanIdentity;
use crate::scan::{name_source, scan_files};

/// Everything that one stage needs.
pub(crate) struct Stage<'a> {
    pub(crate) milepost: &'a Arc<Milepost>,
    pub(crate) home: &'a Home,
    pub(crate) state: &'a SessionState,
    pub(crate) name: CheckpointName,
    /// What runs: its inner checkpoints are scans.
    pub(crate) plan: LogicalPlan,
    /// The same, analysed: what identity is taken from.
    pub(crate) analysed: LogicalPlan,
    pub(crate) identity: PlanIdentity,
    pub(crate) config: &'a MilepostConfig,
    pub(crate) options: &'a [(String, String)],
    pub(crate) definition: Option<Definition>,
    pub(crate) parents: Vec<Parent>,
    pub(crate) read_version: Option<Version>,
    /// Set by FORCE and by the repair of damage: the version that must be replaced, and may not be adopted.
    pub(crate) replaces: Option<Version>,
    /// The step that the commit is a part of; none: the session's next.
    pub(crate) origin: Option<Origin>,
}

/// How a snapshot came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// By this stage.
    Here,
    /// By another writer, with the same signature, while this stage ran.
    Elsewhere,
}

/// The units of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct UnitCounts {
    pub(crate) all: u64,
    /// Those that an attempt before this one had completed.
    pub(crate) reused: u64,
    /// How much longer the stage would have taken without these, by what their receipts say.
    pub(crate) saved_ms: u64,
}

/// What a stage gives back.
pub(crate) struct StageReport {
    pub(crate) snapshot: Snapshot,
    pub(crate) written: Written,
    /// The physical plan that ran, with its metrics.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) units: UnitCounts,
    pub(crate) times: StageTimes,
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
            let work = match self.work().await {
                Err(error) => return Err(name_source(error, &self.plan)),
                Ok(work) => work,
            };
            let work = self.as_begun_before(work).await?;
            let schema = result_schema(&self.plan, work.result().as_ref());
            milepost_store::check_schema(&schema).map_err(store_error)?;
            bloom_filters(&schema, &self.config.bloom_filters)?;
            let spec = AttemptSpec {
                signature: self.identity.signature,
                fingerprint: self.identity.fingerprint,
                unit_plan: work.unit_plan.clone(),
                owner: self.owner(),
            };
            // A handle of its own: what others write at the same time is as durable as they were told.
            let store = self.home.store.with_durability(self.config.durability);
            // Units without an identity fit no later try.
            let adoptable = work.unit_plan.pure && self.identity.reusable;
            let guard = AttemptGuard::begin(store, self.name.clone(), spec, adoptable, self.milepost).await?;
            let counters = self.milepost.progress.begin(self.name.to_string(), work.unit_plan.units.len());
            let attempted = match self.attempt(&guard, &work, schema, &counters).await {
                Err(error) => Err(self.blame_sources(error).await),
                done => done,
            };
            match attempted {
                Ok(report) if report.written == Written::Here && report.snapshot.attempt == guard.id() => {
                    guard.leave().await;
                    Ok(report)
                }
                Ok(report) => {
                    // Our files are nobody's now; the abandon entry lets garbage collection have them.
                    guard.abandon().await;
                    Ok(report)
                }
                // What is complete is not computed again by the next try, unless it turned out to be damaged.
                Err(error) if adoptable && counters.units_done() > 0 && !is_of_units(&error) => {
                    guard.leave().await;
                    Err(error)
                }
                Err(error) => {
                    guard.abandon().await;
                    Err(error)
                }
            }
        })
    }

    /// What a reader says of a file that is not what it was names no source and no way out: say so instead.
    async fn blame_sources(&self, error: DataFusionError) -> DataFusionError {
        if Error::find(&error).is_some() {
            return error;
        }
        match self.judge().changed_source().await {
            Ok(Some(SourceChanged { source_name, what })) => {
                let checkpoint = self.name.clone();
                store_error(StoreError::SourceChanged { checkpoint, source_name, what })
            }
            Ok(None) | Err(_) => name_source(error, &self.plan),
        }
    }

    pub(super) fn moved_on(&self, newest: Option<Version>) -> DataFusionError {
        let shown =
            |v: Option<Version>| v.map_or_else(|| "no version".to_string(), |v| format!("version {v}"));
        Error::MovedOn { name: self.name.to_string(), read: shown(self.read_version), now: shown(newest) }
            .into()
    }

    fn judge(&self) -> SourceJudge<'_> {
        SourceJudge {
            plan: &self.plan,
            state: self.state,
            registries: &self.milepost.registries,
            recorded: &self.identity.sources,
            turn: &self.milepost.turn,
        }
    }

    /// Waits, adopts, writes and commits; again for adopted units that others have closed meanwhile.
    async fn attempt(
        &self,
        guard: &AttemptGuard,
        work: &Work,
        schema: SchemaRef,
        counters: &Arc<StageCounters>,
    ) -> Result<StageReport> {
        let attempt = guard.attempt()?;
        if let Some(snapshot) = self.wait_for_others(&attempt, counters).await? {
            let (plan, units) = (Arc::clone(&work.plan), UnitCounts::default());
            let times = StageTimes::default();
            return Ok(StageReport { snapshot, written: Written::Elsewhere, plan, units, times });
        }
        let mut done = self.units_of_the_dead(&attempt).await?;
        counters.units_adopted(done.len());
        loop {
            let (adopted, saved_ms) = taken_over(&done, attempt.id(), work);
            let written = self.write(&attempt, work, &schema, counters, done).await;
            let (receipts, plan) = match written {
                Err(error) if adopted > 0 && is_of_units(&error) => {
                    // Which of the adopted units it was matters little: one that was damaged on its way from a dead writer
                    // makes the others doubtful.
                    self.milepost.notify(format!("{}: all units are computed again", shown(&error)));
                    done = BTreeMap::new();
                    continue;
                }
                written => written?,
            };
            match self.commit(&attempt, &schema, work, &receipts, counters).await? {
                Committed::Snapshot(snapshot, written) => {
                    let units =
                        UnitCounts { all: work.unit_plan.units.len() as u64, reused: adopted, saved_ms };
                    counters.took(|times| times.receipts += guard.spent_beating());
                    return Ok(StageReport { snapshot, written, plan, units, times: counters.times() });
                }
                Committed::WithoutUnitsOf(closed) => {
                    let kept = receipts.into_iter().filter(|receipt| !closed.contains(&receipt.attempt));
                    done = kept.map(|receipt| (receipt.unit, receipt)).collect();
                }
            }
        }
    }

    /// What EXPLAIN says of the units that the stage would be cut into.
    pub(crate) async fn preview(mut self) -> Result<String> {
        let Work { unit_plan: UnitPlan { units, pure, mut reason, .. }, plan, .. } = self.work().await?;
        if !pure && let Some(too_small) = self.too_small(&plan).await? {
            reason = too_small;
        }
        Ok(match (pure, units.len()) {
            (true, 1) => format!("1 unit: {reason}"),
            (true, many) => format!("{many} units, each survives a crash: {reason}"),
            (false, _) => format!("resumed as a whole: {reason}"),
        })
    }

    /// Runs the units, and what is left to do when all of them are there.
    async fn write(
        &self,
        attempt: &Arc<Attempt>,
        work: &Work,
        schema: &SchemaRef,
        counters: &Arc<StageCounters>,
        done: BTreeMap<UnitNumber, Receipt>,
    ) -> Result<(Vec<Receipt>, Plan)> {
        let context = Arc::clone(&work.context);
        let sources = Sources::of(work, &context)?;
        let units = Units { attempt, context, config: self.config, counters, milepost: self.milepost };
        let states = work.rest.as_ref().map(|_| work.plan.schema());
        let batch = Batch {
            plan: &work.plan,
            first: 0,
            slices: work.unit_plan.units.clone(),
            sources,
            schema: states.unwrap_or_else(|| Arc::clone(schema)),
            ordered: work.rest.is_none() && work.order.sequence,
            buckets: work.buckets.as_ref().filter(|_| work.rest.is_none()),
            side_by_side: work.side_by_side,
            part: if work.rest.is_some() { Part::States } else { Part::Whole },
        };
        counters.runs(&work.plan);
        let receipts = units.run(&batch, done).await?;
        let Some(rest) = &work.rest else { return Ok((receipts, Arc::clone(&work.plan))) };
        let plan = self.finish(rest, &work.plan.schema(), &receipts)?;
        let plan = work.buckets.as_ref().map_or(Ok(Arc::clone(&plan)), |buckets| buckets.exchange(plan))?;
        let partitions = plan.output_partitioning().partition_count();
        let batch = Batch {
            plan: &plan,
            first: u32::try_from(receipts.len()).unwrap_or(u32::MAX),
            slices: (0..partitions).map(|partition| serde_json::json!({ "states_in": partition })).collect(),
            sources: vec![],
            schema: Arc::clone(schema),
            ordered: work.order.sequence,
            buckets: work.buckets.as_ref(),
            side_by_side: partitions,
            part: Part::Finish,
        };
        counters.runs(&plan);
        let receipts = units.run(&batch, BTreeMap::new()).await?;
        Ok((receipts, plan))
    }

    /// The rest of the plan, over the states that units have written.
    fn finish(&self, rest: &Rest, schema: &SchemaRef, receipts: &[Receipt]) -> Result<Plan> {
        let files: Vec<DataFile> = receipts.iter().flat_map(|receipt| receipt.files.clone()).collect();
        let states = scan_files(self.home, self.state, &self.name, &files, schema)?;
        with_states(&rest.whole, &rest.done, &states)
    }

    fn commit<'f>(
        &'f self,
        attempt: &'f Attempt,
        schema: &'f SchemaRef,
        work: &'f Work,
        receipts: &'f [Receipt],
        counters: &'f StageCounters,
    ) -> BoxFuture<'f, Result<Committed>> {
        Box::pin(async move {
            let manifest = self.manifest(Arc::clone(schema), work, receipts.to_vec(), counters)?;
            let draft = CommitDraft { manifest, replaces: self.replaces };
            let began = Instant::now();
            let committed = attempt.commit(draft, &self.judge()).await;
            counters.took(|times| times.commit += began.elapsed());
            match committed {
                // The step may have been committed by a driver that took the job over meanwhile.
                Ok(CommitOutcome::AlreadyCommitted(snapshot)) if snapshot.attempt != attempt.id() => {
                    Ok(Committed::Snapshot(snapshot, Written::Elsewhere))
                }
                Ok(CommitOutcome::Committed(snapshot) | CommitOutcome::AlreadyCommitted(snapshot)) => {
                    Ok(Committed::Snapshot(snapshot, Written::Here))
                }
                Ok(CommitOutcome::Adopted(snapshot)) => Ok(Committed::Snapshot(snapshot, Written::Elsewhere)),
                Ok(CommitOutcome::Closed) => Err(Error::Closed { name: self.name.to_string() }.into()),
                Ok(CommitOutcome::Superseded { newest }) => Err(self.moved_on(newest)),
                Err(StoreError::UnitsClosed { attempts, .. }) if !attempts.is_empty() => {
                    Ok(Committed::WithoutUnitsOf(attempts))
                }
                Err(error) => Err(store_error(error)),
            }
        })
    }
}

/// How many units are those of other attempts, and how much longer the stage would take without them. Units run side by side, so
/// that what they took together is more than anybody would have waited for.
fn taken_over(done: &BTreeMap<UnitNumber, Receipt>, own: AttemptId, work: &Work) -> (u64, u64) {
    let adopted = || done.values().filter(|receipt| receipt.attempt != own);
    let together: u64 = adopted().map(|receipt| receipt.elapsed_ms).sum();
    let side_by_side = work.side_by_side.min(work.unit_plan.units.len()).max(1) as u64;
    (adopted().count() as u64, together / side_by_side)
}

/// Whether a file that a unit has written is damaged.
fn is_of_units(error: &DataFusionError) -> bool {
    matches!(Error::find(error), Some(Error::DamagedUnit { .. }))
}

fn shown(error: &DataFusionError) -> String {
    Error::find(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// What a commit came to.
enum Committed {
    Snapshot(Snapshot, Written),
    /// Nothing is committed: the units of these attempts must be computed again.
    WithoutUnitsOf(Vec<AttemptId>),
}
