//! What a stage runs: a physical plan, cut into units where that is safe.

use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning, displayable};
use milepost_store::{CheckpointName, Digest, UnitPlan};

use super::order::{RowOrder, ends_in_sort};
use super::partial::partial_aggregate;
use super::planning::result_schema;
use super::purity::{Plan, Reason, driving_scan, shared_scans, with_driving_scan};
use super::slices::{Slices, without_files};
use crate::buckets::Buckets;
use crate::error::Error;

/// What a stage runs.
pub(super) struct Work {
    /// Each partition is a unit.
    pub(super) plan: Plan,
    /// What the units of an aggregation leave to be done, built on top of [`Self::plan`].
    pub(super) rest: Option<Rest>,
    /// The pieces of input behind the units, if they were cut.
    pub(super) slices: Option<Slices>,
    pub(super) unit_plan: UnitPlan,
    /// The order of the snapshot's rows.
    pub(super) order: RowOrder,
    /// What the snapshot's rows are dealt out to.
    pub(super) buckets: Option<Buckets>,
    /// How many units run side by side.
    pub(super) side_by_side: usize,
    pub(super) context: Arc<TaskContext>,
}

/// What the statement asks of the files.
pub(super) struct Layout<'a> {
    pub(super) name: CheckpointName,
    pub(super) partition_by: &'a [String],
    /// As many as the session that reads them runs side by side.
    pub(super) buckets: usize,
}

impl Layout<'_> {
    /// The buckets for the rows of `running`.
    ///
    /// # Errors
    /// They cannot be had for the columns that are named, or the query asks for an order.
    fn buckets(&self, asked: &LogicalPlan, running: &dyn ExecutionPlan) -> Result<Option<Buckets>> {
        let buckets = Buckets::by(&result_schema(asked, running), self.partition_by, self.buckets)?;
        if buckets.is_some() && ends_in_sort(asked) {
            return Err(Error::PartitionedOrder { name: self.name.to_string() }.into());
        }
        Ok(buckets)
    }
}

/// The plan that finishes what units began.
pub(super) struct Rest {
    /// The whole plan.
    pub(super) whole: Plan,
    /// The part of it that the units did.
    pub(super) done: Plan,
}

impl Work {
    /// The scan behind the slices.
    pub(super) fn driving_scan(&self) -> Result<&FileScanConfig> {
        scan_of(&self.plan, self.rest.is_some())
    }

    /// The scans that every unit reads besides its slice.
    pub(super) fn shared_scans(&self) -> Vec<&FileScanConfig> {
        let input =
            if self.rest.is_some() { self.plan.children().first().copied() } else { Some(&self.plan) };
        input.map(shared_scans).unwrap_or_default()
    }

    /// The plan that gives the snapshot's rows.
    pub(super) fn result(&self) -> &Plan {
        self.rest.as_ref().map_or(&self.plan, |rest| &rest.whole)
    }

    /// One unit for each partition; none of them means anything without the others.
    pub(super) fn whole(
        asked: &LogicalPlan,
        plan: Plan,
        reason: Reason,
        layout: &Layout<'_>,
        context: Arc<TaskContext>,
    ) -> Result<Self> {
        let target = context.session_config().target_partitions();
        let buckets = layout.buckets(asked, plan.as_ref())?;
        let plan = match &buckets {
            Some(buckets) => buckets.exchange(plan)?,
            None => plan,
        };
        let plan = bound_partitions(plan, target)?;
        let order = if buckets.is_some() { RowOrder::none() } else { RowOrder::of(asked, plan.as_ref()) };
        let partitions = plan.output_partitioning().partition_count();
        let unit_plan = UnitPlan {
            units: (0..partitions).map(|partition| serde_json::json!({ "partition": partition })).collect(),
            plan_hash: plan_hash(plan.as_ref()),
            pure: false,
            reason,
        };
        let side_by_side = partitions;
        Ok(Self { plan, rest: None, slices: None, unit_plan, order, buckets, side_by_side, context })
    }

    /// One unit for each slice of the driving scan.
    ///
    /// # Errors
    /// The outer one: DataFusion cannot rebuild the plan. The inner one: the plan cannot be cut, for this reason.
    pub(super) async fn sliced(
        asked: &LogicalPlan,
        plan: &Plan,
        unit_bytes: u64,
        layout: &Layout<'_>,
        context: Arc<TaskContext>,
    ) -> Result<std::result::Result<Self, Reason>> {
        let (done, scan) = match driving_scan(plan) {
            Ok(scan) => (plan, scan),
            Err(reason) => match partial_aggregate(plan)
                .and_then(|partial| Ok((partial, driving_scan(first_child(partial)?)?)))
            {
                Ok(cut) => cut,
                // The whole plan's reason names the operator that is nearest to the reader.
                Err(_) => return Ok(Err(reason)),
            },
        };
        let slices = match Slices::cut(scan, unit_bytes, &context).await {
            Ok(slices) => slices,
            Err(reason) => return Ok(Err(reason)),
        };
        let rest =
            (!Arc::ptr_eq(done, plan)).then(|| Rest { whole: Arc::clone(plan), done: Arc::clone(done) });
        let buckets = layout.buckets(asked, plan.as_ref())?;
        let template = replace_scan(done, &without_files(scan), rest.is_some())?;
        let reason = match &rest {
            None => "every row comes from one slice of one scan",
            Some(_) => "every partial aggregate comes from one slice of one scan",
        };
        let unit_plan = UnitPlan {
            units: slices.to_json(),
            plan_hash: match &buckets {
                Some(buckets) if rest.is_none() => dealt_out(template.as_ref(), buckets)?,
                _ => plan_hash(template.as_ref()),
            },
            pure: true,
            reason: reason.to_string(),
        };
        // Slices follow each other as the rows do, so what is one sequence stays one.
        let order = if buckets.is_some() { RowOrder::none() } else { RowOrder::of(asked, plan.as_ref()) };
        let plan = replace_scan(done, &slices.scan(scan), rest.is_some())?;
        let side_by_side = context.session_config().target_partitions();
        let slices = Some(slices);
        Ok(Ok(Self { plan, rest, slices, unit_plan, order, buckets, side_by_side, context }))
    }

    /// The same work in the slices of another attempt, if they cover the same files.
    pub(super) fn in_slices_of(&self, other: &UnitPlan) -> Result<Option<Self>> {
        let Some(slices) =
            self.slices.as_ref().filter(|_| other.pure && other.plan_hash == self.unit_plan.plan_hash)
        else {
            return Ok(None);
        };
        let Some(slices) = slices.like(&other.units) else { return Ok(None) };
        let aggregates = self.rest.is_some();
        let scan = self.driving_scan()?;
        let plan = replace_scan(&self.plan, &slices.scan(scan), aggregates)?;
        let rest = self
            .rest
            .as_ref()
            .map(|rest| Rest { whole: Arc::clone(&rest.whole), done: Arc::clone(&rest.done) });
        Ok(Some(Self {
            plan,
            rest,
            slices: Some(slices),
            unit_plan: other.clone(),
            order: self.order.clone(),
            buckets: self.buckets.clone(),
            side_by_side: self.side_by_side,
            context: Arc::clone(&self.context),
        }))
    }
}

fn first_child(plan: &Plan) -> std::result::Result<&Plan, Reason> {
    plan.children().first().copied().ok_or_else(|| "it has no input".to_string())
}

fn scan_of(plan: &Plan, below_aggregate: bool) -> Result<&FileScanConfig> {
    let lost = |reason| internal_datafusion_err!("a plan that was cut cannot be cut again: {reason}");
    let input = if below_aggregate { first_child(plan).map_err(lost)? } else { plan };
    driving_scan(input).map_err(lost)
}

fn replace_scan(plan: &Plan, scan: &Plan, below_aggregate: bool) -> Result<Plan> {
    if !below_aggregate {
        return with_driving_scan(plan, scan);
    }
    let input = first_child(plan).map_err(|reason| internal_datafusion_err!("{reason}"))?;
    replace_children_if_necessary(Arc::clone(plan), vec![with_driving_scan(input, scan)?])
}

/// Bounds the number of writers that run side by side: a union of a hundred tables has hundreds of partitions, and each
/// writer holds a row group in memory. An ordered plan is left alone; dealing out its rows would lose the order.
fn bound_partitions(plan: Plan, target: usize) -> Result<Plan> {
    let target = target.max(1);
    if plan.output_partitioning().partition_count() <= 2 * target || plan.output_ordering().is_some() {
        return Ok(plan);
    }
    Ok(Arc::new(RepartitionExec::try_new(plan, Partitioning::RoundRobinBatch(target))?))
}

fn plan_hash(plan: &dyn ExecutionPlan) -> Digest {
    let shown = displayable(plan).indent(true).to_string();
    Digest::from_bytes(*blake3::hash(shown.as_bytes()).as_bytes())
}

/// The hash of a plan whose units deal their rows out: units of another key, count or function are other units.
fn dealt_out(plan: &dyn ExecutionPlan, buckets: &Buckets) -> Result<Digest> {
    let to = buckets.to_manifest(&plan.schema())?;
    let (columns, count, function, probe) = (to.columns, to.buckets, to.function, to.probe);
    let all = format!("{}\n{columns:?} {count} {function} {probe}", plan_hash(plan));
    Ok(Digest::from_bytes(*blake3::hash(all.as_bytes()).as_bytes()))
}
