//! One data file of a snapshot.

use serde::{Deserialize, Serialize};

use crate::content::ContentPart;
use crate::error::Error;
use crate::ids::{Checksum, UnitNumber};
use crate::statistics::ColumnStatistics;

/// One Parquet file, with everything needed to plan a scan of it and to check every byte that is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataFile {
    /// Path relative to the checkpoint's directory: `attempts/<ulid>/unit-00000-<ulid>.parquet`.
    pub path: String,
    /// The unit that wrote it.
    pub unit: UnitNumber,
    /// The bucket that all of its rows are in, where rows are dealt out by a hash: see
    /// [`HashPartitioning`](super::HashPartitioning).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// Rows in it.
    pub rows: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The BLAKE3 hash of the whole file.
    pub checksum: Checksum,
    /// The BLAKE3 hash of the file's last [`Self::footer_len`] bytes.
    pub footer: Checksum,
    /// Length of everything after the last column chunk, in bytes: page indexes, metadata, length and magic.
    pub footer_len: u32,
    /// The BLAKE3 hash of every column chunk, by row group and leaf column.
    pub chunks: Vec<Vec<Checksum>>,
    /// Statistics of its rows, by column.
    pub statistics: Vec<ColumnStatistics>,
    /// Size of its rows in Arrow memory, in bytes: an estimate.
    pub memory_bytes: u64,
    /// What its rows are.
    pub content: ContentPart,
}

impl DataFile {
    /// The same as a manifest has it: without what receipts keep of its statistics so that they can be merged.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.statistics = self.statistics.into_iter().map(ColumnStatistics::settled).collect();
        self
    }

    /// Checks the file's last [`Self::footer_len`] bytes.
    ///
    /// # Errors
    /// [`Error::Damaged`] if they are not those that were written.
    pub fn check_footer(&self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() as u64 != u64::from(self.footer_len) {
            let expected = format!("a footer of {} bytes", self.footer_len);
            return Err(Error::damaged(&self.path, expected, format!("{} bytes", bytes.len())));
        }
        self.check(bytes, &self.footer, || "footer".to_owned())
    }

    /// Checks the bytes of one column chunk, read whole.
    ///
    /// # Errors
    /// [`Error::Damaged`] if they are not those that were written, or if there is no such chunk.
    pub fn check_chunk(&self, row_group: usize, column: usize, bytes: &[u8]) -> Result<(), Error> {
        self.check_chunk_in_parts(row_group, column, &[bytes])
    }

    /// Checks the bytes of one column chunk, read in parts that follow each other and leave nothing out.
    ///
    /// # Errors
    /// As [`Self::check_chunk`].
    pub fn check_chunk_in_parts(
        &self,
        row_group: usize,
        column: usize,
        parts: &[impl AsRef<[u8]>],
    ) -> Result<(), Error> {
        let what = || format!("column {column} of row group {row_group}");
        let Some(expected) = self.chunks.get(row_group).and_then(|columns| columns.get(column)) else {
            return Err(Error::damaged(&self.path, "a known column chunk", what()));
        };
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_ref());
        }
        self.judge(hasher.finalize().into(), expected, what)
    }

    fn check(&self, bytes: &[u8], expected: &Checksum, what: impl Fn() -> String) -> Result<(), Error> {
        self.judge(Checksum::of(bytes), expected, what)
    }

    fn judge(&self, found: Checksum, expected: &Checksum, what: impl Fn() -> String) -> Result<(), Error> {
        if found == *expected {
            return Ok(());
        }
        let expected = format!("{} with checksum {expected}", what());
        Err(Error::damaged(&self.path, expected, format!("checksum {found}")))
    }
}
