//! Finding attempts and their complete units.

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use crate::attempt::{Attempt, AttemptRecord};
use crate::commit::view::{Fate, View};
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, UnitNumber};
use crate::layout;
use crate::receipt::Receipt;
use crate::store::Store;

/// How many small requests are made at once.
const REQUESTS: usize = 32;

/// What to do about an attempt whose record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Fail: for callers that decide what may be deleted.
    Refuse,
    /// Pass it over with a warning: for callers that only wish to reuse work.
    Skip,
}

impl Store {
    /// All attempts at a checkpoint, oldest first. A directory without `attempt.json` is not an attempt.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed; with [`Unreadable::Refuse`] also what makes a record unreadable.
    pub async fn attempts(
        &self,
        name: &CheckpointName,
        unreadable: Unreadable,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let directory = self.inner.layout.attempts(name);
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let mut ids: Vec<AttemptId> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| layout::parse_attempt_name(path.filename()?))
            .collect();
        ids.sort_unstable();
        futures::stream::iter(ids)
            .map(|id| async move { (id, self.attempt_record(name, id).await) })
            .buffered(REQUESTS)
            .filter_map(|(id, record)| async move {
                match record {
                    Err(error) if unreadable == Unreadable::Skip => {
                        tracing::warn!(checkpoint = %name, attempt = %id, %error, "an attempt cannot be read");
                        None
                    }
                    record => record.transpose(),
                }
            })
            .try_collect()
            .await
    }

    /// The attempts that may still commit, and whose units may be adopted, oldest first: by the log, neither closed
    /// nor committed.
    ///
    /// # Errors
    /// As [`Self::attempts`], and those of reading the log.
    pub async fn open_attempts(
        &self,
        name: &CheckpointName,
        unreadable: Unreadable,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let records = self.attempts(name, unreadable).await?;
        self.open_among(name, records).await
    }

    /// Those of `records` that the log does not say to be closed or committed.
    pub(crate) async fn open_among(
        &self,
        name: &CheckpointName,
        mut records: Vec<AttemptRecord>,
    ) -> Result<Vec<AttemptRecord>, Error> {
        // What is there by its own commit needs no look at old entries.
        let live = self.inner.state(name).await?.live;
        records.retain(|record| live.iter().all(|version| version.attempt != record.attempt));
        let Some(from) = records.iter().map(|record| record.began_at).min() else { return Ok(records) };
        let view = View::open(&self.inner, name, from).await?;
        records.retain(|record| view.fate(record) == Fate::Open);
        Ok(records)
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
    /// As [`Store::open_attempts`]; attempts whose record cannot be read are passed over.
    pub async fn earlier(&self) -> Result<Vec<AttemptRecord>, Error> {
        let mut records = self.store().attempts(self.name(), Unreadable::Skip).await?;
        let signature = self.spec().signature;
        records.retain(|record| record.attempt < self.id() && record.spec.signature == signature);
        self.store().open_among(self.name(), records).await
    }
}
