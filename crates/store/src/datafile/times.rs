//! Where the time of writing files goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Adds up the time that writers of files take. Several may share one; what they do side by side counts for each.
#[derive(Debug, Default)]
pub struct WriteTimes {
    encode: AtomicU64,
    write: AtomicU64,
    sync: AtomicU64,
}

impl WriteTimes {
    /// Dealing rows out, choosing encodings, encoding, hashing and measuring.
    #[must_use]
    pub fn encode(&self) -> Duration {
        read(&self.encode)
    }

    /// Sending bytes, as far as encoding had to wait for it.
    #[must_use]
    pub fn write(&self) -> Duration {
        read(&self.write)
    }

    /// Ending uploads: on a local disk, syncing and naming the file.
    #[must_use]
    pub fn sync(&self) -> Duration {
        read(&self.sync)
    }

    /// Adds to the time of encoding.
    pub fn encoded(&self, time: Duration) {
        add(&self.encode, time);
    }

    pub(super) fn wrote(&self, time: Duration) {
        add(&self.write, time);
    }

    pub(super) fn synced(&self, time: Duration) {
        add(&self.sync, time);
    }
}

fn read(nanoseconds: &AtomicU64) -> Duration {
    Duration::from_nanos(nanoseconds.load(Ordering::Relaxed))
}

fn add(nanoseconds: &AtomicU64, time: Duration) {
    nanoseconds.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
