//! Verification: reads everything that readers rely on, and names every byte that is not what was written.
//!
//! Nothing is changed, and one bad object never keeps the rest from being looked at. Memory is bounded by the
//! manifests of one checkpoint; rows are hashed as they stream by.

mod datafile;
mod finding;
mod index;
mod job;
mod log;
mod progress;
mod report;
mod run;
mod snapshot;

pub use progress::{Progress, VerifyProgress};
pub use report::{Checked, Damage, Finding, VerifyOptions, VerifyReport};
