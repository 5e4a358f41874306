//! Appending: create the next slot's object, and find out what became of it.

use object_store::{ObjectStore, PutMode, PutPayload};

use super::entry::Draft;
use super::{Entry, Log, LogBody};
use crate::create::{Tried, try_create};
use crate::error::Error;
use crate::ids::Slot;
use crate::local;

/// What became of an append.
#[derive(Debug)]
#[must_use = "a lost race is no error: look at the outcome"]
pub enum AppendOutcome<B> {
    /// The entry is in the log, in this slot.
    Appended(Slot),
    /// Another entry has the slot. Read on and judge again.
    Conflict(Box<Entry<B>>),
}

impl<B: LogBody> Log<B> {
    /// Appends an entry, or says who was faster.
    ///
    /// A reply that was lost is looked up: after any failure the slot is read. If it is empty, the same bytes
    /// go to the same slot again. Moving on instead could let one entry land twice, the first time late.
    ///
    /// # Errors
    /// [`Error::NotWritable`] and [`Error::DiskFull`] if the entry is certainly not in the log.
    /// [`Error::UnknownOutcome`] if that stays unknown: append `abandon` from this same slot on, delete nothing.
    /// [`Error::Damaged`] and the like if the slot holds something that is no entry.
    pub async fn append(&self, draft: &Draft<B>) -> Result<AppendOutcome<B>, Error> {
        let slot = draft.entry.slot;
        match try_create(self.objects.as_ref(), &self.path(slot), &draft.bytes).await? {
            Tried::Created => Ok(AppendOutcome::Appended(slot)),
            Tried::Found(bytes) => match self.decode(slot, &bytes)? {
                entry if entry.id == draft.entry.id => self.confirm(slot, draft).await,
                entry => Ok(AppendOutcome::Conflict(Box::new(entry))),
            },
        }
    }

    /// An entry of ours that was found by reading: it counts once its directory is on disk.
    async fn confirm(&self, slot: Slot, draft: &Draft<B>) -> Result<AppendOutcome<B>, Error> {
        match self.sync_before_relying(slot).await {
            Ok(()) => Ok(AppendOutcome::Appended(slot)),
            Err(error) => Err(Error::UnknownOutcome {
                object: self.path(draft.entry.slot).to_string(),
                source: Box::new(error),
            }),
        }
    }

    /// Writes the hint where to start looking. `entry` must have been appended. A failure is only traced.
    ///
    /// Where an entry is on disk before it counts as appended, the hint is sealed: from then on a log without that entry has
    /// lost it. Where it is not, a power cut may take it, and the hint is a number alone.
    pub async fn write_tail(&self, entry: &Entry<B>) {
        let durable = self.durable.as_ref().is_none_or(|disk| disk.durability().is_fsync());
        let text = if durable {
            format!("{} {}\n", entry.slot, self.seal_of(entry.slot))
        } else {
            format!("{}\n", entry.slot)
        };
        let payload = PutPayload::from(text.into_bytes());
        let options = local::hint_options(PutMode::Overwrite);
        if let Err(error) = self.objects.put_opts(&self.tail, payload, options).await {
            tracing::debug!(tail = %self.tail, %error, "the hint was not written");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::path::Path;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::local::{Durability, DurableFileSystem};

    /// The entry got its name, but the disk did not confirm it: a read shows it, and a power cut may take it.
    #[tokio::test]
    async fn an_entry_that_the_disk_did_not_confirm_is_not_read_back_as_success() {
        let root = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let disk = DurableFileSystem::new(root.path().to_owned(), Durability::Fsync, Arc::clone(&clock));
        let log: Log<String> = Log::new(Arc::new(disk.clone()), Path::from("log"), Path::from("tail"), clock);
        let first = log.draft(None, "first".to_owned()).unwrap();
        assert!(matches!(log.append(&first).await, Ok(AppendOutcome::Appended(Slot(0)))));

        let second = log.draft(Some(first.entry()), "second".to_owned()).unwrap();
        disk.fail_directory_syncs(true);
        let result = log.append(&second).await;
        assert!(matches!(result, Err(Error::UnknownOutcome { .. })), "{result:?}");
        assert!(log.read(Slot(1)).await.unwrap().is_some(), "the entry can be seen all the same");
        // Another process may not build on it either, until the disk confirms its directory.
        let on_disk = log.clone().on_disk(Some(Arc::new(disk.clone())));
        assert!(on_disk.newest().await.is_err());
        disk.fail_directory_syncs(false);
        assert_eq!(on_disk.newest().await.unwrap().map(|entry| entry.slot), Some(Slot(1)));
    }
}
