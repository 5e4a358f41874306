//! A node that hands its input's rows on as they come, and hides something from the rules that look at the plan.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Constraints, Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr,
};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements,
    Partitioning, PlanProperties,
};

/// What is still known of the rows above the node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Nothing,
    /// Which partition each is in.
    Partitions,
    /// All but which columns are unique.
    AllButKeys,
    /// The one order of a single partition, and that alone.
    Order(LexOrdering),
    /// All of it, but filters stay above.
    AllWithoutFilters,
}

/// Hands rows on.
#[derive(Debug)]
pub(crate) struct HidingExec {
    input: Arc<dyn ExecutionPlan>,
    shown: Shown,
    properties: Arc<PlanProperties>,
}

impl HidingExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, shown: Shown) -> Self {
        let properties = match &shown {
            Shown::AllWithoutFilters => Arc::clone(input.properties()),
            hiding => Arc::new(properties_of(&input, hiding)),
        };
        Self { input, shown, properties }
    }

    pub(super) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }
}

fn properties_of(input: &Arc<dyn ExecutionPlan>, shown: &Shown) -> PlanProperties {
    let partitioning = input.output_partitioning();
    let partitioning = match shown {
        Shown::Nothing | Shown::Order(_) => Partitioning::UnknownPartitioning(partitioning.partition_count()),
        Shown::Partitions | Shown::AllButKeys | Shown::AllWithoutFilters => partitioning.clone(),
    };
    let known = match shown {
        Shown::Nothing | Shown::Partitions => EquivalenceProperties::new(input.schema()),
        Shown::Order(order) => EquivalenceProperties::new_with_orderings(input.schema(), [order.clone()]),
        Shown::AllButKeys => input.equivalence_properties().clone().with_constraints(Constraints::default()),
        Shown::AllWithoutFilters => input.equivalence_properties().clone(),
    };
    PlanProperties::new(known, partitioning, input.pipeline_behavior(), input.boundedness())
        .with_scheduling_type(input.properties().scheduling_type)
}

impl DisplayAs for HidingExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match &self.shown {
            Shown::Nothing | Shown::AllWithoutFilters => write!(out, "{name}"),
            Shown::Partitions => write!(out, "{name}: in their partitions"),
            Shown::AllButKeys => write!(out, "{name}: without keys"),
            Shown::Order(order) => write!(out, "{name}: [{order}]"),
        }
    }
}

impl ExecutionPlan for HidingExec {
    fn name(&self) -> &str {
        match self.shown {
            Shown::Nothing | Shown::Partitions | Shown::AllButKeys => "AnyOrderExec",
            Shown::Order(_) => "MergedOrderExec",
            Shown::AllWithoutFilters => "NoFiltersExec",
        }
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![match self.shown {
            Shown::Order(_) => Distribution::SinglePartition,
            _ => Distribution::UnspecifiedDistribution,
        }])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![match &self.shown {
            Shown::Order(order) => Some(OrderingRequirements::from(order.clone())),
            _ => None,
        }]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![matches!(self.shown, Shown::AllButKeys | Shown::AllWithoutFilters)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("HidingExec has one input");
        };
        Ok(Arc::new(Self::new(input, self.shown.clone())))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        Ok(match self.shown {
            Shown::Order(_) | Shown::AllWithoutFilters => {
                FilterDescription::all_unsupported(&filters, &self.children())
            }
            _ => FilterDescription::from_children(filters, &self.children())?,
        })
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        below: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(below))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let Some(input) = inputs.first() else { return internal_err!("HidingExec has one input") };
        Ok(Arc::clone(input))
    }
}
