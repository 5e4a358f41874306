//! An append-only sequence of create-once objects: the only way that anything becomes true in a store.
//!
//! An entry is appended by creating the object of the next slot, which exactly one writer can do. Nothing
//! is ever overwritten or deleted, so a log is a total order that all writers agree on, without locks.

mod append;
mod checkpoint;
mod entry;
mod known;
mod read;

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::local::DurableFileSystem;

pub use append::AppendOutcome;
pub use checkpoint::{CheckpointEntry, CheckpointRecord, LiveVersion, LogState, RecentCommit};
pub(crate) use checkpoint::{StoredEntry, StoredRecord};
pub use entry::{Draft, Entry};
pub(crate) use known::KnownEntries;
pub(crate) use read::read_object;

/// What a log stores in its entries.
pub trait LogBody: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {}

impl<B: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> LogBody for B {}

/// One log. Cheap to clone; it keeps nothing between calls but the meaning of bytes that it has read.
#[derive(Debug)]
pub struct Log<B> {
    objects: Arc<dyn ObjectStore>,
    directory: Path,
    tail: Path,
    clock: Arc<dyn Clock>,
    durable: Option<Arc<DurableFileSystem>>,
    known: Option<Arc<KnownEntries<B>>>,
}

impl<B> Clone for Log<B> {
    fn clone(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            directory: self.directory.clone(),
            tail: self.tail.clone(),
            clock: Arc::clone(&self.clock),
            durable: self.durable.clone(),
            known: self.known.clone(),
        }
    }
}

impl<B: LogBody> Log<B> {
    /// The log in `directory`, with its hint where to start looking at `tail`.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>, directory: Path, tail: Path, clock: Arc<dyn Clock>) -> Self {
        Self { objects, directory, tail, clock, durable: None, known: None }
    }

    /// The same log on a local disk: what others wrote is synced before it is relied on.
    #[must_use]
    pub(crate) fn on_disk(mut self, durable: Option<Arc<DurableFileSystem>>) -> Self {
        self.durable = durable;
        self
    }

    /// The same log, which takes no entry apart again that is among these, and adds those that it does.
    #[must_use]
    pub(crate) fn with_known(mut self, known: Arc<KnownEntries<B>>) -> Self {
        self.known = Some(known);
        self
    }

    /// Where the log lies.
    #[must_use]
    pub const fn directory(&self) -> &Path {
        &self.directory
    }
}
