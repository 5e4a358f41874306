//! What shows others that a driver lives: its lock and its heartbeat, both under its own id.
//!
//! Under its own id, because a driver that was taken over while it was stopped still holds its lock, and beats again when
//! it wakes up: neither must pass for a sign of its successor.

use std::sync::atomic::{AtomicU64, Ordering};

use object_store::{ObjectStore, ObjectStoreExt};

use super::name::JobName;
use crate::error::Error;
use crate::ids::DriverId;
use crate::layout;
use crate::liveness;
use crate::local::{FileLock, LockState};
use crate::store::Inner;

/// A driver's id, with its lock while it lives.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) driver: DriverId,
    beats: AtomicU64,
    _lock: Option<FileLock>,
}

impl Seat {
    /// Takes a new one. Its lock is held before any entry names the driver.
    pub(super) async fn take(inner: &Inner, name: &JobName) -> Self {
        let driver = DriverId(inner.clock.ulid());
        let lock = inner.hold_lock(&inner.layout.driver_lock(name, driver)).await;
        Self { driver, beats: AtomicU64::new(0), _lock: lock }
    }

    pub(super) async fn beat(&self, inner: &Inner, name: &JobName) -> Result<(), Error> {
        let path = inner.layout.driver_heartbeat(name, self.driver);
        liveness::beat(inner, path, self.beats.fetch_add(1, Ordering::Relaxed)).await
    }

    /// Removes the signs of this driver. Nothing relies on them, so a failure is only traced.
    pub(super) async fn clear(&self, inner: &Inner, name: &JobName) {
        if inner.local.is_some() {
            remove(inner, &inner.layout.driver_lock(name, self.driver)).await;
        }
        remove(inner, &inner.layout.driver_heartbeat(name, self.driver)).await;
    }

    /// Removes the signs of earlier drivers, which are dead or fenced by now.
    pub(super) async fn clear_others(&self, inner: &Inner, name: &JobName) {
        let listed = match inner.objects.list_with_delimiter(Some(&inner.layout.job(name))).await {
            Ok(listed) => listed,
            Err(error) => return tracing::debug!(job = %name, %error, "leftover signs of life stay"),
        };
        for path in listed.objects.into_iter().map(|meta| meta.location) {
            let driver = path.filename().and_then(layout::parse_driver_file);
            let other = driver.is_some_and(|driver| driver != self.driver);
            // One whose lock is held may be about to start.
            if other && inner.lock_state(&path).await != LockState::Held {
                remove(inner, &path).await;
            }
        }
    }
}

async fn remove(inner: &Inner, path: &object_store::path::Path) {
    match inner.objects.delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => tracing::debug!(%path, %error, "a sign of life stays"),
    }
}
