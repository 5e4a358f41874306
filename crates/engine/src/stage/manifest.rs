//! The manifest of a finished stage: what its receipts add up to.

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use milepost_store::{
    ColumnStatistics, ContentId, ContentPart, DataFile, Manifest, Receipt, file_schema, statistics,
};

use super::progress::StageCounters;
use super::runner::Stage;
use super::work::Work;

impl Stage<'_> {
    /// Sums up the units. Where the rows have no content identity, the snapshot gets one that equals no other.
    pub(super) fn manifest(
        &self,
        schema: SchemaRef,
        work: &Work,
        receipts: Vec<Receipt>,
        counters: &StageCounters,
    ) -> Result<Manifest> {
        let order = work.order.clone();
        let partitioning = work.buckets.as_ref().map(|buckets| buckets.to_manifest(&schema)).transpose()?;
        let clock = self.milepost.store().clock();
        let partitions = u32::try_from(receipts.len()).unwrap_or(u32::MAX);
        let files: Vec<DataFile> = receipts.into_iter().flat_map(|receipt| receipt.files).collect();
        let parts: Vec<ContentPart> = files.iter().map(|file| file.content).collect();
        let content = ContentId::combine(&schema, &order.columns, &parts);
        let columns =
            statistics::merge(schema.fields().len(), files.iter().map(|file| file.statistics.as_slice()));
        let columns = columns.into_iter().map(ColumnStatistics::settled).collect();
        let files: Vec<_> = files.into_iter().map(DataFile::settled).collect();
        Ok(Manifest {
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.size).sum(),
            statistics: columns,
            memory_bytes: files.iter().map(|file| file.memory_bytes).sum(),
            content: content.unwrap_or_else(|| ContentId::unique(clock.ulid())),
            file_schema: file_schema(&schema),
            schema,
            files,
            ordering: order.columns,
            sequence: order.sequence,
            partitions,
            partitioning,
            identity: self.identity.to_manifest(),
            parents: self.parents.clone(),
            definition: self.definition.clone(),
            options: self.options.iter().cloned().collect(),
            origin: self.origin.clone().unwrap_or_else(|| self.milepost.next_origin()),
            read_version: self.read_version,
            elapsed_ms: u64::try_from(counters.elapsed().as_millis()).unwrap_or(u64::MAX),
            created_ms: clock.now_ms(),
            producer: crate::PRODUCER.to_string(),
        })
    }
}
