//! Entries that were decoded before.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Entry;
use crate::ids::Checksum;

/// So many are kept. What is long of a manifest lies in side files, so that one takes two megabytes at most, and
/// a hundred kilobytes as a rule.
const ENTRIES: usize = 16;

/// The entries that were decoded last, by their checksums.
///
/// An object's bytes are read and checked each time. This spares taking the same bytes apart again: a query asks two or three times
/// for the newest entry of a log, which is most of what looking it up takes.
#[derive(Debug)]
pub(crate) struct KnownEntries<B> {
    /// The oldest first.
    entries: Mutex<VecDeque<Arc<Entry<B>>>>,
}

impl<B> Default for KnownEntries<B> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<B: Clone> KnownEntries<B> {
    pub(super) fn find(&self, checksum: &Checksum) -> Option<Entry<B>> {
        let found = self.entries.lock().iter().find(|entry| entry.checksum == *checksum).cloned()?;
        Some(Entry::clone(&found))
    }

    pub(super) fn keep(&self, entry: Entry<B>) {
        let mut entries = self.entries.lock();
        if entries.iter().any(|known| known.checksum == entry.checksum) {
            return;
        }
        if entries.len() == ENTRIES {
            entries.pop_front();
        }
        entries.push_back(Arc::new(entry));
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

    use super::super::{AppendOutcome, Log};
    use super::*;
    use crate::clock::SystemClock;
    use crate::error::Error;
    use crate::ids::Slot;

    /// What is known of bytes must not stand for other bytes, nor for the same ones at another place.
    #[tokio::test]
    async fn a_known_entry_is_read_and_checked_like_a_new_one() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let log: Log<String> =
            Log::new(Arc::clone(&objects), Path::from("log"), Path::from("tail"), Arc::new(SystemClock))
                .with_known(Arc::default());
        let draft = log.draft(None, "first".to_owned()).unwrap();
        assert!(matches!(log.append(&draft).await, Ok(AppendOutcome::Appended(_))));
        for _ in 0..2 {
            assert_eq!(log.read(Slot(0)).await.unwrap().as_ref(), Some(draft.entry()));
        }

        let stored = objects.get(&log.path(Slot(0))).await.unwrap().bytes().await.unwrap();
        objects.put(&log.path(Slot(1)), stored.clone().into()).await.unwrap();
        let copied = log.read(Slot(1)).await;
        assert!(matches!(copied, Err(Error::ForeignObject { .. })), "{copied:?}");

        for at in 0..stored.len() {
            let mut flipped = stored.to_vec();
            flipped[at] ^= 1;
            objects.put(&log.path(Slot(0)), PutPayload::from(flipped)).await.unwrap();
            assert!(log.read(Slot(0)).await.is_err(), "byte {at} flipped");
        }
        objects.put(&log.path(Slot(0)), stored.into()).await.unwrap();
        assert_eq!(log.read(Slot(0)).await.unwrap().as_ref(), Some(draft.entry()));
    }

    #[tokio::test]
    async fn the_entries_that_were_decoded_last_are_known() {
        let known = KnownEntries::<String>::default();
        let log: Log<String> =
            Log::new(Arc::new(InMemory::new()), Path::from("log"), Path::from("tail"), Arc::new(SystemClock));
        let drafts: Vec<_> =
            (0..=ENTRIES).map(|number| log.draft(None, number.to_string()).unwrap()).collect();
        for draft in drafts.iter().chain(&drafts) {
            known.keep(draft.entry().clone());
        }
        let found = |draft: &super::super::Draft<String>| known.find(&draft.entry().checksum);
        let kept: Vec<_> = drafts.iter().map(|draft| found(draft).is_some()).collect();
        assert_eq!(kept.iter().filter(|kept| **kept).count(), ENTRIES);
        assert_eq!(found(&drafts[ENTRIES]).as_ref(), Some(drafts[ENTRIES].entry()));
    }
}
