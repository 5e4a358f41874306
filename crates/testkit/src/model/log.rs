//! The log as all see it, and what becomes of a create.

use super::state::{Commit, Entry, Files, State};

impl State {
    /// The commits that are there, oldest first.
    pub(super) fn live(&self) -> Vec<Commit> {
        let mut live: Vec<Commit> = vec![];
        for entry in &self.log {
            match entry {
                Entry::Commit(commit) => live.push(*commit),
                Entry::Drop(version) => live.retain(|commit| commit.version != *version),
                Entry::DropAll => live.clear(),
                Entry::Empty | Entry::Abandon(_) => {}
            }
        }
        live
    }

    /// All commits that ever were, dropped ones too.
    pub(super) fn commits(&self) -> impl Iterator<Item = &Commit> {
        self.log.iter().filter_map(|entry| match entry {
            Entry::Commit(commit) => Some(commit),
            _ => None,
        })
    }

    /// The commit that was given this version, dropped or not.
    pub(super) fn commit(&self, version: usize) -> Option<&Commit> {
        self.commits().find(|commit| commit.version == version)
    }

    pub(super) fn has_committed(&self, attempt: usize) -> bool {
        self.commits().any(|commit| commit.attempt == attempt)
    }

    /// Abandoned, or begun before a drop of all.
    pub(super) fn is_closed(&self, attempt: usize) -> bool {
        let began_at = self.attempts[attempt].began_at;
        self.log.iter().enumerate().any(|(slot, entry)| match entry {
            Entry::Abandon(closed) => *closed == attempt,
            Entry::DropAll => slot >= began_at,
            _ => false,
        })
    }

    /// The attempts that own these files.
    pub(super) fn owners(&self, files: Files) -> impl Iterator<Item = usize> {
        (0..self.attempts.len()).filter(move |attempt| files.meets(Files::of(*attempt)))
    }

    /// What a slot has.
    pub(super) fn slot(&self, slot: usize) -> Option<Entry> {
        self.log.get(slot).copied().filter(|entry| *entry != Entry::Empty)
    }

    /// Creates an entry if the slot has none; whether it did.
    pub(super) fn create(&mut self, slot: usize, entry: Entry) -> bool {
        if self.slot(slot).is_some() {
            return false;
        }
        while self.log.len() <= slot {
            self.log.push(Entry::Empty);
        }
        self.log[slot] = entry;
        match entry {
            Entry::Commit(commit) => {
                self.came_back |= self.attempts[commit.attempt].drops_before < self.drops_of_all;
            }
            Entry::DropAll => self.drops_of_all += 1,
            _ => {}
        }
        true
    }
}
