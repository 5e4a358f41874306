//! Syncing directories, and remembering which are synced.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path as FilePath, PathBuf};

use object_store::Result;
use object_store::path::Path;
use parking_lot::Mutex;

use super::Shared;
use super::error::{at, failed_sync};
use super::watch::DiskStep;

/// What this process knows to be on disk.
#[derive(Debug, Default)]
pub(super) struct Synced {
    /// Directories whose own names are on disk, up to the root.
    directories: Mutex<HashSet<PathBuf>>,
    /// Logs, up to which slot.
    marks: Mutex<HashMap<Path, u64>>,
}

impl Synced {
    pub(super) fn covers(&self, directory: &Path, mark: u64) -> bool {
        self.marks.lock().get(directory).is_some_and(|known| *known >= mark)
    }

    pub(super) fn remember(&self, directory: &Path, mark: u64) {
        let mut marks = self.marks.lock();
        let known = marks.entry(directory.clone()).or_default();
        *known = mark.max(*known);
    }
}

impl Shared {
    pub(super) fn syncs(&self) -> bool {
        self.durability.is_fsync()
    }

    /// Makes sure that a directory exists, and that its name and those above it are on disk.
    ///
    /// A directory that is already there may have been made a moment ago by a process that has not synced it, so
    /// the first use of each directory syncs the one above it.
    pub(super) fn ensure_directory(&self, directory: &FilePath) -> Result<()> {
        if self.known.synced.directories.lock().contains(directory) {
            return Ok(());
        }
        let parent = directory.parent().filter(|_| directory != self.root);
        if let Some(parent) = parent {
            self.ensure_directory(parent)?;
            self.create_directory(directory)?;
            self.sync_path(parent)?;
        } else {
            self.ensure_root()?;
        }
        if self.syncs() {
            self.known.synced.directories.lock().insert(directory.to_owned());
        }
        Ok(())
    }

    /// Forgets directories, after one turned out to be gone.
    pub(super) fn forget_directories(&self) {
        self.known.synced.directories.lock().clear();
    }

    /// The root and what is missing above it. Parents that exist are not ours to sync, but the root's own is.
    fn ensure_root(&self) -> Result<()> {
        let missing: Vec<&FilePath> = self.root.ancestors().take_while(|path| !path.exists()).collect();
        for directory in missing.into_iter().rev() {
            self.create_directory(directory)?;
            if let Some(parent) = directory.parent() {
                self.sync_path(parent)?;
            }
        }
        match self.root.parent() {
            Some(parent) if self.syncs() => self.sync_if_possible(parent),
            _ => Ok(()),
        }
    }

    /// Syncs a directory that this process has just changed.
    pub(super) fn sync_path(&self, directory: &FilePath) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        self.sync_now(directory).map_err(|source| failed_sync(directory, source))
    }

    /// Syncs a directory that a name was taken from. Another collector may have removed it since, when it was empty.
    pub(super) fn sync_after_removal(&self, directory: &FilePath) -> Result<()> {
        if !self.syncs() {
            return Ok(());
        }
        match self.sync_now(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| failed_sync(directory, source)),
        }
    }

    /// Syncs a directory that others have changed. A read-only disk has nothing to sync.
    pub(super) fn sync_foreign(&self, location: &Path) -> Result<()> {
        self.sync_if_possible(&self.resolve(location)?)
    }

    /// Syncs, unless this process may not, or the disk has no such thing.
    fn sync_if_possible(&self, directory: &FilePath) -> Result<()> {
        match self.sync_now(directory) {
            Err(error) if !is_beyond_us(error.kind()) => Err(failed_sync(directory, error)),
            _ => Ok(()),
        }
    }

    fn sync_now(&self, directory: &FilePath) -> io::Result<()> {
        #[cfg(test)]
        if self.known.failing.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(io::Error::other("the disk is broken"));
        }
        let opened = File::open(directory)?;
        self.tell_sync(directory, || opened.sync_all())
    }

    fn create_directory(&self, directory: &FilePath) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => {
                self.tell(|| DiskStep::MakeDirectory(directory.to_owned()));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
            // As an error of a directory, so that it is not taken for an object that exists.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let error =
                    io::Error::new(ErrorKind::NotADirectory, "a file stands where a directory belongs");
                Err(at("create directory", directory)(error))
            }
            Err(error) => Err(at("create directory", directory)(error)),
        }
    }
}

/// Errors of a directory that this process may not sync, or that has nothing to sync.
const fn is_beyond_us(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported
            | ErrorKind::NotFound
    )
}
