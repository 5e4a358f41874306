//! What became of the checkpoints of a query, for EXPLAIN ANALYZE.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use parking_lot::Mutex;

use super::ensure::Ensured;

/// Lines about the checkpoints of one query, in the order in which they were met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcomes {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Outcomes {
    pub(super) fn add(&self, line: String) {
        self.lines.lock().push(line);
    }

    /// The plan of an EXPLAIN ANALYZE, which gives these lines before its own.
    pub(super) fn before(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let lines = self.lines.lock().clone();
        let tells_plans = plan.schema().fields().len() == 2;
        if lines.is_empty() || !tells_plans {
            return plan;
        }
        Arc::new(OutcomesExec { lines, input: plan })
    }
}

/// `by_day: written, version 3, 7 rows, 812 bytes, 1 files, 24 ms, 0 ms saved, 4 units (0 reused)`
pub(crate) fn outcome_line(ensured: &Ensured) -> String {
    let Ensured { snapshot, outcome, elapsed_ms, saved_ms, units, ran } = ensured;
    let (name, version, manifest) = (&snapshot.name, snapshot.version, &snapshot.manifest);
    let what = format!(
        "{name}: {}, version {version}, {} rows, {} bytes, {} files, {elapsed_ms} ms, {saved_ms} ms saved",
        outcome.as_str(),
        manifest.rows,
        manifest.bytes,
        manifest.files.len(),
    );
    match ran {
        Some(_) => format!("{what}, {} units ({} reused)", units.all, units.reused),
        None => what,
    }
}

/// Rows of lines before those of an EXPLAIN ANALYZE.
#[derive(Debug)]
struct OutcomesExec {
    lines: Vec<String>,
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for OutcomesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointOutcomes: {}", self.lines.len())
    }
}

impl ExecutionPlan for OutcomesExec {
    fn name(&self) -> &str {
        "CheckpointOutcomes"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }
    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { lines: self.lines.clone(), input })),
            None => internal_err!("outcomes stand before the rows of one plan"),
        }
    }
    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.schema();
        let rest = self.input.execute(partition, context)?;
        let kinds: ArrayRef = Arc::new(StringArray::from(vec!["checkpoint"; self.lines.len()]));
        let lines: ArrayRef = Arc::new(StringArray::from(self.lines.clone()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![kinds, lines])?;
        let rows = futures::stream::once(std::future::ready(Ok(batch))).chain(rest);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
