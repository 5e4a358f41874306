//! A stage runs a plan and writes its rows as one attempt: every unit its own files and receipt, then one commit.

mod encodings;
mod endless;
mod files;
mod guard;
mod judge;
mod manifest;
mod order;
mod partial;
mod planning;
mod progress;
mod purity;
mod resume;
mod runner;
mod running;
mod slices;
mod units;
mod work;
mod writer;

pub use progress::StageProgress;
pub(crate) use progress::{ProgressBoard, StageCounters, StageTimes};
pub(crate) use runner::{Stage, UnitCounts, Written};
