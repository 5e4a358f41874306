//! Counts what a disk confirms.

use std::sync::atomic::{AtomicUsize, Ordering};

use milepost_store::{DiskStep, DiskWatcher};

/// How often the disk under a store has confirmed something: to be given to the store as its watcher.
#[derive(Debug, Default)]
pub struct Syncs(AtomicUsize);

impl Syncs {
    /// How often so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl DiskWatcher for Syncs {
    fn saw(&self, step: DiskStep) {
        if matches!(step, DiskStep::SyncEnds(_)) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
