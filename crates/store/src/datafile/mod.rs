//! Writes one data file: rows in, Parquet out to object storage, everything measured on the way.
//!
//! Bytes leave for the store whenever a row group is complete, so memory is bounded by one row group and the upload's
//! buffer. Each row group may be encoded in its own way, and its columns side by side.

mod checksums;
mod row_group;
mod times;
mod upload;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use self::checksums::{footer_of, hash_groups};
use self::row_group::RowGroupEncoder;
pub use self::times::WriteTimes;
use self::upload::Upload;
use crate::attempt::Attempt;
use crate::content::ContentHasher;
use crate::encoding;
use crate::error::Error;
use crate::ids::{Checksum, UnitNumber};
use crate::manifest::{DataFile, check_schema};
use crate::statistics::StatisticsBuilder;

/// Says from the first rows of a row group how its columns are encoded; `None` for the same way as those before. What the
/// properties say of the file and of the size of row groups does not count.
pub type ChooseEncodings = dyn Fn(&RecordBatch) -> Option<WriterProperties> + Send + Sync;

/// Writes one data file of a unit.
///
/// The file is visible to nobody until a commit names it. A writer that is dropped takes what it sent away: on a local disk
/// before its drop returns, elsewhere before [`crate::Store::settle`] does.
pub struct DataFileWriter {
    relative: String,
    unit: UnitNumber,
    schema: SchemaRef,
    file: SerializedFileWriter<Vec<u8>>,
    /// Makes the column writers of the next row group.
    factory: ArrowRowGroupWriterFactory,
    choose: Option<Arc<ChooseEncodings>>,
    group: Option<RowGroupEncoder>,
    group_rows: usize,
    lanes: usize,
    times: Arc<WriteTimes>,
    upload: Upload,
    chunks: Vec<Vec<Checksum>>,
    statistics: StatisticsBuilder,
    content: ContentHasher,
    rows: u64,
}

impl std::fmt::Debug for DataFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataFileWriter")
            .field("path", &self.upload.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
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
        let group_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX).max(1);
        let (file, factory) = serialized(Vec::new(), &schema, properties)
            .map_err(|source| Error::parquet("encode", &path, source))?;
        Ok(Self {
            relative,
            unit,
            file,
            factory,
            choose: None,
            group: None,
            group_rows,
            lanes: 1,
            times: Arc::default(),
            upload: Upload::new(attempt, path),
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

    /// The same file, with columns encoded on so many threads of the runtime's beside the caller; with one, which is the
    /// default, by the caller itself. To be said before the first row.
    #[must_use]
    pub fn on_lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// The same file, with the encodings of each row group chosen from its first rows.
    #[must_use]
    pub fn choosing(mut self, choose: Arc<ChooseEncodings>) -> Self {
        self.choose = Some(choose);
        self
    }

    /// The same file, whose time is added to `times`.
    #[must_use]
    pub fn timed(mut self, times: Arc<WriteTimes>) -> Self {
        self.times = times;
        self
    }

    /// Takes a batch of rows in. Its columns must have the stored schema's types, in order; its names do not count.
    ///
    /// # Errors
    /// [`Error::Parquet`] if the rows cannot be encoded; [`Error::NotWritable`], [`Error::DiskFull`] or
    /// [`Error::Storage`] if the upload failed. Then [`Self::abort`].
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            .map_err(|source| Error::parquet("encode", &self.upload.path, ParquetError::from(source)))?;
        let mut start = 0;
        while start < batch.num_rows() {
            let length = self.group_rows.min(batch.num_rows() - start);
            // A row group begins with a whole batch, so that there are rows to choose its encodings from.
            if self.group.as_ref().is_some_and(|group| group.rows() + length > self.group_rows) {
                self.flush_row_group().await?;
            }
            self.encode(&batch.slice(start, length)).await?;
            start += length;
        }
        // Lanes work meanwhile.
        let began = Instant::now();
        self.statistics.update_uncounted(&batch);
        self.content.update_counting(&batch, self.statistics.sketches())?;
        self.times.encoded(began.elapsed());
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    async fn encode(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let encoded = match &mut self.group {
            Some(group) => group.write(rows).await,
            None => match self.begin_row_group(rows) {
                Ok(group) => self.group.insert(group).write(rows).await,
                Err(error) => Err(error),
            },
        };
        encoded.map_err(|source| Error::parquet("encode", &self.upload.path, source))
    }

    fn begin_row_group(&mut self, first: &RecordBatch) -> Result<RowGroupEncoder, ParquetError> {
        let began = Instant::now();
        if let Some(properties) = self.choose.as_ref().and_then(|choose| choose(first)) {
            (_, self.factory) = serialized(std::io::sink(), &self.schema, properties)?;
        }
        let number = self.file.flushed_row_groups().len();
        let (factory, descriptor) = (&self.factory, self.file.schema_descr());
        let group = RowGroupEncoder::new(factory, descriptor, number, first, self.lanes, &self.times);
        self.times.encoded(began.elapsed());
        group
    }

    /// Closes the row group in progress before it is full, so that its memory is free.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn flush_row_group(&mut self) -> Result<(), Error> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let chunks = group.close().await;
        let began = Instant::now();
        let appended = chunks.and_then(|chunks| {
            let mut group = self.file.next_row_group()?;
            for chunk in chunks {
                chunk.append_to_row_group(&mut group)?;
            }
            group.close()
        });
        appended.map_err(|source| Error::parquet("encode", &self.upload.path, source))?;
        let bytes = self.take_encoded()?;
        let groups = &self.file.flushed_row_groups()[self.chunks.len()..];
        self.chunks.extend(hash_groups(groups, &bytes, &self.upload)?);
        self.times.encoded(began.elapsed());
        let began = Instant::now();
        self.upload.send(bytes).await?;
        self.times.wrote(began.elapsed());
        Ok(())
    }

    /// Bytes of the file so far, with an estimate for the row group in progress.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        let in_progress = self.group.as_ref().map_or(0, RowGroupEncoder::encoded_size);
        (self.file.bytes_written() + in_progress) as u64
    }

    /// Rows of the file so far.
    #[must_use]
    pub const fn rows_written(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory held: the row group in progress and the upload's buffer.
    #[must_use]
    pub fn memory_used(&self) -> usize {
        self.row_group_memory() + self.file.inner().len() + self.upload.memory_used()
    }

    /// Bytes of memory that the row group in progress holds: what [`Self::flush_row_group`] makes free.
    #[must_use]
    pub fn row_group_memory(&self) -> usize {
        self.group.as_ref().map_or(0, RowGroupEncoder::memory_size)
    }

    /// Completes the file and its upload. On a local disk the file survives a power cut from here on.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn finish(mut self) -> Result<DataFile, Error> {
        self.flush_row_group().await?;
        let finished = self.file.finish();
        let metadata = finished.map_err(|source| Error::parquet("encode", &self.upload.path, source))?;
        let last = self.take_encoded()?;
        let footer = footer_of(metadata.row_groups(), &last, self.upload.sent)
            .ok_or_else(|| Error::invariant("the footer follows the last chunk", self.relative.clone()))?;
        let began = Instant::now();
        self.upload.send(last).await?;
        let (size, checksum) = self.upload.finish().await?;
        self.times.synced(began.elapsed());
        let statistics = self.statistics.finish();
        Ok(DataFile {
            path: self.relative,
            unit: self.unit,
            bucket: None,
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

    /// Takes the bytes that were encoded since the last time.
    fn take_encoded(&mut self) -> Result<Bytes, Error> {
        let synced = self.file.flush();
        synced.map_err(|source| Error::parquet("encode", &self.upload.path, ParquetError::from(source)))?;
        Ok(Bytes::from(std::mem::take(self.file.inner_mut())))
    }
}

/// The file, and what makes the column writers of its row groups.
fn serialized<W: std::io::Write + Send>(
    bytes: W,
    schema: &SchemaRef,
    properties: WriterProperties,
) -> Result<(SerializedFileWriter<W>, ArrowRowGroupWriterFactory), ParquetError> {
    let properties = encoding::fit(properties, schema);
    ArrowWriter::try_new(bytes, Arc::clone(schema), Some(properties))?.into_serialized_writer()
}
