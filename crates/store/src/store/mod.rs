//! A store: open, look up, begin, drop.

mod drop;
mod given_up;
mod identity;
mod open;
mod overview;
mod read;
mod records;

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use parking_lot::RwLock;
use tokio::sync::OnceCell;
use ulid::Ulid;

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::ids::CheckpointName;
use crate::layout::Layout;
use crate::local::{DiskWatcher, Durability, DurableFileSystem};
use crate::log::{KnownEntries, Log, StoredRecord};
use crate::manifest::DataFile;

pub use drop::DropOutcome;
pub(crate) use given_up::GivenUp;
pub use identity::PRODUCER;
pub use overview::{Overview, Overviews, Which};

/// How many small requests are made at once.
pub(crate) const REQUESTS: usize = 32;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Whether writes to a local disk wait for it. Default: they do. Object stores always do.
    pub durability: Durability,
    /// Where time and ids come from. Default: the machine.
    pub clock: Arc<dyn Clock>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { durability: Durability::default(), clock: Arc::new(SystemClock) }
    }
}

/// Snapshots and logs below one root of an object store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) layout: Layout,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) local: Option<Arc<DurableFileSystem>>,
    url: String,
    id: Arc<RwLock<Option<Ulid>>>,
    ready: Arc<OnceCell<()>>,
    pub(crate) given_up: Arc<GivenUp>,
    entries: Arc<KnownEntries<StoredRecord>>,
}

impl Store {
    /// The store's own id; `None` while nothing was ever written to it.
    #[must_use]
    pub fn id(&self) -> Option<Ulid> {
        *self.inner.id.read()
    }

    /// Where the store is, without user names, passwords and query parameters.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The object store that the store's paths are paths of.
    #[must_use]
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.inner.objects)
    }

    /// The path of a snapshot's data file.
    #[must_use]
    pub fn path_of(&self, name: &CheckpointName, file: &DataFile) -> Path {
        self.inner.layout.relative(name, &file.path)
    }

    /// Where time and ids come from.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    /// The same store, by a handle whose writes to a local disk wait for it, or do not. Cheap, and no other handle
    /// promises less by it. Other stores always wait.
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Self {
        match &self.inner.local {
            Some(local) if local.durability() != durability => {
                let inner = self.inner.on_disk(local.with_durability(durability));
                Self { inner: Arc::new(inner) }
            }
            _ => self.clone(),
        }
    }

    /// Tells `watcher` what is asked of a local disk from now on: for tests of power cuts. No effect on other stores.
    pub fn watch_disk(&self, watcher: Arc<dyn DiskWatcher>) {
        if let Some(local) = &self.inner.local {
            local.watch(watcher);
        }
    }
}

impl Inner {
    /// The same store on another handle of its disk.
    fn on_disk(&self, local: DurableFileSystem) -> Self {
        Self {
            objects: Arc::new(local.clone()),
            layout: self.layout.clone(),
            clock: Arc::clone(&self.clock),
            local: Some(Arc::new(local)),
            url: self.url.clone(),
            id: Arc::clone(&self.id),
            ready: Arc::clone(&self.ready),
            given_up: Arc::clone(&self.given_up),
            entries: Arc::clone(&self.entries),
        }
    }

    /// What is written by this handle survives a power cut.
    pub(crate) fn durability(&self) -> Durability {
        self.local.as_ref().map_or(Durability::Fsync, |local| local.durability())
    }

    pub(crate) fn log(&self, name: &CheckpointName) -> Log<StoredRecord> {
        let (directory, tail) = (self.layout.log(name), self.layout.tail(name));
        Log::new(Arc::clone(&self.objects), directory, tail, Arc::clone(&self.clock))
            .on_disk(self.local.clone())
            .with_known(Arc::clone(&self.entries))
    }

    /// Makes what others created in a directory of a local disk survive, before it is relied on.
    ///
    /// Every time: they may have created more since the last call.
    pub(crate) async fn sync_foreign(&self, directory: &Path) -> Result<(), Error> {
        match &self.local {
            Some(local) => local
                .sync_foreign(directory)
                .await
                .map_err(|source| Error::storage("sync", directory, source)),
            None => Ok(()),
        }
    }
}
