//! The manifest: everything that a commit says about a snapshot.

mod columns;
mod file;
mod identity;
mod partitioning;
mod schema;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, CheckpointName, ContentId, UnitNumber, Version};
use crate::layout;
use crate::log::LiveVersion;
use crate::statistics::ColumnStatistics;

pub use columns::{file_schema, unique_names};
pub use file::DataFile;
pub use identity::{Identity, PlanPart, SourceObject, SourceVersion};
pub use partitioning::HashPartitioning;
pub use schema::check_schema;
pub(crate) use stored::{FileList, StoredManifest, StoredSources};

/// One committed state of a checkpoint: what it holds, where it lies, and what it was computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The schema that readers see, with names, nullability and metadata as the query gave them.
    pub schema: SchemaRef,
    /// The schema of the data files: the same columns, each under a name of its own.
    pub file_schema: SchemaRef,
    /// The data files, in the order of their rows.
    pub files: Vec<DataFile>,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files in the store.
    pub bytes: u64,
    /// Statistics of the whole snapshot, by column.
    pub statistics: Vec<ColumnStatistics>,
    /// Size of all rows in Arrow memory, in bytes: an estimate.
    pub memory_bytes: u64,
    /// The order of the rows within every file, most significant column first. Empty: none.
    pub ordering: Vec<SortField>,
    /// Whether all rows, file after file, are one sequence whose order means something, be it by columns or not.
    pub sequence: bool,
    /// How many partitions the result had when it was written.
    pub partitions: u32,
    /// How the rows are dealt out to the files, where it is by their values: then every file with rows has a bucket.
    pub partitioning: Option<HashPartitioning>,
    /// What was computed, and from what.
    pub identity: Identity,
    /// What the rows are.
    pub content: ContentId,
    /// Snapshots that were read to compute this one.
    pub parents: Vec<Parent>,
    /// The query, if it was given as SQL and may be kept.
    pub definition: Option<Definition>,
    /// The options of the statement.
    pub options: BTreeMap<String, String>,
    /// Which step of which run wrote it.
    pub origin: Origin,
    /// The version of this same checkpoint that was read to compute this one.
    pub read_version: Option<Version>,
    /// How long computing and writing took, in milliseconds.
    pub elapsed_ms: u64,
    /// When the manifest was made, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Program and version that wrote it.
    pub producer: String,
}

impl Manifest {
    /// The names of the columns, in order.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|field| field.name().as_str())
    }

    /// Whether the columns have these names, in this order.
    #[must_use]
    pub fn has_names<'n>(&self, names: impl Iterator<Item = &'n str>) -> bool {
        self.column_names().eq(names)
    }

    /// The units that the files belong to, by the files' paths.
    pub(crate) fn units(&self) -> BTreeSet<(AttemptId, UnitNumber)> {
        let owned = self.files.iter().filter_map(|file| Some((layout::owner_of(&file.path)?, file.unit)));
        owned.collect()
    }
}

/// One column of a sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SortField {
    /// The column's index in the schema.
    pub column: usize,
    /// Whether large values come first.
    pub descending: bool,
    /// Whether nulls come first.
    pub nulls_first: bool,
}

/// A snapshot that another one was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Parent {
    /// Its checkpoint.
    pub checkpoint: CheckpointName,
    /// Its version.
    pub version: Version,
    /// Its rows.
    pub content: ContentId,
}

/// The query of a checkpoint, so that it can be run again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The SQL text. It holds no secrets: the engine keeps statements that could have some out.
    pub sql: String,
    /// The session settings that its meaning depends on.
    pub settings: BTreeMap<String, String>,
}

/// Which step wrote a snapshot. One step commits once, however often it is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The run: one try at running a job, or one session. What follows a slash tells its statements apart.
    pub run: String,
    /// The statement within the run.
    pub step: u64,
    /// The checkpoint node within the statement.
    pub node: u64,
}

impl Origin {
    /// Whether this is an earlier statement of the same run, or another text in the place of the same one. What has no name for its
    /// statements goes through none of them again.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        let run = |origin: &Self| origin.run.split('/').next().map(str::to_owned);
        run(self) == run(other) && self.run != other.run && self.step <= other.step
    }

    /// The version among `live`, oldest first, that this step committed. It counts no more once its run has gone through an
    /// earlier step, or through the same one under another text: then the script was edited, and edited back.
    #[must_use]
    pub fn committed<'l>(&self, live: &'l [LiveVersion]) -> Option<&'l LiveVersion> {
        let at = live.iter().rposition(|live| live.origin == *self)?;
        let is_gone_through_again = live[at..].iter().any(|later| later.origin.precedes(self));
        (!is_gone_through_again).then(|| &live[at])
    }
}
