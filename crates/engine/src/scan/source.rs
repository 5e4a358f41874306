//! Parquet files of ours as a source: DataFusion's, with one thing added. Where a file cannot be decoded, it is looked
//! whether its bytes are those that were written, and if not, the error says so.
//!
//! Column chunks that are read whole are checked before they are decoded. Parts of them, as a filter picks pages, are not,
//! and what is wrong with these shows in the decoder.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpener, FileScanConfig, FileSource, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::errors::ParquetError;

use super::reader::CheckedReaders;
use super::selective::Selective;

/// DataFusion's source of Parquet files over files of ours.
#[derive(Clone)]
pub(super) struct CheckedSource {
    inner: Arc<dyn FileSource>,
    readers: Arc<CheckedReaders>,
    selective: Arc<Selective>,
}

impl CheckedSource {
    /// Lets `source` read through `readers`.
    pub(super) fn new(source: ParquetSource, readers: CheckedReaders) -> Self {
        let readers = Arc::new(readers);
        let factory: Arc<dyn ParquetFileReaderFactory> = Arc::clone(&readers) as _;
        let inner = Arc::new(source.with_parquet_file_reader_factory(factory));
        Self { inner, readers, selective: Arc::default() }
    }

    /// The same source, which filters while it decodes where a filter asks for one value of a selective column.
    pub(super) fn selective(self, selective: Selective) -> Self {
        Self { selective: Arc::new(selective), ..self }
    }

    fn over(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, ..self.clone() })
    }
}

impl FileSource for CheckedSource {
    fn create_file_opener(
        &self,
        objects: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(objects, config, partition)
    }

    fn create_morselizer(
        &self,
        objects: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(objects, config, partition)?;
        Ok(Box::new(CheckedMorselizer { inner, readers: Arc::clone(&self.readers) }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.over(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        options: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let asked = options.execution.parquet.pushdown_filters;
        let mut options = Cow::Borrowed(options);
        if !asked && self.selective.leave_few(&filters) {
            options.to_mut().execution.parquet.pushdown_filters = true;
        }
        // A filter that the decoder cannot build for some file is left out there without a word: the plan filters once more what
        // is left.
        let above = vec![PushedDown::No; filters.len()];
        let pushed = self.inner.try_pushdown_filters(filters, &options)?;
        let updated_node = pushed.updated_node.map(|inner| self.over(inner));
        Ok(FilterPushdownPropagation { filters: above, updated_node })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_sort(order, properties)?.map(|inner| self.over(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.over(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

#[derive(Debug)]
struct CheckedMorselizer {
    inner: Box<dyn Morselizer>,
    readers: Arc<CheckedReaders>,
}

impl Morselizer for CheckedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let path = file.object_meta.location.clone();
        let judge = Judge { readers: Arc::clone(&self.readers), path };
        Ok(judge.over(self.inner.plan_file(file)?))
    }
}

/// Looks into the file behind an error.
#[derive(Debug, Clone)]
struct Judge {
    readers: Arc<CheckedReaders>,
    path: Path,
}

impl Judge {
    async fn judge(&self, error: DataFusionError) -> DataFusionError {
        if !is_of_decoding(&error) {
            return error;
        }
        self.readers.damage_of(&self.path).await.map_or(error, DataFusionError::from)
    }

    fn over(&self, inner: Box<dyn MorselPlanner>) -> Box<dyn MorselPlanner> {
        Box::new(CheckedPlanner { inner, judge: self.clone() })
    }
}

#[derive(Debug)]
struct CheckedPlanner {
    inner: Box<dyn MorselPlanner>,
    judge: Judge,
}

impl MorselPlanner for CheckedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, judge } = *self;
        let mut plan = match inner.plan() {
            Ok(Some(plan)) => plan,
            Ok(None) => return Ok(None),
            Err(error) => {
                let failed = async move { Err(judge.judge(error).await) };
                return Ok(Some(MorselPlan::new().with_pending_planner(failed)));
            }
        };
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels
            .map(|inner| -> Box<dyn Morsel> { Box::new(CheckedMorsel { inner, judge: judge.clone() }) });
        let planners = plan.take_ready_planners().into_iter().map(|inner| judge.over(inner));
        let mut checked = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = plan.take_pending_planner() {
            checked.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(judge.over(inner)),
                    Err(error) => Err(judge.judge(error).await),
                }
            });
        }
        Ok(Some(checked))
    }
}

#[derive(Debug)]
struct CheckedMorsel {
    inner: Box<dyn Morsel>,
    judge: Judge,
}

impl Morsel for CheckedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, judge } = *self;
        let rows = inner.into_stream().then(move |batch| {
            let judge = batch.is_err().then(|| judge.clone());
            async move {
                match (batch, judge) {
                    (Err(error), Some(judge)) => Err(judge.judge(error).await),
                    (batch, _) => batch,
                }
            }
        });
        rows.boxed()
    }
}

/// Whether an error may come from bytes that are not what they were. Ours say what they are, and a query's own
/// calculations and the session's limits are not to blame on a file.
fn is_of_decoding(error: &DataFusionError) -> bool {
    if crate::Error::find(error).is_some() {
        return false;
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<ParquetError>() {
            return true;
        }
        if let Some(error) = error.downcast_ref::<ArrowError>() {
            let calculated = matches!(
                error,
                ArrowError::DivideByZero | ArrowError::ArithmeticOverflow(_) | ArrowError::CastError(_)
            );
            return !calculated;
        }
        next = error.source();
    }
    false
}
