//! Every byte of a file, as it streams by.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};

use super::finding::Problem;
use super::report::Damage;
use super::run::Verifier;
use crate::error::contents;
use crate::ids::Checksum;
use crate::manifest::DataFile;

/// Length of the end of a Parquet file: the length of its metadata, and the magic.
const TAIL: usize = 8;

impl Verifier<'_> {
    /// Size, whole checksum, footer, every column chunk, and rows.
    pub(super) async fn check_data_file(&self, path: &Path, file: &DataFile) -> Option<Problem> {
        if let Some(problem) = self.check_size(path, file.size, &file.checksum).await {
            return Some(problem);
        }
        let mut differing = vec![];
        let metadata = match self.read_footer(path, file).await {
            Ok(footer) => {
                let metadata = file.check_footer(&footer).is_ok().then(|| decode(&footer)).flatten();
                if metadata.is_none() {
                    differing.push("the footer".to_owned());
                }
                metadata
            }
            Err(source) => return Some(Problem::storage(contents(file.size, &file.checksum), &source)),
        };
        let mut chunks = metadata.as_ref().map(|metadata| Chunks::of(metadata, file)).unwrap_or_default();
        let found = match self.hash(path, |at, bytes| chunks.feed(at, bytes)).await {
            Ok(found) => found,
            Err(source) => return Some(Problem::storage(contents(file.size, &file.checksum), &source)),
        };
        differing.append(&mut chunks.differing);
        differing.extend(metadata.and_then(|metadata| disagreement(&metadata, file)));
        judge(file.size, &file.checksum, found, &differing)
    }

    /// Size and whole checksum.
    pub(super) async fn check_whole(&self, path: &Path, size: u64, checksum: &Checksum) -> Option<Problem> {
        if let Some(problem) = self.check_size(path, size, checksum).await {
            return Some(problem);
        }
        match self.hash(path, |_, _| ()).await {
            Ok(found) => judge(size, checksum, found, &[]),
            Err(source) => Some(Problem::storage(contents(size, checksum), &source)),
        }
    }

    async fn check_size(&self, path: &Path, size: u64, checksum: &Checksum) -> Option<Problem> {
        let found = match self.store.inner.objects.head(path).await {
            Ok(meta) => meta.size,
            Err(source) => return Some(Problem::storage(contents(size, checksum), &source)),
        };
        let what = match found.cmp(&size) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Less => Damage::Short,
            std::cmp::Ordering::Greater => Damage::Long,
        };
        Some(Problem::new(what, contents(size, checksum), format!("{found} bytes")))
    }

    async fn read_footer(&self, path: &Path, file: &DataFile) -> object_store::Result<Bytes> {
        let from = file.size.saturating_sub(u64::from(file.footer_len));
        let bytes = self.store.inner.objects.get_range(path, from..file.size).await?;
        self.add_bytes(bytes.len() as u64);
        Ok(bytes)
    }

    /// Hashes an object; `seen` gets every part of it with its place. Gives its size and its checksum.
    async fn hash(
        &self,
        path: &Path,
        mut seen: impl FnMut(u64, &[u8]),
    ) -> object_store::Result<(u64, Checksum)> {
        let mut parts = self.store.inner.objects.get(path).await?.into_stream();
        let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
        while let Some(part) = parts.try_next().await? {
            hasher.update(&part);
            seen(size, &part);
            size += part.len() as u64;
            self.add_bytes(part.len() as u64);
            self.meter.read(part.len() as u64);
        }
        Ok((size, hasher.finalize().into()))
    }
}

/// What two checksums and the parts that differ make together.
fn judge(size: u64, checksum: &Checksum, found: (u64, Checksum), differing: &[String]) -> Option<Problem> {
    let parts =
        if differing.is_empty() { String::new() } else { format!("; wrong: {}", differing.join(", ")) };
    let text = contents(found.0, &found.1) + &parts;
    if found.0 < size {
        return Some(Problem::new(Damage::Short, contents(size, checksum), text));
    }
    if found != (size, *checksum) {
        return Some(Problem::new(Damage::Flipped, contents(size, checksum), text));
    }
    // The file is what was written, and yet not what its manifest says of it.
    (!differing.is_empty()).then(|| Problem::new(Damage::Disagrees, "a file that fits its manifest", text))
}

/// The metadata in a footer whose bytes are those that were written.
fn decode(footer: &[u8]) -> Option<ParquetMetaData> {
    let tail: &[u8; TAIL] = footer.last_chunk()?;
    let length = FooterTail::try_new(tail).ok()?.metadata_length();
    let end = footer.len() - TAIL;
    ParquetMetaDataReader::decode_metadata(footer.get(end.checked_sub(length)?..end)?).ok()
}

/// Whether rows and row groups are other than the manifest says.
fn disagreement(metadata: &ParquetMetaData, file: &DataFile) -> Option<String> {
    let rows = metadata.file_metadata().num_rows();
    if u64::try_from(rows) != Ok(file.rows) {
        return Some(format!("{rows} rows instead of {}", file.rows));
    }
    let groups = metadata.row_groups();
    let same = groups.len() == file.chunks.len()
        && groups.iter().zip(&file.chunks).all(|(group, chunks)| group.num_columns() == chunks.len());
    (!same).then(|| "the number of column chunks".to_owned())
}

/// One column chunk.
struct Chunk {
    from: u64,
    to: u64,
    label: String,
    expected: Checksum,
}

/// The chunks of a file in the order of their bytes, and how far they are hashed.
#[derive(Default)]
struct Chunks {
    chunks: std::collections::VecDeque<Chunk>,
    hasher: blake3::Hasher,
    differing: Vec<String>,
}

impl Chunks {
    fn of(metadata: &ParquetMetaData, file: &DataFile) -> Self {
        let mut chunks = vec![];
        for (row_group, (group, sums)) in metadata.row_groups().iter().zip(&file.chunks).enumerate() {
            for (column, (chunk, expected)) in group.columns().iter().zip(sums).enumerate() {
                let (from, length) = chunk.byte_range();
                let label = format!("column {column} of row group {row_group}");
                chunks.push(Chunk { from, to: from.saturating_add(length), label, expected: *expected });
            }
        }
        chunks.sort_by_key(|chunk| chunk.from);
        Self { chunks: chunks.into(), ..Self::default() }
    }

    /// Takes the bytes that begin at `at`.
    fn feed(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        while let Some(chunk) = self.chunks.front() {
            let (from, to) = (chunk.from.max(at), chunk.to.min(end));
            if from < to {
                let place = |offset: u64| usize::try_from(offset - at).unwrap_or(usize::MAX);
                self.hasher.update(bytes.get(place(from)..place(to)).unwrap_or_default());
            }
            if chunk.to > end {
                return;
            }
            if Checksum::from(self.hasher.finalize()) != chunk.expected {
                self.differing.push(chunk.label.clone());
            }
            self.hasher.reset();
            self.chunks.pop_front();
        }
    }
}
