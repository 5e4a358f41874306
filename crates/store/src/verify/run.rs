//! One verification, from the store's identity to the last data file.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::finding::Problem;
use super::progress::Meter;
use super::report::{Checked, VerifyOptions, VerifyReport};
use crate::error::Error;
use crate::ids::CheckpointName;
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
        let mut states = BTreeMap::new();
        for name in verifier.names().await? {
            let Some(mut told) = verifier.verify_log(&name).await else { continue };
            verifier.count(|checked| checked.checkpoints += 1);
            verifier.verify_snapshots(&name, &mut told).await;
            verifier.forget_what_was_dropped(&name).await;
            states.insert(name, told.state);
        }
        if verifier.options.name.is_none() {
            verifier.verify_jobs().await;
        }
        verifier.verify_identity().await;
        verifier.verify_index(&states).await;
        let mut report = verifier.report.into_inner();
        report.findings.sort_by(|a, b| (&a.checkpoint, &a.object).cmp(&(&b.checkpoint, &b.object)));
        Ok(report)
    }
}

impl Verifier<'_> {
    async fn names(&self) -> Result<Vec<CheckpointName>, Error> {
        if let Some(name) = &self.options.name {
            return Ok(vec![name.clone()]);
        }
        self.store.listed_names().await
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
        let mut report = self.report.lock();
        report.findings.retain(|finding| {
            !concerned(finding) || finding.versions.iter().any(|version| state.find(*version).is_some())
        });
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Checked)) {
        add(&mut self.report.lock().checked);
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.report.lock().bytes_read += bytes;
    }
}
