//! A stage runs a plan and writes its rows as one attempt: every unit its own files and receipt, then one commit.

mod judge;
mod manifest;
mod progress;
mod runner;
mod units;
mod writer;

pub(crate) use progress::ProgressBoard;
pub use progress::StageProgress;
pub(crate) use runner::{Stage, Written};
