//! Test support that knows the store and no engine.
//!
//! - [`FaultStore`], [`StampedStore`] and [`ManualClock`] (`fault`, `stamped`, `clock`): an object store that fails on purpose, one
//!   whose times are the test's, and a clock that moves only when it is told to.
//! - [`Rule`] (`rule`): what goes wrong, where, and how often. [`Stop`] (`stop`): how a process ends at a request.
//!   `upload`: how uploads in parts fail.
//! - [`Syncs`] (`syncs`): counts what a disk confirms.
//! - [`scenario`]: a script of commits, drops and reads, and what must be there after each of its steps.
//! - [`crash`]: runs scripts against a process that ends at any request, and against faults at random.
//! - [`power`]: runs scripts on a local disk whose power is cut.
//! - [`processes`]: kills and stops the program itself, and runs several of it at once.
//! - [`model`]: the protocol as a model, searched for accidents.
//! - [`soak`]: all of it, as often as one likes. [`Failure`] (`failure`): why a loop ended.

mod clock;
pub mod crash;
mod failure;
mod fault;
pub mod model;
pub mod power;
pub mod processes;
mod rule;
pub mod scenario;
pub mod soak;
mod stamped;
mod stop;
mod syncs;
mod upload;

pub use clock::ManualClock;
pub use failure::Failure;
pub use fault::{Call, FaultStore};
pub use rule::{Fault, Operation, Rule};
pub use stamped::StampedStore;
pub use stop::Stop;
pub use syncs::Syncs;
