//! One verification, from the store's identity to the last data file.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use super::finding::Problem;
use super::progress::Meter;
use super::report::{Checked, VerifyOptions, VerifyReport};
use crate::error::Error;
use crate::ids::{CheckpointName, Version};
use crate::index::Hints;
use crate::store::Store;

/// A verification under way.
pub(super) struct Verifier<'a> {
    pub(super) store: &'a Store,
    pub(super) options: &'a VerifyOptions,
    pub(super) report: Mutex<VerifyReport>,
    pub(super) meter: Meter,
}

impl Store {
    /// Reads everything that readers of the snapshots rely on, and names whatever is not what was written: log
    /// entries of checkpoints and jobs, side files, records, receipts, every byte of every data file, index hints and
    /// `milepost.json`.
    ///
    /// Nothing is changed. What is bad or cannot be read becomes a [`super::Finding`] and keeps nothing else from
    /// being looked at.
    ///
    /// # Errors
    /// [`Error::Storage`] if the checkpoints could not be listed.
    pub async fn verify(&self, options: VerifyOptions) -> Result<VerifyReport, Error> {
        let meter = Meter::new(options.progress.clone());
        let verifier = Verifier { store: self, options: &options, report: Mutex::default(), meter };
        // Before any log is read, so that a log without what a hint leads to has lost it.
        let listed = verifier.list_hints().await;
        let hints = Hints::of(&self.inner.layout, &listed);
        let mut states = BTreeMap::new();
        for name in verifier.names(&hints).await? {
            let Some(mut told) = verifier.verify_log(&name, &hints).await else { continue };
            verifier.count(|checked| checked.checkpoints += 1);
            verifier.verify_snapshots(&name, &mut told).await;
            verifier.forget_what_was_dropped(&name).await;
            states.insert(name, told.state);
        }
        if verifier.options.name.is_none() {
            verifier.verify_jobs().await;
        }
        verifier.verify_identity().await;
        for hint in &listed {
            verifier.verify_hint(hint, &states);
        }
        let mut report = verifier.report.into_inner();
        report.findings.sort_by(|a, b| (&a.checkpoint, &a.object).cmp(&(&b.checkpoint, &b.object)));
        Ok(report)
    }
}

impl Verifier<'_> {
    /// The checkpoints to look at, also those of which nothing is left but hints.
    async fn names(&self, hints: &Hints) -> Result<BTreeSet<CheckpointName>, Error> {
        if let Some(name) = &self.options.name {
            return Ok(BTreeSet::from([name.clone()]));
        }
        let listed = self.store.listed_names().await?;
        Ok(listed.into_iter().chain(hints.names().cloned()).collect())
    }

    /// `milepost.json` must be there if there is a checkpoint or a job, readable or not.
    async fn verify_identity(&self) {
        let path = self.store.inner.layout.identity();
        match self.store.inner.identity_unless_empty().await {
            Ok(_) => {}
            Err(Error::MissingIdentity { .. }) => {
                self.note(&path, Problem::missing("the store's identity"), None, &[]);
            }
            Err(error) => {
                let problem = self.problem_of(&path, error).await;
                self.note(&path, problem, None, &[]);
            }
        }
    }

    /// A version may be dropped and its files collected while they are read: then nothing was the matter.
    async fn forget_what_was_dropped(&self, name: &CheckpointName) {
        let concerned = |finding: &super::Finding| {
            finding.checkpoint.as_ref() == Some(name) && !finding.versions.is_empty()
        };
        if !self.report.lock().findings.iter().any(concerned) {
            return;
        }
        let Ok(state) = self.store.inner.state(name).await else { return };
        // One that the log never gave was not dropped: it is lost.
        let dropped = |version: &Version| *version <= state.last_version && state.find(*version).is_none();
        let mut report = self.report.lock();
        report.findings.retain(|finding| !concerned(finding) || !finding.versions.iter().all(dropped));
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Checked)) {
        add(&mut self.report.lock().checked);
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.report.lock().bytes_read += bytes;
    }
}
