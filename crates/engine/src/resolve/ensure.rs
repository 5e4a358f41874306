//! A fresh snapshot for a request: reused where one serves, written where none does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use milepost_store::{CheckpointName, ContentId, Origin, Parent, Snapshot, SnapshotRef, StepOutcome};

use super::outcomes::outcome_line;
use super::prepare::{Prepared, Request, Verdict};
use super::resolver::Resolver;
use crate::catalog::refuse_taken;
use crate::config::{MilepostConfig, OnDamage, Reuse};
use crate::context::Home;
use crate::error::{Error, store_error};
use crate::identity::Determinism;
use crate::job::{Again, Found};
use crate::scan::{ReadBy, damaged, same_names};
use crate::stage::{Stage, StageTimes, UnitCounts, Written};

/// How often a checkpoint that reads itself is looked at before it is left to the commit to refuse it.
const LOOKS: usize = 5;

/// How a checkpoint inside of a query is served.
pub(crate) enum Served {
    /// By a snapshot.
    Snapshot(Box<Ensured>),
    /// By its query, in its place: nothing may be committed.
    InPlace(Box<LogicalPlan>),
}

/// A request that was served.
pub(crate) struct Ensured {
    pub(crate) snapshot: Snapshot,
    pub(crate) outcome: StepOutcome,
    pub(crate) elapsed_ms: u64,
    /// Of a snapshot that was found: what computing it took, less what this took. Of one that was written: what the units took
    /// that were there.
    pub(crate) saved_ms: u64,
    pub(crate) units: UnitCounts,
    /// None when nothing ran.
    pub(crate) ran: Option<Ran>,
}

/// What a stage did.
pub(crate) struct Ran {
    /// The plan, with its metrics.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) times: StageTimes,
}

impl Ensured {
    /// What a job keeps of it; `named` is whether it was asked for by its name.
    pub(crate) fn for_the_job(&self, named: bool) -> Found {
        let snapshot = SnapshotRef { checkpoint: self.snapshot.name.clone(), version: self.snapshot.version };
        Found {
            snapshot,
            named,
            outcome: self.outcome,
            rows: self.snapshot.manifest.rows,
            saved_ms: self.saved_ms,
            times: self.ran.as_ref().map(|ran| ran.times.for_the_job()),
        }
    }
}

impl Resolver<'_> {
    /// Serves the request of a statement, staging what has no fresh snapshot.
    pub(crate) async fn ensure(&self, request: &Request<'_>) -> Result<Ensured> {
        match self.serve(request).await? {
            Served::Snapshot(ensured) => Ok(*ensured),
            Served::InPlace(_) => {
                internal_err!("a statement's own checkpoint was taken for one inside of its query")
            }
        }
    }

    /// Serves a request, staging what has no fresh snapshot.
    pub(crate) fn serve<'f>(&'f self, request: &'f Request<'_>) -> BoxFuture<'f, Result<Served>> {
        Box::pin(async move {
            let started = Instant::now();
            if let Some(name) = &request.name {
                refuse_taken(&self.milepost, self.state, name)?;
            }
            let prepared = self.prepare(request).await?;
            let name = prepared.name.clone();
            let by_name = request.definition.is_some() || prepared.read_version.is_some();
            let query = (!by_name).then_some(prepared.identity.fingerprint);
            let origin = self.milepost.turn.origin(&name, query);
            let mut over = self.milepost.turn.over(&name);
            let fingerprint = prepared.identity.fingerprint;
            let again = self.milepost.turn.again(request.name.as_ref(), &name, fingerprint);
            let as_then = match &again {
                Some(again) => as_it_was(request, &prepared, again).await?,
                None => None,
            };
            let reusable = match &prepared.verdict {
                _ if as_then.is_some() => as_then,
                _ if again.is_some_and(|again| again.is_covered) => return in_place(prepared),
                Verdict::Reuse(snapshot) => Some(snapshot.clone()),
                Verdict::Write(_) => {
                    let before = committed_before(request, &prepared, origin.as_ref()).await?;
                    let before = before.filter(|before| over.is_none_or(|over| before.version > over));
                    let (same, other): (Vec<_>, Vec<_>) =
                        before.into_iter().partition(|before| reads_the_same(before, &prepared));
                    over = over.or_else(|| other.first().map(|other| other.version));
                    same.into_iter().next()
                }
            };
            let ensured = match reusable {
                Some(snapshot) if self.is_whole(request.home, &request.config, &snapshot).await? => {
                    reused(snapshot, started)
                }
                Some(_) => self.write(request, prepared, origin, true, started).await?,
                None => self.write(request, prepared, origin, over.is_some(), started).await?,
            };
            self.milepost.turn.found(ensured.for_the_job(request.name.is_some()));
            self.outcomes.add(outcome_line(&ensured));
            // One without a name may be served by another's snapshot, whose name goes on to mean what it meant.
            if request.home.is(&self.milepost.home) && ensured.snapshot.name == name {
                self.milepost.means_checkpoint(name.as_str());
            }
            Ok(Served::Snapshot(Box::new(ensured)))
        })
    }

    /// Identifies a request. One that reads its own checkpoint is looked at again where that moved on meanwhile: nothing is
    /// computed yet.
    async fn prepare(&self, request: &Request<'_>) -> Result<Prepared> {
        let within = self.making(request.name.as_ref());
        let mut looks = 0;
        loop {
            let resolved = within.resolve_all(request.plan).await?;
            let prepared = Prepared::of(self, request, resolved).await?;
            looks += 1;
            let replayed = self.milepost.turn.as_of(&prepared.name).is_some_and(|as_of| as_of.again());
            if !prepared.moved_on() || replayed || looks == LOOKS {
                return Ok(prepared);
            }
        }
    }

    /// Whether all files of a snapshot are there; where they are not, `on_damage` says whether that is an error.
    pub(crate) async fn is_whole(
        &self,
        home: &Home,
        config: &MilepostConfig,
        snapshot: &Snapshot,
    ) -> Result<bool> {
        match home.check(snapshot, config.verify_reads).await {
            Ok(()) => Ok(true),
            Err(damage) if damage.is_damage() && config.on_damage == OnDamage::Recompute => {
                self.milepost.notify(format!("{damage}; it is computed again"));
                Ok(false)
            }
            Err(error) => Err(damaged(home, snapshot, ReadBy::Query, config.on_damage, error).into()),
        }
    }

    async fn write(
        &self,
        request: &Request<'_>,
        prepared: Prepared,
        origin: Option<Origin>,
        repair: bool,
        started: Instant,
    ) -> Result<Ensured> {
        let report = self.stage(request, prepared, origin, repair).run().await?;
        let elapsed_ms = elapsed(started);
        let outcome = match report.written {
            Written::Here if report.units.reused > 0 => StepOutcome::Resumed,
            Written::Here => StepOutcome::Written,
            Written::Elsewhere => StepOutcome::Adopted,
        };
        Ok(Ensured {
            snapshot: report.snapshot,
            outcome,
            elapsed_ms,
            saved_ms: report.units.saved_ms,
            units: report.units,
            ran: Some(Ran { plan: report.plan, times: report.times }),
        })
    }

    /// The stage that would serve a request.
    pub(super) fn stage<'s>(
        &'s self,
        request: &'s Request<'_>,
        prepared: Prepared,
        origin: Option<Origin>,
        repair: bool,
    ) -> Stage<'s> {
        let replaces = if request.force || repair || request.config.reuse == Reuse::Off {
            prepared.newest.as_ref().map(|s| s.version)
        } else {
            None
        };
        Stage {
            milepost: &self.milepost,
            home: request.home,
            state: self.state,
            name: prepared.name,
            plan: prepared.plan,
            analysed: prepared.analysed,
            identity: prepared.identity,
            config: &request.config,
            options: request.options,
            definition: request.definition.clone(),
            parents: prepared.parents,
            read_version: prepared.read_version,
            replaces,
            origin,
        }
    }
}

/// What the same step of the same run has committed already, before its driver died: a step commits once, although its
/// sources have changed since, and although it is forced or reads what it wrote itself.
async fn committed_before(
    request: &Request<'_>,
    prepared: &Prepared,
    origin: Option<&Origin>,
) -> Result<Option<Snapshot>> {
    let Some(origin) = origin else { return Ok(None) };
    let store = &request.home.store;
    let live = store.live(&prepared.name).await.map_err(store_error)?;
    let Some(ours) = origin.committed(&live) else { return Ok(None) };
    let found = store.snapshot(&prepared.name, ours.version).await.map_err(store_error)?;
    // What a statement has made is its result, whatever its sources look like by now.
    let is_meant = |snapshot: &Snapshot| {
        request.name.is_none() || request.definition.is_some() || same_names(prepared.plan.schema(), snapshot)
    };
    Ok(found.filter(is_meant))
}

/// What the node was when its statement, which is done again for the session, was done first: the same query's result,
/// whatever has become of its sources. Only one that is done again to be recorded anew looks at these.
async fn as_it_was(request: &Request<'_>, prepared: &Prepared, again: &Again) -> Result<Option<Snapshot>> {
    let store = &request.home.store;
    let mut before = 0;
    for SnapshotRef { checkpoint, version } in &again.snapshots {
        // Where one is gone, nobody can tell which node it was, nor which ones those after it were.
        let Some(found) = store.snapshot(checkpoint, *version).await.map_err(store_error)? else { break };
        if found.manifest.identity.fingerprint == prepared.identity.fingerprint {
            if before == again.place {
                return Ok(Some(found));
            }
            before += 1;
        }
    }
    Ok(None)
}

/// What a later step has made or dropped, an earlier one that is done again must not cover.
///
/// # Errors
/// [`Error::JobVersionGone`]: the query gives other rows each time.
fn in_place(prepared: Prepared) -> Result<Served> {
    if matches!(prepared.identity.determinism, Determinism::Volatile(_)) {
        return Err(Error::JobVersionGone { name: prepared.name.to_string() }.into());
    }
    Ok(Served::InPlace(Box::new(prepared.plan)))
}

/// Whether a snapshot was computed from the rows that the request reads now. What it reads of itself is the version before it.
fn reads_the_same(snapshot: &Snapshot, prepared: &Prepared) -> bool {
    let of_others = |parents: &[Parent]| -> BTreeSet<(CheckpointName, ContentId)> {
        let others = parents.iter().filter(|parent| parent.checkpoint != prepared.name);
        others.map(|parent| (parent.checkpoint.clone(), parent.content)).collect()
    };
    of_others(&snapshot.manifest.parents) == of_others(&prepared.parents)
}

fn reused(snapshot: Snapshot, started: Instant) -> Ensured {
    let elapsed_ms = elapsed(started);
    let saved_ms = snapshot.manifest.elapsed_ms.saturating_sub(elapsed_ms);
    Ensured {
        snapshot,
        outcome: StepOutcome::Reused,
        elapsed_ms,
        saved_ms,
        units: UnitCounts::default(),
        ran: None,
    }
}

fn elapsed(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
