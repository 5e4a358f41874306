//! Test support that knows no engine: an object store that fails on purpose, one whose times are the test's, and a
//! clock that stands still.

mod clock;
mod fault;
mod rule;
mod stamped;
mod upload;

pub use clock::ManualClock;
pub use fault::{Call, FaultStore};
pub use rule::{Fault, Operation, Rule};
pub use stamped::StampedStore;
