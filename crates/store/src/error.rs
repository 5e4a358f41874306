//! What can go wrong, named by what the caller does next.

use crate::ids::{AttemptId, CheckpointName, Checksum, Slot, UnitNumber};
use crate::job::JobName;
use crate::layout;

/// A shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An operation on the store failed.
///
/// Races that are part of normal life are outcomes, not errors: see `AppendOutcome`, `CommitOutcome`
/// and `DropOutcome`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name cannot become part of a path. Choose another.
    #[error("checkpoint name {name:?} is not allowed: {reason}; use [a-z_][a-z0-9_]{{0,62}}")]
    InvalidName {
        /// The refused name, cut to 80 characters.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },

    /// The name cannot become part of a path. Choose another.
    #[error("job name {name:?} is not allowed: {reason}; use [a-z_][a-z0-9_]{{0,62}}")]
    InvalidJobName {
        /// The refused name, cut to 80 characters.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },

    /// No object store is built in for this scheme. Open it yourself and use `Store::with_object_store`.
    #[error(
        "no store is built in for {scheme:?} URLs; use a path, file:// or memory://, \
         or hand over an object store that is already open"
    )]
    UnsupportedStore {
        /// The URL's scheme.
        scheme: String,
    },

    /// The location cannot hold a store.
    #[error("{path} cannot hold a store: {reason}; choose a directory")]
    NotADirectory {
        /// The refused location.
        path: String,
        /// What stands there.
        reason: String,
    },

    /// A newer program wrote this. Upgrade.
    #[error(
        "{object} has format {found}, this program reads up to {supported}; use a newer version of Milepost"
    )]
    NewerFormat {
        /// The object's path.
        object: String,
        /// Its format number.
        found: u32,
        /// The newest format that this program reads.
        supported: u32,
    },

    /// The object needs a feature that this program does not have. Upgrade.
    #[error(
        "{object} needs the feature {feature:?}, which this program lacks; use a newer version of Milepost"
    )]
    UnknownFeature {
        /// The object's path.
        object: String,
        /// The feature's name.
        feature: String,
    },

    /// Stored bytes are not those that were written. Restore the object, or compute the snapshot again: where the log itself
    /// is damaged, under another name.
    #[error("{object} is damaged: expected {expected}, found {found}; {}", remedy(object))]
    Damaged {
        /// The object's path.
        object: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A log has entries after a missing one. Restore the missing entry.
    #[error("log {log} has no entry {missing} but has entry {newest}; {}", remedy(log))]
    LogGap {
        /// The log's path.
        log: String,
        /// The slot without an entry.
        missing: Slot,
        /// A later slot with one.
        newest: Slot,
    },

    /// A log does not have an entry that was on disk. Where the log's own hint tells, nothing older is served in its place; what
    /// a hint of the index tells keeps a garbage collection away.
    #[error(
        "log {log} has lost its newest entry {missing}, which was written as {tail} says; put it back from a backup, or \
         give up what came after {} by removing {tail}", entry_or_nothing(*newest)
    )]
    LogCut {
        /// The log's path.
        log: String,
        /// The path of the hint that names the entry: the log's own, or one of the index.
        tail: String,
        /// The slot of the lost entry.
        missing: Slot,
        /// The newest entry that is there.
        newest: Option<Slot>,
    },

    /// The current run of a job cannot be read, though the job's newest entry can.
    #[error(
        "job {job} cannot go on with its run: {source}; or begin a new run with --restart, which runs finished COPY and \
         INSERT statements again"
    )]
    RunDamaged {
        /// The job.
        job: JobName,
        /// What is damaged.
        source: Box<Error>,
    },

    /// Something that is not ours stands where a log entry belongs.
    #[error("{object} does not belong there: {detail}; move it away")]
    ForeignObject {
        /// The object's path.
        object: String,
        /// What is wrong with it.
        detail: String,
    },

    /// Checkpoints or jobs exist but the file that says whose they are does not. Restore it.
    #[error(
        "{object} is missing while checkpoints or jobs are there; put it back from a backup, this is not an empty store"
    )]
    MissingIdentity {
        /// The path of `milepost.json`.
        object: String,
    },

    /// The store can be read but not written. Use another one, or get the right to write.
    #[error("cannot write to {path}: {source}; check its permissions, or choose another store")]
    NotWritable {
        /// What could not be written.
        path: String,
        /// The refusal.
        source: Cause,
    },

    /// There is no space left. Free some; nothing was committed.
    #[error("the disk is full while writing {path}: {source}; free some space and run again")]
    DiskFull {
        /// What could not be written.
        path: String,
        /// The operating system's words.
        source: Cause,
    },

    /// Create-if-absent does not hold on this store, so two writers could both believe that they won.
    #[error("{store} is not safe for checkpoints: {detail}; use a store that honours create-if-absent")]
    StoreNotSafe {
        /// The store, without secrets.
        store: String,
        /// What the probe saw.
        detail: String,
    },

    /// It is not known whether the object was written. Run again: nothing is lost, nothing is done twice.
    #[error("it is unknown whether {object} was written: {source}; run the statement again")]
    UnknownOutcome {
        /// The object's path.
        object: String,
        /// The last failure.
        source: Cause,
    },

    /// A source changed while it was read, so the rows belong to no version of it. Run again.
    #[error("source {source_name} changed while checkpoint {checkpoint} was computed: {what}; run it again")]
    SourceChanged {
        /// The checkpoint that was being written.
        checkpoint: CheckpointName,
        /// The source, as the query names it.
        source_name: String,
        /// What changed.
        what: String,
    },

    /// Whether the sources are what they were when they were read cannot be told. Run again: what is complete is kept.
    #[error(
        "whether the sources of checkpoint {checkpoint} have changed cannot be told: {source}; run it again"
    )]
    SourcesUnknown {
        /// The checkpoint that was being written.
        checkpoint: CheckpointName,
        /// Why not.
        source: Cause,
    },

    /// The driver of the job whose step this was has ended its turn.
    #[error("the driver of the job has ended its turn; nothing was changed: run the job again")]
    DriverGone,

    /// Another driver has taken over the job whose step this was: nothing of this one counts any more.
    #[error(
        "another driver has taken over the job that was working on checkpoint {checkpoint}; nothing was changed"
    )]
    Fenced {
        /// The checkpoint that was being written or dropped.
        checkpoint: CheckpointName,
    },

    /// Adopted units belong to attempts that no commit may use any more. Compute these units again.
    #[error("units {units:?} of {checkpoint} come from closed attempts {attempts:?}; compute them again")]
    UnitsClosed {
        /// The checkpoint that was being written.
        checkpoint: CheckpointName,
        /// The closed attempts.
        attempts: Vec<AttemptId>,
        /// The units whose files they own.
        units: Vec<UnitNumber>,
    },

    /// Somebody else closed the attempt, which no writer does: a garbage collection took its writer for dead. Run again.
    #[error(
        "attempt {attempt} at checkpoint {checkpoint} was closed while it was written: its writer gave no sign of life for so \
         long that a garbage collection took it for dead (entry {slot} of the log); nothing was committed and nobody dropped \
         it, run the statement again"
    )]
    AttemptClosed {
        /// The checkpoint that was being written.
        checkpoint: CheckpointName,
        /// The closed attempt.
        attempt: AttemptId,
        /// The slot of the entry that closed it.
        slot: Slot,
    },

    /// A rule of the store's format would have been broken. This is a defect: report it.
    #[error("invariant {name:?} would be broken: {detail}; nothing was committed, please report this")]
    Invariant {
        /// The rule's name.
        name: &'static str,
        /// What breaks it.
        detail: String,
    },

    /// Parquet cannot hold this column. Cast it in the query.
    #[error(
        "column {column} has type {data_type}, which a snapshot cannot hold ({reason}); cast it in the query"
    )]
    UnsupportedType {
        /// The column, with the path to the nested field.
        column: String,
        /// The Arrow type.
        data_type: String,
        /// Why not.
        reason: &'static str,
    },

    /// The schema has no columns, and Parquet cannot count rows without one.
    #[error("a snapshot needs at least one column; add one to the query")]
    NoColumns,

    /// The object store failed.
    #[error("cannot {operation} {object}: {source}{}", way_out(source))]
    Storage {
        /// What was tried: "read", "write", "list", …
        operation: &'static str,
        /// The object's path.
        object: String,
        /// The object store's error.
        source: Box<object_store::Error>,
    },

    /// Rows could not be encoded or decoded.
    #[error("cannot {operation} {object}: {source}")]
    Parquet {
        /// What was tried: "encode", "decode", …
        operation: &'static str,
        /// The object's path.
        object: String,
        /// Parquet's or Arrow's error.
        source: Cause,
    },

    /// A value could not be turned into JSON.
    #[error("cannot encode {object}: {source}")]
    Encode {
        /// The object's path.
        object: String,
        /// The encoder's error.
        source: Cause,
    },
}

impl Error {
    /// Whether stored bytes are missing or wrong, so that computing the snapshot again would help.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::LogGap { .. }
                | Self::LogCut { .. }
                | Self::RunDamaged { .. }
                | Self::ForeignObject { .. }
                | Self::MissingIdentity { .. }
        )
    }

    /// Whether one object is damaged or from a newer program, while the store itself can be read.
    pub(crate) const fn is_of_one_object(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::LogGap { .. }
                | Self::LogCut { .. }
                | Self::ForeignObject { .. }
                | Self::NewerFormat { .. }
                | Self::UnknownFeature { .. }
        )
    }

    pub(crate) fn storage(
        operation: &'static str,
        object: impl std::fmt::Display,
        source: object_store::Error,
    ) -> Self {
        Self::Storage { operation, object: object.to_string(), source: Box::new(source) }
    }

    /// The same error of an object that people know by another name.
    pub(crate) fn at(mut self, place: String) -> Self {
        match &mut self {
            Self::NewerFormat { object, .. }
            | Self::UnknownFeature { object, .. }
            | Self::Damaged { object, .. }
            | Self::ForeignObject { object, .. }
            | Self::MissingIdentity { object }
            | Self::Storage { object, .. } => *object = place,
            _ => {}
        }
        self
    }

    pub(crate) fn damaged(
        object: impl std::fmt::Display,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Damaged { object: object.to_string(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn invariant(name: &'static str, detail: impl Into<String>) -> Self {
        Self::Invariant { name, detail: detail.into() }
    }

    pub(crate) fn parquet(
        operation: &'static str,
        object: impl std::fmt::Display,
        source: impl Into<Cause>,
    ) -> Self {
        Self::Parquet { operation, object: object.to_string(), source: source.into() }
    }
}

/// What an object must hold, or was found to hold, for [`Error::Damaged`].
pub(crate) fn contents(size: u64, checksum: &Checksum) -> String {
    format!("{size} bytes with checksum {checksum}")
}

/// What helps against a damaged object. Nothing can be appended to a log whose newest entry says nothing.
fn remedy(object: &str) -> &'static str {
    if layout::is_identity(object) {
        return "put it back from a backup, without it the store cannot be opened";
    }
    let is_log = object.contains("/log/") || object.ends_with("/log");
    match (is_log, layout::is_of_job(object)) {
        (true, true) => {
            "put it back from a backup, or begin the job anew under another name with --job, which runs finished COPY and \
             INSERT statements again"
        }
        (true, false) => "put it back from a backup, or go on under another name",
        (false, _) => "put it back from a backup, or compute the snapshot again with FORCE",
    }
}

/// What helps where a store refuses, if something is known to.
fn way_out(refusal: &object_store::Error) -> &'static str {
    match refusal {
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            "; get the right to do so, or choose another store"
        }
        _ => "",
    }
}

fn entry_or_nothing(slot: Option<Slot>) -> String {
    slot.map_or_else(|| "the beginning".to_owned(), |slot| format!("entry {slot}"))
}

/// Whether the disk itself did not say what it holds, so that nothing read from it would prove anything.
pub(crate) fn has_failed_sync(error: &Error) -> bool {
    let Error::UnknownOutcome { source, .. } = error else { return false };
    let source: &(dyn std::error::Error + 'static) = source.as_ref();
    source.downcast_ref::<object_store::Error>().is_some_and(crate::local::is_failed_sync)
}

/// Turns a failed write into the error that says what to do about it.
pub(crate) fn write_error(object: impl std::fmt::Display, source: object_store::Error) -> Error {
    let path = object.to_string();
    if is_disk_full(&source) {
        return Error::DiskFull { path, source: Box::new(source) };
    }
    match source {
        object_store::Error::PermissionDenied { source, .. }
        | object_store::Error::Unauthenticated { source, .. } => Error::NotWritable { path, source },
        other => Error::storage("write", path, other),
    }
}

/// Whether the refusal is certain to have left nothing behind, so that no read-back is needed.
pub(crate) fn surely_not_written(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    is_disk_full(error)
        || matches!(
            error,
            E::PermissionDenied { .. }
                | E::Unauthenticated { .. }
                | E::NotSupported { .. }
                | E::NotImplemented { .. }
                | E::InvalidPath { .. }
                | E::UnknownConfigurationKey { .. }
        )
}

/// Whether the error, or any cause of it, is the operating system's "no space left".
pub(crate) fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let refused = object_store::Error::PermissionDenied { path: "x".into(), source: "no".into() };
        assert!(Error::storage("read", "x", refused).to_string().ends_with("or choose another store"));
        let lost = object_store::Error::Generic { store: "s", source: "lost".into() };
        assert!(Error::storage("read", "x", lost).to_string().ends_with("lost"));
    }
}
