//! Index hints that lead to dropped versions.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::{GcOptions, GcReport, UnknownObject};
use crate::error::Error;
use crate::ids::{CheckpointName, Version};
use crate::log::LogState;
use crate::store::Store;

impl Store {
    /// What lies where the hints are.
    pub(super) async fn listed_hints(&self) -> Result<Vec<ObjectMeta>, Error> {
        let directory = self.inner.layout.indexes();
        let listed = self.inner.objects.list(Some(&directory)).try_collect().await;
        listed.map_err(|source| Error::storage("list", &directory, source))
    }

    /// Removes the hints that lead to versions which were dropped. `states` has the checkpoints whose logs could be
    /// read; hints to others stay.
    pub(super) async fn collect_hints(
        &self,
        options: &GcOptions,
        listed: Vec<ObjectMeta>,
        states: &BTreeMap<CheckpointName, LogState>,
        report: &mut GcReport,
    ) -> Result<(), Error> {
        let mut doomed: BTreeMap<CheckpointName, Vec<ObjectMeta>> = BTreeMap::new();
        for meta in listed {
            match self.inner.layout.parse_hint(&meta.location) {
                Some((_, name, version)) => {
                    let state = states.get(&name);
                    if state.is_some_and(|state| leads_to_dropped(state, version)) {
                        doomed.entry(name).or_default().push(meta);
                    }
                }
                None if options.checkpoints.is_none() => {
                    report.unknown.push(UnknownObject::of(&meta));
                }
                None => {}
            }
        }
        for garbage in &mut report.checkpoints {
            let hints = doomed.remove(&garbage.name).unwrap_or_default();
            let count = hints.len() as u64;
            self.remove_hints(hints, options.dry_run).await?;
            garbage.hints = count;
        }
        Ok(())
    }

    async fn remove_hints(&self, hints: Vec<ObjectMeta>, dry_run: bool) -> Result<(), Error> {
        let directories: Vec<Path> = hints.iter().map(|meta| directory_of(&meta.location)).collect();
        self.delete_objects(hints, dry_run, &mut vec![]).await?;
        if let Some(disk) = self.inner.local.as_ref().filter(|_| !dry_run) {
            for directory in directories {
                disk.remove_if_empty(&directory).await;
            }
        }
        Ok(())
    }
}

/// A version that is not there, and was given before the log was read. One that the log never gave may be all that tells of a
/// loss.
fn leads_to_dropped(state: &LogState, version: Version) -> bool {
    version <= state.last_version && state.find(version).is_none()
}

fn directory_of(location: &Path) -> Path {
    let parts: Vec<_> = location.parts().collect();
    parts.iter().take(parts.len().saturating_sub(1)).cloned().collect()
}
