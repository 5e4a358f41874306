//! What EXPLAIN shows in the place of a checkpoint: its verdict, and below it the plan that would run.
//!
//! Over a snapshot that would be reused the node lets filters, limits and columns through, so that what is shown is the
//! scan that would run. Over a subplan that would be written it lets nothing through, as the stage would not.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

/// A label over the plan that would run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CheckpointDisplay {
    pub(super) label: String,
    input: LogicalPlan,
    pub(super) reused: bool,
}

impl CheckpointDisplay {
    /// Shows `label` over a scan of a snapshot.
    pub(crate) fn reused(label: String, scan: LogicalPlan) -> LogicalPlan {
        Self { label, input: scan, reused: true }.into_plan()
    }

    /// Shows `label` over the subplan of a stage.
    pub(crate) fn written(label: String, subplan: LogicalPlan) -> LogicalPlan {
        Self { label, input: subplan, reused: false }.into_plan()
    }

    /// The scan of a snapshot below the label, if there is one.
    pub(crate) fn snapshot(&self) -> Option<&LogicalPlan> {
        self.reused.then_some(&self.input)
    }

    fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }
}

impl PartialOrd for CheckpointDisplay {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.label.partial_cmp(&other.label)
    }
}

impl UserDefinedLogicalNodeCore for CheckpointDisplay {
    fn name(&self) -> &str {
        "CheckpointDisplay"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }
    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }
    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        if self.reused {
            return HashSet::new();
        }
        self.schema().fields().iter().map(|field| field.name().clone()).collect()
    }
    fn supports_limit_pushdown(&self) -> bool {
        self.reused
    }
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        if self.reused { Some(vec![output_columns.to_vec()]) } else { None }
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint: {}", self.label)
    }
    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.pop() {
            Some(input) => Ok(Self { input, ..self.clone() }),
            None => internal_err!("a displayed checkpoint has one input"),
        }
    }
}
