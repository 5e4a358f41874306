//! Writes one data file: rows in, Parquet out to object storage, everything measured on the way.
//!
//! Encoding runs in the caller's task. Bytes leave for the store whenever a row group is complete, so memory is
//! bounded by one row group and the upload's buffer.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use tokio::io::AsyncWriteExt;

use crate::attempt::Attempt;
use crate::content::ContentHasher;
use crate::encoding;
use crate::error::{Error, write_error};
use crate::ids::{Checksum, UnitNumber};
use crate::manifest::{DataFile, check_schema};
use crate::statistics::StatisticsBuilder;

/// How many bytes are gathered before a part is uploaded.
const PART_BYTES: usize = 8 << 20;

/// How many parts are under way at once.
const PARTS: usize = 2;

/// Writes one data file of a unit.
///
/// The file is visible to nobody until a commit names it. A writer that is dropped leaves at most a leftover
/// that no manifest names.
#[derive(Debug)]
pub struct DataFileWriter {
    relative: String,
    unit: UnitNumber,
    schema: SchemaRef,
    encoder: ArrowWriter<Vec<u8>>,
    upload: Upload,
    chunks: Vec<Vec<Checksum>>,
    statistics: StatisticsBuilder,
    content: ContentHasher,
    rows: u64,
}

impl DataFileWriter {
    /// Starts a new file of `unit`. `schema` is the stored schema, `properties` say how to encode.
    ///
    /// Nothing is written yet. The order of the rows does not count for the content's identity: see
    /// [`Self::ordered`].
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] or [`Error::NoColumns`] if Parquet cannot hold the schema.
    pub fn create(
        attempt: &Attempt,
        unit: UnitNumber,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, Error> {
        check_schema(&schema)?;
        let (relative, path) = attempt.new_unit_file(unit);
        let properties = encoding::fit(properties, &schema);
        let encoder = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
            .map_err(|source| Error::parquet("encode", &path, source))?;
        Ok(Self {
            relative,
            unit,
            encoder,
            upload: Upload::new(attempt.object_store(), path),
            chunks: vec![],
            statistics: StatisticsBuilder::new(&schema),
            content: ContentHasher::new(&schema, false)?,
            schema,
            rows: 0,
        })
    }

    /// The same file, with the order of its rows a part of its content's identity. To be said before the first row.
    ///
    /// # Errors
    /// As [`ContentHasher::new`].
    pub fn ordered(mut self, ordered: bool) -> Result<Self, Error> {
        self.content = ContentHasher::new(&self.schema, ordered)?;
        Ok(self)
    }

    /// Takes a batch of rows in. Its columns must have the stored schema's types, in order; its names do not count.
    ///
    /// # Errors
    /// [`Error::Parquet`] if the rows cannot be encoded; [`Error::NotWritable`], [`Error::DiskFull`] or
    /// [`Error::Storage`] if the upload failed. Then [`Self::abort`].
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let failed = |path: &Path, source| Error::parquet("encode", path, source);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            .map_err(|source| failed(&self.upload.path, source.into()))?;
        self.encoder.write(&batch).map_err(|source| failed(&self.upload.path, source))?;
        self.statistics.update(&batch);
        self.content.update(&batch)?;
        self.rows += batch.num_rows() as u64;
        self.send_complete_groups().await
    }

    /// Closes the row group in progress before it is full, so that its memory is free.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn flush_row_group(&mut self) -> Result<(), Error> {
        self.encoder.flush().map_err(|source| Error::parquet("encode", &self.upload.path, source))?;
        self.send_complete_groups().await
    }

    /// Bytes of the file so far, with an estimate for the row group in progress.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        (self.encoder.bytes_written() + self.encoder.in_progress_size()) as u64
    }

    /// Rows of the file so far.
    #[must_use]
    pub const fn rows_written(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory held: the row group in progress and the upload's buffer.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.encoder.memory_size() + self.encoder.inner().len() + self.upload.memory_used()
    }

    /// Completes the file and its upload. On a local disk the file survives a power cut from here on.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn finish(mut self) -> Result<DataFile, Error> {
        let finished = self.encoder.finish();
        let metadata = finished.map_err(|source| Error::parquet("encode", &self.upload.path, source))?;
        let last = self.take_encoded()?;
        let groups = metadata.row_groups();
        self.chunks.extend(hash_groups(&groups[self.chunks.len()..], &last, &self.upload)?);
        let footer = footer_of(groups, &last, self.upload.sent)
            .ok_or_else(|| Error::invariant("the footer follows the last chunk", self.relative.clone()))?;
        self.upload.send(last).await?;
        let (size, checksum) = self.upload.finish().await?;
        let statistics = self.statistics.finish();
        Ok(DataFile {
            path: self.relative,
            unit: self.unit,
            rows: self.rows,
            size,
            checksum,
            footer: Checksum::of(&footer),
            footer_len: u32::try_from(footer.len()).unwrap_or(u32::MAX),
            chunks: self.chunks,
            memory_bytes: statistics.iter().filter_map(|column| column.memory_bytes).sum(),
            statistics,
            content: self.content.finish(),
        })
    }

    /// Gives the file up. What was uploaded of it is removed where the store can.
    ///
    /// # Errors
    /// [`Error::Storage`] if the upload could not be ended; its parts then stay until the store ends them.
    pub async fn abort(mut self) -> Result<(), Error> {
        self.upload.abort().await
    }

    /// Hashes and sends the row groups that were completed since the last time.
    async fn send_complete_groups(&mut self) -> Result<(), Error> {
        if self.encoder.flushed_row_groups().len() == self.chunks.len() {
            return Ok(());
        }
        let bytes = self.take_encoded()?;
        let groups = &self.encoder.flushed_row_groups()[self.chunks.len()..];
        self.chunks.extend(hash_groups(groups, &bytes, &self.upload)?);
        self.upload.send(bytes).await
    }

    /// Takes the bytes that were encoded since the last time.
    fn take_encoded(&mut self) -> Result<Bytes, Error> {
        let synced = self.encoder.sync();
        synced.map_err(|source| Error::parquet("encode", &self.upload.path, source))?;
        Ok(Bytes::from(std::mem::take(self.encoder.inner_mut())))
    }
}

/// The hashes of all chunks of row groups whose bytes are about to be sent.
fn hash_groups(
    groups: &[RowGroupMetaData],
    bytes: &Bytes,
    upload: &Upload,
) -> Result<Vec<Vec<Checksum>>, Error> {
    let hashed: Option<_> = groups.iter().map(|group| hash_chunks(group, bytes, upload.sent)).collect();
    hashed.ok_or_else(|| Error::invariant("chunks lie in what was encoded", upload.path.to_string()))
}

/// Everything after the last chunk, from the file's last bytes, which start at `start`.
fn footer_of(groups: &[RowGroupMetaData], last: &Bytes, start: u64) -> Option<Bytes> {
    let ends = groups.iter().flat_map(RowGroupMetaData::columns).map(|column| {
        let (at, length) = column.byte_range();
        at + length
    });
    let from = usize::try_from(ends.max().unwrap_or(0).checked_sub(start)?).ok()?;
    (from <= last.len()).then(|| last.slice(from..))
}

/// The hashes of a row group's chunks, whose bytes are in `bytes`, which start at `start` of the file.
fn hash_chunks(group: &RowGroupMetaData, bytes: &Bytes, start: u64) -> Option<Vec<Checksum>> {
    let hash = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        let (at, length) = column.byte_range();
        let first = usize::try_from(at.checked_sub(start)?).ok()?;
        let last = first.checked_add(usize::try_from(length).ok()?)?;
        bytes.get(first..last).map(Checksum::of)
    };
    group.columns().iter().map(hash).collect()
}

/// Sends bytes to the store, and hashes them all. Dropped before its end, it tries to remove what it sent.
#[derive(Debug)]
struct Upload {
    path: Path,
    /// Taken when the upload ends.
    writer: Option<BufWriter>,
    hasher: blake3::Hasher,
    sent: u64,
}

impl Upload {
    fn new(objects: Arc<dyn ObjectStore>, path: Path) -> Self {
        let writer = BufWriter::with_capacity(objects, path.clone(), PART_BYTES).with_max_concurrency(PARTS);
        Self { path, writer: Some(writer), hasher: blake3::Hasher::new(), sent: 0 }
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.hasher.update(&bytes);
        self.sent += bytes.len() as u64;
        match &mut self.writer {
            Some(writer) => writer.put(bytes).await.map_err(|source| write_error(&self.path, source)),
            None => Err(Error::invariant("nothing is sent after the end", self.path.to_string())),
        }
    }

    fn memory_used(&self) -> usize {
        let full = PART_BYTES * (PARTS + 1);
        usize::try_from(self.sent).map_or(full, |sent| sent.min(full))
    }

    async fn finish(&mut self) -> Result<(u64, Checksum), Error> {
        if let Some(mut writer) = self.writer.take() {
            let ended = writer.shutdown().await;
            ended.map_err(|error| write_error(&self.path, into_store_error(error)))?;
        }
        Ok((self.sent, self.hasher.finalize().into()))
    }

    async fn abort(&mut self) -> Result<(), Error> {
        match self.writer.take() {
            Some(mut writer) => {
                let ended = writer.abort().await;
                ended.map_err(|source| Error::storage("abort the upload of", &self.path, source))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take().filter(|_| self.sent > 0) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let path = self.path.clone();
        runtime.spawn(async move {
            if let Err(error) = writer.abort().await {
                tracing::debug!(%path, %error, "an upload that was given up could not be ended");
            }
        });
    }
}

/// The object store's error within an I/O error, or the I/O error as one.
fn into_store_error(error: std::io::Error) -> object_store::Error {
    match error.downcast::<object_store::Error>() {
        Ok(error) => error,
        Err(error) => object_store::Error::Generic { store: "upload", source: Box::new(error) },
    }
}
