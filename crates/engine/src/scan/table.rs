//! A snapshot as a table: known files, measured statistics, recorded ordering; nothing is listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use milepost_store::{DataFile, Snapshot};

use super::damage::{FilesOf, ReadBy, damaged};
use super::partitioned::buckets_of;
use super::reader::CheckedReaders;
use super::selective::Selective;
use super::source::CheckedSource;
use super::statistics;
use crate::context::{Home, settings};

/// A committed snapshot, read as DataFusion reads any Parquet table, but with what the manifest knows.
///
/// Its columns have the names that the Parquet files have: those of the query where they are unique.
#[derive(Debug, Clone)]
pub struct SnapshotTable {
    home: Home,
    snapshot: Snapshot,
    schema: SchemaRef,
    by: ReadBy,
    /// Whether every byte was checked for the scan that comes next.
    checked: Arc<AtomicBool>,
}

impl SnapshotTable {
    pub(crate) fn new(home: Home, snapshot: Snapshot, by: ReadBy) -> Self {
        let schema = Arc::clone(&snapshot.manifest.file_schema);
        Self { home, snapshot, schema, by, checked: Arc::default() }
    }

    /// Whether the query named the checkpoint and not this version of it.
    pub(crate) fn is_named(&self) -> bool {
        self.by == ReadBy::Name
    }

    /// Notes whether every byte was just checked, so that the scan which comes next need not do it again.
    pub(crate) fn note_checked(&self, whole: bool) {
        self.checked.store(whole, Ordering::Relaxed);
    }

    /// The snapshot that is read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn partitioned_file(&self, file: &DataFile, ordering: Option<&LexOrdering>) -> PartitionedFile {
        let path = self.home.store.path_of(&self.snapshot.name, file);
        PartitionedFile::new(path.to_string(), file.size)
            .with_statistics(Arc::new(statistics::of_file(file, &self.schema)))
            .with_ordering(ordering.cloned())
    }

    /// A sequence is read as one group, in the order that was written. Other ordered snapshots keep one group a unit; the
    /// rest is dealt out to as many groups as the session runs side by side.
    fn file_groups(&self, target: usize, ordering: Option<&LexOrdering>) -> Vec<FileGroup> {
        let manifest = &self.snapshot.manifest;
        let files = manifest.files.iter().filter(|file| file.rows > 0);
        if !manifest.sequence && ordering.is_none() {
            let files: Vec<_> = files.map(|file| self.partitioned_file(file, None)).collect();
            return if files.is_empty() { vec![] } else { FileGroup::new(files).split_files(target.max(1)) };
        }
        let mut groups: Vec<(milepost_store::UnitNumber, FileGroup)> = Vec::new();
        for file in files {
            let scanned = self.partitioned_file(file, ordering);
            match groups.last_mut() {
                Some((unit, group)) if manifest.sequence || *unit == file.unit => group.push(scanned),
                _ => groups.push((file.unit, FileGroup::new(vec![scanned]))),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn ordering(&self) -> Option<LexOrdering> {
        let expressions = self.snapshot.manifest.ordering.iter().map_while(|field| {
            let name = self.schema.fields().get(field.column)?.name();
            let options = SortOptions { descending: field.descending, nulls_first: field.nulls_first };
            Some(PhysicalSortExpr::new(Arc::new(Column::new(name, field.column)), options))
        });
        LexOrdering::new(expressions)
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(statistics::of_snapshot(&self.snapshot.manifest, &self.schema))
    }

    /// Filters prune row groups and pages below; the filter itself stays above.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = settings(state);
        let whole = config.verify_reads && !self.checked.swap(false, Ordering::Relaxed);
        let checked = self.home.check(&self.snapshot, whole).await;
        checked.map_err(|error| damaged(&self.home, &self.snapshot, self.by, config.on_damage, error))?;
        let ordering = self.ordering();
        let manifest = &self.snapshot.manifest;
        let scanned = |file: &DataFile| self.partitioned_file(file, None);
        let dealt_out = buckets_of(manifest, &self.schema, projection, state, &config, scanned);
        let (groups, partitioning) = match dealt_out.filter(|_| manifest.rows > 0) {
            Some((groups, partitioning)) => (groups, Some(partitioning)),
            None => {
                let groups = self.file_groups(state.config().target_partitions(), ordering.as_ref());
                // A declared partitioning keeps the optimizer from cutting a sequence into ranges that are read side by side.
                let one = manifest.sequence.then(|| Partitioning::UnknownPartitioning(groups.len()));
                (groups, one)
            }
        };
        if groups.is_empty() {
            return Ok(Arc::new(EmptyExec::new(projected(&self.schema, projection)?)));
        }
        let options = state.default_table_options().parquet;
        let source = ParquetSource::new(Arc::clone(&self.schema)).with_table_parquet_options(options);
        let snapshot = Box::new(self.snapshot.clone());
        let of = FilesOf::Snapshot { snapshot, by: self.by, on_damage: config.on_damage };
        let readers = CheckedReaders::new(&self.home, of, &manifest.files);
        let source = CheckedSource::new(source, readers).selective(Selective::of(manifest, &self.schema));
        let scan = FileScanConfigBuilder::new(self.home.url_in(state.runtime_env()), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics::of_snapshot(manifest, &self.schema))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(ordering.into_iter().collect())
            .with_preserve_order(manifest.sequence)
            .with_output_partitioning(partitioning)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

fn projected(schema: &SchemaRef, projection: Option<&Vec<usize>>) -> Result<SchemaRef> {
    Ok(match projection {
        Some(indices) => {
            let projected: Schema = schema.project(indices)?;
            Arc::new(projected)
        }
        None => Arc::clone(schema),
    })
}
