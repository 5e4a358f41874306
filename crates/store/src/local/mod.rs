//! A local directory as an object store that survives a power cut.
//!
//! An object is written aside, synced, and only then gets its name: by a hard link where it must not exist
//! yet, by a rename where it may be replaced. Then its directory is synced, and every directory above it that
//! this process has not synced yet. A failed sync is an error of unknown outcome: the kernel may have dropped
//! the bytes, so what a later read shows proves nothing.
//!
//! It never leaves its root: a symbolic link that points out of it is refused. Directories have mode 0700,
//! files 0600.

mod error;
mod list;
mod lock;
mod multipart;
mod publish;
mod read;
mod resolve;
mod sweep;
mod sync;
mod watch;

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

pub(crate) use error::is_failed_sync;
pub(crate) use lock::{FileLock, LockState};
use publish::Publish;
pub(crate) use sweep::{Leftover, MIN_AGE as LEFTOVER_AGE};
use sync::Synced;
pub use watch::{DiskStep, DiskWatcher};

/// Whether a write waits until the disk has confirmed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Yes: what was committed survives a power cut.
    #[default]
    Fsync,
    /// No: it survives the end of the process, but a power cut may take it or tear it.
    None,
}

impl Durability {
    pub(crate) fn is_fsync(&self) -> bool {
        *self == Self::Fsync
    }
}

/// Marks a write as a hint, which need not survive anything.
#[derive(Clone, Copy, Debug)]
struct Hint;

/// Options for writing an object that nothing relies on.
pub(crate) fn hint_options(mode: PutMode) -> PutOptions {
    let mut options = PutOptions::from(mode);
    options.extensions.insert(Hint);
    options
}

/// An [`ObjectStore`] over a local directory that syncs what it writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DurableFileSystem {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    /// Of this handle and its clones alone: another one at work at the same time may promise more.
    durability: Durability,
    known: Arc<Known>,
}

/// What all handles of a directory know of it, whatever they promise.
#[derive(Debug, Default)]
struct Known {
    swept: Mutex<bool>,
    synced: Synced,
    watcher: OnceLock<Arc<dyn DiskWatcher>>,
    /// Lets tests see what happens when the disk does not confirm a directory.
    #[cfg(test)]
    failing: std::sync::atomic::AtomicBool,
}

impl fmt::Display for DurableFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableFileSystem({})", self.shared.root.display())
    }
}

impl DurableFileSystem {
    /// The store in the directory `root`, which is created by the first write.
    ///
    /// `root` must be absolute, or it moves with the process's working directory.
    #[must_use]
    pub fn new(root: PathBuf, durability: Durability, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { root, clock, durability, known: Arc::default() }) }
    }

    /// A handle of the same directory whose writes wait for the disk, or do not.
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        let Shared { root, clock, known, .. } = self.shared.as_ref();
        let (root, clock, known) = (root.clone(), Arc::clone(clock), Arc::clone(known));
        Self { shared: Arc::new(Shared { root, clock, durability, known }) }
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &FilePath {
        &self.shared.root
    }

    /// Whether the writes of this handle wait for the disk.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.shared.durability
    }

    #[cfg(test)]
    pub(crate) fn fail_directory_syncs(&self, fail: bool) {
        self.shared.known.failing.store(fail, std::sync::atomic::Ordering::Relaxed);
    }

    /// Syncs a directory whose entries up to `mark` were written by others, unless that was done before.
    pub(crate) async fn sync_directory(&self, directory: &Path, mark: u64) -> Result<()> {
        if self.durability() == Durability::None || self.shared.known.synced.covers(directory, mark) {
            return Ok(());
        }
        let target = directory.clone();
        self.blocking(move |shared| shared.sync_foreign(&target)).await?;
        self.shared.known.synced.remember(directory, mark);
        Ok(())
    }

    /// Syncs a directory that others write to.
    pub(crate) async fn sync_foreign(&self, directory: &Path) -> Result<()> {
        if self.durability() == Durability::None {
            return Ok(());
        }
        let target = directory.clone();
        self.blocking(move |shared| shared.sync_foreign(&target)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await?
    }
}

fn refuse_attributes(empty: bool) -> Result<()> {
    if empty {
        return Ok(());
    }
    Err(object_store::Error::NotSupported { source: "a local file has no attributes".into() })
}

#[async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        refuse_attributes(options.attributes.is_empty())?;
        let publish = match options.mode {
            PutMode::Create => Publish::Create,
            PutMode::Overwrite => Publish::Replace,
            PutMode::Update(_) => {
                let source = "a local file cannot be replaced on a condition".into();
                return Err(object_store::Error::NotSupported { source });
            }
        };
        let hint = options.extensions.get::<Hint>().is_some();
        let location = location.clone();
        self.blocking(move |shared| shared.put(&location, &payload, publish, hint)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse_attributes(options.attributes.is_empty())?;
        let (location, shared) = (location.clone(), Arc::clone(&self.shared));
        let upload = self.blocking(move |_| multipart::Upload::begin(shared, &location)).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = location.clone();
        self.blocking(move |shared| shared.get(&location, &options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<Bytes>> {
        let (location, ranges) = (location.clone(), ranges.to_vec());
        self.blocking(move |shared| shared.get_ranges(&location, &ranges)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                let target = location.clone();
                store.blocking(move |shared| shared.delete(&target)).await?;
                Ok(location)
            }
        };
        locations.map(delete).buffered(10).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listed = async move { store.blocking(move |shared| shared.list(&prefix)).await };
        futures::stream::once(listed)
            .flat_map(|listed| match listed {
                Ok(found) => futures::stream::iter(found).map(Ok).boxed(),
                Err(error) => futures::stream::iter([Err(error)]).boxed(),
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.blocking(move |shared| shared.list_level(&prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let publish = match options.mode {
            CopyMode::Create => Publish::Create,
            CopyMode::Overwrite => Publish::Replace,
        };
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |shared| shared.copy(&from, &to, publish)).await
    }
}
