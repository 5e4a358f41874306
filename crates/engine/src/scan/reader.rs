//! Reads a snapshot's Parquet files and checks what it reads: the footer always, a column chunk whenever it is read
//! whole, which small ones always are. A flipped byte there is an error that names the file, and never another value.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileMetrics;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use milepost_store::{DataFile, Error as StoreError};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::damage::FilesOf;
use crate::context::Home;
use crate::error::Error;

/// Chunks up to this size are read whole, so that they can be checked, even where a filter wants some pages of them only. One
/// request brings so much in hardly more time than less.
const SMALL: u64 = 4 << 20;

/// A footer that was read and checked, and where each column chunk lies.
#[derive(Debug)]
struct Footer {
    metadata: Arc<ParquetMetaData>,
    /// By their first bytes.
    chunks: BTreeMap<u64, Chunk>,
    /// Where Bloom filters lie before the footer's metadata: the bytes that were checked, and where they begin. To read them
    /// again would be to trust them unchecked.
    filters: Option<(u64, Bytes)>,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    group: usize,
    column: usize,
    start: u64,
    end: u64,
}

impl Footer {
    fn new(metadata: ParquetMetaData, start: u64, bytes: Bytes) -> Self {
        let groups = metadata.row_groups().iter().enumerate();
        let chunks = groups.flat_map(|(group, row_group)| {
            row_group.columns().iter().enumerate().map(move |(column, chunk)| {
                let (start, length) = chunk.byte_range();
                (start, Chunk { group, column, start, end: start + length })
            })
        });
        let chunks = chunks.collect();
        let mut columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        let filters = columns.any(|column| column.bloom_filter_offset().is_some()).then_some((start, bytes));
        Self { metadata: Arc::new(metadata), chunks, filters }
    }

    /// The bytes of a range, if they were checked together with the footer.
    fn filter(&self, range: &Range<u64>) -> Option<Bytes> {
        let (start, bytes) = self.filters.as_ref()?;
        let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
        let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
        (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
    }

    /// What to read for the sake of a range: all of its chunk if that is small.
    fn to_read(&self, wanted: &Range<u64>) -> Range<u64> {
        let chunk = self.chunks.range(..=wanted.start).next_back().map(|(_, chunk)| chunk);
        match chunk.filter(|chunk| wanted.end <= chunk.end && chunk.end - chunk.start <= SMALL) {
            Some(chunk) => chunk.start..chunk.end,
            None => wanted.clone(),
        }
    }

    /// The chunk that a range begins, and how many ranges from this one on make all of it.
    fn chunk_from(&self, ranges: &[Range<u64>]) -> Option<(Chunk, usize)> {
        let chunk = self.chunks.get(&ranges.first()?.start)?;
        let mut at = chunk.start;
        for (index, range) in ranges.iter().enumerate() {
            if range.start != at {
                return None;
            }
            at = range.end;
            if at >= chunk.end {
                return (at == chunk.end).then_some((*chunk, index + 1));
            }
        }
        None
    }
}

/// Footers that were read and checked. Files never change, so an entry is good for ever; the cache is emptied when full.
#[derive(Debug, Default)]
pub(crate) struct FooterCache(Mutex<HashMap<Path, Arc<Footer>>>);

impl FooterCache {
    const FILES: usize = 4_096;

    fn get(&self, path: &Path) -> Option<Arc<Footer>> {
        self.0.lock().get(path).cloned()
    }

    fn put(&self, path: Path, footer: Arc<Footer>) {
        let mut footers = self.0.lock();
        if footers.len() >= Self::FILES {
            footers.clear();
        }
        footers.insert(path, footer);
    }
}

/// Makes a [`CheckedReader`] for each of a snapshot's files, or of those that units have written.
#[derive(Debug)]
pub(super) struct CheckedReaders {
    home: Home,
    of: Arc<FilesOf>,
    files: HashMap<Path, Arc<DataFile>>,
}

impl CheckedReaders {
    pub(super) fn new(home: &Home, of: FilesOf, files: &[DataFile]) -> Self {
        let path = |file| home.store.path_of(of.name(), file);
        let files = files.iter().map(|file| (path(file), Arc::new(file.clone()))).collect();
        Self { home: home.clone(), of: Arc::new(of), files }
    }

    /// What is wrong with the bytes of a file, all of which are read for it; `None` if nothing is, or it cannot be told.
    pub(super) async fn damage_of(&self, path: &Path) -> Option<Error> {
        let file = self.files.get(path)?;
        let found = self.home.store.verify_file(self.of.name(), file).await;
        found.err().filter(StoreError::is_damage).map(|damage| self.of.blame(&self.home, damage))
    }
}

impl ParquetFileReaderFactory for CheckedReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        partitioned_file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = partitioned_file.object_meta.location;
        let file = self
            .files
            .get(&path)
            .ok_or_else(|| exec_datafusion_err!("{path} is no file of this snapshot"))?;
        let metrics = ParquetFileMetrics::new(partition_index, path.as_ref(), metrics);
        let reader = CheckedReader {
            objects: self.home.store.object_store(),
            home: self.home.clone(),
            of: Arc::clone(&self.of),
            path,
            file: Arc::clone(file),
            metrics,
            footer: None,
        };
        Ok(Box::new(reader))
    }
}

struct CheckedReader {
    objects: Arc<dyn ObjectStore>,
    home: Home,
    of: Arc<FilesOf>,
    path: Path,
    file: Arc<DataFile>,
    metrics: ParquetFileMetrics,
    footer: Option<Arc<Footer>>,
}

impl CheckedReader {
    /// Reads ranges, and checks each chunk that they make whole.
    async fn read(&mut self, wanted: &[Range<u64>]) -> Result<Vec<Bytes>, ParquetError> {
        let footer = self.footer().await?;
        let mut ranges: Vec<Range<u64>> = wanted.iter().map(|range| footer.to_read(range)).collect();
        ranges.dedup();
        let read = match self.objects.get_ranges(&self.path, &ranges).await {
            Ok(read) => read,
            Err(error) => return Err(self.unreadable(error).await),
        };
        self.check(&footer, &ranges, &read)?;
        let mut parts = Vec::with_capacity(wanted.len());
        let mut from = ranges.iter().zip(&read).peekable();
        for wanted in wanted {
            // Both are in one order.
            while from.next_if(|(range, _)| wanted.start < range.start || range.end < wanted.end).is_some() {}
            let part = from.peek().and_then(|(range, bytes)| {
                let at = usize::try_from(wanted.start - range.start).ok()?;
                let length = usize::try_from(wanted.end - wanted.start).ok()?;
                Some(bytes.slice(at..at + length))
            });
            parts.push(part.ok_or_else(|| ParquetError::General("a range was not read".to_string()))?);
        }
        Ok(parts)
    }

    /// Checks what was read: the length of each range, and the checksum of each chunk that ranges make whole.
    fn check(&self, footer: &Footer, ranges: &[Range<u64>], read: &[Bytes]) -> Result<(), ParquetError> {
        for (range, bytes) in ranges.iter().zip(read) {
            self.metrics.bytes_scanned.add(bytes.len());
            if bytes.len() as u64 != range.end - range.start {
                let expected = format!("{} bytes with checksum {}", self.file.size, self.file.checksum);
                let end = range.start + bytes.len() as u64;
                return Err(self.damaged(expected, format!("{end} bytes")));
            }
        }
        let mut at = 0;
        while at < ranges.len() {
            at += match footer.chunk_from(&ranges[at..]) {
                Some((chunk, parts)) => {
                    let parts_read = read.get(at..at + parts).unwrap_or_default();
                    let checked = self.file.check_chunk_in_parts(chunk.group, chunk.column, parts_read);
                    checked.map_err(|error| self.blame(error))?;
                    parts
                }
                None => 1,
            };
        }
        Ok(())
    }

    /// The file's footer. DataFusion may ask one reader of a file for it and let another one read the rows.
    async fn footer(&mut self) -> Result<Arc<Footer>, ParquetError> {
        if let Some(footer) = &self.footer {
            return Ok(Arc::clone(footer));
        }
        let footer = self.load_footer().await?;
        self.footer = Some(Arc::clone(&footer));
        Ok(footer)
    }

    async fn load_footer(&self) -> Result<Arc<Footer>, ParquetError> {
        let footers = self.home.footers();
        if let Some(known) = footers.get(&self.path) {
            return Ok(known);
        }
        let start = self.file.size.saturating_sub(u64::from(self.file.footer_len));
        let bytes = match self.objects.get_range(&self.path, start..self.file.size).await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.unreadable(error).await),
        };
        self.metrics.bytes_scanned.add(bytes.len());
        self.file.check_footer(&bytes).map_err(|error| self.blame(error))?;
        let mut parser = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        parser.try_parse_sized(&bytes, self.file.size)?;
        let footer = Arc::new(Footer::new(parser.finish()?, start, bytes));
        footers.put(self.path.clone(), Arc::clone(&footer));
        Ok(footer)
    }

    /// What a failed read means: a file that is missing or short is damaged, everything else is the storage's.
    async fn unreadable(&self, error: object_store::Error) -> ParquetError {
        let looked = self.home.store.check_file(self.of.name(), &self.file).await;
        match looked {
            Err(damage) if damage.is_damage() => self.blame(damage),
            _ => {
                let object = self.path.to_string();
                self.blame(StoreError::Storage { operation: "read", object, source: Box::new(error) })
            }
        }
    }

    fn damaged(&self, expected: String, found: String) -> ParquetError {
        let object = self.path.to_string();
        external(self.of.blame(&self.home, StoreError::Damaged { object, expected, found }))
    }

    /// A file's own checks know its path below its checkpoint only.
    fn blame(&self, error: StoreError) -> ParquetError {
        match error {
            StoreError::Damaged { expected, found, .. } => self.damaged(expected, found),
            other => external(self.of.blame(&self.home, other)),
        }
    }
}

impl AsyncFileReader for CheckedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            let known = self.footer().await?;
            if let Some(checked) = known.filter(&range) {
                return Ok(checked);
            }
            self.read(&[range]).await.map(|mut read| read.pop().unwrap_or_default())
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.read(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move { self.footer().await.map(|footer| Arc::clone(&footer.metadata)) }.boxed()
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
