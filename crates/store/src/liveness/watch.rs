//! Watching another writer's attempt.

use std::time::Duration;

use super::SILENCE;
use super::pulse::Pulse;
use crate::attempt::AttemptRecord;
use crate::commit::view::{Fate, View};
use crate::error::Error;
use crate::ids::{Slot, Version};
use crate::local::LockState;
use crate::owner::Owner;
use crate::store::Store;

/// What one look at an attempt told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a dead owner's units may be adopted, an ended attempt is no one's to wait for"]
pub enum Life {
    /// Its owner is alive, or not known to be dead.
    Alive {
        /// For how long its heartbeat has not changed while we looked.
        quiet: Duration,
    },
    /// Its owner is dead, or as good as dead: nothing that is right depends on which.
    Dead {
        /// What showed it.
        why: Death,
    },
    /// The log says that it is over.
    Ended(Ending),
}

/// What showed that an owner is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Its process on this host is gone: the kernel has freed its lock.
    LockFree,
    /// Its heartbeat has not changed for so long.
    Silent(Duration),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was abandoned, or everything was dropped: its units are of no use any more.
    Closed,
    /// It committed this version, which may be dropped since.
    Committed(Version),
}

/// Watches an attempt of another writer. One object watches one attempt; look as often as progress is to be shown.
#[derive(Debug)]
pub struct AttemptWatch {
    store: Store,
    record: AttemptRecord,
    pulse: Pulse,
    /// The newest entry that did not end the attempt.
    judged: Option<Slot>,
}

impl AttemptWatch {
    /// Begins to watch. `me` is who watches: an owner on the same host is judged by its lock.
    ///
    /// The time of silence counts from the first [`Self::look`].
    #[must_use]
    pub fn new(store: &Store, record: AttemptRecord, me: &Owner) -> Self {
        let layout = &store.inner.layout;
        let (name, attempt) = (&record.checkpoint, record.attempt);
        let lock = record.spec.owner.same_host(me).then(|| layout.lock(name, attempt));
        let pulse = Pulse::new(layout.heartbeat(name, attempt), lock);
        Self { store: store.clone(), record, pulse, judged: None }
    }

    /// The attempt.
    #[must_use]
    pub const fn record(&self) -> &AttemptRecord {
        &self.record
    }

    /// Looks once.
    ///
    /// # Errors
    /// [`Error::Storage`] if the heartbeat or the log could not be read: look again; [`Error::is_damage`] errors if the
    /// log cannot be relied on.
    pub async fn look(&mut self) -> Result<Life, Error> {
        // The signs before the log: an owner that commits and then ends has ended, and is not dead.
        let signs = self.pulse.look(&self.store.inner).await?;
        if let Some(ending) = self.ending().await? {
            return Ok(Life::Ended(ending));
        }
        if signs.lock == LockState::Free {
            return Ok(Life::Dead { why: Death::LockFree });
        }
        if signs.quiet >= SILENCE {
            return Ok(Life::Dead { why: Death::Silent(signs.quiet) });
        }
        Ok(Life::Alive { quiet: signs.quiet })
    }

    /// How many units are complete, and how many there are in the plan: the other writer's progress.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed.
    pub async fn progress(&self) -> Result<(usize, usize), Error> {
        let complete = self.store.complete_units(&self.record.checkpoint, self.record.attempt).await?;
        let all = self.record.spec.unit_plan.units.len();
        // What is made of an aggregation's states comes on top of the plan's units.
        let complete = complete.iter().filter(|unit| (unit.0 as usize) < all);
        Ok((complete.count(), all))
    }

    async fn ending(&mut self) -> Result<Option<Ending>, Error> {
        let (inner, name) = (&self.store.inner, &self.record.checkpoint);
        let newest = inner.newest_entry(name).await?.map(|entry| entry.slot);
        if newest == self.judged {
            return Ok(None);
        }
        let view = View::open(inner, name, self.record.began_at).await?;
        match view.fate(&self.record) {
            Fate::Closed => Ok(Some(Ending::Closed)),
            Fate::Committed(version) => Ok(Some(Ending::Committed(version))),
            Fate::Open => {
                self.judged = view.newest().map(|entry| entry.slot);
                Ok(None)
            }
        }
    }
}
