//! What a collection did, what it left, and why.

use std::time::Duration;

use object_store::ObjectMeta;
use object_store::path::Path;

use super::StoreTime;
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, Version};

/// What a collection did; in a dry run, what it would have done.
#[derive(Debug)]
pub struct GcReport {
    /// Whether nothing was really done.
    pub dry_run: bool,
    /// The store's time when it began. Everything was judged by it.
    pub now: Option<StoreTime>,
    /// Each checkpoint that was looked at, by name.
    pub checkpoints: Vec<CheckpointGarbage>,
    /// Objects beside the checkpoints that were deleted: leftover probes and temporary files.
    pub leftovers: Vec<DeletedObject>,
    /// Objects beside the checkpoints that are none of ours. They are never removed.
    pub unknown: Vec<UnknownObject>,
    /// What kept the collection from looking at hints and leftovers to the end.
    pub stopped: Option<Error>,
}

/// What a collection did at one checkpoint.
#[derive(Debug)]
pub struct CheckpointGarbage {
    /// The checkpoint.
    pub name: CheckpointName,
    /// Versions that were dropped, oldest first.
    pub dropped: Vec<DroppedVersion>,
    /// Versions that are too many or too old, and only too young to be dropped, oldest first.
    pub postponed: Vec<PostponedVersion>,
    /// Attempts that were closed.
    pub abandoned: Vec<Abandoned>,
    /// Objects that were deleted.
    pub deleted: Vec<DeletedObject>,
    /// Objects of attempts that failed, or whose snapshots were dropped, that are still there. Those of snapshots that
    /// are there are not listed.
    pub kept: Vec<KeptObject>,
    /// Objects that are none of ours. They are never removed.
    pub unknown: Vec<UnknownObject>,
    /// Index hints that led to dropped versions, and were removed.
    pub hints: u64,
    /// Records of attempts that are damaged. Each keeps its attempt, unless the log alone proves that nothing can need it; the
    /// rest of the checkpoint is collected.
    pub damaged: Vec<Error>,
    /// What stopped the collection at this checkpoint. What is listed above was done before.
    pub stopped: Option<Error>,
}

/// A version that was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedVersion {
    /// The version.
    pub version: Version,
    /// Why.
    pub reason: DropReason,
}

/// A version that a later collection will drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostponedVersion {
    /// The version.
    pub version: Version,
    /// Why it will be dropped.
    pub reason: DropReason,
    /// When it is old enough.
    pub until: StoreTime,
}

/// Why a version was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// So many newer ones are there.
    Superseded {
        /// How many are kept.
        keep_versions: u32,
    },
    /// It has reached its age.
    Expired {
        /// The age.
        ttl: Duration,
    },
}

/// An attempt that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The attempt.
    pub attempt: AttemptId,
    /// Why.
    pub reason: AbandonReason,
}

/// Why an attempt was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbandonReason {
    /// It gave no sign of life for so long.
    Silent(Duration),
    /// The snapshot that it committed was dropped.
    Dropped(Version),
    /// It has files that the snapshot that it committed does not name.
    Surplus(Version),
}

/// An object that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedObject {
    /// Its path in the object store.
    pub object: String,
    /// Its size.
    pub bytes: u64,
}

/// An object that is garbage, or will be, and is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptObject {
    /// Its path in the object store.
    pub object: String,
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub reason: KeptReason,
}

/// Why an object is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptReason {
    /// A snapshot that is there has it.
    NamedBy(Version),
    /// Whoever reads it may go on until then.
    Grace {
        /// When its grace period is over.
        until: StoreTime,
    },
    /// Its attempt may be alive. Where its owner's process is seen to live on this host, that is a sign of life of now.
    Alive {
        /// When it is taken for dead, should no further sign of life come.
        until: StoreTime,
    },
    /// Its attempt is silent, but a living attempt at the same result may be using its units.
    MayBeAdopted {
        /// The living attempt.
        by: AttemptId,
    },
    /// It says what other objects are that are still there.
    Describes,
    /// The record of its attempt is damaged, and the log does not tell that nothing can need it.
    Unreadable,
}

/// An object that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownObject {
    /// Its path in the object store; for a whole directory with a slash at the end.
    pub object: String,
    /// Its size; zero for a whole directory.
    pub bytes: u64,
}

impl UnknownObject {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self { object: meta.location.to_string(), bytes: meta.size }
    }

    pub(super) fn directory(path: &Path) -> Self {
        Self { object: format!("{path}/"), bytes: 0 }
    }
}

impl GcReport {
    pub(super) const fn new(dry_run: bool) -> Self {
        Self { dry_run, now: None, checkpoints: vec![], leftovers: vec![], unknown: vec![], stopped: None }
    }

    /// All objects that were deleted, hints left out.
    pub fn deleted(&self) -> impl Iterator<Item = &DeletedObject> {
        self.checkpoints.iter().flat_map(|garbage| &garbage.deleted).chain(&self.leftovers)
    }

    /// Bytes of all objects that were deleted.
    #[must_use]
    pub fn bytes_freed(&self) -> u64 {
        self.deleted().map(|object| object.bytes).sum()
    }

    /// Whether every checkpoint was looked at to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none() && self.checkpoints.iter().all(|garbage| garbage.stopped.is_none())
    }

    /// What is damaged, and did not keep the rest from being collected.
    pub fn damaged(&self) -> impl Iterator<Item = &Error> {
        self.checkpoints.iter().flat_map(|garbage| &garbage.damaged)
    }

    /// What was done at one checkpoint; `None` if it was not looked at.
    #[must_use]
    pub fn of(&self, name: &CheckpointName) -> Option<&CheckpointGarbage> {
        self.checkpoints.iter().find(|garbage| garbage.name == *name)
    }
}

impl CheckpointGarbage {
    pub(super) const fn new(name: CheckpointName) -> Self {
        Self {
            name,
            dropped: vec![],
            postponed: vec![],
            abandoned: vec![],
            deleted: vec![],
            kept: vec![],
            unknown: vec![],
            hints: 0,
            damaged: vec![],
            stopped: None,
        }
    }
}
