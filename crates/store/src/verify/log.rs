//! Every entry of a log: whole, in its place, and following the one before it.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::finding::Problem;
use super::report::Damage;
use super::run::Verifier;
use crate::error::Error;
use crate::ids::{CheckpointName, Checksum, Slot, Version};
use crate::log::{Entry, LogState, StoredRecord};
use crate::store::REQUESTS;

/// What was found on the way through a log.
#[derive(Default)]
struct Walk {
    /// The slot and the checksum of the last entry that could be read.
    last: Option<(Slot, Checksum)>,
    /// What is there after it.
    state: LogState,
    problems: Vec<(Slot, Problem)>,
}

impl Verifier<'_> {
    /// Reads a whole log. Gives what is there, by the last entry that can be read; `None` if there is no log.
    pub(super) async fn verify_log(&self, name: &CheckpointName) -> Option<LogState> {
        let sizes = self.list_entries(name).await?;
        let newest = *sizes.last_key_value()?.0;
        let log = self.store.inner.log(name);
        let mut walk = Walk::default();
        // The hint is written after its entry. Where it leads beyond the end, entries are missing there.
        if let Ok(Some(hint)) = log.hint().await
            && hint > newest
        {
            walk.problems.push((hint, Problem::missing("a log entry")));
        }
        // A listing that runs beside appends may miss an earlier entry: look at every slot.
        let mut reads = futures::stream::iter((0..=newest.0).map(Slot))
            .map(|slot| {
                let log = log.clone();
                async move { (slot, log.read(slot).await) }
            })
            .buffered(REQUESTS);
        while let Some((slot, read)) = reads.next().await {
            self.count(|checked| checked.entries += 1);
            self.add_bytes(sizes.get(&slot).copied().unwrap_or(0));
            match read {
                Ok(Some(entry)) => walk.step(entry),
                Ok(None) => walk.problems.push((slot, Problem::missing("a log entry"))),
                Err(error) => {
                    let problem = self.problem_of(&log.path(slot), error).await;
                    walk.problems.push((slot, problem));
                }
            }
        }
        let state = walk.state;
        for (slot, problem) in walk.problems {
            let versions = versions_of(&state, slot, newest);
            self.note(log.path(slot), problem, Some(name), &versions);
        }
        Some(state)
    }

    /// The entries by a listing, with their sizes. What is no entry is noted.
    async fn list_entries(&self, name: &CheckpointName) -> Option<BTreeMap<Slot, u64>> {
        let inner = &self.store.inner;
        let directory = inner.layout.log(name);
        let listed: Result<Vec<_>, _> = inner.objects.list(Some(&directory)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(source) => {
                self.note(&directory, Problem::storage("a log", &source), Some(name), &[]);
                return None;
            }
        };
        let log = inner.log(name);
        let mut sizes = BTreeMap::new();
        for meta in listed {
            match log.slot_of(&meta.location) {
                Ok(slot) => {
                    sizes.insert(slot, meta.size);
                }
                Err(_) => {
                    let problem = Problem::new(Damage::Foreign, "a log entry's name", "another name");
                    self.note(&meta.location, problem, Some(name), &[]);
                }
            }
        }
        Some(sizes)
    }
}

impl Walk {
    fn step(&mut self, entry: Entry<StoredRecord>) {
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
        self.state = entry.body.state;
    }
}

/// The versions that need an entry: the one that it committed, and all of them if it is the newest.
fn versions_of(state: &LogState, slot: Slot, newest: Slot) -> Vec<Version> {
    let needs = |live_slot: Slot| slot == live_slot || slot == newest;
    state.live.iter().filter(|live| needs(live.slot)).map(|live| live.version).collect()
}

/// Whether the log pass has told of an entry that this error comes from.
pub(super) const fn was_told(error: &Error) -> bool {
    matches!(
        error,
        Error::NewerFormat { .. }
            | Error::UnknownFeature { .. }
            | Error::Damaged { .. }
            | Error::ForeignObject { .. }
    )
}
