//! Loops over whole processes of the `milepost` program: killed with SIGKILL at random moments, stopped with SIGSTOP, and
//! several at once on one name.

mod crowd;
mod kills;
mod program;

pub use crowd::run_crowds;
pub use kills::run_kills;
pub use program::Program;
