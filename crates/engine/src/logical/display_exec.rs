//! The physical side of [`CheckpointDisplay`]: it is shown and never run.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::display::CheckpointDisplay;

/// Plans [`CheckpointDisplay`] for the physical part of EXPLAIN.
pub(crate) struct DisplayPlanner;

#[async_trait]
impl ExtensionPlanner for DisplayPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _planning_ctx: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let shown: Option<&CheckpointDisplay> = node.as_any().downcast_ref();
        Ok(match (shown, physical_inputs) {
            (Some(shown), [input]) => Some(Arc::new(CheckpointDisplayExec {
                label: shown.label.clone(),
                reused: shown.reused,
                input: Arc::clone(input),
            })),
            _ => None,
        })
    }
}

/// Passes on all that its input says of itself; over a subplan that would be written, nothing is pushed below it.
#[derive(Debug)]
struct CheckpointDisplayExec {
    label: String,
    reused: bool,
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for CheckpointDisplayExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => f.write_str(&self.label),
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "CheckpointExec: {}", self.label)
            }
        }
    }
}

impl ExecutionPlan for CheckpointDisplayExec {
    fn name(&self) -> &str {
        "CheckpointExec"
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
    fn supports_limit_pushdown(&self) -> bool {
        self.reused
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
            Some(input) => Ok(Arc::new(Self { label: self.label.clone(), reused: self.reused, input })),
            None => internal_err!("a displayed checkpoint has one input"),
        }
    }
    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        if self.reused {
            return FilterDescription::from_children(parent_filters, &self.children());
        }
        Ok(FilterDescription::all_unsupported(&parent_filters, &self.children()))
    }
    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(child_pushdown_result))
    }
    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }
    /// A snapshot's counts are known; those of what is still to be written are not.
    fn statistics_from_inputs(
        &self,
        input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let known = input_stats.first().filter(|_| self.reused).cloned();
        Ok(known.unwrap_or_else(|| Arc::new(Statistics::new_unknown(&self.input.schema()))))
    }
    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a displayed checkpoint is not run")
    }
}
