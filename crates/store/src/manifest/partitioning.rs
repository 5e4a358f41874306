//! How the rows of a snapshot are dealt out to its files.

use serde::{Deserialize, Serialize};

use crate::ids::Digest;

/// Rows dealt out by a hash of some of their values: those with equal values are in files of one bucket.
///
/// Which bucket depends on the function. A reader that computes another one may read the rows, but may conclude nothing
/// from where they lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashPartitioning {
    /// The indices in the schema of the columns that are hashed, in the order of hashing.
    pub columns: Vec<usize>,
    /// How many buckets there are. Some may have no file.
    pub buckets: u32,
    /// The function by its name, its version and the kind of machine that it ran on.
    pub function: String,
    /// The hash of what the function gave for known values of the columns' types.
    pub probe: Digest,
}
