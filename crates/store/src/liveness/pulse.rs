//! The signs of life themselves: heartbeats, and locks where there are any.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutPayload};

use crate::error::{Error, write_error};
use crate::local::{self, FileLock, LockState};
use crate::log::read_object;
use crate::store::Inner;

/// Writes one heartbeat: another content each time.
pub(crate) async fn beat(inner: &Inner, path: Path, count: u64) -> Result<(), Error> {
    let text = format!("{{\"beat\": {count}, \"at_ms\": {}}}\n", inner.clock.now_ms());
    let options = local::hint_options(PutMode::Overwrite);
    let written = inner.objects.put_opts(&path, PutPayload::from(text.into_bytes()), options).await;
    written.map(|_| ()).map_err(|source| write_error(path, source))
}

impl Inner {
    /// Holds a lock file of one's own, on a local disk.
    pub(crate) async fn hold_lock(&self, path: &Path) -> Option<FileLock> {
        match &self.local {
            Some(local) => local.hold_lock(path).await,
            None => None,
        }
    }

    pub(crate) async fn lock_state(&self, path: &Path) -> LockState {
        match &self.local {
            Some(local) => local.lock_state(path).await,
            None => LockState::Unknown,
        }
    }
}

/// Watches one owner.
#[derive(Debug)]
pub(crate) struct Pulse {
    heartbeat: Path,
    /// Only if the owner is on this host: elsewhere a free lock says nothing.
    lock: Option<Path>,
    last: Option<Seen>,
}

/// A heartbeat as it was seen first.
#[derive(Debug)]
struct Seen {
    content: Option<Bytes>,
    since: Duration,
}

/// What one look showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signs {
    pub(crate) lock: LockState,
    /// Whether the heartbeat has changed since the look before.
    pub(crate) moved: bool,
    /// For how long it has not changed while we looked.
    pub(crate) quiet: Duration,
}

impl Pulse {
    pub(crate) fn new(heartbeat: Path, lock: Option<Path>) -> Self {
        Self { heartbeat, lock, last: None }
    }

    pub(crate) async fn look(&mut self, inner: &Inner) -> Result<Signs, Error> {
        let lock = match &self.lock {
            Some(path) => inner.lock_state(path).await,
            None => LockState::Unknown,
        };
        let content = read_object(inner.objects.as_ref(), &self.heartbeat).await?;
        let now = inner.clock.ticks();
        let same = self.last.as_ref().filter(|last| last.content == content);
        if let Some(last) = same {
            return Ok(Signs { lock, moved: false, quiet: now.saturating_sub(last.since) });
        }
        // One that is gone was removed at the end of a turn, and shows no life.
        let moved = self.last.is_some() && content.is_some();
        self.last = Some(Seen { content, since: now });
        Ok(Signs { lock, moved, quiet: Duration::ZERO })
    }
}
