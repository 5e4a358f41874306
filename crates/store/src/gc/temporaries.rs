//! Temporary files of a local disk in the directories of attempts: rows that a writer did not write to their end.

use super::collect::Collector;
use super::judge::Standing;
use super::survey::Directory;
use super::{CheckpointGarbage, DeletedObject, KeptObject, KeptReason, StoreTime};
use crate::attempt::AttemptRecord;
use crate::error::Error;
use crate::ids::AttemptId;
use crate::local::{DurableFileSystem, LEFTOVER_AGE, Leftover, LockState};
use crate::owner::Owner;

impl Collector<'_> {
    /// Removes the temporary files of an attempt that nobody can complete any more: those of a closed attempt once the grace
    /// period of the close is over, those of a dead owner, and those that are old. Gives how many stay.
    pub(super) async fn remove_temporaries(
        &self,
        attempt: AttemptId,
        directory: &Directory,
        standing: Option<&Standing>,
        garbage: &mut CheckpointGarbage,
    ) -> Result<usize, Error> {
        let Some(disk) = self.store.inner.local.as_ref().filter(|_| !directory.temporaries.is_empty()) else {
            return Ok(0);
        };
        let abandoned = match standing {
            Some(Standing::Closed(_)) => false,
            _ => self.owner_is_gone(attempt).await?,
        };
        let mut staying = 0;
        for temporary in &directory.temporaries {
            let (object, bytes) = (disk.shown(temporary), temporary.bytes);
            match self.temporary_stays(temporary, standing, abandoned) {
                Some(reason) => {
                    staying += 1;
                    garbage.kept.push(KeptObject { object, bytes, reason });
                }
                None => {
                    if !self.options.dry_run {
                        self.remove(disk, temporary).await?;
                    }
                    garbage.deleted.push(DeletedObject { object, bytes });
                }
            }
        }
        Ok(staying)
    }

    /// Whether a temporary file stays, and why. `abandoned`: its attempt's owner is proven dead.
    fn temporary_stays(
        &self,
        temporary: &Leftover,
        standing: Option<&Standing>,
        abandoned: bool,
    ) -> Option<KeptReason> {
        let (written, grace) = (StoreTime::of_system(temporary.written), self.options.grace);
        let lain = self.now.since(written);
        if lain >= grace.max(LEFTOVER_AGE) {
            return None;
        }
        match standing {
            // It can never be a part of a commit, whoever may still be writing it.
            Some(Standing::Closed(at)) if self.in_grace(*at) => {
                Some(KeptReason::Grace { until: at.after(grace) })
            }
            Some(Standing::Closed(_)) => None,
            _ if abandoned && lain >= grace => None,
            _ => Some(KeptReason::Alive { until: written.after(grace.max(LEFTOVER_AGE)) }),
        }
    }

    /// Whether an attempt's owner is known to be dead: it was on this host, and its lock is free.
    async fn owner_is_gone(&self, attempt: AttemptId) -> Result<bool, Error> {
        let record = match self.store.attempt_record(self.name, attempt).await {
            Err(error) if error.is_damage() => return Ok(false),
            record => record?,
        };
        match record {
            Some(record) => Ok(self.owners_lock(&record).await == LockState::Free),
            None => Ok(false),
        }
    }

    /// What the lock of an attempt's owner shows. Of an owner on another host it shows nothing.
    pub(super) async fn owners_lock(&self, record: &AttemptRecord) -> LockState {
        let (inner, owner) = (&self.store.inner, &record.spec.owner);
        if inner.local.is_none() || !owner.same_host(&Owner::here(&owner.run)) {
            return LockState::Unknown;
        }
        inner.lock_state(&inner.layout.lock(self.name, record.attempt)).await
    }

    /// Whether no temporary file is left in an attempt's directory, also none that came late.
    pub(super) async fn has_no_temporaries(&self, attempt: AttemptId) -> Result<bool, Error> {
        let Some(disk) = &self.store.inner.local else { return Ok(true) };
        let directory = self.store.inner.layout.attempt(self.name, attempt);
        let found = disk.temporaries(&directory).await;
        Ok(found.map_err(|source| Error::storage("list", &directory, source))?.is_empty())
    }

    async fn remove(&self, disk: &DurableFileSystem, temporary: &Leftover) -> Result<(), Error> {
        let removed = disk.remove_leftover(temporary.clone()).await;
        removed.map_err(|source| Error::storage("remove a temporary file from", self.store.url(), source))
    }
}
