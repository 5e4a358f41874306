//! Everything that a snapshot relies on: its commit, its lists, the records of its units, its rows.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

use super::finding::Problem;
use super::log::Told;
use super::report::Damage;
use super::run::Verifier;
use crate::ids::{AttemptId, CheckpointName, UnitNumber, Version};
use crate::invariants;
use crate::log::{Entry, LiveVersion, StoredEntry, StoredRecord};
use crate::manifest::DataFile;
use crate::snapshot::Snapshot;
use crate::store::REQUESTS;

/// How many data files are read at once.
const FILES: usize = 4;

/// The data files of a checkpoint, by path, with the versions that have them.
type Files = BTreeMap<String, (DataFile, Vec<Version>)>;

impl Verifier<'_> {
    /// Verifies the snapshots that are there, or the one that was asked for.
    pub(super) async fn verify_snapshots(&self, name: &CheckpointName, told: &mut Told) {
        let wanted = |live: &&LiveVersion| self.options.version.is_none_or(|version| live.version == version);
        let mut files = Files::new();
        for live in told.state.live.iter().filter(wanted) {
            self.count(|checked| checked.snapshots += 1);
            // Of a commit that could not be read, the walk through the log has told.
            let Some(commit) = told.commits.remove(&live.slot) else { continue };
            let Some(snapshot) = self.load(name, live, commit).await else { continue };
            self.verify_units(&snapshot).await;
            for file in &snapshot.manifest.files {
                let known = files.entry(file.path.clone()).or_insert_with(|| (file.clone(), vec![]));
                known.1.push(snapshot.version);
            }
        }
        self.meter.expect(files.values().map(|(file, _)| file.size).sum());
        futures::stream::iter(files.into_values())
            .map(|(file, versions)| async move {
                let path = self.store.path_of(name, &file);
                let problem = self.check_data_file(&path, &file).await;
                self.count(|checked| checked.data_files += 1);
                self.meter.file();
                if let Some(problem) = problem {
                    self.note(&path, problem, Some(name), &versions);
                }
            })
            .buffer_unordered(FILES)
            .collect::<()>()
            .await;
    }

    /// Reads a commit's side files, and checks that they agree with the log and with themselves.
    async fn load(
        &self,
        name: &CheckpointName,
        live: &LiveVersion,
        entry: Entry<StoredRecord>,
    ) -> Option<Snapshot> {
        let path = self.store.inner.log(name).path(live.slot);
        let versions = [live.version];
        if !self.verify_side_files(name, &entry, live.version).await {
            return None;
        }
        let loaded = self.store.inner.load(name, live, Some(entry)).await;
        let checked = loaded.and_then(|snapshot| {
            invariants::check_manifest(&snapshot.manifest)?;
            Ok(snapshot)
        });
        match checked {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                // The entry is whole, and so are its side files: what they say does not fit.
                let problem =
                    Problem::new(Damage::Disagrees, "a manifest that fits its log", error.to_string());
                self.note(&path, problem, Some(name), &versions);
                None
            }
        }
    }

    /// Whether all side files of a commit are whole.
    async fn verify_side_files(
        &self,
        name: &CheckpointName,
        entry: &Entry<StoredRecord>,
        version: Version,
    ) -> bool {
        let StoredEntry::Commit { manifest, .. } = &entry.body.entry else { return true };
        let mut whole = true;
        for side in manifest.side_files() {
            self.count(|checked| checked.side_files += 1);
            let path = self.store.inner.layout.relative(name, &side.path);
            if let Some(problem) = self.check_whole(&path, side.size, &side.checksum).await {
                self.note(&path, problem, Some(name), &[version]);
                whole = false;
            }
        }
        whole
    }

    /// The records of the attempts that a snapshot's files belong to, and the receipts of their units.
    async fn verify_units(&self, snapshot: &Snapshot) {
        let units = snapshot.manifest.units();
        let owners: BTreeSet<AttemptId> =
            units.iter().map(|(owner, _)| *owner).chain([snapshot.attempt]).collect();
        for owner in owners {
            self.verify_record(snapshot, owner).await;
        }
        futures::stream::iter(units)
            .map(|(owner, unit)| self.verify_receipt(snapshot, owner, unit))
            .buffer_unordered(REQUESTS)
            .collect::<()>()
            .await;
    }

    async fn verify_record(&self, snapshot: &Snapshot, attempt: AttemptId) {
        self.count(|checked| checked.attempts += 1);
        let path = self.store.inner.layout.attempt_record(&snapshot.name, attempt);
        let problem = match self.store.attempt_record(&snapshot.name, attempt).await {
            Ok(Some(record)) if record.spec.signature == snapshot.manifest.identity.signature => return,
            Ok(Some(record)) => Problem::new(
                Damage::Disagrees,
                format!("signature {}", snapshot.manifest.identity.signature),
                format!("signature {}", record.spec.signature),
            ),
            Ok(None) => Problem::missing("the record of an attempt whose files a snapshot has"),
            Err(error) => self.problem_of(&path, error).await,
        };
        self.note(&path, problem, Some(&snapshot.name), &[snapshot.version]);
    }

    async fn verify_receipt(&self, snapshot: &Snapshot, attempt: AttemptId, unit: UnitNumber) {
        self.count(|checked| checked.receipts += 1);
        let path = self.store.inner.layout.receipt(&snapshot.name, attempt, unit);
        let problem = match self.store.receipt(&snapshot.name, attempt, unit).await {
            Ok(Some(receipt)) => match invariants::check_receipt(&snapshot.manifest, &receipt) {
                Ok(()) => return,
                Err(error) => self.problem_of(&path, error).await,
            },
            Ok(None) => Problem::missing("the receipt of a unit whose files a snapshot has"),
            Err(error) => self.problem_of(&path, error).await,
        };
        self.note(&path, problem, Some(&snapshot.name), &[snapshot.version]);
    }
}
