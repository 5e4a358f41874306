//! Milepost: `CHECKPOINT` for DataFusion.
//!
//! A checkpoint is a named, durable result of a plan subtree. `CHECKPOINT name AS query` runs the query, writes its rows
//! as Parquet files to object storage, commits them atomically, and from then on the subtree *is* a scan of them: in this
//! query, this session and every later one, for as long as nothing that it was computed from has changed.
//!
//! # The life of a CHECKPOINT
//!
//! 1. **Parse** ([`sql`]): only our own statements are ours to parse.
//! 2. **Plan** ([`logical`]): the query becomes a plan; an inline `checkpoint((…))` becomes a leaf that holds its subplan
//!    privately, so that a snapshot never depends on the query around it.
//! 3. **Identify** ([`identity`]): the analysed plan is encoded canonically and hashed: the fingerprint. Every source
//!    says which version it is: the signature.
//! 4. **Resolve** (`resolve`): in our query planner, bottom-up. A fresh snapshot is swapped in; where there is none a
//!    stage runs first. Then the whole plan is optimised again.
//! 5. **Stage** (`stage`): an attempt; every unit of it writes its own Parquet files and a receipt.
//! 6. **Commit** (`stage`, [`milepost_store`]): the sources are looked at again, and the manifest is appended to the
//!    checkpoint's log. A lost race is an outcome and no error.
//! 7. **Replace** ([`scan`]): from here on the subtree is a scan with measured statistics and recorded order.
//!
//! # What this crate is not
//!
//! It stores nothing itself: layout, log and commit are [`milepost_store`]'s. It is no second engine: every query, with
//! or without checkpoints, is DataFusion's. It decides nothing by the clock.
//!
//! # Where to begin
//!
//! [`Session`] runs SQL, ours and DataFusion's. [`CheckpointExt`] adds checkpoints to DataFusion's `DataFrame`.
//! [`SessionStateBuilderExt`] adds them to a session that somebody else builds.

mod buckets;
mod catalog;
mod columns;
mod config;
mod context;
mod dataframe;
mod error;
mod heartbeat;
pub mod identity;
pub mod job;
pub mod logical;
mod physical;
mod resolve;
pub mod scan;
mod session;
pub mod sql;
mod stage;

pub use config::{Codec, Compression, MilepostConfig, OnConcurrent, OnDamage, OnStale, Reuse};
pub use context::Milepost;
pub use dataframe::{CheckpointExt, CheckpointOptions};
pub use error::Error;
pub use milepost_store::{
    CheckpointName, Durability, Error as StoreError, Snapshot, Store, StoreOptions, Version, is_secret_name,
    redact, redact_url,
};
pub use session::{Session, SessionBuilder, SessionStateBuilderExt, maintenance};
pub use stage::StageProgress;

/// The program and engine that stand in every manifest and data file.
pub const PRODUCER: &str = concat!("milepost ", env!("CARGO_PKG_VERSION"), " on datafusion 55.2");
