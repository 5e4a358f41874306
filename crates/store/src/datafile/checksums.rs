//! The hashes of a file's column chunks and of its footer.

use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::upload::Upload;
use crate::error::Error;
use crate::ids::Checksum;

/// The hashes of all chunks of row groups whose bytes are about to be sent.
pub(super) fn hash_groups(
    groups: &[RowGroupMetaData],
    bytes: &Bytes,
    upload: &Upload,
) -> Result<Vec<Vec<Checksum>>, Error> {
    let hashed: Option<_> = groups.iter().map(|group| hash_chunks(group, bytes, upload.sent)).collect();
    hashed.ok_or_else(|| Error::invariant("chunks lie in what was encoded", upload.path.to_string()))
}

/// Everything after the last chunk, from the file's last bytes, which start at `start`.
pub(super) fn footer_of(groups: &[RowGroupMetaData], last: &Bytes, start: u64) -> Option<Bytes> {
    let ends = groups.iter().flat_map(RowGroupMetaData::columns).map(|column| {
        let (at, length) = column.byte_range();
        at + length
    });
    let from = usize::try_from(ends.max().unwrap_or(0).checked_sub(start)?).ok()?;
    (from <= last.len()).then(|| last.slice(from..))
}

/// The hashes of a row group's chunks, whose bytes are in `bytes`, which start at `start` of the file.
fn hash_chunks(group: &RowGroupMetaData, bytes: &Bytes, start: u64) -> Option<Vec<Checksum>> {
    let hash = |column: &ColumnChunkMetaData| {
        let (at, length) = column.byte_range();
        let first = usize::try_from(at.checked_sub(start)?).ok()?;
        let last = first.checked_add(usize::try_from(length).ok()?)?;
        bytes.get(first..last).map(Checksum::of)
    };
    group.columns().iter().map(hash).collect()
}
