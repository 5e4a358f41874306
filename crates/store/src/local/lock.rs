//! Locks that the kernel frees when their process ends, however it ends.
//!
//! They prove a death at once, and nothing else: what may be written is decided by the logs alone.

use std::fs::{File, TryLockError};
use std::path::Path as FilePath;

use object_store::Result;
use object_store::path::Path;

use super::error::at;
use super::{DurableFileSystem, Shared};

/// A lock on a file of its own, held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    /// Each open of the file has its own lock: closing another one frees nothing.
    _file: File,
}

/// What a look at a lock file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockState {
    /// There is no such file, or it cannot be looked at: nothing is known.
    Unknown,
    /// Nobody holds it: who created it is gone.
    Free,
    /// Its process lives.
    Held,
}

impl DurableFileSystem {
    /// Creates a lock file that nobody else creates, and holds it. `None` where the disk has no locks.
    pub(crate) async fn hold_lock(&self, location: &Path) -> Option<FileLock> {
        let target = location.clone();
        let held = self.blocking(move |shared| shared.hold_lock(&target)).await;
        held.inspect_err(|error| tracing::debug!(%location, %error, "no lock: others will wait for silence"))
            .ok()
    }

    /// Whether a lock is held by anyone.
    pub(crate) async fn lock_state(&self, location: &Path) -> LockState {
        let target = location.clone();
        self.blocking(move |shared| shared.lock_state(&target)).await.unwrap_or(LockState::Unknown)
    }
}

impl Shared {
    fn hold_lock(&self, location: &Path) -> Result<FileLock> {
        let target = self.file(location)?;
        let file = self.create_beside(&target, &target)?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock { _file: file }),
            Err(error) => Err(self.give_up(&target, error)),
        }
    }

    /// A file that could not be locked looks like one of a dead process, so it must not stay.
    fn give_up(&self, target: &FilePath, error: TryLockError) -> object_store::Error {
        let _ = std::fs::remove_file(target);
        at("lock", target)(error.into())
    }

    fn lock_state(&self, location: &Path) -> Result<LockState> {
        let target = self.file(location)?;
        let file = File::open(&target).map_err(at("read", &target))?;
        // Shared, so that two who look at once do not take each other for the owner.
        match file.try_lock_shared() {
            Ok(()) => Ok(LockState::Free),
            Err(TryLockError::WouldBlock) => Ok(LockState::Held),
            Err(TryLockError::Error(error)) => Err(at("lock", &target)(error)),
        }
    }
}
