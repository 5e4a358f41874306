//! Runs a plan to its end and commits its rows as a snapshot, or leaves nothing visible.
//!
//! ```text
//! plan, cut into units ─▶ begin ─▶ unit 0: rows → files → receipt ─┐
//!                                  unit 1: rows → files → receipt ─┼─▶ [finish what they began] ─▶ judge ─▶ commit
//!                                  …                               ─┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::future::BoxFuture;
use milepost_store::{
    Attempt, AttemptSpec, CheckpointName, CommitDraft, CommitOutcome, DataFile, Definition, Origin, Owner,
    Parent, Receipt, Snapshot, UnitPlan, Version,
};

use super::guard::AttemptGuard;
use super::judge::SourceJudge;
use super::order::RowOrder;
use super::partial::with_states;
use super::planning::result_schema;
use super::progress::StageCounters;
use super::purity::Plan;
use super::units::{Batch, Sources, Units};
use super::work::{Rest, Work};
use crate::config::MilepostConfig;
use crate::context::{Home, Milepost};
use crate::error::{Error, store_error};
use crate::identity::PlanIdentity;
use crate::scan::scan_files;

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
}

/// What a stage gives back.
pub(crate) struct StageReport {
    pub(crate) snapshot: Snapshot,
    pub(crate) written: Written,
    /// The physical plan that ran, with its metrics.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) units: UnitCounts,
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
            let work = self.work().await?;
            let schema = result_schema(&self.plan, work.result().as_ref());
            milepost_store::check_schema(&schema).map_err(store_error)?;
            let spec = AttemptSpec {
                signature: self.identity.signature,
                fingerprint: self.identity.fingerprint,
                unit_plan: work.unit_plan.clone(),
                owner: this_process(&self.milepost.run.id),
            };
            let attempt = self.home.store.begin(&self.name, spec).await.map_err(store_error)?;
            let guard = AttemptGuard::new(attempt, self.milepost);
            let counters = self.milepost.progress.begin(self.name.to_string(), work.unit_plan.units.len());
            let written = self.write(&guard.attempt()?, &work, &schema, &counters).await;
            let outcome = match written {
                Ok((receipts, plan)) => self
                    .commit(&guard, schema, work.order.clone(), receipts, &counters)
                    .await
                    .map(|done| (done, plan)),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(((snapshot, written), plan)) => {
                    guard.finished();
                    let units = UnitCounts { all: work.unit_plan.units.len() as u64, reused: 0 };
                    Ok(StageReport { snapshot, written, plan, units })
                }
                Err(error) => {
                    guard.abandon().await;
                    Err(error)
                }
            }
        })
    }

    /// What EXPLAIN says of the units that the stage would be cut into.
    pub(crate) async fn preview(mut self) -> Result<String> {
        let UnitPlan { units, pure, reason, .. } = self.work().await?.unit_plan;
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
    ) -> Result<(Vec<Receipt>, Plan)> {
        let context = Arc::clone(&work.context);
        let sources = match work.slices {
            Some(_) => Sources::of(work, work.driving_scan()?, &context)?,
            None => vec![],
        };
        let units = Units { attempt, context, config: self.config, counters };
        let states = work.rest.as_ref().map(|_| work.plan.schema());
        let batch = Batch {
            plan: &work.plan,
            first: 0,
            slices: work.unit_plan.units.clone(),
            sources,
            schema: states.unwrap_or_else(|| Arc::clone(schema)),
            ordered: work.rest.is_none() && work.order.matters(),
            side_by_side: work.side_by_side,
        };
        let receipts = units.run(&batch, BTreeMap::new()).await?;
        let Some(rest) = &work.rest else { return Ok((receipts, Arc::clone(&work.plan))) };
        let plan = self.finish(rest, &work.plan.schema(), &receipts)?;
        let partitions = plan.output_partitioning().partition_count();
        let batch = Batch {
            plan: &plan,
            first: u32::try_from(receipts.len()).unwrap_or(u32::MAX),
            slices: (0..partitions).map(|partition| serde_json::json!({ "states_in": partition })).collect(),
            sources: vec![],
            schema: Arc::clone(schema),
            ordered: work.order.matters(),
            side_by_side: partitions,
        };
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
        guard: &'f AttemptGuard,
        schema: SchemaRef,
        order: RowOrder,
        receipts: Vec<Receipt>,
        counters: &'f StageCounters,
    ) -> BoxFuture<'f, Result<(Snapshot, Written)>> {
        Box::pin(async move {
            let manifest = self.manifest(schema, order, receipts, counters);
            let draft = CommitDraft { manifest, replaces: self.replaces };
            let judge = SourceJudge {
                plan: &self.plan,
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
