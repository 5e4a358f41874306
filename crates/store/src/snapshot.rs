//! One committed, immutable state of a checkpoint.

use std::sync::Arc;

use crate::ids::{AttemptId, CheckpointName, Slot, Version};
use crate::manifest::Manifest;

/// A snapshot as its log has it. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The checkpoint.
    pub name: CheckpointName,
    /// Its version.
    pub version: Version,
    /// The slot of its commit.
    pub slot: Slot,
    /// The attempt that wrote it.
    pub attempt: AttemptId,
    /// What it is.
    pub manifest: Arc<Manifest>,
    /// When it was committed by the writer's clock, in milliseconds since the Unix epoch.
    pub committed_ms: i64,
}
