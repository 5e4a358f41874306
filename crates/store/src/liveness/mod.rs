//! Whether the owner of an attempt, or the driver of a job, is still alive.
//!
//! Nothing that must be right depends on the answer: taking over from a living owner is safe, it only does work twice.
//! So the signs are cheap: a lock that the kernel frees, where the owner is on this host and the store on its disk; else a
//! heartbeat that changes. How long it has not changed is told by this process's own clock, since it first saw it so.

mod pulse;
mod watch;

use std::time::Duration;

pub(crate) use pulse::{Pulse, beat};
pub use watch::{AttemptWatch, Death, Ending, Life};

/// After so long without a changed heartbeat an owner counts as dead.
pub const SILENCE: Duration = Duration::from_secs(30);

/// What shows that somebody lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Its process holds a lock on this host.
    Lock,
    /// Its heartbeat changed.
    Heartbeat,
    /// It wrote an entry to the log.
    Entry,
}
