//! How far a verification is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Bytes of data files that were read.
    pub bytes_read: u64,
    /// Bytes of data files that are to be read, as far as is known: it grows with every checkpoint.
    pub bytes_total: u64,
    /// Data files that were read to their end.
    pub files: u64,
}

/// Is called with the progress, often, and from any thread.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(VerifyProgress) + Send + Sync>);

impl Progress {
    /// Calls `tell`, which should be quick.
    #[must_use]
    pub fn new(tell: impl Fn(VerifyProgress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// Counts, and tells.
#[derive(Debug, Default)]
pub(super) struct Meter {
    read: AtomicU64,
    total: AtomicU64,
    files: AtomicU64,
    progress: Option<Progress>,
}

impl Meter {
    pub(super) fn new(progress: Option<Progress>) -> Self {
        Self { progress, ..Self::default() }
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    pub(super) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    pub(super) fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let Some(Progress(tell)) = &self.progress else { return };
        tell(VerifyProgress {
            bytes_read: self.read.load(Ordering::Relaxed),
            bytes_total: self.total.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
        });
    }
}
