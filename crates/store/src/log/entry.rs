//! One entry, and its stored form.

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Log, LogBody};
use crate::error::Error;
use crate::ids::{Checksum, EntryId, Slot};
use crate::layout;
use crate::sealed::{self, FORMAT, Sealed};

/// One entry of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<B> {
    /// Made once, with the entry: its writer knows it again by this.
    pub id: EntryId,
    /// Its place in the log.
    pub slot: Slot,
    /// The format that a reader must know.
    pub format: u32,
    /// Features beyond the format that a reader must know.
    pub features: Vec<String>,
    /// The checksum of the entry before it; absent in the first.
    pub previous: Option<Checksum>,
    /// When it was written by the writer's clock, in milliseconds since the Unix epoch.
    pub written_ms: i64,
    /// What it says.
    pub body: B,
    /// The checksum of the stored entry.
    pub checksum: Checksum,
}

impl<B> Entry<B> {
    /// The same entry with another body.
    pub(crate) fn with_body<C>(self, body: C) -> Entry<C> {
        Entry {
            id: self.id,
            slot: self.slot,
            format: self.format,
            features: self.features,
            previous: self.previous,
            written_ms: self.written_ms,
            body,
            checksum: self.checksum,
        }
    }
}

/// An entry that is ready to be appended: the same bytes go to the same slot however often it is tried.
#[derive(Clone, Debug)]
pub struct Draft<B> {
    pub(super) entry: Entry<B>,
    pub(super) bytes: Bytes,
}

impl<B> Draft<B> {
    /// The entry as it will be.
    #[must_use]
    pub const fn entry(&self) -> &Entry<B> {
        &self.entry
    }
}

#[derive(Serialize, Deserialize)]
struct StoredEntry<B> {
    format: u32,
    features: Vec<String>,
    slot: Slot,
    id: EntryId,
    previous: Option<Checksum>,
    written_ms: i64,
    body: B,
}

impl<B: LogBody> Log<B> {
    /// The path of a slot's object.
    #[must_use]
    pub fn path(&self, slot: Slot) -> Path {
        self.directory.clone().join(layout::entry_name(slot))
    }

    /// Makes the entry that follows `after`, or the first one.
    ///
    /// # Errors
    /// [`Error::Encode`] if the body has no JSON form.
    pub fn draft(&self, after: Option<&Entry<B>>, body: B) -> Result<Draft<B>, Error> {
        self.draft_needing(vec![], after, body)
    }

    /// The same of an entry whose readers must know these features.
    pub(crate) fn draft_needing(
        &self,
        features: Vec<String>,
        after: Option<&Entry<B>>,
        body: B,
    ) -> Result<Draft<B>, Error> {
        let slot = after.map_or(Slot(0), |entry| entry.slot.next());
        let stored = StoredEntry {
            format: FORMAT,
            features,
            slot,
            id: EntryId(self.clock.ulid()),
            previous: after.map(|entry| entry.checksum),
            written_ms: self.clock.now_ms(),
            body,
        };
        let (bytes, checksum) = sealed::seal(self.path(slot), &stored)?;
        Ok(Draft { entry: from_stored(stored, checksum), bytes })
    }

    /// Reads an object's bytes as the entry of `slot`.
    pub(super) fn decode(&self, slot: Slot, bytes: &[u8]) -> Result<Entry<B>, Error> {
        let object = self.path(slot);
        let sealed = Sealed::check(bytes);
        let known = self.known.as_deref().zip(sealed.checksum()).and_then(|(known, seal)| known.find(&seal));
        let entry = match known {
            Some(entry) => entry,
            None => {
                let (stored, checksum): (StoredEntry<B>, _) = sealed.open(&object)?;
                let entry = from_stored(stored, checksum);
                if let Some(known) = &self.known {
                    known.keep(entry.clone());
                }
                entry
            }
        };
        if entry.slot != slot {
            let detail = format!("it is the entry of slot {}", entry.slot);
            return Err(Error::ForeignObject { object: object.to_string(), detail });
        }
        Ok(entry)
    }
}

fn from_stored<B>(stored: StoredEntry<B>, checksum: Checksum) -> Entry<B> {
    Entry {
        id: stored.id,
        slot: stored.slot,
        format: stored.format,
        features: stored.features,
        previous: stored.previous,
        written_ms: stored.written_ms,
        body: stored.body,
        checksum,
    }
}
