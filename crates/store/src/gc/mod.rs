//! Garbage collection: drop what is to be dropped, close what is dead, and delete what the log proves deletable.
//!
//! # The life of a file that became garbage
//! 1. `survey` lists a checkpoint's directory; `history` reads its whole log. What cannot be read, or is unknown,
//!    stops the collection of that checkpoint; the damaged record of an attempt keeps that attempt alone.
//! 2. `retention` says which versions are too many or too old; a `drop` is appended for each.
//! 3. `judge` says which attempts are dead, committed nothing that is still there, or have files that their snapshot
//!    does not name; an `abandon` is appended for each. It closes the attempt: from there on no commit can name a file
//!    of it.
//! 4. The log is read again, because others may have committed before the close. A file goes when its attempt is
//!    closed, no snapshot that is there names it, and the grace period of the drops that freed it is over.
//! 5. `delete` removes rows first, what was never written to its end (`temporaries`) among them, receipts next, and
//!    `attempt.json` last, when nothing else is left beside it.
//!
//! All ages are by the store's own time (`time`). What is proven deletable stays so whatever others do meanwhile:
//! logs only grow, drops are final, and a closed attempt stays closed. So readers, writers and other collectors may
//! be at work at the same time, and a collector may stop anywhere.

mod abandon;
mod collect;
mod delete;
mod hints;
mod history;
mod judge;
mod leftovers;
mod options;
mod report;
mod retention;
mod survey;
mod temporaries;
mod time;

pub use options::GcOptions;
pub use report::{
    AbandonReason, Abandoned, CheckpointGarbage, DeletedObject, DropReason, DroppedVersion, GcReport,
    KeptObject, KeptReason, PostponedVersion, UnknownObject,
};
pub use retention::parse_age;
pub use time::StoreTime;
