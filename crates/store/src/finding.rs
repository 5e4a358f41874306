//! Finding attempts and their complete units.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::attempt::{Attempt, AttemptRecord};
use crate::commit::view::{Fate, View};
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, UnitNumber};
use crate::layout;
use crate::receipt::Receipt;
use crate::store::{REQUESTS, Store};

impl Store {
    /// All attempts at a checkpoint, oldest first. A directory without `attempt.json` is not an attempt; one whose record
    /// cannot be read is passed over with a warning.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed.
    pub async fn attempts(&self, name: &CheckpointName) -> Result<Vec<AttemptRecord>, Error> {
        let ids = self.attempt_ids(name).await?;
        Ok(self.readable(name, ids).await)
    }

    /// The attempts that may still commit, and whose units may be adopted, oldest first: by the log, neither closed
    /// nor committed. One whose record cannot be read is passed over with a warning.
    ///
    /// # Errors
    /// As [`Self::attempts`], and those of reading the log.
    pub async fn open_attempts(&self, name: &CheckpointName) -> Result<Vec<AttemptRecord>, Error> {
        self.open_among(name, |_| true).await
    }

    /// Those attempts of which `wanted` holds and the log does not say that they are closed or have committed.
    pub(crate) async fn open_among(
        &self,
        name: &CheckpointName,
        wanted: impl Fn(&AttemptRecord) -> bool,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let mut ids = self.attempt_ids(name).await?;
        let newest = self.inner.newest_entry(name).await?;
        // What is there by its own commit needs no look at its record, nor at old entries.
        let live = newest.iter().flat_map(|newest| &newest.body.state.live);
        let live: HashSet<AttemptId> = live.map(|version| version.attempt).collect();
        ids.retain(|id| !live.contains(id));
        let mut records = self.readable(name, ids).await;
        records.retain(wanted);
        let Some(from) = records.iter().map(|record| record.began_at).min() else { return Ok(records) };
        let view = View::up_to(&self.inner, name, from, newest).await?;
        records.retain(|record| view.fate(record) == Fate::Open);
        Ok(records)
    }

    /// The directories of attempts, oldest first.
    async fn attempt_ids(&self, name: &CheckpointName) -> Result<Vec<AttemptId>, Error> {
        let directory = self.inner.layout.attempts(name);
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        let mut ids: Vec<AttemptId> = names.filter_map(layout::parse_attempt_name).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn readable(&self, name: &CheckpointName, ids: Vec<AttemptId>) -> Vec<AttemptRecord> {
        futures::stream::iter(ids)
            .map(|id| async move { (id, self.attempt_record(name, id).await) })
            .buffered(REQUESTS)
            .filter_map(|(id, record)| async move {
                record.unwrap_or_else(|error| {
                    tracing::warn!(checkpoint = %name, attempt = %id, %error, "an attempt cannot be read");
                    None
                })
            })
            .collect()
            .await
    }

    /// The receipts of all complete units of an attempt, by unit. Each is checked as by [`Self::receipt`].
    ///
    /// # Errors
    /// As [`Self::receipt`], for the first one that cannot be relied on; [`Error::Storage`] if listing failed.
    pub async fn receipts(&self, name: &CheckpointName, attempt: AttemptId) -> Result<Vec<Receipt>, Error> {
        let units = self.complete_units(name, attempt).await?;
        futures::stream::iter(units)
            .map(|unit| self.receipt(name, attempt, unit))
            .buffered(REQUESTS)
            .try_filter_map(|receipt| async move { Ok(receipt) })
            .try_collect()
            .await
    }

    /// The units of an attempt that have a receipt, in order, by listing alone.
    pub(crate) async fn complete_units(
        &self,
        name: &CheckpointName,
        attempt: AttemptId,
    ) -> Result<Vec<UnitNumber>, Error> {
        let directory = self.inner.layout.attempt(name, attempt);
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let names = listed.objects.iter().filter_map(|meta| meta.location.filename());
        let mut units: Vec<UnitNumber> = names.filter_map(layout::parse_receipt_name).collect();
        units.sort_unstable();
        Ok(units)
    }
}

impl Attempt {
    /// The open attempts with the same signature that are earlier than this one by their ids, oldest first.
    ///
    /// Only for these may this attempt wait: two that waited for each other would never end.
    ///
    /// # Errors
    /// As [`Store::open_attempts`].
    pub async fn earlier(&self) -> Result<Vec<AttemptRecord>, Error> {
        let (me, signature) = (self.id(), self.spec().signature);
        let wanted = |record: &AttemptRecord| record.attempt < me && record.spec.signature == signature;
        self.store().open_among(self.name(), wanted).await
    }
}
