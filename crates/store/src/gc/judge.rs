//! What may go, and what stays and why. No requests are made here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{Claim, History};
use super::survey::{Directory, Found, Survey};
use super::{AbandonReason, GcOptions, KeptReason, StoreTime};
use crate::ids::{AttemptId, Signature, Version};
use crate::layout::AttemptObject;

/// What is known of an attempt by its record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    pub(super) began_at: u64,
    pub(super) signature: Signature,
    /// Whether its owner's process is seen to live on this host.
    pub(super) held: bool,
}

/// What is known of an attempt's begin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// Its record says it.
    Recorded(Begun),
    /// It has no record, or none any more.
    Unrecorded,
    /// Its record is damaged: only what the log says of it by its name is certain.
    Damaged,
}

impl Begin {
    pub(super) fn recorded(self) -> Option<Begun> {
        match self {
            Self::Recorded(begun) => Some(begun),
            Self::Unrecorded | Self::Damaged => None,
        }
    }
}

/// The begins of the attempts that are there.
pub(super) type Records = BTreeMap<AttemptId, Begin>;

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It committed a snapshot that is there, and nothing of it is surplus: it is left alone.
    Live,
    /// It is open, and stays so.
    Open(KeptReason),
    /// It is open, and is to be closed.
    ToClose(AbandonReason),
    /// It is closed since then.
    Closed(StoreTime),
}

/// How every attempt stands.
pub(super) fn standings(
    survey: &Survey,
    records: &Records,
    history: &History,
    options: &GcOptions,
    now: StoreTime,
) -> BTreeMap<AttemptId, Standing> {
    let judged = survey.attempts.iter().filter_map(|(attempt, directory)| {
        let begin = records.get(attempt)?;
        Some((*attempt, standing(*attempt, directory, *begin, history, options, now)))
    });
    let mut standings: BTreeMap<_, _> = judged.collect();
    hold_back_adoptable(&mut standings, records);
    standings
}

fn standing(
    attempt: AttemptId,
    directory: &Directory,
    begin: Begin,
    history: &History,
    options: &GcOptions,
    now: StoreTime,
) -> Standing {
    if let Some(at) = history.closed(attempt, begin.recorded().map(|begun| begun.began_at)) {
        return Standing::Closed(at);
    }
    match history.committed(attempt) {
        Some((_, true)) if matches!(begin, Begin::Damaged) => return Standing::Live,
        Some((version, true)) => return live(version, directory, history, options, now),
        // It has ended, so nobody needs to be proven dead: others could never use its units.
        Some((version, false)) => return Standing::ToClose(AbandonReason::Dropped(version)),
        // Nothing tells what its units are worth to others, and a log that is silent proves nothing.
        None if matches!(begin, Begin::Damaged) => return Standing::Open(KeptReason::Unreadable),
        None => {}
    }
    // A process that lives may be too busy, or stopped, to write a heartbeat.
    let held = begin.recorded().is_some_and(|begun| begun.held);
    let last = directory.last_sign().filter(|_| !held).unwrap_or(now);
    let silent = now.since(last);
    if silent < options.death {
        return Standing::Open(KeptReason::Alive { until: last.after(options.death) });
    }
    Standing::ToClose(AbandonReason::Silent(silent))
}

/// An attempt whose snapshot is there. What the snapshot does not name (states of an aggregation, files of a twin that lost,
/// lists of a commit that was turned away) can go once the attempt is closed, and it is closed when its commit is so old
/// that nobody is at work on it any more.
fn live(
    version: Version,
    directory: &Directory,
    history: &History,
    options: &GcOptions,
    now: StoreTime,
) -> Standing {
    let of_snapshots = |found: &&Found| matches!(found.kind, AttemptObject::Data(_) | AttemptObject::Side);
    let mut files = directory.objects.iter().filter(of_snapshots);
    let unnamed = files.any(|found| history.file(&found.relative).is_none());
    let old = directory.last_sign().is_some_and(|last| now.since(last) >= options.grace);
    if unnamed && old { Standing::ToClose(AbandonReason::Surplus(version)) } else { Standing::Live }
}

/// A silent attempt is left open while a living one at the same result may be using its units: closing it would make
/// that one compute them again.
fn hold_back_adoptable(standings: &mut BTreeMap<AttemptId, Standing>, records: &Records) {
    let signature = |attempt: &AttemptId| {
        records.get(attempt).and_then(|begin| begin.recorded()).map(|begun| begun.signature)
    };
    let living: BTreeMap<Signature, AttemptId> = standings
        .iter()
        .filter(|(_, standing)| matches!(standing, Standing::Open(_)))
        .filter_map(|(attempt, _)| Some((signature(attempt)?, *attempt)))
        .collect();
    for (attempt, standing) in standings.iter_mut() {
        let silent = matches!(standing, Standing::ToClose(AbandonReason::Silent(_)));
        if let Some(by) = signature(attempt).and_then(|signature| living.get(&signature)).filter(|_| silent) {
            *standing = Standing::Open(KeptReason::MayBeAdopted { by: *by });
        }
    }
}

/// Whether an object of an attempt that is closed since `closed` stays, and why.
///
/// `attempt.json` is left to the end: see [`record_stays`].
pub(super) fn object_stays(
    attempt: AttemptId,
    closed: StoreTime,
    found: &Found,
    history: &History,
    grace: Duration,
    now: StoreTime,
) -> Option<KeptReason> {
    let by_claim = |claim| claim_stays(claim, closed, grace, now);
    match found.kind {
        AttemptObject::Data(_) | AttemptObject::Side => by_claim(history.file(&found.relative)),
        AttemptObject::Receipt(unit) => match history.unit(attempt, unit) {
            None => by_claim(None),
            claim => by_claim(claim).map(|_| KeptReason::Describes),
        },
        AttemptObject::Record => Some(KeptReason::Describes),
        AttemptObject::Heartbeat | AttemptObject::Lock => by_claim(None),
    }
}

/// Whether the record of a closed attempt must stay although nothing of ours would be left beside it.
pub(super) fn record_stays(
    attempt: AttemptId,
    closed: StoreTime,
    history: &History,
    grace: Duration,
    now: StoreTime,
) -> bool {
    claim_stays(history.owner(attempt), closed, grace, now).is_some()
}

/// What nothing names was freed by the close; what was named, by the last of the drops.
fn claim_stays(
    claim: Option<Claim>,
    closed: StoreTime,
    grace: Duration,
    now: StoreTime,
) -> Option<KeptReason> {
    let freed = match claim {
        Some(Claim::Live(version)) => return Some(KeptReason::NamedBy(version)),
        Some(Claim::Freed(at)) => at,
        None => closed,
    };
    (now.since(freed) < grace).then(|| KeptReason::Grace { until: freed.after(grace) })
}
