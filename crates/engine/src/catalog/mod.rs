//! Checkpoints as tables: `SELECT … FROM name`, `milepost."name@3"`, and the system tables.
//!
//! ```text
//! CheckpointCatalogs            wraps the session's catalog list
//!   datafusion                  wraps the default catalog
//!     public                    wraps the default schema: its own tables first, then checkpoints by name
//!     milepost                  system tables and single versions
//! ```

mod jobs;
mod schema;
mod system;
mod wrap;

pub(crate) use schema::{refuse_misuse, refuse_taken, snapshot_as_of, snapshot_to_refresh};
pub(crate) use wrap::CheckpointCatalogs;
