//! From a stage's query to its [`Work`].

use std::sync::Arc;

use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::config::OptimizerOptions;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::joins::HashJoinExec;
use futures::future::BoxFuture;

use super::endless::{named_if_endless, refuse_endless};
use super::purity::{Plan, collect_scans, driving_scan};
use super::runner::Stage;
use super::work::{Layout, Work};
use crate::config::MilepostConfig;
use crate::error::Error;
use crate::identity::{Determinism, describe_change, identify};
use crate::logical::release;
use crate::resolve::ResolvedAlready;

/// How often a stage plans anew when its sources change under it.
const PLANNINGS: usize = 3;

/// Joins and aggregations are cut only if their input makes at least this many units: their plan is made once more for it,
/// and what an aggregation has so far is written to the store.
const JOIN_UNITS: u64 = 2;
const AGGREGATION_UNITS: u64 = 32;

impl<'a> Stage<'a> {
    /// The session's state with `now()` as the run has it, for a plan whose checkpoints are scans already.
    fn pinned_state(&self) -> SessionState {
        let mut state = self.state.clone();
        state.execution_props_mut().query_execution_start_time = Some(self.milepost.run.now());
        state.config_mut().set_extension(Arc::new(ResolvedAlready));
        release(&mut state);
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
                let plan = state.create_physical_plan(&self.plan).await;
                let plan = plan.map_err(|error| named_if_endless(error, self.name.as_str(), &self.plan))?;
                refuse_endless(self.name.as_str(), &self.plan, &plan)?;
                let again =
                    identify(&self.analysed, state, &self.milepost.registries, &self.milepost.run).await?;
                if again.signature == self.identity.signature {
                    return Ok(plan);
                }
                if !again.reusable {
                    // Its signature equals no other, so nothing that was computed under another one is mixed in.
                    self.identity = again;
                    return Ok(plan);
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

    fn layout(&self) -> Layout<'a> {
        Layout {
            name: self.name.clone(),
            partition_by: &self.config.partition_by,
            buckets: self.state.config().target_partitions(),
        }
    }

    /// Plans the query, and cuts the plan into units where that is safe and worth it.
    pub(super) fn work<'f>(&'f mut self) -> BoxFuture<'f, Result<Work>> {
        Box::pin(async move {
            let state = self.pinned_state();
            let plan = self.physical_plan(&state).await?;
            let layout = self.layout();
            let whole = |plan, reason: &str| {
                Work::whole(&self.plan, plan, reason.to_string(), &layout, state.task_ctx())
            };
            if let Determinism::Volatile(reason) = &self.identity.determinism {
                return whole(plan, reason);
            }
            let unit_bytes = self.config.unit_bytes;
            let as_it_is = driving_scan(&plan);
            if as_it_is.is_ok() && !joins(&plan) {
                let context = kept_apart(state.clone()).task_ctx();
                let sliced = Work::sliced(&self.plan, &plan, unit_bytes, &layout, context).await?;
                return match sliced {
                    Ok(work) => Ok(work),
                    Err(reason) => whole(plan, &reason),
                };
            }
            if !is_worth_cutting(&plan, unit_bytes) {
                let reason = as_it_is.err().unwrap_or_else(|| reason_of_size(&plan, unit_bytes));
                return whole(plan, &reason);
            }
            let apart = kept_apart(state.clone());
            let cut = self.physical_plan(&apart).await?;
            let sliced = Work::sliced(&self.plan, &cut, unit_bytes, &layout, apart.task_ctx()).await?;
            match sliced {
                Ok(work) => Ok(work),
                Err(reason) => {
                    // The sources may have changed since the first plan was made.
                    let plan = self.physical_plan(&state).await?;
                    Work::whole(&self.plan, plan, reason, &layout, state.task_ctx())
                }
            }
        })
    }
}

impl Stage<'_> {
    /// The real reason for a plan that is not cut because its input is small, although it could be.
    pub(super) async fn too_small(&mut self, plan: &Plan) -> Result<Option<String>> {
        let unit_bytes = self.config.unit_bytes;
        let for_its_kind = matches!(self.identity.determinism, Determinism::Volatile(_));
        if for_its_kind || is_worth_cutting(plan, unit_bytes) {
            return Ok(None);
        }
        let apart = kept_apart(self.pinned_state());
        let cut = self.physical_plan(&apart).await?;
        let layout = self.layout();
        let work = Work::sliced(&self.plan, &cut, unit_bytes, &layout, apart.task_ctx()).await?;
        Ok(work.is_ok().then(|| reason_of_size(plan, unit_bytes)))
    }
}

fn reason_of_size(plan: &Plan, unit_bytes: u64) -> String {
    let units = bytes_read(plan).div_ceil(unit_bytes.max(1));
    let (kind, least) = least_units(plan);
    too_few(units, kind, least)
}

fn too_few(units: u64, kind: &str, least: u64) -> String {
    let noun = if units == 1 { "unit" } else { "units" };
    format!("its input is too small to be cut: it makes {units} {noun}, and {kind} is cut from {least} on")
}

/// What a plan is, and from how many units of input on it is cut.
fn least_units(plan: &Plan) -> (&'static str, u64) {
    if holds::<AggregateExec>(plan) { ("an aggregation", AGGREGATION_UNITS) } else { ("a join", JOIN_UNITS) }
}

/// Whether cutting is worth planning once more, under settings that keep rows in their partitions.
fn is_worth_cutting(plan: &Plan, unit_bytes: u64) -> bool {
    bytes_read(plan) >= unit_bytes.saturating_mul(least_units(plan).1)
}

fn joins(plan: &Plan) -> bool {
    holds::<HashJoinExec>(plan)
}

fn holds<T: ExecutionPlan>(plan: &Plan) -> bool {
    plan.is::<T>() || plan.children().into_iter().any(holds::<T>)
}

/// Switches DataFusion's dynamic filters off, each by its own setting: the common one does so only where it is set by name.
const fn no_dynamic_filters(options: &mut OptimizerOptions) {
    options.enable_dynamic_filter_pushdown = false;
    options.enable_join_dynamic_filter_pushdown = false;
    options.enable_topk_dynamic_filter_pushdown = false;
    options.enable_aggregate_dynamic_filter_pushdown = false;
}

/// The session's state under settings that keep every row in the partition of its slice.
fn kept_apart(mut state: SessionState) -> SessionState {
    /// A left side up to this size is given to every unit; a larger one is exchanged by hash.
    const BROADCAST_BYTES: usize = 128 << 20;
    const BROADCAST_ROWS: usize = 4 << 20;
    let options = state.config_mut().options_mut();
    options.execution.enable_file_stream_work_stealing = false;
    options.optimizer.enable_round_robin_repartition = false;
    no_dynamic_filters(&mut options.optimizer);
    options.optimizer.hash_join_single_partition_threshold = BROADCAST_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = BROADCAST_ROWS;
    // Where rows lie spares an exchange only as long as nobody deals the files out anew, as units do.
    if let Some(config) = options.extensions.get_mut::<MilepostConfig>() {
        config.partitioned_reads = false;
    }
    // Two partitions at least, or there is no partial aggregation to keep.
    let two = options.execution.target_partitions.max(2);
    options.execution.target_partitions = two;
    state
}

fn bytes_read(plan: &Plan) -> u64 {
    let mut scans = Vec::new();
    collect_scans(plan, &mut scans);
    let files = scans.iter().flat_map(|scan| &scan.file_groups).flat_map(|group| group.iter());
    files.map(|file| file.effective_size()).sum()
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

/// The result's schema: names and metadata are the query's, types are those of the rows that come. Names may repeat.
pub(super) fn result_schema(plan: &LogicalPlan, running: &dyn ExecutionPlan) -> SchemaRef {
    let (wanted, given) = (plan.schema().as_arrow(), running.schema());
    let fields = wanted.fields().iter().zip(given.fields()).map(|(wanted, given)| {
        let nullable = wanted.is_nullable() || given.is_nullable();
        wanted.as_ref().clone().with_data_type(given.data_type().clone()).with_nullable(nullable)
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), wanted.metadata().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_is_no_units() {
        assert!(too_few(1, "a join", 4).contains("it makes 1 unit, and a join is cut from 4 on"));
        assert!(too_few(2, "a join", 4).contains("it makes 2 units, and"));
    }
}
