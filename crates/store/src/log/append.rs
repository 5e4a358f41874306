//! Appending: create the next slot's object, and find out what became of it.

use std::time::Duration;

use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};

use super::entry::Draft;
use super::{Entry, Log, LogBody};
use crate::error::{Error, surely_not_written, write_error};
use crate::ids::Slot;
use crate::local;

/// How often the same bytes are sent to the same slot before the writer gives up.
const TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

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
        let mut pause = FIRST_PAUSE;
        let mut last: Option<object_store::Error> = None;
        for _ in 0..TRIES {
            if last.is_some() {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let error = match self.create(draft).await {
                Ok(()) => return Ok(AppendOutcome::Appended(slot)),
                Err(error) => error,
            };
            if local::is_failed_sync(&error) {
                // What the disk did not confirm must not be read back as success.
                last = Some(error);
                break;
            }
            if last.is_none() && surely_not_written(&error) {
                return Err(write_error(self.path(slot), error));
            }
            tracing::debug!(slot = slot.0, %error, "append failed, reading the slot");
            match self.read(slot).await {
                Ok(Some(entry)) if entry.id == draft.entry.id => {
                    return self.confirm(slot, draft).await;
                }
                Ok(Some(entry)) => return Ok(AppendOutcome::Conflict(Box::new(entry))),
                Ok(None) => last = Some(error),
                Err(Error::Storage { .. }) => last = Some(error),
                Err(other) => return Err(other),
            }
        }
        let source = last.map_or_else(|| "no try was made".into(), |error| Box::new(error) as _);
        Err(Error::UnknownOutcome { object: self.path(slot).to_string(), source })
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

    async fn create(&self, draft: &Draft<B>) -> object_store::Result<()> {
        let payload = PutPayload::from(draft.bytes.clone());
        let options = PutOptions::from(PutMode::Create);
        self.objects.put_opts(&self.path(draft.entry.slot), payload, options).await.map(|_| ())
    }

    /// Writes the hint where to start looking. It is never trusted, so a failure is only traced.
    pub async fn write_tail(&self, slot: Slot) {
        let payload = PutPayload::from(format!("{slot}\n").into_bytes());
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
