//! Test support that knows no engine: an object store that fails on purpose, and a clock that stands still.

mod clock;
mod fault;
mod rule;
mod upload;

pub use clock::ManualClock;
pub use fault::{Call, FaultStore};
pub use rule::{Fault, Operation, Rule};
