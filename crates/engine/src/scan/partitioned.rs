//! Whether the files of a snapshot may stand for an exchange: one group of files a bucket, and DataFusion told so.
//!
//! It takes our word, so every condition is looked at anew for every scan; where one does not hold, the snapshot is read as
//! any other.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::physical_plan::Partitioning;
use milepost_store::{DataFile, Manifest};

use crate::buckets::Buckets;
use crate::config::MilepostConfig;

/// The groups of files, some of them empty, and how the rows are dealt out to them; `None` if an exchange is needed.
pub(super) fn buckets_of(
    manifest: &Manifest,
    schema: &Arc<Schema>,
    projection: Option<&Vec<usize>>,
    session: &dyn Session,
    config: &MilepostConfig,
    scanned: impl Fn(&DataFile) -> PartitionedFile,
) -> Option<(Vec<FileGroup>, Partitioning)> {
    let recorded = manifest.partitioning.as_ref().filter(|_| config.partitioned_reads)?;
    if manifest.sequence || !manifest.ordering.is_empty() {
        return None;
    }
    // Other scans claim to be partitioned by hash then, and are by something else.
    if session.config_options().optimizer.preserve_file_partitions > 0 {
        return None;
    }
    // A query that does not read the key has nothing to spare, and reads evenly cut files faster.
    let reads = |column: &usize| projection.is_none_or(|projection| projection.contains(column));
    if !recorded.columns.iter().all(reads) {
        return None;
    }
    let buckets = Buckets::recorded(recorded, schema)?;
    let count = buckets.count();
    if count < 2 || count != session.config().target_partitions() {
        return None;
    }
    let mut groups: Vec<Vec<PartitionedFile>> = vec![vec![]; count];
    for file in manifest.files.iter().filter(|file| file.rows > 0) {
        let bucket = usize::try_from(file.bucket?).ok()?;
        groups.get_mut(bucket)?.push(scanned(file));
    }
    let groups: Vec<FileGroup> = groups.into_iter().map(FileGroup::new).collect();
    Some((groups, buckets.partitioning(schema)))
}
