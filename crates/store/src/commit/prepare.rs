//! What a commit needs to know before it is judged, and to have written before it is appended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::CommitDraft;
use crate::attempt::Attempt;
use crate::error::Error;
use crate::ids::{AttemptId, UnitNumber, Version};
use crate::invariants;
use crate::manifest::{Manifest, StoredManifest};
use crate::receipt::Receipt;
use crate::store::REQUESTS;

/// A manifest that keeps every rule, whose side files and receipts are on the store.
pub(super) struct Prepared {
    pub(super) manifest: Arc<Manifest>,
    pub(super) stored: StoredManifest,
    pub(super) replaces: Option<Version>,
    /// The units that the files belong to, by the files' paths.
    pub(super) units: BTreeSet<(AttemptId, UnitNumber)>,
    /// Other attempts that own files, and how long the log was when each began. `None`: there is no record of it.
    pub(super) owners: BTreeMap<AttemptId, Option<u64>>,
}

impl Prepared {
    /// The first slot whose entry could have closed this attempt or one that owns its files.
    pub(super) fn first_slot(&self, began_at: u64) -> u64 {
        self.owners.values().flatten().copied().fold(began_at, u64::min)
    }
}

impl Attempt {
    pub(super) async fn prepare(&self, draft: CommitDraft) -> Result<Prepared, Error> {
        let manifest = Arc::new(draft.manifest);
        self.check_signature(&manifest)?;
        invariants::check_manifest(&manifest)?;
        let units = manifest.units();
        let owners = self.owners(&units).await?;
        self.check_receipts(&manifest, &units, &owners).await?;
        let inner = &self.store.inner;
        let side_files = inner.side_files(self.name());
        let stored = side_files.store(self.id(), || inner.clock.ulid(), &manifest).await?;
        Ok(Prepared { manifest, stored, replaces: draft.replaces, units, owners })
    }

    fn check_signature(&self, manifest: &Manifest) -> Result<(), Error> {
        let (ours, theirs) = (self.spec().signature, manifest.identity.signature);
        if ours == theirs {
            return Ok(());
        }
        let detail = format!("the attempt has {ours}, the manifest {theirs}");
        Err(Error::invariant("an attempt commits what it set out to do", detail))
    }

    async fn owners(
        &self,
        units: &BTreeSet<(AttemptId, UnitNumber)>,
    ) -> Result<BTreeMap<AttemptId, Option<u64>>, Error> {
        let mut owners = BTreeMap::new();
        for (owner, _) in units {
            if *owner != self.id() && !owners.contains_key(owner) {
                let record = self.store.attempt_record(self.name(), *owner).await?;
                owners.insert(*owner, record.map(|record| record.began_at));
            }
        }
        Ok(owners)
    }

    /// Every file must be named by the stored receipt of its unit. Units whose attempt is gone are left to rule 2.
    async fn check_receipts(
        &self,
        manifest: &Manifest,
        units: &BTreeSet<(AttemptId, UnitNumber)>,
        owners: &BTreeMap<AttemptId, Option<u64>>,
    ) -> Result<(), Error> {
        // Owned, because a closure over borrowed items would keep the future from being `Send`.
        let there: Vec<(AttemptId, UnitNumber)> =
            units.iter().filter(|(owner, _)| owners.get(owner) != Some(&None)).copied().collect();
        futures::stream::iter(there)
            .map(|(owner, unit)| async move {
                invariants::check_receipt(manifest, &*self.stored_receipt(owner, unit).await?)
            })
            .buffer_unordered(REQUESTS)
            .try_collect()
            .await
    }

    async fn stored_receipt(&self, owner: AttemptId, unit: UnitNumber) -> Result<Arc<Receipt>, Error> {
        let known = (owner == self.id()).then(|| self.receipts.lock().get(&unit).cloned()).flatten();
        if let Some(receipt) = known {
            return Ok(receipt);
        }
        let found = self.store.receipt(self.name(), owner, unit).await?;
        found.map(Arc::new).ok_or_else(|| {
            let detail = format!("unit {unit} of attempt {owner} has none");
            Error::invariant("every unit of a snapshot has a receipt", detail)
        })
    }
}
