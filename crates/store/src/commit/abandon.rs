//! Closing an attempt.

use super::view::View;
use crate::attempt::Attempt;
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName};
use crate::log::{AppendOutcome, Draft, StoredEntry, StoredRecord};
use crate::store::Store;

/// How an attempt whose commit has an unknown outcome was closed.
pub(super) enum Closed {
    /// The commit was in the log after all.
    OursWasFirst,
    /// The close is in the log, and the commit is not and will never be.
    Appended,
}

impl Attempt {
    /// Closes the attempt: no commit may name a file of it from here on. Files are left to garbage collection.
    ///
    /// An attempt that is closed already, or has committed, is left as it is.
    ///
    /// # Errors
    /// The errors of reading and appending. The attempt then stays open, which harms nobody.
    pub async fn abandon(&self) -> Result<(), Error> {
        self.give_up();
        self.store.close_attempt(self.name(), self.id(), self.began_at()).await
    }

    /// Closes the attempt from the slot of its commit on.
    ///
    /// As long as that slot is empty, the close goes there: whichever of the two is first keeps the other out.
    pub(super) async fn close_from(&self, commit: &Draft<StoredRecord>) -> Result<Closed, Error> {
        self.give_up();
        let log = self.store.inner.log(self.name());
        let wanted = commit.entry();
        let before = match wanted.slot.0.checked_sub(1) {
            Some(slot) => log.read_range(slot..wanted.slot.0).await?.pop(),
            None => None,
        };
        let mut previous = before;
        loop {
            let state = previous.as_ref().map(|entry| entry.body.state.clone()).unwrap_or_default();
            let entry = StoredEntry::Abandon { attempt: self.id() };
            let close = log.draft(previous.as_ref(), StoredRecord { state, entry })?;
            match log.append(&close).await? {
                AppendOutcome::Appended(_) => return Ok(Closed::Appended),
                AppendOutcome::Conflict(theirs) if theirs.id == wanted.id => return Ok(Closed::OursWasFirst),
                AppendOutcome::Conflict(theirs) => previous = Some(*theirs),
            }
        }
    }
}

impl Store {
    async fn close_attempt(
        &self,
        name: &CheckpointName,
        attempt: AttemptId,
        began_at: u64,
    ) -> Result<(), Error> {
        let mut view = View::open(&self.inner, name, began_at).await?;
        self.close_unless(&mut view, attempt, |view| {
            view.is_closed(attempt, began_at) || view.committed_by(attempt).is_some()
        })
        .await
        .map(|_| ())
    }

    /// Closes an attempt so that its files may go, committed or not, unless a snapshot that it committed is there; with
    /// `live_too` also then, so that what the snapshot does not name may go.
    ///
    /// The view begins no later than the attempt. `began_at` is `None` for one without a record: then it is the whole log.
    /// Whether this call closed it.
    pub(crate) async fn close_for_collection(
        &self,
        view: &mut View<'_>,
        attempt: AttemptId,
        began_at: Option<u64>,
        live_too: bool,
    ) -> Result<bool, Error> {
        self.close_unless(view, attempt, |view| {
            let closed = match began_at {
                Some(began_at) => view.is_closed(attempt, began_at),
                None => view.is_abandoned(attempt),
            };
            let state = view.state();
            closed
                || !live_too
                    && view.committed_by(attempt).is_some_and(|version| state.find(version).is_some())
        })
        .await
    }

    /// Appends the close unless `settled` says, again after every lost slot, that there is nothing to do.
    async fn close_unless(
        &self,
        view: &mut View<'_>,
        attempt: AttemptId,
        settled: impl Fn(&View<'_>) -> bool,
    ) -> Result<bool, Error> {
        let log = self.inner.log(view.name());
        loop {
            if settled(view) {
                return Ok(false);
            }
            let record = StoredRecord { state: view.state(), entry: StoredEntry::Abandon { attempt } };
            let draft = log.draft(view.newest(), record)?;
            match log.append(&draft).await? {
                AppendOutcome::Appended(_) => {
                    log.write_tail(draft.entry()).await;
                    view.push(draft.entry().clone());
                    return Ok(true);
                }
                AppendOutcome::Conflict(_) => view.refresh().await?,
            }
        }
    }
}
