//! What is asked of the disk, told to a watcher: so that a test can replay it up to a power cut.
//!
//! A change is told after it was made. A sync is told before it begins and after it ended well, because it covers only
//! what was changed before it began. Not told are lock files, the
//! unlinking of temporary files, also of leftover ones, and the removal of empty directories: no reader relies on them,
//! nor on their absence.

use std::fmt::Debug;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::Result;

use super::{DurableFileSystem, Shared};

/// One thing that was asked of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskStep {
    /// A directory was made.
    MakeDirectory(PathBuf),
    /// An empty file was made.
    CreateFile(PathBuf),
    /// Bytes of a file were written.
    Write {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What.
        bytes: Bytes,
    },
    /// A file got a second name.
    Link {
        /// The name that it has.
        from: PathBuf,
        /// The name that it gets.
        to: PathBuf,
    },
    /// A file got another name, in place of what had it.
    Rename {
        /// The name that it had.
        from: PathBuf,
        /// The name that it gets.
        to: PathBuf,
    },
    /// A name was taken away.
    Remove(PathBuf),
    /// A file or directory is going to be synced.
    SyncBegins(PathBuf),
    /// The disk has confirmed it.
    SyncEnds(PathBuf),
}

/// Is told what is asked of the disk, in order.
pub trait DiskWatcher: Send + Sync + Debug {
    /// Called from the thread that did it.
    fn saw(&self, step: DiskStep);
}

impl DurableFileSystem {
    /// From now on the watcher is told every step. The first watcher stays.
    pub fn watch(&self, watcher: Arc<dyn DiskWatcher>) {
        let _ = self.shared.known.watcher.set(watcher);
    }
}

impl Shared {
    /// Tells a step, which is only put together if someone watches.
    pub(super) fn tell(&self, step: impl FnOnce() -> DiskStep) {
        if let Some(watcher) = self.known.watcher.get() {
            watcher.saw(step());
        }
    }

    /// Does something that syncs `path`, and tells of it.
    pub(super) fn tell_sync(
        &self,
        path: &FilePath,
        sync: impl FnOnce() -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        self.tell(|| DiskStep::SyncBegins(path.to_owned()));
        sync()?;
        self.tell(|| DiskStep::SyncEnds(path.to_owned()));
        Ok(())
    }

    /// Tells the content of a file that was written by other means.
    pub(super) fn tell_content(&self, file: &FilePath) -> Result<()> {
        if self.known.watcher.get().is_some() {
            let bytes = std::fs::read(file).map_err(super::error::at("read", file))?.into();
            self.tell(|| DiskStep::Write { file: file.to_owned(), offset: 0, bytes });
        }
        Ok(())
    }
}
