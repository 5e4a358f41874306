//! Jobs: scripts that are run to their end, however often their process dies on the way.
//!
//! A *run* is one try at that; it keeps its id and its `now()` however often it is taken up again. A *driver* is one
//! process's turn at it. All runs of a job stand in one log, so that two drivers cannot hold two runs of it, and every
//! driver has an *epoch* that is larger than all before it.
//!
//! A driver appends only on top of an entry of its own. Whoever takes over appends an entry with the next epoch; the
//! earlier driver, whenever it wakes up, then finds its slot taken, and is *fenced*: it can never append again.
//! What it may still do elsewhere is caught there: a commit of the same run, step and node counts once.

mod append;
mod driver;
mod invariants;
mod name;
pub(crate) mod read;
mod record;
mod seat;
mod start;
mod state;

pub use append::DriveOutcome;
pub use driver::Driver;
pub use name::JobName;
pub use read::{FinishedStep, Histories, Job, JobDriver, JobRun};
pub use record::{
    BegunStep, Epoch, JobEntry, JobRecord, RunOutcome, SnapshotRef, StepKind, StepOutcome, StepRecord,
    StepTimes,
};
pub use start::{StartOptions, StartOutcome};
pub use state::{Holder, JobState, RunStatus};
