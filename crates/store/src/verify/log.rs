//! Every entry of a log: whole, in its place, and following the one before it.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::finding::Problem;
use super::report::Damage;
use super::run::Verifier;
use crate::ids::{CheckpointName, Checksum, Slot, Version};
use crate::index::{Hints, LostCommit};
use crate::log::{Entry, Log, LogBody, LogState, StoredEntry, StoredRecord};
use crate::store::REQUESTS;

/// What was found on the way through a log.
pub(super) struct Walk {
    /// The newest slot that has an entry.
    listed: Option<Slot>,
    /// The newest slot that has an entry, or had one.
    newest: Option<Slot>,
    /// The slot and the checksum of the last entry that could be read.
    last: Option<(Slot, Checksum)>,
    pub(super) problems: Vec<(Slot, Problem)>,
}

/// What the log of a checkpoint says, as far as it can be read.
#[derive(Default)]
pub(super) struct Told {
    /// What is there, by the last entry that can be read.
    pub(super) state: LogState,
    /// The commits of what is there.
    pub(super) commits: BTreeMap<Slot, Entry<StoredRecord>>,
}

impl Told {
    fn take(&mut self, entry: Entry<StoredRecord>) {
        self.state = entry.body.state.clone();
        if matches!(entry.body.entry, StoredEntry::Commit { .. }) {
            self.commits.insert(entry.slot, entry);
        }
        let live = &self.state.live;
        self.commits.retain(|slot, _| live.iter().any(|version| version.slot == *slot));
    }
}

impl Verifier<'_> {
    /// Reads the whole log of a checkpoint; `None` if there is none, and none was lost by all that `hints` tell.
    pub(super) async fn verify_log(&self, name: &CheckpointName, hints: &Hints) -> Option<Told> {
        let log = self.store.inner.log(name);
        let mut told = Told::default();
        let mut walk = self.walk(&log, Some(name), |entry| told.take(entry)).await?;
        let lost = self.lost_commits(name, hints, told.state.last_version).await;
        walk.miss(&lost);
        if !walk.is_started() {
            return None;
        }
        for (slot, problem) in walk.problems {
            let mut versions = versions_of(&told.state, slot, walk.newest);
            versions.extend(lost.iter().filter(|lost| lost.slot == slot).map(|lost| lost.version));
            self.note(log.path(slot), problem, Some(name), &versions);
        }
        Some(told)
    }

    /// Reads a whole log, and gives every entry that can be read to `seen`, in order; `None` if it cannot be listed.
    pub(super) async fn walk<B: LogBody>(
        &self,
        log: &Log<B>,
        name: Option<&CheckpointName>,
        mut seen: impl FnMut(Entry<B>),
    ) -> Option<Walk> {
        // The hint is written after its entry, and read before the listing. Where it leads beyond the end, entries are missing
        // there.
        let hint = log.hint().await;
        let sizes = self.list_entries(log, name).await?;
        let listed = sizes.last_key_value().map(|(slot, _)| *slot);
        let lost = match hint {
            Ok(Some(hint)) if hint.proven && listed.is_none_or(|listed| listed < hint.slot) => {
                Some(hint.slot)
            }
            _ => None,
        };
        let problems = lost.map(|lost| (lost, Problem::missing("a log entry"))).into_iter().collect();
        let mut walk = Walk { listed, newest: listed.max(lost), last: None, problems };
        // A listing that runs beside appends may miss an earlier entry: look at every slot.
        let slots = listed.map_or(0, |listed| listed.next().0);
        let mut reads = futures::stream::iter((0..slots).map(Slot))
            .map(|slot| {
                let log = log.clone();
                async move { (slot, log.read(slot).await) }
            })
            .buffered(REQUESTS);
        while let Some((slot, read)) = reads.next().await {
            self.count(|checked| checked.entries += 1);
            self.add_bytes(sizes.get(&slot).copied().unwrap_or(0));
            match read {
                Ok(Some(entry)) => {
                    walk.step(&entry);
                    seen(entry);
                }
                Ok(None) => walk.problems.push((slot, Problem::missing("a log entry"))),
                Err(error) => {
                    let problem = self.problem_of(&log.path(slot), error).await;
                    walk.problems.push((slot, problem));
                }
            }
        }
        Some(walk)
    }

    /// The entries by a listing, with their sizes. What is no entry is noted.
    async fn list_entries<B: LogBody>(
        &self,
        log: &Log<B>,
        name: Option<&CheckpointName>,
    ) -> Option<BTreeMap<Slot, u64>> {
        let directory = log.directory();
        let listed: Result<Vec<_>, _> = self.store.inner.objects.list(Some(directory)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(source) => {
                self.note(directory, Problem::storage("a log", &source), name, &[]);
                return None;
            }
        };
        let mut sizes = BTreeMap::new();
        for meta in listed {
            match log.slot_of(&meta.location) {
                Ok(slot) => {
                    sizes.insert(slot, meta.size);
                }
                Err(_) => {
                    let problem = Problem::new(Damage::Foreign, "a log entry's name", "another name");
                    self.note(&meta.location, problem, name, &[]);
                }
            }
        }
        Some(sizes)
    }
}

impl Walk {
    /// Whether there is, or was, an entry.
    pub(super) fn is_started(&self) -> bool {
        self.newest.is_some()
    }

    /// Takes in the commits that the log must have had. Of an entry that cannot be read the walk has told.
    fn miss(&mut self, lost: &[LostCommit]) {
        for LostCommit { version, slot, hint } in lost {
            self.newest = self.newest.max(Some(*slot));
            if self.problems.iter().any(|(known, _)| known == slot) {
                continue;
            }
            let expected = format!(
                "the commit of version {version}, which was written as {hint} says: put it back from a backup, or give the \
                 version up by removing that hint"
            );
            let problem = if Some(*slot) > self.listed {
                Problem::missing(expected)
            } else {
                Problem::new(Damage::Foreign, expected, "an entry of another history")
            };
            self.problems.push((*slot, problem));
        }
    }

    fn step<B>(&mut self, entry: &Entry<B>) {
        let before = entry.slot.0.checked_sub(1).map(Slot);
        match (self.last, before) {
            (Some((slot, checksum)), Some(before)) if slot == before && entry.previous != Some(checksum) => {
                let expected = format!("the entry that entry {} follows", entry.slot);
                let problem = Problem::new(Damage::OutOfChain, expected, format!("checksum {checksum}"));
                self.problems.push((slot, problem));
            }
            (None, None) if entry.previous.is_some() => {
                let problem = Problem::new(Damage::OutOfChain, "a first entry", "one that follows another");
                self.problems.push((entry.slot, problem));
            }
            _ => {}
        }
        self.last = Some((entry.slot, entry.checksum));
    }
}

/// The versions that need an entry: the one that it committed, and all of them if it is the newest.
fn versions_of(state: &LogState, slot: Slot, newest: Option<Slot>) -> Vec<Version> {
    let needs = |live_slot: Slot| slot == live_slot || Some(slot) == newest;
    state.live.iter().filter(|live| needs(live.slot)).map(|live| live.version).collect()
}
