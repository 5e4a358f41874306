//! A scan of files that an attempt has written and nobody has committed: the states of an aggregation.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use milepost_store::{CheckpointName, DataFile, file_schema};

use super::damage::FilesOf;
use super::reader::CheckedReaders;
use super::source::CheckedSource;
use crate::context::Home;

/// Reads `files` of checkpoint `name` as rows of `schema`, in as many partitions as the session runs side by side.
pub(crate) fn scan_files(
    home: &Home,
    state: &dyn Session,
    name: &CheckpointName,
    files: &[DataFile],
    schema: &SchemaRef,
) -> Result<Arc<dyn ExecutionPlan>> {
    let stored = file_schema(schema);
    let scanned =
        files.iter().map(|file| PartitionedFile::new(home.store.path_of(name, file).to_string(), file.size));
    let groups = FileGroup::new(scanned.collect()).split_files(state.config().target_partitions().max(1));
    if groups.is_empty() {
        return internal_err!("the units of {name} have written no file");
    }
    let source = ParquetSource::new(Arc::clone(&stored))
        .with_table_parquet_options(state.default_table_options().parquet);
    let readers = CheckedReaders::new(home, FilesOf::Units(name.clone()), files);
    let source = CheckedSource::new(source, readers);
    let scan = FileScanConfigBuilder::new(home.url_in(state.runtime_env()), Arc::new(source))
        .with_file_groups(groups)
        .build();
    let scan = DataSourceExec::from_data_source(scan);
    let columns = stored.fields().iter().zip(schema.fields()).enumerate().map(|(index, (stored, wanted))| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(stored.name(), index));
        (column, wanted.name().clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), scan)?))
}
