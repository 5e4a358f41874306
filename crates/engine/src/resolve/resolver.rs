//! Works bottom-up through the checkpoints of one query.
//!
//! ```text
//! Join                                        Join
//!   Checkpoint: a                               Projection: a.x AS x, …
//!     ┆ Filter                                    TableScan: a            (snapshot 3)
//!     ┆   Checkpoint: b          →              Projection: b.y AS y, …
//!   Checkpoint: b  (the same node)                TableScan: b            (snapshot 7, written once)
//! ```

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, internal_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use futures::future::BoxFuture;
use milepost_store::{CheckpointName, Snapshot};
use parking_lot::Mutex;

use super::damage::mind_damage;
use super::ensure::Served;
use super::freshness::mind_staleness;
use super::outcomes::Outcomes;
use super::prepare::{Prepared, Request, Verdict};
use super::rebind::read_newest;
use crate::context::{Home, Milepost, settings};
use crate::logical::{Checkpoint, NodeId, checkpoints_in, is_checkpoint};
use crate::scan::{named_snapshots_in, scan_as};

/// Whether checkpoints without a fresh snapshot are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They are.
    Stage,
    /// They are reported as [`WouldWrite`].
    Peek,
}

/// A plan whose checkpoints all have snapshots, or the first one that has none.
pub(crate) enum Resolved {
    /// Every checkpoint is a scan now.
    Plan(Box<LogicalPlan>),
    /// In [`Mode::Peek`]: this checkpoint would be written first.
    WouldWrite(String),
}

/// A node, and what its parameters are bound to.
type NodeKey = (NodeId, Vec<Expr>);

/// What stands in the place of a node.
#[derive(Clone)]
enum Instead {
    /// A scan of this snapshot.
    Scan(Snapshot),
    /// The node's own query.
    Query(LogicalPlan),
}

impl Instead {
    fn plan(self, home: &Home, node: &Checkpoint) -> Result<LogicalPlan> {
        match self {
            Self::Scan(snapshot) => scan_as(home, &snapshot, node.input().schema()),
            Self::Query(plan) => Ok(plan),
        }
    }
}

/// Resolves the checkpoints of one query; each distinct node once.
pub(crate) struct Resolver<'a> {
    pub(crate) milepost: Arc<Milepost>,
    pub(crate) state: &'a SessionState,
    pub(crate) mode: Mode,
    /// The checkpoints that are being made. What they read of themselves is their earlier version as it is: to refresh or to
    /// repair it would be to make them first.
    making: Vec<CheckpointName>,
    done: Arc<Mutex<Vec<(NodeKey, Instead)>>>,
    pub(super) outcomes: Outcomes,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(milepost: Arc<Milepost>, state: &'a SessionState, mode: Mode) -> Self {
        Self { milepost, state, mode, making: vec![], done: Arc::default(), outcomes: Outcomes::default() }
    }

    /// For what goes into the checkpoint `name`.
    pub(super) fn making(&self, name: Option<&CheckpointName>) -> Self {
        let (milepost, done) = (Arc::clone(&self.milepost), Arc::clone(&self.done));
        let making = self.making.iter().chain(name).cloned().collect();
        let outcomes = self.outcomes.clone();
        Self { milepost, state: self.state, mode: self.mode, making, done, outcomes }
    }

    /// For a query that is planned under other settings.
    pub(super) fn under<'s>(&self, state: &'s SessionState) -> Resolver<'s> {
        Resolver {
            making: self.making.clone(),
            outcomes: self.outcomes.clone(),
            ..Resolver::new(Arc::clone(&self.milepost), state, self.mode)
        }
    }

    pub(super) fn is_making(&self, name: &CheckpointName) -> bool {
        self.making.contains(name)
    }

    /// Replaces every checkpoint of `plan` by a scan of its snapshot.
    pub(crate) fn resolve<'f>(&'f self, plan: &'f LogicalPlan) -> BoxFuture<'f, Result<Resolved>> {
        Box::pin(async move {
            let moved = read_newest(self, plan).await?;
            let plan = moved.as_ref().unwrap_or(plan);
            let repaired = match self.mode {
                Mode::Stage => mind_damage(self, plan).await?,
                Mode::Peek => None,
            };
            let plan = repaired.as_ref().unwrap_or(plan);
            let refreshed = match self.mode {
                Mode::Stage => mind_staleness(self, plan).await?,
                Mode::Peek => None,
            };
            let plan = refreshed.as_ref().unwrap_or(plan);
            let mut scans: Vec<(Checkpoint, LogicalPlan)> = Vec::new();
            for node in checkpoints_in(plan)? {
                if scans.iter().any(|(seen, _)| *seen == node) {
                    continue;
                }
                match self.node(&node).await? {
                    Ok(instead) => {
                        let plan = instead.plan(&self.milepost.home, &node)?;
                        scans.push((node, plan));
                    }
                    Err(would_write) => return Ok(Resolved::WouldWrite(would_write)),
                }
            }
            let plan = if scans.is_empty() { plan.clone() } else { replace(plan, &scans)? };
            if self.mode == Mode::Stage {
                self.note_reads(&plan)?;
            }
            Ok(Resolved::Plan(Box::new(plan)))
        })
    }

    /// What a step of a job reads by name is what it reads now: planning knew the versions before a repair or a refresh.
    fn note_reads(&self, plan: &LogicalPlan) -> Result<()> {
        for read in named_snapshots_in(plan)? {
            self.milepost.turn.note_read(&read.name, read.version);
        }
        Ok(())
    }

    /// What takes the place of one node, or, when only peeking, a word on why it would be written.
    async fn node(&self, node: &Checkpoint) -> Result<std::result::Result<Instead, String>> {
        let key = (node.id(), node.parameters().to_vec());
        let known =
            self.done.lock().iter().find(|(seen, _)| *seen == key).map(|(_, instead)| instead.clone());
        if let Some(instead) = known {
            return Ok(Ok(instead));
        }
        if let Some(snapshot) = node.pin().and_then(|pin| pin.get().cloned()) {
            self.outcomes.add(format!("{}: read, version {}", snapshot.name, snapshot.version));
            return Ok(Ok(Instead::Scan(snapshot)));
        }
        let instead = match self.mode {
            Mode::Peek => match self.peek_node(node).await? {
                (_, Verdict::Reuse(snapshot)) => Instead::Scan(snapshot),
                (name, Verdict::Write(why)) => {
                    return Ok(Err(format!("{name} would be written: {}", why.join("; "))));
                }
            },
            // A pin makes concurrent readers of one lazy checkpoint wait for the first of them.
            Mode::Stage => match node.pin() {
                Some(pin) => Instead::Scan(pin.get_or_try_init(|| self.pinned_node(node)).await?.clone()),
                None => match self.serve(&self.request(node)?).await? {
                    Served::Snapshot(ensured) => Instead::Scan(ensured.snapshot),
                    Served::InPlace(plan) => Instead::Query(*plan),
                },
            },
        };
        self.done.lock().push((key, instead.clone()));
        Ok(Ok(instead))
    }

    async fn pinned_node(&self, node: &Checkpoint) -> Result<Snapshot> {
        let request = self.request(node)?;
        Ok(self.ensure(&request).await?.snapshot)
    }

    /// What an inline node asks for. Its text is not self-contained (CTEs, parameters), so it has no definition.
    fn request<'n>(&'n self, node: &'n Checkpoint) -> Result<Request<'n>> {
        let config = settings(self.state).with_options(node.options())?;
        Ok(Request {
            home: &self.milepost.home,
            name: node.name().cloned(),
            plan: node.input(),
            definition: None,
            options: node.options(),
            config,
            force: false,
        })
    }

    /// The verdict on a node and the name it goes by, without running anything.
    pub(crate) async fn peek_node(&self, node: &Checkpoint) -> Result<(String, Verdict)> {
        if let Some(snapshot) = node.pin().and_then(|pin| pin.get().cloned()) {
            return Ok((snapshot.name.to_string(), Verdict::Reuse(snapshot)));
        }
        let request = self.request(node)?;
        self.peek(&request).await
    }

    /// The verdict on a request and the name it goes by, without running anything.
    pub(crate) async fn peek(&self, request: &Request<'_>) -> Result<(String, Verdict)> {
        let shown =
            || request.name.as_ref().map_or_else(|| "an unnamed checkpoint".to_string(), ToString::to_string);
        match self.resolve(request.plan).await? {
            Resolved::Plan(plan) => {
                let prepared = Prepared::of(self, request, *plan).await?;
                Ok((prepared.name.to_string(), prepared.verdict))
            }
            Resolved::WouldWrite(inner) => Ok((shown(), Verdict::Write(vec![format!("below it, {inner}")]))),
        }
    }

    /// Replaces every checkpoint; in [`Mode::Stage`] each has a snapshot by then.
    pub(crate) async fn resolve_all(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        match self.resolve(plan).await? {
            Resolved::Plan(plan) => Ok(*plan),
            Resolved::WouldWrite(what) => internal_err!("{what}, and nothing may be written here"),
        }
    }
}

/// Puts scans in the places of their nodes, in the plan and its subqueries.
pub(super) fn replace(plan: &LogicalPlan, scans: &[(Checkpoint, LogicalPlan)]) -> Result<LogicalPlan> {
    let replaced = plan.clone().transform_up_with_subqueries(|node| {
        let scan = is_checkpoint(&node).and_then(|found| scans.iter().find(|(seen, _)| seen == found));
        Ok(match scan {
            Some((_, scan)) => Transformed::yes(scan.clone()),
            None => Transformed::no(node),
        })
    })?;
    Ok(replaced.data)
}
