//! Adopting: complete units of other attempts that a new attempt may commit as its own.
//!
//! It needs no proof of death. Who owns adopted files may commit first, or be closed by garbage collection: the commit
//! that names them is judged by the log, and then ends with the other's result or with [`Error::UnitsClosed`].

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt;

use crate::attempt::{Attempt, AttemptRecord, UnitPlan};
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, Signature, UnitNumber};
use crate::receipt::Receipt;
use crate::store::{REQUESTS, Store};

/// Another attempt whose units may be adopted.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoptable {
    /// The attempt.
    pub record: AttemptRecord,
    /// The receipts of its complete units, by unit. Their files were there, with the right sizes; what is in them is looked at
    /// by [`Store::choose_sound_units`].
    pub receipts: Vec<Receipt>,
}

/// One receipt for each unit: the oldest attempt's, so that whoever chooses from the same attempts chooses the same.
#[must_use]
pub fn choose_units(found: &[Adoptable]) -> BTreeMap<UnitNumber, Receipt> {
    let mut attempts: Vec<&Adoptable> = found.iter().collect();
    attempts.sort_unstable_by_key(|adoptable| adoptable.record.attempt);
    let mut chosen = BTreeMap::new();
    for receipt in attempts.into_iter().flat_map(|adoptable| &adoptable.receipts) {
        chosen.entry(receipt.unit).or_insert_with(|| receipt.clone());
    }
    chosen
}

/// How many units are read and checked at once.
const CHECKED: usize = 4;

/// A unit that was complete and cannot be relied on any more.
#[derive(Debug)]
pub struct UnsoundUnit {
    /// The attempt that wrote it.
    pub attempt: AttemptId,
    /// The unit.
    pub unit: UnitNumber,
    /// What is the matter with one of its files.
    pub error: Error,
}

impl UnitPlan {
    /// Whether units of two attempts with these plans are the same units, so that they may be mixed.
    #[must_use]
    pub fn mixes_with(&self, other: &Self) -> bool {
        self.pure && other.pure && self.plan_hash == other.plan_hash && self.units == other.units
    }
}

impl Attempt {
    /// What this attempt may adopt: see [`Store::adoptable`].
    ///
    /// Not to be asked for a forced run, or for one that replaces a damaged snapshot: these set out to compute anew.
    ///
    /// # Errors
    /// As [`Store::adoptable`].
    pub async fn adoptable(&self) -> Result<Vec<Adoptable>, Error> {
        let spec = self.spec();
        self.store().others(self.name(), spec.signature, &spec.unit_plan, Some(self.id())).await
    }
}

impl Store {
    /// The open attempts, oldest first, with this signature and the same pure unit plan, and those of their receipts
    /// that agree in checksum, attempt, unit, slice and signature, and whose files are all there with the right sizes.
    ///
    /// Attempts that have committed are not among them: their files live and die with their commit. Nor are those that
    /// left out syncs which this handle promises. What cannot be relied on is passed over with a warning, and costs a
    /// computation.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed, and the errors of reading the log.
    pub async fn adoptable(
        &self,
        name: &CheckpointName,
        signature: Signature,
        plan: &UnitPlan,
    ) -> Result<Vec<Adoptable>, Error> {
        self.others(name, signature, plan, None).await
    }

    /// As [`choose_units`], of units whose files are read whole first: every byte must be what its receipt says. One that cannot
    /// be relied on is told of beside, and another attempt's stands in for it where there is one.
    ///
    /// What a dead writer left was read by nobody yet, and a commit that names a damaged file lasts.
    pub async fn choose_sound_units(
        &self,
        name: &CheckpointName,
        mut found: Vec<Adoptable>,
    ) -> (BTreeMap<UnitNumber, Receipt>, Vec<UnsoundUnit>) {
        let (mut looked_at, mut unsound) = (HashSet::new(), vec![]);
        loop {
            let chosen = choose_units(&found);
            let unread = chosen.values().filter(|receipt| looked_at.insert((receipt.attempt, receipt.unit)));
            let checks: Vec<_> = unread.map(|receipt| self.check_unit(name, receipt)).collect();
            let checked: Vec<_> = futures::stream::iter(checks)
                .buffer_unordered(CHECKED)
                .filter_map(async |bad| bad)
                .collect()
                .await;
            if checked.is_empty() {
                return (chosen, unsound);
            }
            for UnsoundUnit { attempt, unit, .. } in &checked {
                let of = found.iter_mut().filter(|adoptable| adoptable.record.attempt == *attempt);
                of.for_each(|adoptable| adoptable.receipts.retain(|receipt| receipt.unit != *unit));
            }
            unsound.extend(checked);
        }
    }

    /// What is the matter with the files of a unit, if anything is.
    async fn check_unit(&self, name: &CheckpointName, receipt: &Receipt) -> Option<UnsoundUnit> {
        for file in &receipt.files {
            if let Err(error) = self.verify_file(name, file).await {
                return Some(UnsoundUnit { attempt: receipt.attempt, unit: receipt.unit, error });
            }
        }
        None
    }

    async fn others(
        &self,
        name: &CheckpointName,
        signature: Signature,
        plan: &UnitPlan,
        except: Option<AttemptId>,
    ) -> Result<Vec<Adoptable>, Error> {
        if !plan.pure {
            return Ok(vec![]);
        }
        let durable = self.inner.durability().is_fsync();
        let wanted = |record: &AttemptRecord| {
            let spec = &record.spec;
            Some(record.attempt) != except
                && spec.signature == signature
                && spec.unit_plan.mixes_with(plan)
                // Syncing a directory does not sync what lies in it.
                && (record.durability.is_fsync() || !durable)
        };
        let mut found = vec![];
        for record in self.open_among(name, wanted).await? {
            let receipts = self.sound_receipts(&record).await?;
            if !receipts.is_empty() {
                found.push(Adoptable { record, receipts });
            }
        }
        Ok(found)
    }

    async fn sound_receipts(&self, record: &AttemptRecord) -> Result<Vec<Receipt>, Error> {
        let units = self.complete_units(&record.checkpoint, record.attempt).await?;
        let sound = futures::stream::iter(units)
            .map(|unit| async move { (unit, self.sound_receipt(record, unit).await) })
            .buffered(REQUESTS)
            .filter_map(|(unit, receipt)| async move {
                receipt.unwrap_or_else(|error| {
                    tracing::warn!(attempt = %record.attempt, %unit, %error, "a unit cannot be adopted");
                    None
                })
            })
            .collect()
            .await;
        Ok(sound)
    }

    /// `None` if the receipt is whole but not of this unit of the plan.
    async fn sound_receipt(
        &self,
        record: &AttemptRecord,
        unit: UnitNumber,
    ) -> Result<Option<Receipt>, Error> {
        let name = &record.checkpoint;
        let Some(receipt) = self.receipt(name, record.attempt, unit).await? else { return Ok(None) };
        let slice = record.spec.unit_plan.units.get(unit.0 as usize);
        if receipt.signature != record.spec.signature || slice != Some(&receipt.slice) {
            return Ok(None);
        }
        for file in &receipt.files {
            self.check_file(name, file).await?;
        }
        Ok(Some(receipt))
    }
}
