//! The append that makes a snapshot true, and what to do if its outcome stays unknown.

use std::sync::Arc;

use super::prepare::Prepared;
use super::view::View;
use super::{CommitDraft, CommitJudge, CommitOutcome};
use crate::attempt::Attempt;
use crate::error::{Error, has_failed_sync};
use crate::ids::Slot;
use crate::index;
use crate::invariants;
use crate::log::{AppendOutcome, Draft, Entry, LiveVersion, StoredEntry, StoredRecord};
use crate::snapshot::Snapshot;

impl Attempt {
    /// Commits the attempt, or says what stands in its way. To be called once, and again after [`Error::UnitsClosed`], when
    /// those units are computed again.
    ///
    /// The rules of `docs/format.md` are judged before every append, also after a lost race. When this returns
    /// [`CommitOutcome::Committed`], every reader finds the snapshot, and on a local disk it survives a power cut.
    ///
    /// # Errors
    /// [`Error::SourceChanged`] if a source is not what it was; the attempt is then closed. [`Error::SourcesUnknown`] if that
    /// cannot be told; the attempt stays open.
    /// [`Error::UnitsClosed`] if adopted units must be computed again.
    /// [`Error::AttemptClosed`] if a garbage collection took the writer for dead.
    /// [`Error::Invariant`] if the manifest breaks a rule of the format.
    /// [`Error::UnknownOutcome`] if it is not known whether the commit was written: run the statement again,
    /// which finds the snapshot if it was.
    /// [`Error::NotWritable`], [`Error::DiskFull`] or [`Error::Storage`] if it was certainly not written.
    pub async fn commit(&self, draft: CommitDraft, judge: &dyn CommitJudge) -> Result<CommitOutcome, Error> {
        let prepared = self.prepare(draft).await?;
        let inner = &self.store.inner;
        let mut view = View::open(inner, self.name(), prepared.first_slot(self.began_at())).await?;
        loop {
            if let Some(outcome) = self.judge(&prepared, &view, judge).await? {
                return Ok(outcome);
            }
            let entry = self.draft_commit(&prepared, &view)?;
            match inner.log(self.name()).append(&entry).await {
                Ok(AppendOutcome::Appended(_)) => return Ok(self.committed(&prepared, entry.entry()).await),
                Ok(AppendOutcome::Conflict(theirs)) => {
                    tracing::debug!(checkpoint = %self.name(), slot = theirs.slot.0, "lost a slot, judging again");
                    view.refresh().await?;
                }
                Err(error @ Error::UnknownOutcome { .. }) => {
                    return self.settle(&prepared, &entry, error).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn draft_commit(&self, prepared: &Prepared, view: &View<'_>) -> Result<Draft<StoredRecord>, Error> {
        let before = view.state();
        let version = before.last_version.next();
        let slot = view.newest().map_or(Slot(0), |entry| entry.slot.next());
        let state = before.with_commit(LiveVersion {
            version,
            slot,
            signature: prepared.manifest.identity.signature,
            attempt: self.id(),
            origin: prepared.manifest.origin.clone(),
        });
        invariants::check_commit(&before, &state, slot, self.id())?;
        let features = prepared.stored.features();
        let manifest = Box::new(prepared.stored.clone());
        let entry = StoredEntry::Commit { version, attempt: self.id(), manifest };
        let log = self.store.inner.log(self.name());
        log.draft_needing(features, view.newest(), StoredRecord { state, entry })
    }

    /// The commit is in the log. The hints that follow are best effort.
    async fn committed(&self, prepared: &Prepared, entry: &Entry<StoredRecord>) -> CommitOutcome {
        let inner = &self.store.inner;
        let version = entry.body.state.last_version;
        let identity = &prepared.manifest.identity;
        if identity.reusable {
            index::write_hint(inner, &identity.signature, self.name(), version, entry.slot).await;
        }
        inner.log(self.name()).write_tail(entry).await;
        CommitOutcome::Committed(Snapshot {
            name: self.name().clone(),
            version,
            slot: entry.slot,
            attempt: self.id(),
            manifest: Arc::clone(&prepared.manifest),
            committed_ms: entry.written_ms,
        })
    }

    /// It is not known whether the commit was written. Closing the attempt, from that same slot on, makes it known:
    /// either the close takes the slot, or what is found there is the commit.
    async fn settle(
        &self,
        prepared: &Prepared,
        commit: &Draft<StoredRecord>,
        unknown: Error,
    ) -> Result<CommitOutcome, Error> {
        if has_failed_sync(&unknown) {
            // What would be read back proves nothing.
            return Err(unknown);
        }
        match self.close_from(commit).await {
            Ok(super::abandon::Closed::OursWasFirst) => Ok(self.committed(prepared, commit.entry()).await),
            Ok(super::abandon::Closed::Appended) => Err(unknown),
            Err(error) => {
                tracing::warn!(attempt = %self.id(), %error, "the attempt could not be closed");
                Err(unknown)
            }
        }
    }
}
