//! The store's own time: the only clock that ages are judged by.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, write_error};
use crate::local;
use crate::store::Inner;

/// A moment by the store's own clock, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreTime(pub i64);

impl fmt::Display for StoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StoreTime {
    /// When an object was last modified.
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self(meta.last_modified.timestamp_millis())
    }

    /// A moment by the clock of a local disk.
    pub(super) fn of_system(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    /// How long ago `earlier` was; nothing if it was not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment that comes `time` later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Inner {
    /// The store's time, from an object that is written and removed again.
    ///
    /// To be asked *before* anything is listed: then what is listed can only be younger than it looks.
    pub(super) async fn store_time(&self) -> Result<StoreTime, Error> {
        if let Some(disk) = &self.local {
            let now = disk.time().await.map_err(|source| write_error(self.layout.probes(), source))?;
            return Ok(StoreTime::of_system(now));
        }
        let path = self.layout.probe(self.clock.ulid());
        // Nothing relies on the object itself, so no disk needs to confirm it.
        let written =
            self.objects.put_opts(&path, PutPayload::default(), local::hint_options(PutMode::Create));
        written.await.map_err(|source| write_error(&path, source))?;
        let meta = self.objects.head(&path).await;
        if let Err(error) = self.objects.delete(&path).await {
            tracing::debug!(%path, %error, "the probe's object was not removed; a later collection will");
        }
        meta.map(|meta| StoreTime::of(&meta)).map_err(|source| Error::storage("read", &path, source))
    }
}
