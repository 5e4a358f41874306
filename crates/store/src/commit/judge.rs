//! The rules that a commit is judged by, again before every append.

use std::collections::BTreeSet;

use super::prepare::Prepared;
use super::view::{Close, View};
use super::{CommitJudge, CommitOutcome};
use crate::attempt::Attempt;
use crate::error::Error;
use crate::ids::{AttemptId, UnitNumber, Version};
use crate::log::LiveVersion;
use crate::manifest::Manifest;

/// `Some` outcome ends the commit; `None` lets it go on to the append.
type Verdict = Result<Option<CommitOutcome>, Error>;

impl Attempt {
    /// All rules, in the order in which they are looked at: format.md gives the reasons.
    pub(super) async fn judge(
        &self,
        prepared: &Prepared,
        view: &View<'_>,
        sources: &dyn CommitJudge,
    ) -> Verdict {
        if let Some(outcome) = self.judge_own_attempt(view).await? {
            return Ok(Some(outcome));
        }
        if let Some(outcome) = self.judge_origin(prepared, view).await? {
            return Ok(Some(outcome));
        }
        self.judge_sources(sources).await?;
        if let Some(outcome) = judge_read_version(&prepared.manifest, view) {
            return Ok(Some(outcome));
        }
        if let Some(outcome) = self.judge_same_signature(prepared, view).await? {
            return Ok(Some(outcome));
        }
        self.judge_owners(prepared, view)?;
        self.judge_driver(sources).await?;
        Ok(None)
    }

    /// Rule 7: a fenced driver of a job commits nothing. Prevents: a driver that was taken for dead puts the result of a text that
    /// was edited away on top of its successor's.
    ///
    /// The log was looked at before. Where the successor commits after that look, this one's slot is taken, and it is judged again.
    async fn judge_driver(&self, judge: &dyn CommitJudge) -> Result<(), Error> {
        if !judge.is_fenced().await? {
            return Ok(());
        }
        if let Err(error) = self.abandon().await {
            tracing::warn!(attempt = %self.id(), %error, "the attempt could not be closed");
        }
        Err(Error::Fenced { checkpoint: self.name().clone() })
    }

    /// Rule 1: a closed attempt gives up. Prevents: a driver that was given up for dead commits files that
    /// garbage collection may already be deleting.
    async fn judge_own_attempt(&self, view: &View<'_>) -> Verdict {
        let state = view.state();
        if let Some(live) = view.committed_by(self.id()).and_then(|version| state.find(version)) {
            return self.already(live).await;
        }
        if view.committed_by(self.id()).is_some() {
            return Ok(Some(CommitOutcome::Closed));
        }
        match view.closed_by(self.id(), self.began_at()) {
            // Nobody dropped anything, and the writer did not give up: it must hear that it was taken for dead.
            Some(Close::Abandon(slot)) if !self.gave_up() => {
                Err(Error::AttemptClosed { checkpoint: self.name().clone(), attempt: self.id(), slot })
            }
            Some(Close::Abandon(_) | Close::DropAll) => Ok(Some(CommitOutcome::Closed)),
            None => Ok(None),
        }
    }

    /// Rule 2: the attempt that owns a file, by the file's path, must be open and must never have committed.
    /// Prevents: adopted files vanish because their own attempt was abandoned meanwhile.
    ///
    /// Looked at last: where another result stands already, nothing is computed again. That is so above all when the
    /// living owner of adopted units commits first.
    fn judge_owners(&self, prepared: &Prepared, view: &View<'_>) -> Result<(), Error> {
        let closed: Vec<AttemptId> = prepared
            .owners
            .iter()
            .filter(|(owner, began_at)| match began_at {
                Some(began_at) => view.is_closed(**owner, *began_at) || view.committed_by(**owner).is_some(),
                None => true,
            })
            .map(|(owner, _)| *owner)
            .collect();
        if closed.is_empty() {
            return Ok(());
        }
        let owned = |(owner, unit): &(AttemptId, UnitNumber)| closed.contains(owner).then_some(*unit);
        let units = prepared.units.iter().filter_map(owned).collect();
        Err(Error::UnitsClosed { checkpoint: self.name().clone(), attempts: closed, units })
    }

    /// Rule 3: one step commits once. Prevents: a driver that died between its commit and its step entry, or one
    /// that was fenced and woke up, applies a step twice or puts old state on top.
    async fn judge_origin(&self, prepared: &Prepared, view: &View<'_>) -> Verdict {
        let origin = &prepared.manifest.origin;
        if origin.run.is_empty() {
            return Ok(None);
        }
        let state = view.state();
        let wanted = |version: Version| prepared.replaces.is_none_or(|replaced| version > replaced);
        if let Some(live) = origin.committed(&state.live).filter(|live| wanted(live.version)) {
            return self.already(live).await;
        }
        let remembered = state.recent.iter().map(|commit| (commit.version, &commit.origin));
        let since = view.commits().map(|(version, manifest)| (version, manifest.origin()));
        let dropped = remembered.chain(since).filter(|(version, by)| *by == origin && wanted(*version));
        let Some(dropped) = dropped.map(|(version, _)| version).max() else { return Ok(None) };
        // Dropped with nothing newer, the step is to run again; dropped because newer ones came, it is history. Where the run
        // itself goes through its steps again, the newest is of a step before.
        let newest =
            state.newest().filter(|newest| newest.version > dropped && !newest.origin.precedes(origin));
        Ok(newest.map(|newest| CommitOutcome::Superseded { newest: Some(newest.version) }))
    }

    /// Rule 4: a source that changed or vanished ends the attempt. Prevents: rows of no version of a source under
    /// a signature that says which.
    async fn judge_sources(&self, sources: &dyn CommitJudge) -> Result<(), Error> {
        let checkpoint = self.name().clone();
        let changed = sources.changed_source().await;
        // What is computed may still be right, and is there for the next try.
        let changed =
            changed.map_err(|source| Error::SourcesUnknown { checkpoint: checkpoint.clone(), source })?;
        let Some(changed) = changed else { return Ok(()) };
        if let Err(error) = self.abandon().await {
            tracing::warn!(attempt = %self.id(), %error, "the attempt could not be closed");
        }
        Err(Error::SourceChanged { checkpoint, source_name: changed.source_name, what: changed.what })
    }

    /// Rule 6: the newest snapshot has the same signature: adopt it, unless it is one that is to be replaced.
    /// Prevents: the same rows twice; and a forced run that takes the old result for its own.
    async fn judge_same_signature(&self, prepared: &Prepared, view: &View<'_>) -> Verdict {
        let ours = &prepared.manifest;
        let state = view.state();
        let newest = state.newest().filter(|live| live.signature == ours.identity.signature);
        let newest = newest.filter(|live| prepared.replaces.is_none_or(|replaced| live.version > replaced));
        let Some(live) = newest.filter(|_| ours.identity.reusable) else { return Ok(None) };
        let theirs = self.store.inner.load(self.name(), live, None).await?;
        let adopt = theirs.manifest.identity.reusable
            && theirs.manifest.has_names(ours.column_names())
            && !self.shares_a_replaced_file(prepared, view, &theirs.manifest).await?;
        Ok(adopt.then_some(CommitOutcome::Adopted(theirs)))
    }

    /// Whether a later snapshot has a file of the version that is to be replaced: one that adopted the same units has the same
    /// damage.
    async fn shares_a_replaced_file(
        &self,
        prepared: &Prepared,
        view: &View<'_>,
        theirs: &Manifest,
    ) -> Result<bool, Error> {
        let state = view.state();
        let Some(replaced) = prepared.replaces.and_then(|version| state.find(version)) else {
            return Ok(false);
        };
        let replaced = self.store.inner.load(self.name(), replaced, None).await?;
        let paths: BTreeSet<&str> = replaced.manifest.files.iter().map(|file| file.path.as_str()).collect();
        Ok(theirs.files.iter().any(|file| paths.contains(file.path.as_str())))
    }

    async fn already(&self, live: &LiveVersion) -> Verdict {
        let snapshot = self.store.inner.load(self.name(), live, None).await?;
        Ok(Some(CommitOutcome::AlreadyCommitted(snapshot)))
    }
}

/// Rule 5: a checkpoint that reads itself commits only on top of what it read. Prevents: an increment is lost.
///
/// Looked at before rule 6: two writers of the same step over the same version have the same signature, and are two steps.
fn judge_read_version(manifest: &Manifest, view: &View<'_>) -> Option<CommitOutcome> {
    let read = manifest.read_version?;
    let newest = view.state().newest().map(|live| live.version);
    (newest != Some(read)).then_some(CommitOutcome::Superseded { newest })
}
