//! Our logical nodes: the checkpoint itself, and its stand-in for EXPLAIN.

mod checkpoint;
mod display;
mod display_exec;

pub use checkpoint::{Checkpoint, NodeId};
pub(crate) use checkpoint::{checkpoints_in, is_checkpoint};
pub(crate) use display::CheckpointDisplay;
pub(crate) use display_exec::DisplayPlanner;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::CheckpointName;

/// Wraps a query's plan into a [`Checkpoint`] leaf, named or not.
///
/// # Errors
/// An invalid name.
pub fn checkpoint_node(plan: LogicalPlan, name: Option<&str>) -> Result<LogicalPlan> {
    let name = name.map(CheckpointName::parse).transpose().map_err(crate::error::store_error)?;
    Ok(Checkpoint::new(plan, name).into_plan())
}
