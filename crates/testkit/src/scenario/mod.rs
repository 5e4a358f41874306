//! A script of commits, adoptions, drops, collections, steps of a job and reads; what must be there after each step; and a look at a store that compares.
//!
//! Every step may be run again after a failure of unknown outcome, and then ends in the same state: so a script that is
//! stopped anywhere and run on must end like one that was never stopped, version numbers included.

mod check;
mod expected;
mod job;
mod script;
mod snapshot;

pub use check::check;
pub use expected::Expected;
pub(crate) use script::commit;
pub use script::{Progress, Script, Step};
pub use snapshot::{NAMES, content_rows, newest_snapshot, open, read_rows, signature_of};
pub(crate) use snapshot::{ROOT, checkpoint};
