//! Tests over the whole engine, one binary.
//!
//! - `slt` runs the SQL scripts of `tests/slt/`: what a user sees, statement by statement.
//! - `equivalence` shows that a checkpoint never changes a result, wherever it is put.
//! - `plans` shows what the planner makes of a snapshot.
//! - `freshness`: functions, frames over files, links, partitions and runs that change.
//! - `tpch`: TPC-H with checkpoints.
//! - `types` takes every Arrow type through a snapshot and back.
//! - `concurrency`, `bad_input`, `failing_store`: several writers; stores, files and sources that fail.
//! - `files`: how the files of a snapshot are encoded, and what of them is read.
//! - `format`: stores that earlier releases wrote are read, and written on.
//! - `settings`: settings that only tune change no row.
//! - `docs`: the examples of docs/sql.md and the tour run as they stand.
//! - `units`: stages that stopped on the way, and what the next try makes of them.
//! - `partitioned`: snapshots with `partition_by`, read with and without exchanges.
//! - `projections`: columns that are redefined by themselves, layer upon layer.
//! - `conditions`: what is true, false and unknown.
//! - `upstream`: queries for which DataFusion alone gives wrong rows.
//! - `jobs`: what a driver of a job makes of what the drivers before it have done.
//! - `behaviours`: how often things are computed, and what loops cost.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod behaviours;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod equivalence;
#[cfg(test)]
mod failing_store;
#[cfg(test)]
mod files;
#[cfg(test)]
mod format;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod partitioned;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod projections;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod slt;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tpch;
#[cfg(test)]
mod types;
#[cfg(test)]
mod units;
#[cfg(test)]
mod upstream;
