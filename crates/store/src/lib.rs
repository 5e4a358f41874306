//! Snapshots and logs on object storage.
//!
//! A *checkpoint* is a named result. A *snapshot* is one committed state of it. This crate writes snapshots so
//! that a crash, a lost reply or a second writer at any moment leaves either the whole snapshot or nothing, and
//! reads them so that a missing or changed byte is an error and never a wrong row.
//!
//! # The life of a snapshot
//! 1. [`Store::begin`] creates an [`Attempt`]: a directory that nobody else looks into.
//! 2. [`DataFileWriter`] streams rows into Parquet files there, and hashes, counts and measures them on the way.
//! 3. [`Attempt::write_receipt`] records that a unit of work is complete. From then on it survives a crash.
//! 4. [`Attempt::commit`] judges by the rules of the log whether the work still counts, and appends the
//!    [`Manifest`] to the checkpoint's [`Log`]: it creates the object of the next slot, which only one writer
//!    can do. That create is the commit. Whoever loses reads the winner's entry and judges again.
//! 5. [`Store::newest`] finds the snapshot from then on; [`Store::check_files`] looks whether its files are whole.
//!
//! # When the writer dies
//! Its attempt stays, with the receipts of its complete units. [`Store::open_attempts`] finds it, [`AttemptWatch`] tells
//! whether its owner lives, and [`Attempt::adoptable`] gives the units that a new attempt may commit as its own.
//!
//! # The life of a job
//! [`Driver::start`] begins a run, or takes an unfinished one up where it stopped; [`Driver::step`] records a finished
//! statement; [`Driver::finish`] ends the run. One log a job and a rising epoch keep a second driver out: see [`job`].
//!
//! The rules, and what happens when a writer stops between any two steps, stand in `docs/format.md`.
//!
//! # What this crate is not
//! It knows Arrow schemas and Parquet files, and no queries: what a signature means, which sources a plan reads
//! and when a snapshot is fresh is the engine's to say. Nothing that must be right hangs on a lock or a clock; a lock
//! on a local disk and the heartbeat only tell sooner that an owner is dead. Of checkpoints only [`gc`] deletes anything,
//! and only what the log proves that nothing can need any more; beside them, a probe goes when it has answered, and a
//! driver's signs of life when its turn is over. [`verify`] reads every byte.

mod adopting;
pub mod attempt;
pub mod clock;
pub mod commit;
pub mod content;
mod create;
pub mod datafile;
mod encoding;
pub mod error;
mod finding;
pub mod gc;
pub mod ids;
mod index;
mod invariants;
pub mod job;
pub mod layout;
pub mod liveness;
pub mod local;
pub mod log;
pub mod manifest;
mod owner;
mod probe;
pub mod receipt;
mod sealed;
mod secret;
pub mod sidefile;
pub mod snapshot;
pub mod statistics;
pub mod store;
pub mod verify;
mod words;

pub use adopting::{Adoptable, UnsoundUnit, choose_units};
pub use attempt::{Attempt, AttemptRecord, AttemptSpec, UnitPlan};
pub use clock::{Clock, SystemClock};
pub use commit::{CommitDraft, CommitJudge, CommitOutcome, SourceChanged};
pub use content::{CONTENT_SCHEME, ContentHasher, ContentPart};
pub use datafile::{ChooseEncodings, DataFileWriter, WriteTimes};
pub use error::{Cause, Error, Result};
pub use gc::{CheckpointGarbage, GcOptions, GcReport, StoreTime};
pub use ids::{
    AttemptId, CheckpointName, Checksum, ContentId, Digest, DriverId, EntryId, Fingerprint, RunId, Signature,
    Slot, UnitNumber, Version,
};
pub use job::{
    BegunStep, DriveOutcome, Driver, Epoch, FinishedStep, Histories, Holder, Job, JobDriver, JobEntry,
    JobName, JobRecord, JobRun, JobState, RunOutcome, RunStatus, SnapshotRef, StartOptions, StartOutcome,
    StepKind, StepOutcome, StepRecord, StepTimes,
};
pub use liveness::{AttemptWatch, Death, Ending, Life, SILENCE, Sign};
pub use local::{DiskStep, DiskWatcher, Durability, DurableFileSystem};
pub use log::{
    AppendOutcome, CheckpointEntry, CheckpointRecord, Draft, Entry, LiveVersion, Log, LogBody, LogState,
    RecentCommit,
};
pub use manifest::{
    DataFile, Definition, HashPartitioning, Identity, Manifest, Origin, Parent, PlanPart, SortField,
    SourceObject, SourceVersion, check_schema, file_schema, unique_names,
};
pub use owner::Owner;
pub use probe::PROBE_WRITERS;
pub use receipt::Receipt;
pub use sealed::{FEATURES, FORMAT};
pub use secret::{holds_password, is_secret_name, redact, redact_option, redact_url};
pub use sidefile::{MAX_INLINE, SideFile};
pub use snapshot::Snapshot;
pub use statistics::{ColumnStatistics, StatValue, StatisticsBuilder};
pub use store::{DropOutcome, Overview, Overviews, PRODUCER, Store, StoreOptions, Which};
pub use verify::{Finding, VerifyOptions, VerifyProgress, VerifyReport};
