//! The power of a local disk is cut.
//!
//! A script runs on a real directory while every step of the disk is recorded. The record is replayed up to a cut on a
//! disk that keeps what was synced and loses, keeps or tears the rest as it likes: file content that was not synced is
//! empty, short, garbage or whole; a name that was not synced is there or not, each for itself. What is left is written
//! to a new directory, and a store is opened there: everything that was reported before the cut must be there, and the
//! script must run on.

mod cut;
mod disk;
mod recorder;

pub use cut::{CUTS_OF_A_RECORD, cut_power};
pub use recorder::Syncs;
