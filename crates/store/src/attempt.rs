//! An attempt: one try at writing a snapshot. It leaves nothing visible until it commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use object_store::ObjectStore;
use object_store::path::Path;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::create::{Created, create_once};
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, Digest, Fingerprint, Signature, UnitNumber};
use crate::layout;
use crate::liveness;
use crate::local::{Durability, FileLock};
use crate::log::read_object;
use crate::owner::Owner;
use crate::receipt::Receipt;
use crate::sealed::{self, FORMAT};
use crate::store::{PRODUCER, Store};

/// What an attempt sets out to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptSpec {
    /// What is computed, and from what.
    pub signature: Signature,
    /// What is computed.
    pub fingerprint: Fingerprint,
    /// How the work is split.
    pub unit_plan: UnitPlan,
    /// Who does it.
    pub owner: Owner,
}

/// How an attempt's work is split, so that another process can take it over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitPlan {
    /// The input slice of each unit, in the engine's own terms.
    pub units: Vec<serde_json::Value>,
    /// The hash of the plan that every unit runs.
    pub plan_hash: Digest,
    /// Whether a unit's rows come from its slice alone, so that units of two attempts may be mixed.
    pub pure: bool,
    /// Why, or why not.
    pub reason: String,
}

/// The record that an attempt began, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// The checkpoint.
    pub checkpoint: CheckpointName,
    /// How many entries the checkpoint's log had then. A later `drop all` closes the attempt.
    pub began_at: u64,
    /// When it began by the owner's clock, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// What it set out to do.
    pub spec: AttemptSpec,
    /// Program and version.
    pub producer: String,
    /// Whether its files were synced before they got their names.
    pub durability: Durability,
}

#[derive(Serialize, Deserialize)]
struct StoredAttempt {
    format: u32,
    features: Vec<String>,
    attempt: AttemptId,
    checkpoint: CheckpointName,
    began_at: u64,
    created_ms: i64,
    producer: String,
    /// Absent: synced.
    #[serde(default, skip_serializing_if = "Durability::is_fsync")]
    durability: Durability,
    spec: AttemptSpec,
}

/// One try at writing a snapshot. Dropping it does nothing that lasts: it stays open until someone abandons it.
#[derive(Debug)]
pub struct Attempt {
    pub(crate) store: Store,
    record: AttemptRecord,
    beats: AtomicU64,
    /// Whether this writer has set out to close it.
    given_up: AtomicBool,
    /// On a local disk: free when this is dropped or the process ends, and then others know at once.
    _lock: Option<FileLock>,
    pub(crate) receipts: Mutex<BTreeMap<UnitNumber, Arc<Receipt>>>,
}

impl Store {
    /// Begins an attempt at a new snapshot of `name`.
    ///
    /// The first write of a process probes whether the store is safe: see [`Self::prepare_write`].
    ///
    /// # Errors
    /// [`Error::StoreNotSafe`], [`Error::NotWritable`], [`Error::DiskFull`], or the errors of reading the log.
    pub async fn begin(&self, name: &CheckpointName, spec: AttemptSpec) -> Result<Attempt, Error> {
        self.prepare_write().await?;
        let newest = self.inner.newest_entry(name).await?;
        let record = AttemptRecord {
            attempt: AttemptId(self.inner.clock.ulid()),
            checkpoint: name.clone(),
            began_at: newest.map_or(0, |entry| entry.slot.next().0),
            created_ms: self.inner.clock.now_ms(),
            spec,
            producer: PRODUCER.to_owned(),
            durability: self.inner.durability(),
        };
        let path = self.inner.layout.attempt_record(name, record.attempt);
        // Before the record: whoever finds the attempt must not find its lock free.
        let lock = self.inner.hold_lock(&self.inner.layout.lock(name, record.attempt)).await;
        let (bytes, _) = sealed::seal(&path, &record.to_stored())?;
        match create_once(self.inner.objects.as_ref(), &path, &bytes).await? {
            Created::Ours => Ok(Attempt {
                store: self.clone(),
                record,
                beats: AtomicU64::new(0),
                given_up: AtomicBool::new(false),
                _lock: lock,
                receipts: Mutex::default(),
            }),
            Created::Theirs(_) => Err(Error::ForeignObject {
                object: path.to_string(),
                detail: "another attempt has the new id of this one".to_owned(),
            }),
        }
    }

    /// The record of an attempt; `None` if there is none, or not any more.
    ///
    /// # Errors
    /// [`Error::Damaged`] and the like if it cannot be relied on.
    pub async fn attempt_record(
        &self,
        name: &CheckpointName,
        attempt: AttemptId,
    ) -> Result<Option<AttemptRecord>, Error> {
        let path = self.inner.layout.attempt_record(name, attempt);
        let Some(bytes) = read_object(self.inner.objects.as_ref(), &path).await? else { return Ok(None) };
        let (stored, _): (StoredAttempt, _) = sealed::unseal(&path, &bytes)?;
        if stored.attempt != attempt || stored.checkpoint != *name {
            let detail = format!("it is attempt {} at {}", stored.attempt, stored.checkpoint);
            return Err(Error::ForeignObject { object: path.to_string(), detail });
        }
        Ok(Some(AttemptRecord::from_stored(stored)))
    }

    /// The stored receipt of a unit of any attempt; `None` if the unit is not complete.
    ///
    /// # Errors
    /// [`Error::Damaged`] and the like if it cannot be relied on.
    pub async fn receipt(
        &self,
        name: &CheckpointName,
        attempt: AttemptId,
        unit: UnitNumber,
    ) -> Result<Option<Receipt>, Error> {
        let path = self.inner.layout.receipt(name, attempt, unit);
        let Some(bytes) = read_object(self.inner.objects.as_ref(), &path).await? else { return Ok(None) };
        self.inner.sync_foreign(&self.inner.layout.attempt(name, attempt)).await?;
        Receipt::decode(&path, &bytes, attempt, unit).map(Some)
    }
}

impl AttemptRecord {
    fn to_stored(&self) -> StoredAttempt {
        StoredAttempt {
            format: FORMAT,
            features: vec![],
            attempt: self.attempt,
            checkpoint: self.checkpoint.clone(),
            began_at: self.began_at,
            created_ms: self.created_ms,
            producer: self.producer.clone(),
            durability: self.durability,
            spec: self.spec.clone(),
        }
    }

    fn from_stored(stored: StoredAttempt) -> Self {
        Self {
            attempt: stored.attempt,
            checkpoint: stored.checkpoint,
            began_at: stored.began_at,
            created_ms: stored.created_ms,
            spec: stored.spec,
            producer: stored.producer,
            durability: stored.durability,
        }
    }
}

impl Attempt {
    /// The attempt's id.
    #[must_use]
    pub const fn id(&self) -> AttemptId {
        self.record.attempt
    }

    /// The checkpoint.
    #[must_use]
    pub const fn name(&self) -> &CheckpointName {
        &self.record.checkpoint
    }

    /// How many entries the checkpoint's log had when the attempt began.
    #[must_use]
    pub const fn began_at(&self) -> u64 {
        self.record.began_at
    }

    /// What the attempt set out to do.
    #[must_use]
    pub const fn spec(&self) -> &AttemptSpec {
        &self.record.spec
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The object store that [`Self::new_unit_file`] gives paths of.
    #[must_use]
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        self.store.object_store()
    }

    /// A new name for a data file of a unit: relative to the checkpoint's directory, and as a whole path.
    ///
    /// Every call gives another name, so that twins who run one unit never write to the same file.
    #[must_use]
    pub fn new_unit_file(&self, unit: UnitNumber) -> (String, Path) {
        let relative = layout::unit_file(self.id(), unit, self.store.inner.clock.ulid());
        let path = self.store.inner.layout.relative(self.name(), &relative);
        (relative, path)
    }

    /// Records that a unit is complete. If a receipt for it is already stored, that one counts and is returned.
    ///
    /// Its files must be complete. From here on they may not be deleted but by garbage collection.
    ///
    /// # Errors
    /// [`Error::Invariant`] if the receipt is not one of this attempt; [`Error::UnknownOutcome`],
    /// [`Error::NotWritable`] or [`Error::DiskFull`] if it was not, or may not have been, written.
    pub async fn write_receipt(&self, receipt: Receipt) -> Result<Receipt, Error> {
        self.check_own(&receipt)?;
        let inner = &self.store.inner;
        let path = inner.layout.receipt(self.name(), self.id(), receipt.unit);
        let (bytes, checksum) = receipt.encode(&path)?;
        let stored = match create_once(inner.objects.as_ref(), &path, &bytes).await? {
            Created::Ours => Receipt { checksum, ..receipt },
            Created::Theirs(theirs) => {
                inner.sync_foreign(&inner.layout.attempt(self.name(), self.id())).await?;
                Receipt::decode(&path, &theirs, self.id(), receipt.unit)?
            }
        };
        self.receipts.lock().insert(stored.unit, Arc::new(stored.clone()));
        Ok(stored)
    }

    fn check_own(&self, receipt: &Receipt) -> Result<(), Error> {
        let broken = |detail: String| Err(Error::invariant("a receipt is of its own attempt", detail));
        if receipt.attempt != self.id() {
            return broken(format!("it is of attempt {}, not {}", receipt.attempt, self.id()));
        }
        if receipt.signature != self.record.spec.signature {
            return broken(format!("its signature is {}", receipt.signature));
        }
        receipt.disagreement().map_or(Ok(()), broken)
    }

    /// Notes that a close of the attempt may be this writer's own.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether a close of the attempt may be this writer's own.
    pub(crate) fn gave_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Gives a sign of life. The caller decides how often; 10 seconds is usual.
    ///
    /// # Errors
    /// The errors of a write. They are no reason to stop: the worst that follows is that another takes over.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        let inner = &self.store.inner;
        let path = inner.layout.heartbeat(self.name(), self.id());
        liveness::beat(inner, path, self.beats.fetch_add(1, Ordering::Relaxed)).await
    }
}
