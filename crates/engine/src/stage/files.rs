//! The files of one unit while they are written: one at a time, or one at a time for each bucket.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use milepost_store::{DataFile, DataFileWriter, UnitNumber};

use super::writer::UnitWriter;
use crate::error::store_error;

/// A unit's file is closed and a new one begun when it has grown to this many bytes, so that every file stays within
/// what one multipart upload can hold and many readers can share the work.
const FILE_BYTES: u64 = 1 << 30;

/// A row group is closed early when its file holds this much memory, or its share of it where several are open.
const ROW_GROUP_BYTES: usize = 128 << 20;

/// However short memory is, a row group holds so much before it is closed. Smaller ones would take more memory for what the footer
/// says of them than their rows do, and are slow to read.
const LEAST_ROW_GROUP_BYTES: usize = 4 << 20;

/// What a file may hold however many are open: about twice what waits to be sent.
const LEAST_BYTES: usize = 48 << 20;

/// What a unit has written, and what it writes.
pub(super) struct UnitFiles<'w> {
    writer: &'w UnitWriter,
    unit: UnitNumber,
    /// The files that are written, by their buckets.
    open: BTreeMap<Option<u32>, DataFileWriter>,
    complete: Vec<DataFile>,
    reservation: MemoryReservation,
}

impl<'w> UnitFiles<'w> {
    pub(super) fn new(writer: &'w UnitWriter, unit: UnitNumber) -> Self {
        let consumer = MemoryConsumer::new(format!("checkpoint writer {unit}"));
        let reservation = consumer.register(&writer.pool);
        Self { writer, unit, open: BTreeMap::new(), complete: Vec::new(), reservation }
    }

    /// Writes rows that are all in one bucket.
    pub(super) async fn take(&mut self, bucket: Option<u32>, rows: &RecordBatch) -> Result<()> {
        let file = match self.open.entry(bucket) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(closed) => closed.insert(self.writer.open(self.unit, rows)?),
        };
        let before = file.bytes_written();
        file.write(rows).await.map_err(store_error)?;
        self.account(bucket).await?;
        let written = self.open.get(&bucket).map_or(before, DataFileWriter::bytes_written);
        self.writer.count(rows.num_rows(), written.saturating_sub(before));
        if written >= FILE_BYTES
            && let Some(full) = self.open.remove(&bucket)
        {
            self.complete(bucket, full).await?;
        }
        Ok(())
    }

    /// Completes what is open. Without rows there is no file, unless `keep_empty` asks for one.
    pub(super) async fn finish(mut self, keep_empty: bool) -> Result<Vec<DataFile>> {
        if self.open.is_empty() && self.complete.is_empty() && keep_empty {
            let nothing = RecordBatch::new_empty(Arc::clone(&self.writer.schema));
            self.open.insert(None, self.writer.open(self.unit, &nothing)?);
        }
        for (bucket, file) in std::mem::take(&mut self.open) {
            let before = file.bytes_written();
            self.complete(bucket, file).await?;
            let size = self.complete.last().map_or(before, |file| file.size);
            self.writer.count(0, size.saturating_sub(before));
        }
        Ok(self.complete)
    }

    async fn complete(&mut self, bucket: Option<u32>, file: DataFileWriter) -> Result<()> {
        let file = file.finish().await.map_err(store_error)?;
        self.complete.push(DataFile { bucket, ..file });
        Ok(())
    }

    /// Tells the memory pool what the open files hold, and closes a row group where that is too much: that of the bucket to
    /// which rows were just written, or the largest one.
    async fn account(&mut self, bucket: Option<u32>) -> Result<()> {
        let share = (ROW_GROUP_BYTES / self.open.len().max(1)).max(LEAST_BYTES);
        let large = self.open.get(&bucket).is_some_and(|file| file.memory_used() > share);
        if !large && self.reservation.try_resize(self.held()).is_ok() {
            return Ok(());
        }
        let wanted = |key: &Option<u32>| !large || *key == bucket;
        let files = self.open.iter_mut().filter(|(key, _)| wanted(key)).map(|(_, file)| file);
        if let Some(largest) = files.max_by_key(|file| file.memory_used())
            && largest.row_group_memory() >= LEAST_ROW_GROUP_BYTES
        {
            largest.flush_row_group().await.map_err(store_error)?;
        }
        self.reservation.resize(self.held());
        Ok(())
    }

    fn held(&self) -> usize {
        self.open.values().map(DataFileWriter::memory_used).sum()
    }
}
