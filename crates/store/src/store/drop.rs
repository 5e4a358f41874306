//! Dropping snapshots. Dropping is an entry in the log; files are removed by garbage collection.

use super::Store;
use crate::error::Error;
use crate::ids::{CheckpointName, Version};
use crate::job::Driver;
use crate::log::{AppendOutcome, LiveVersion, LogState, StoredEntry, StoredRecord};

/// What a drop did.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "there may have been nothing to drop"]
pub enum DropOutcome {
    /// These snapshots were there, and are no more.
    Dropped(Vec<LiveVersion>),
    /// There was nothing to drop.
    NotFound,
}

impl Store {
    /// Drops one snapshot. Its version is never given again.
    ///
    /// # Errors
    /// [`Error::UnknownOutcome`] if it is not known whether the entry was written: drop again.
    pub async fn drop_version(&self, name: &CheckpointName, version: Version) -> Result<DropOutcome, Error> {
        self.drop_version_in(None, name, version).await
    }

    /// The same in a step of the job that `driver` drives.
    ///
    /// # Errors
    /// As [`Self::drop_version`]; [`Error::Fenced`] if another driver has taken the job over.
    pub async fn drop_version_in(
        &self,
        driver: Option<&Driver>,
        name: &CheckpointName,
        version: Version,
    ) -> Result<DropOutcome, Error> {
        self.append_drop(driver, name, |state| {
            let live = state.find(version)?.clone();
            Some((StoredEntry::Drop { version }, state.without(version), vec![live]))
        })
        .await
    }

    /// Drops all snapshots of a checkpoint, and closes every attempt at it that has begun.
    ///
    /// # Errors
    /// As [`Self::drop_version`].
    pub async fn drop_checkpoint(&self, name: &CheckpointName) -> Result<DropOutcome, Error> {
        self.drop_checkpoint_in(None, name).await
    }

    /// The same in a step of the job that `driver` drives.
    ///
    /// # Errors
    /// As [`Self::drop_version_in`].
    pub async fn drop_checkpoint_in(
        &self,
        driver: Option<&Driver>,
        name: &CheckpointName,
    ) -> Result<DropOutcome, Error> {
        self.append_drop(driver, name, |state| {
            let nothing = state.live.is_empty();
            (!nothing).then(|| (StoredEntry::DropAll, state.without_all(), state.live.clone()))
        })
        .await
    }

    /// Appends what `judge` makes of the newest state, again after every lost race.
    pub(crate) async fn append_drop(
        &self,
        driver: Option<&Driver>,
        name: &CheckpointName,
        judge: impl Fn(&LogState) -> Option<(StoredEntry, LogState, Vec<LiveVersion>)>,
    ) -> Result<DropOutcome, Error> {
        let log = self.inner.log(name);
        loop {
            let Some(newest) = self.inner.newest_entry(name).await? else { return Ok(DropOutcome::NotFound) };
            let Some((entry, state, dropped)) = judge(&newest.body.state) else {
                return Ok(DropOutcome::NotFound);
            };
            self.prepare_write().await?;
            // After the look at the log: a successor that drops or commits later takes the slot.
            if let Some(driver) = driver
                && driver.successor().await?.is_some()
            {
                return Err(Error::Fenced { checkpoint: name.clone() });
            }
            let draft = log.draft(Some(&newest), StoredRecord { state, entry })?;
            if let AppendOutcome::Appended(_) = log.append(&draft).await? {
                log.write_tail(draft.entry()).await;
                return Ok(DropOutcome::Dropped(dropped));
            }
        }
    }
}
