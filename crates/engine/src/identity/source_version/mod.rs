//! Source versions: *from what* a plan computes.
//!
//! Each leaf of a plan answers for itself through a [`SourceIdentity`]. The answer has two halves. The canonical half
//! says what kind of source it is and how it is read; it goes into the fingerprint. The version half says what the
//! source holds now; it goes into the signature.
//!
//! Views need no identity: DataFusion puts their queries in their place when a plan is made.

mod change;
mod files;
mod format;
mod identity;
mod listing;
mod local;
mod memory;
mod registry;
mod remote;
mod series;

pub use change::{SourceChange, describe_change, source_changes};
pub use files::FilePolicy;
pub use identity::{SourceAnswer, SourceIdentity};
pub use listing::ListingIdentity;
pub use memory::{EmptyIdentity, MemoryIdentity};
pub use registry::SourceRegistry;
pub use series::SeriesIdentity;
