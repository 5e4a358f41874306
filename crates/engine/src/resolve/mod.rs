//! Match, then replace by a scan: from `Checkpoint` nodes to snapshots.
//!
//! [`planner`] is the async hook that every way of running a plan goes through; [`resolver`] works bottom-up through a
//! plan's checkpoints; [`prepare`] identifies one and finds the snapshot that serves it; [`ensure`] runs a stage where
//! none does. For snapshots that are read by name, [`rebind`] takes the newest version, [`damage`] computes again what is
//! damaged, and [`freshness`] says what is stale. [`serve`] finds the parts of a plain query that the store holds, where the
//! session asks for that. [`explain`] says it all without running; [`outcomes`] keeps what was done, for EXPLAIN ANALYZE.

mod damage;
mod ensure;
mod explain;
mod freshness;
mod join_order;
mod ordered_scans;
mod outcomes;
mod planner;
mod prepare;
mod rebind;
mod resolver;
mod safely;
mod serve;

pub(crate) use ensure::{Ensured, Ran};
pub(crate) use explain::explain_checkpoint;
pub(crate) use freshness::{Freshness, Judge, freshness, refresh};
pub(crate) use outcomes::outcome_line;
pub(crate) use planner::{MilepostPlanner, ResolvedAlready};
pub(crate) use prepare::{Request, definition};
pub(crate) use resolver::{Mode, Resolver};
