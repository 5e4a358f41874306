//! EXPLAIN says for every checkpoint whether it would be written or reused, and why, and of those that are read by name
//! whether they are fresh; it never runs a stage.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{Explain, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use futures::future::BoxFuture;
use milepost_store::Snapshot;

use super::freshness::{Freshness, Judge, to_refresh};
use super::join_order::by_measured_sizes;
use super::planner::{optimise, optimise_again, optimise_analysed};
use super::prepare::{Prepared, Request, Verdict};
use super::rebind::read_newest;
use super::resolver::{Mode, Resolved, Resolver, replace};
use super::safely::plan_safely;
use super::serve::serve;
use crate::config::OnStale;
use crate::context::{Milepost, settings};
use crate::logical::{Checkpoint, CheckpointDisplay, DisplayPlanner, checkpoints_in, released_queries};
use crate::scan::{SnapshotTable, named_snapshots_in, scan_as, snapshots_in};

/// The sentence that EXPLAIN shows for a checkpoint.
pub(crate) fn label(name: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Reuse(snapshot) if snapshot.name.as_str() == name => {
            format!("{name}: reused, version {} is fresh", snapshot.version)
        }
        Verdict::Reuse(snapshot) => {
            format!("{name}: reused, the same result is version {} of {}", snapshot.version, snapshot.name)
        }
        Verdict::Write(why) if why.is_empty() => format!("{name}: written"),
        Verdict::Write(why) => format!("{name}: written, {}", why.join("; ")),
    }
}

/// The sentence that EXPLAIN shows for a snapshot that is read by its checkpoint's name.
fn label_of_read(snapshot: &Snapshot, freshness: &Freshness, policy: OnStale) -> String {
    let Snapshot { name, version, .. } = snapshot;
    match freshness {
        Freshness::Fresh => format!("{name}: read, version {version} is fresh"),
        Freshness::Stale { why, .. } => {
            let then = match policy {
                OnStale::Warn | OnStale::Use => "",
                OnStale::Refresh => "; it would be refreshed first",
                OnStale::Error => "; the query would fail, since milepost.on_stale is error",
            };
            format!("{name}: read, version {version} is stale, {}{then}", why.join("; "))
        }
        Freshness::Unknown(why) => {
            format!("{name}: read, nobody can tell whether version {version} is fresh, {why}")
        }
    }
}

/// The physical plan of an EXPLAIN whose plan holds checkpoints.
pub(super) async fn explained(
    explain: &Explain,
    state: &SessionState,
    milepost: Arc<Milepost>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let resolver = Resolver::new(milepost, state, Mode::Peek);
    let released = released_queries(&explain.plan)?;
    let is_held = released.is_some();
    let asked = released.unwrap_or_else(|| LogicalPlan::clone(&explain.plan));
    let asked = read_newest(&resolver, &asked).await?.unwrap_or(asked);
    let shown = displayed(&resolver, &asked).await?;
    let served = if is_held { serve(&resolver, &shown, display_served).await? } else { None };
    let plan = match served {
        Some(analysed) => optimise_analysed(state, analysed)?,
        None if is_held => optimise(state, &shown)?,
        None => optimise_again(state, &shown)?,
    };
    let planner: Arc<dyn QueryPlanner + Send + Sync> = Arc::new(ShownPlanner);
    let plan = by_measured_sizes(&plan, state, &planner).await?.unwrap_or(plan);
    let explain = Explain { plan: Arc::new(plan), ..explain.clone() };
    plan_safely(&planner, &LogicalPlan::Explain(explain), state).await
}

/// Plans what EXPLAIN shows.
#[derive(Debug)]
struct ShownPlanner;

#[async_trait]
impl QueryPlanner for ShownPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(DisplayPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

fn display_served(by: &Snapshot, scan: LogicalPlan) -> LogicalPlan {
    let label = format!("{}: reused, version {} holds this part of the query", by.name, by.version);
    CheckpointDisplay::reused(label, scan)
}

/// The plan with each checkpoint shown as its verdict over what would run.
fn displayed<'f>(resolver: &'f Resolver<'_>, plan: &'f LogicalPlan) -> BoxFuture<'f, Result<LogicalPlan>> {
    Box::pin(async move {
        let plan = reads_displayed(resolver, plan).await?;
        let mut shown: Vec<(Checkpoint, LogicalPlan)> = Vec::new();
        for node in checkpoints_in(&plan)? {
            if shown.iter().any(|(seen, _)| *seen == node) {
                continue;
            }
            let (name, verdict) = verdict_on(resolver, &node).await?;
            let label = label(&name, &verdict);
            let display = match &verdict {
                Verdict::Reuse(snapshot) => {
                    let scan = scan_as(&resolver.milepost.home, snapshot, node.input().schema())?;
                    CheckpointDisplay::reused(label, scan)
                }
                Verdict::Write(_) => {
                    let subplan = optimise(resolver.state, node.input())?;
                    CheckpointDisplay::written(label, displayed(resolver, &subplan).await?)
                }
            };
            shown.push((node, display));
        }
        replace(&plan, &shown)
    })
}

/// As [`Resolver::peek_node`], where `on_stale` may want what the node reads refreshed first.
async fn verdict_on(resolver: &Resolver<'_>, node: &Checkpoint) -> Result<(String, Verdict)> {
    if settings(resolver.state).on_stale == OnStale::Refresh
        && let Some(stale) = to_refresh(&resolver.making(node.name()), node.input()).await?.first()
    {
        let name = node.name().map_or_else(|| "an unnamed checkpoint".to_string(), ToString::to_string);
        return Ok((name, refreshed_first(stale)));
    }
    resolver.peek_node(node).await
}

fn refreshed_first(stale: &Snapshot) -> Verdict {
    Verdict::Write(vec![format!("{} is stale and refreshed first", stale.name)])
}

/// The plan with what is known of each snapshot that it reads by name or number.
async fn reads_displayed(resolver: &Resolver<'_>, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let policy = settings(resolver.state).on_stale;
    let judge = Judge::new(Arc::clone(&resolver.milepost), resolver.state);
    if snapshots_in(plan)?.is_empty() {
        return Ok(plan.clone());
    }
    let mut labels = Vec::new();
    for snapshot in named_snapshots_in(plan)? {
        let freshness = judge.judge(&snapshot).await?;
        let label = label_of_read(&snapshot, &freshness, policy);
        labels.push((snapshot, label));
    }
    let shown = plan.clone().transform_up_with_subqueries(|node| {
        let Some((snapshot, is_named)) = read_by(&node)? else { return Ok(Transformed::no(node)) };
        let known = labels.iter().find(|(of, _)| of.name == snapshot.name && of.version == snapshot.version);
        let label = match known {
            Some((_, label)) if is_named => label.clone(),
            _ => format!("{}: read, version {}", snapshot.name, snapshot.version),
        };
        Ok(Transformed::yes(with_expressions(CheckpointDisplay::reused(label, node))?))
    })?;
    Ok(shown.data)
}

/// The snapshot that a scan reads, and whether its checkpoint's name stands in the query.
fn read_by(node: &LogicalPlan) -> Result<Option<(Snapshot, bool)>> {
    let LogicalPlan::TableScan(scan) = node else { return Ok(None) };
    let Ok(provider) = source_as_provider(&scan.source) else { return Ok(None) };
    let table = provider.downcast_ref::<SnapshotTable>();
    Ok(table.map(|table| (table.snapshot().clone(), table.is_named())))
}

/// The optimizer asks the root of an `IN` subquery for its one expression.
fn with_expressions(shown: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = shown.schema().columns().into_iter().map(Expr::Column).collect();
    if columns.len() == 1 { LogicalPlanBuilder::from(shown).project(columns)?.build() } else { Ok(shown) }
}

/// What `EXPLAIN CHECKPOINT` says before the plan: the verdict, and, where something would run, into what units it is cut.
pub(crate) async fn explain_checkpoint(
    milepost: Arc<Milepost>,
    state: &SessionState,
    request: &Request<'_>,
) -> Result<Vec<(String, String)>> {
    let Some(name) = &request.name else { return internal_err!("EXPLAIN CHECKPOINT without a name") };
    let resolver = Resolver::new(milepost, state, Mode::Peek);
    let said = |verdict| ("checkpoint".to_string(), label(name.as_str(), verdict));
    let plan = match resolver.making(request.name.as_ref()).resolve(request.plan).await? {
        Resolved::Plan(plan) => *plan,
        Resolved::WouldWrite(inner) => {
            return Ok(vec![said(&Verdict::Write(vec![format!("below it, {inner}")]))]);
        }
    };
    // As the statement itself would, this fails or leaves a notice where stale checkpoints are read.
    if let Some(stale) = to_refresh(&resolver.making(Some(name)), &plan).await?.first() {
        return Ok(vec![said(&refreshed_first(stale))]);
    }
    let prepared = Prepared::of(&resolver, request, plan).await?;
    let mut shown = vec![said(&prepared.verdict)];
    if let Verdict::Write(_) = prepared.verdict {
        shown.push(("units".to_string(), resolver.stage(request, prepared, None, false).preview().await?));
    }
    Ok(shown)
}
