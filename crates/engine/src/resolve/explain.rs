//! EXPLAIN says for every checkpoint whether it would be written or reused, and why; it never runs a stage.

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Explain, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};

use super::freshness::to_refresh;
use super::prepare::{Prepared, Request, Verdict};
use super::resolver::{Mode, Resolved, Resolver, replace};
use crate::context::Milepost;
use crate::logical::{Checkpoint, CheckpointDisplay, DisplayPlanner, checkpoints_in};
use crate::scan::scan_as;
use futures::future::BoxFuture;

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

/// The physical plan of an EXPLAIN whose plan holds checkpoints.
pub(super) async fn explained(
    explain: &Explain,
    state: &SessionState,
    milepost: Arc<Milepost>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let resolver = Resolver::new(milepost, state, Mode::Peek);
    let shown = displayed(&resolver, &explain.plan).await?;
    let explain = Explain { plan: Arc::new(state.optimize(&shown)?), ..explain.clone() };
    DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(DisplayPlanner)])
        .create_physical_plan(&LogicalPlan::Explain(explain), state)
        .await
}

/// The plan with each checkpoint shown as its verdict over what would run.
fn displayed<'f>(resolver: &'f Resolver<'_>, plan: &'f LogicalPlan) -> BoxFuture<'f, Result<LogicalPlan>> {
    Box::pin(async move {
        let mut shown: Vec<(Checkpoint, LogicalPlan)> = Vec::new();
        for node in checkpoints_in(plan)? {
            if shown.iter().any(|(seen, _)| *seen == node) {
                continue;
            }
            let (name, verdict) = resolver.peek_node(&node).await?;
            let label = label(&name, &verdict);
            let display = match &verdict {
                Verdict::Reuse(snapshot) => {
                    let scan = scan_as(&resolver.milepost.home, snapshot, node.input().schema())?;
                    CheckpointDisplay::reused(label, scan)
                }
                Verdict::Write(_) => {
                    let subplan = resolver.state.optimize(node.input())?;
                    CheckpointDisplay::written(label, displayed(resolver, &subplan).await?)
                }
            };
            shown.push((node, display));
        }
        replace(plan, &shown)
    })
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
        return Ok(vec![said(&Verdict::Write(vec![format!("{} is stale and refreshed first", stale.name)]))]);
    }
    let prepared = Prepared::of(&resolver, request, plan).await?;
    let mut shown = vec![said(&prepared.verdict)];
    if let Verdict::Write(_) = prepared.verdict {
        shown.push(("units".to_string(), resolver.stage(request, prepared, None, false).preview().await?));
    }
    Ok(shown)
}
