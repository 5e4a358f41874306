//! A driver's sign of life, for as long as it lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use milepost_store::Driver;
use tokio::task::JoinHandle;

/// How often a driver shows that it lives: often enough that a few may be lost before anybody takes it for dead.
const BEAT: Duration = Duration::from_secs(5);

/// A task that beats until this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    pub(super) fn of(driver: &Arc<Driver>) -> Self {
        Self(tokio::spawn(beat(Arc::downgrade(driver))))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Holds the driver only while it beats, so that the driver's lock is free as soon as the driver goes.
async fn beat(driver: Weak<Driver>) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        let Some(driver) = driver.upgrade() else { return };
        if let Err(error) = driver.heartbeat().await {
            tracing::debug!(job = %driver.name(), %error, "a heartbeat was not written");
        }
    }
}
