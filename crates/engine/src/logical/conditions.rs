//! Keeps conditions without columns above aggregations that give a row for no rows.
//!
//! `count(*)` of nothing is a row. DataFusion 55.2 puts a condition below an aggregation where all of its columns are keys, and so one
//! that has none: `HAVING (SELECT false)`, or `n = 1 AND n = 2` once it is found to be false. Then the aggregation gives its row for no
//! rows, and the condition is gone. See docs/upstream/conditions-below-aggregates.md.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule of DataFusion that puts conditions below aggregations.
const PUSHES: &str = "push_down_filter";

/// That rule, which leaves conditions above aggregations that give a row for no rows.
#[derive(Debug)]
struct KeptConditions {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
}

/// Puts the guard around the rule.
pub(crate) fn guard_conditions(optimizer: &mut Optimizer) {
    for rule in optimizer.rules.iter_mut().filter(|rule| rule.name() == PUSHES) {
        *rule = Arc::new(KeptConditions { rule: Arc::clone(rule) });
    }
}

impl OptimizerRule for KeptConditions {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if is_above_sure_row(&plan) { Ok(Transformed::no(plan)) } else { self.rule.rewrite(plan, config) }
    }
}

/// Whether conditions stand directly above such an aggregation. None of its keys are columns of a condition then, as DataFusion sees it.
fn is_above_sure_row(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else { return false };
    match filter.input.as_ref() {
        LogicalPlan::Aggregate(aggregate) => gives_row_for_none(aggregate),
        below => is_above_sure_row(below),
    }
}

fn gives_row_for_none(aggregate: &Aggregate) -> bool {
    match aggregate.group_expr.as_slice() {
        [] => true,
        [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => true,
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}
