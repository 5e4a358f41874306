//! Reads a snapshot's Parquet files and checks what it reads: the footer always, a column chunk whenever it is read
//! whole. A flipped byte is an error that names the file, and never another value.

use std::collections::HashMap;
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
use milepost_store::{CheckpointName, DataFile};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::context::Home;

/// A footer that was read and checked, and where each column chunk begins.
#[derive(Debug)]
struct Footer {
    metadata: Arc<ParquetMetaData>,
    chunks: HashMap<u64, Chunk>,
    /// Where Bloom filters lie before the footer's metadata: the bytes that were checked, and where they begin. To read them
    /// again would be to trust them unchecked.
    filters: Option<(u64, Bytes)>,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    group: usize,
    column: usize,
    length: u64,
}

impl Footer {
    fn new(metadata: ParquetMetaData, start: u64, bytes: Bytes) -> Self {
        let groups = metadata.row_groups().iter().enumerate();
        let chunks = groups.flat_map(|(group, row_group)| {
            row_group.columns().iter().enumerate().map(move |(column, chunk)| {
                let (start, length) = chunk.byte_range();
                (start, Chunk { group, column, length })
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

    /// The chunk that fills a range.
    fn chunk(&self, range: &Range<u64>) -> Option<Chunk> {
        let chunk = self.chunks.get(&range.start)?;
        (range.start + chunk.length == range.end).then_some(*chunk)
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

/// Makes a [`CheckedReader`] for each of a checkpoint's files.
#[derive(Debug)]
pub(super) struct CheckedReaders {
    home: Home,
    files: HashMap<Path, Arc<DataFile>>,
}

impl CheckedReaders {
    pub(super) fn new(home: &Home, name: &CheckpointName, files: &[DataFile]) -> Self {
        let files =
            files.iter().map(|file| (home.store.path_of(name, file), Arc::new(file.clone()))).collect();
        Self { home: home.clone(), files }
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
        let objects = self.home.store.object_store();
        let reader = CheckedReader {
            objects,
            footers: self.home.footers(),
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
    footers: Arc<FooterCache>,
    path: Path,
    file: Arc<DataFile>,
    metrics: ParquetFileMetrics,
    footer: Option<Arc<Footer>>,
}

impl CheckedReader {
    /// Checks a range against its chunk's checksum, if it is exactly a chunk.
    fn check(&self, range: &Range<u64>, bytes: &Bytes) -> Result<(), ParquetError> {
        match self.footer.as_ref().and_then(|footer| footer.chunk(range)) {
            Some(chunk) => self.file.check_chunk(chunk.group, chunk.column, bytes).map_err(external),
            None => Ok(()),
        }
    }

    async fn load_footer(&mut self) -> Result<Arc<Footer>, ParquetError> {
        if let Some(known) = self.footers.get(&self.path) {
            return Ok(known);
        }
        let start = self.file.size.saturating_sub(u64::from(self.file.footer_len));
        let bytes = self.objects.get_range(&self.path, start..self.file.size).await.map_err(external)?;
        self.metrics.bytes_scanned.add(bytes.len());
        self.file.check_footer(&bytes).map_err(external)?;
        let mut parser = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        parser.try_parse_sized(&bytes, self.file.size)?;
        let footer = Arc::new(Footer::new(parser.finish()?, start, bytes));
        self.footers.put(self.path.clone(), Arc::clone(&footer));
        Ok(footer)
    }
}

impl AsyncFileReader for CheckedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            if let Some(checked) = self.footer.as_ref().and_then(|footer| footer.filter(&range)) {
                return Ok(checked);
            }
            let bytes = self.objects.get_range(&self.path, range.clone()).await.map_err(external)?;
            self.metrics.bytes_scanned.add(bytes.len());
            self.check(&range, &bytes)?;
            Ok(bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let read = self.objects.get_ranges(&self.path, &ranges).await.map_err(external)?;
            for (range, bytes) in ranges.iter().zip(&read) {
                self.metrics.bytes_scanned.add(bytes.len());
                self.check(range, bytes)?;
            }
            Ok(read)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let footer = self.load_footer().await?;
            let metadata = Arc::clone(&footer.metadata);
            self.footer = Some(footer);
            Ok(metadata)
        }
        .boxed()
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ParquetError {
    ParquetError::External(Box::new(error))
}
