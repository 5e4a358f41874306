//! What a writer knows of the log while it commits: the newest state, and all entries since a slot.

use crate::attempt::AttemptRecord;
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, Slot, Version};
use crate::log::{Entry, LogState, StoredEntry, StoredRecord};
use crate::store::Inner;

/// What has become of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It may still commit, and others may use its units.
    Open,
    /// No commit may name a file of it.
    Closed,
    /// It has committed; the version may be dropped since.
    Committed(Version),
}

/// What closed an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// An entry in this slot that names it.
    Abandon(Slot),
    /// Everything was dropped.
    DropAll,
}

/// A stretch of a log that grows while others append.
pub(crate) struct View<'a> {
    inner: &'a Inner,
    name: &'a CheckpointName,
    from: u64,
    entries: Vec<Entry<StoredRecord>>,
    newest: Option<Entry<StoredRecord>>,
}

impl<'a> View<'a> {
    /// Looks at the entries from slot `from` on.
    pub(crate) async fn open(inner: &'a Inner, name: &'a CheckpointName, from: u64) -> Result<Self, Error> {
        let mut view = Self { inner, name, from, entries: vec![], newest: None };
        view.refresh().await?;
        Ok(view)
    }

    /// Looks at the entries from slot `from` up to the newest one, which has been read before.
    pub(crate) async fn up_to(
        inner: &'a Inner,
        name: &'a CheckpointName,
        from: u64,
        newest: Option<Entry<StoredRecord>>,
    ) -> Result<Self, Error> {
        let mut view = Self { inner, name, from, entries: vec![], newest };
        view.catch_up().await?;
        Ok(view)
    }

    /// Reads what was appended since the last look.
    pub(crate) async fn refresh(&mut self) -> Result<(), Error> {
        self.newest = self.inner.newest_entry(self.name).await?;
        self.catch_up().await
    }

    async fn catch_up(&mut self) -> Result<(), Error> {
        let Some(newest) = &self.newest else { return Ok(()) };
        let known = self.from + self.entries.len() as u64;
        if newest.slot.0 < known {
            return Ok(());
        }
        let log = self.inner.log(self.name);
        let mut fresh = log.read_range(known..newest.slot.0).await?;
        fresh.push(newest.clone());
        for next in fresh {
            if let Some(last) = self.entries.last() {
                log.check_follows(last, &next)?;
            }
            self.entries.push(next);
        }
        Ok(())
    }

    /// Takes in an entry that was appended on top of the newest one.
    pub(super) fn push(&mut self, entry: Entry<StoredRecord>) {
        self.entries.push(entry.clone());
        self.newest = Some(entry);
    }

    /// The checkpoint.
    pub(super) const fn name(&self) -> &'a CheckpointName {
        self.name
    }

    /// The newest entry.
    pub(crate) const fn newest(&self) -> Option<&Entry<StoredRecord>> {
        self.newest.as_ref()
    }

    /// What is there.
    pub(crate) fn state(&self) -> LogState {
        self.newest.as_ref().map(|entry| entry.body.state.clone()).unwrap_or_default()
    }

    /// Whether an attempt that began when the log had `began_at` entries is closed.
    pub(crate) fn is_closed(&self, attempt: AttemptId, began_at: u64) -> bool {
        self.closed_by(attempt, began_at).is_some()
    }

    /// What closed an attempt that began when the log had `began_at` entries, before anything else did.
    pub(super) fn closed_by(&self, attempt: AttemptId, began_at: u64) -> Option<Close> {
        self.since(began_at).find_map(|entry| match &entry.body.entry {
            StoredEntry::Abandon { attempt: closed } => {
                (*closed == attempt).then_some(Close::Abandon(entry.slot))
            }
            StoredEntry::DropAll => Some(Close::DropAll),
            StoredEntry::Commit { .. } | StoredEntry::Drop { .. } => None,
        })
    }

    /// Whether an attempt was abandoned since the view's first slot. For attempts whose begin nobody knows.
    pub(super) fn is_abandoned(&self, attempt: AttemptId) -> bool {
        self.entries.iter().any(|entry| matches!(&entry.body.entry, StoredEntry::Abandon { attempt: closed } if *closed == attempt))
    }

    /// The version that an attempt committed, dropped or not.
    pub(crate) fn committed_by(&self, attempt: AttemptId) -> Option<Version> {
        self.entries.iter().find_map(|entry| match &entry.body.entry {
            StoredEntry::Commit { version, attempt: by, .. } if *by == attempt => Some(*version),
            _ => None,
        })
    }

    /// What has become of an attempt.
    pub(crate) fn fate(&self, record: &AttemptRecord) -> Fate {
        match self.committed_by(record.attempt) {
            Some(version) => Fate::Committed(version),
            None if self.is_closed(record.attempt, record.began_at) => Fate::Closed,
            None => Fate::Open,
        }
    }

    /// The versions that were committed since the view's first slot, with their manifests.
    pub(crate) fn commits(&self) -> impl Iterator<Item = (Version, &crate::manifest::StoredManifest)> {
        self.entries.iter().filter_map(|entry| match &entry.body.entry {
            StoredEntry::Commit { version, manifest, .. } => Some((*version, manifest.as_ref())),
            _ => None,
        })
    }

    fn since(&self, slot: u64) -> impl Iterator<Item = &Entry<StoredRecord>> {
        self.entries.iter().filter(move |entry| entry.slot >= Slot(slot))
    }
}
