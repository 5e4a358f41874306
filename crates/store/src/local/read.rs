//! Reading objects.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path as FilePath;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attributes, Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};

use super::Shared;
use super::error::{at, convert, generic};

impl Shared {
    pub(super) fn get(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let path = self.file(location)?;
        let (file, metadata) = open(&path)?;
        let meta = object_meta(&metadata, location.clone());
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(generic)?,
            None => 0..meta.size,
        };
        let payload = GetResultPayload::File(file, path);
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    pub(super) fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.file(location)?;
        let (file, _) = open(&path)?;
        ranges.iter().map(|range| read_range(&file, &path, range)).collect()
    }
}

fn open(path: &FilePath) -> Result<(File, Metadata)> {
    let file = File::open(path).map_err(at("read", path))?;
    let metadata = file.metadata().map_err(at("read", path))?;
    if !metadata.is_file() {
        return Err(convert("read", path, ErrorKind::IsADirectory.into()));
    }
    Ok((file, metadata))
}

/// Reads a range to its last byte; a shorter file is an error.
fn read_range(file: &File, path: &FilePath, range: &Range<u64>) -> Result<Bytes> {
    let length = range.end.checked_sub(range.start).and_then(|length| usize::try_from(length).ok());
    let invalid = || convert("read", path, ErrorKind::InvalidInput.into());
    let mut buffer = vec![0; length.ok_or_else(invalid)?];
    file.read_exact_at(&mut buffer, range.start)
        .map_err(|error| convert("read the range of", path, error))?;
    Ok(buffer.into())
}

/// What is known about a file as an object.
pub(super) fn object_meta(metadata: &Metadata, location: Path) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: metadata.modified().map(Into::into).unwrap_or_default(),
        size: metadata.len(),
        e_tag: Some(e_tag(metadata)),
        version: None,
    }
}

/// Inode, time of the last change in microseconds, and size, in hex.
pub(super) fn e_tag(metadata: &Metadata) -> String {
    let micros = i128::from(metadata.mtime()) * 1_000_000 + i128::from(metadata.mtime_nsec()) / 1_000;
    format!("{:x}-{:x}-{:x}", metadata.ino(), micros.max(0), metadata.len())
}

/// An entry that vanished while its directory was read.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. })
}
