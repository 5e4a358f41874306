//! Reading: one slot, the newest entry, or a range.

use futures::{StreamExt, TryStreamExt, future};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Entry, Log, LogBody};
use crate::error::Error;
use crate::ids::{Checksum, Slot};
use crate::layout;
use crate::store::REQUESTS;

/// How far the hint may lag behind before listing is cheaper than probing.
const PROBES: usize = 16;

impl<B: LogBody> Log<B> {
    /// The entry of one slot; `None` if the slot is empty.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::ForeignObject`], [`Error::NewerFormat`] or [`Error::UnknownFeature`] if an
    /// object is there that this program cannot take for an entry; [`Error::Storage`] if reading failed.
    pub async fn read(&self, slot: Slot) -> Result<Option<Entry<B>>, Error> {
        let path = self.path(slot);
        match read_object(self.objects.as_ref(), &path).await? {
            Some(bytes) => self.decode(slot, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The newest entry; `None` if the log is empty.
    ///
    /// Starts at the tail hint and probes forward. Without a usable hint the log is listed.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::LogGap`] if an entry is missing before a later one.
    pub async fn newest(&self) -> Result<Option<Entry<B>>, Error> {
        let Some(mut newest) = self.starting_point().await? else { return Ok(None) };
        let mut probes = 0;
        while let Some(next) = self.probe(newest.slot).await? {
            newest = next;
            probes += 1;
            if probes == PROBES
                && let Some(last) = self.slots_from(newest.slot.next()).await?.last()
            {
                newest = self.must_read(*last).await?;
            }
        }
        self.sync_before_relying(newest.slot).await?;
        Ok(Some(newest))
    }

    /// Whether anything was ever appended. A log that lost its first entry is not taken for an empty one.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub(crate) async fn is_started(&self) -> Result<bool, Error> {
        Ok(self.exists(Slot(0)).await? || self.newest().await?.is_some())
    }

    /// All entries from `slot` on, each checked to follow the one before it.
    ///
    /// # Errors
    /// As [`Self::read`]; [`Error::LogGap`] if one is missing.
    pub async fn entries_from(&self, slot: Slot) -> Result<Vec<Entry<B>>, Error> {
        let slots = self.slots_from(slot).await?;
        let entries = self.read_all(slots).await?;
        if let Some(last) = entries.last() {
            self.sync_before_relying(last.slot).await?;
        }
        Ok(entries)
    }

    /// All entries. One that was lost at the end is missed as well.
    ///
    /// # Errors
    /// As [`Self::entries_from`]; [`Error::LogCut`].
    pub(crate) async fn all_entries(&self) -> Result<Vec<Entry<B>>, Error> {
        let entries = self.entries_from(Slot(0)).await?;
        let last = entries.last().map(|entry| entry.slot);
        self.expect_end(last).await?;
        Ok(entries)
    }

    /// Fails if the hint proves that there was an entry after `last`, by a listing the newest one.
    async fn expect_end(&self, last: Option<Slot>) -> Result<(), Error> {
        match self.hint().await? {
            Some(hint) => self.check_end(&hint, last).await,
            None => Ok(()),
        }
    }

    async fn check_end(&self, hint: &Hint, last: Option<Slot>) -> Result<(), Error> {
        let beyond = hint.proven && last.is_none_or(|last| last < hint.slot);
        // It may have been appended after the listing.
        if !beyond || self.exists(hint.slot).await? {
            return Ok(());
        }
        let (log, tail) = (self.directory.to_string(), self.tail.to_string());
        Err(Error::LogCut { log, tail, missing: hint.slot, newest: last })
    }

    /// The entries of a range of slots that are known to be there.
    pub(crate) async fn read_range(&self, range: std::ops::Range<u64>) -> Result<Vec<Entry<B>>, Error> {
        self.read_all(range.map(Slot).collect()).await
    }

    async fn read_all(&self, slots: Vec<Slot>) -> Result<Vec<Entry<B>>, Error> {
        let reads = futures::stream::iter(slots).map(|slot| self.must_read(slot)).buffered(REQUESTS);
        let entries: Vec<Entry<B>> = reads.try_collect().await?;
        for pair in entries.windows(2) {
            self.check_follows(&pair[0], &pair[1])?;
        }
        Ok(entries)
    }

    /// Checks that `next` was written by someone who had read `entry`.
    pub(crate) fn check_follows(&self, entry: &Entry<B>, next: &Entry<B>) -> Result<(), Error> {
        if next.previous == Some(entry.checksum) && next.slot == entry.slot.next() {
            return Ok(());
        }
        let expected = format!("the entry that entry {} follows", next.slot);
        Err(Error::damaged(self.path(entry.slot), expected, format!("checksum {}", entry.checksum)))
    }

    async fn must_read(&self, slot: Slot) -> Result<Entry<B>, Error> {
        match self.read(slot).await? {
            Some(entry) => Ok(entry),
            None => Err(Error::damaged(self.path(slot), "a log entry", "nothing")),
        }
    }

    async fn starting_point(&self) -> Result<Option<Entry<B>>, Error> {
        let hint = self.hint().await?;
        if let Some(hint) = &hint
            && let Some(entry) = self.read(hint.slot).await?
        {
            return Ok(Some(entry));
        }
        let last = self.slots_from(Slot(0)).await?.last().copied();
        // Entries are never deleted, so one that was there and is not is lost. Later ones would show it as a gap.
        if let Some(hint) = hint {
            self.check_end(&hint, last).await?;
        }
        match last {
            Some(last) => self.must_read(last).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where to start looking; `None` if there is no hint, or it is unreadable.
    pub(crate) async fn hint(&self) -> Result<Option<Hint>, Error> {
        let bytes = read_object(self.objects.as_ref(), &self.tail).await?;
        let text = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        Ok(text.and_then(|text| {
            let (number, seal) = text.trim().split_once(' ').unwrap_or_else(|| (text.trim(), ""));
            let slot = Slot(number.parse().ok()?);
            Some(Hint { slot, proven: Checksum::from_hex(seal) == Some(self.seal_of(slot)) })
        }))
    }

    /// What tells a hint to this log from what a power cut has made of one, or from another log's.
    pub(super) fn seal_of(&self, slot: Slot) -> Checksum {
        Checksum::of(format!("{} {slot}", self.directory).as_bytes())
    }

    /// The entry after `slot`. Looks one further, so that one missing entry is not taken for the end.
    async fn probe(&self, slot: Slot) -> Result<Option<Entry<B>>, Error> {
        let (next, beyond) = (slot.next(), slot.next().next());
        let (found, further) = future::join(self.read(next), self.exists(beyond)).await;
        if let Some(found) = found? {
            return Ok(Some(found));
        }
        if !further? {
            return Ok(None);
        }
        // Both may have been appended between the two looks.
        match self.read(next).await? {
            Some(found) => Ok(Some(found)),
            None => Err(self.gap(next, beyond)),
        }
    }

    async fn exists(&self, slot: Slot) -> Result<bool, Error> {
        let path = self.path(slot);
        match self.objects.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(Error::storage("read", path, source)),
        }
    }

    /// The slots that have an entry, from `first` on, by listing.
    async fn slots_from(&self, first: Slot) -> Result<Vec<Slot>, Error> {
        let listed = match first.0.checked_sub(1) {
            Some(before) => self.objects.list_with_offset(Some(&self.directory), &self.path(Slot(before))),
            None => self.objects.list(Some(&self.directory)),
        };
        let mut slots: Vec<Slot> = listed
            .map_err(|source| Error::storage("list", &self.directory, source))
            .and_then(|meta| future::ready(self.slot_of(&meta.location)))
            .try_collect()
            .await?;
        slots.sort_unstable();
        self.fill(first, slots).await
    }

    /// A listing that runs beside appends may show a later entry and not an earlier one: look again.
    async fn fill(&self, first: Slot, listed: Vec<Slot>) -> Result<Vec<Slot>, Error> {
        let Some(last) = listed.last().copied() else { return Ok(listed) };
        let whole: Vec<Slot> = (first.0..=last.0).map(Slot).collect();
        if whole.len() == listed.len() {
            return Ok(whole);
        }
        for slot in &whole {
            if listed.binary_search(slot).is_err() && !self.exists(*slot).await? {
                return Err(self.gap(*slot, last));
            }
        }
        Ok(whole)
    }

    /// The slot of an object in the log's directory.
    ///
    /// # Errors
    /// [`Error::ForeignObject`] if it is no entry.
    pub(crate) fn slot_of(&self, location: &Path) -> Result<Slot, Error> {
        let mut parts = location.prefix_match(&self.directory).into_iter().flatten();
        let name = parts.next();
        let slot = name.and_then(|name| layout::parse_entry_name(name.as_ref()));
        slot.filter(|_| parts.next().is_none()).ok_or_else(|| Error::ForeignObject {
            object: location.to_string(),
            detail: "it is not the name of a log entry".to_owned(),
        })
    }

    fn gap(&self, missing: Slot, newest: Slot) -> Error {
        Error::LogGap { log: self.directory.to_string(), missing, newest }
    }

    /// On a local disk an entry that another process wrote may not be durable yet.
    pub(super) async fn sync_before_relying(&self, slot: Slot) -> Result<(), Error> {
        match &self.durable {
            Some(durable) => durable
                .sync_directory(&self.directory, slot.0)
                .await
                .map_err(|source| Error::storage("sync", &self.directory, source)),
            None => Ok(()),
        }
    }
}

/// What the tail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The slot of an entry that was appended.
    pub(crate) slot: Slot,
    /// Whether the entry was on disk by then, so that it can only be missing if it was lost. A hint that a power cut has torn
    /// says so of nothing.
    pub(crate) proven: bool,
}

/// An object's bytes; `None` if there is no such object.
pub(crate) async fn read_object(
    objects: &dyn ObjectStore,
    path: &Path,
) -> Result<Option<bytes::Bytes>, Error> {
    let result = match objects.get(path).await {
        Ok(result) => result.bytes().await,
        Err(error) => Err(error),
    };
    match result {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(Error::storage("read", path, source)),
    }
}
