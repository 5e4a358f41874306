//! Keeps DataFusion 55.2 from sending filters to the wrong column, and from letting them compute twice what differs each time.
//!
//! On its way down, a filter's columns are looked up by name in the input of each node. Where a node gives two columns of one name, or
//! gives a column that has the name of another one of its input, a filter on the one becomes a filter on the other, and
//! rows are lost (docs/upstream/dynamic-filters.md). A filter on `random()` moves below the projection that computes it,
//! and is tried with other numbers than those that are shown. While filters are sent, a node that lets none through stands above each
//! such node.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;

use super::hiding::{HidingExec, Shown};
use super::{Rule, any};

/// The rules of DataFusion that send filters down, before and after exchanges are added.
pub(super) const SEND: [&str; 2] = ["FilterPushdown", "FilterPushdown(Post)"];

/// Such a rule, which sends no filter through a node that would mistake it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) rule: Rule,
}

impl PhysicalOptimizerRule for Sent {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !any(&plan, &mistakes_filters) {
            return self.rule.optimize(plan, config);
        }
        let guarded = plan.transform_up(|node| {
            Ok(if mistakes_filters(&node) {
                Transformed::yes(Arc::new(HidingExec::new(node, Shown::AllWithoutFilters)) as _)
            } else {
                Transformed::no(node)
            })
        })?;
        without_guards(self.rule.optimize(guarded.data, config)?)
    }

    fn name(&self) -> &str {
        self.rule.name()
    }

    fn schema_check(&self) -> bool {
        self.rule.schema_check()
    }
}

fn without_guards(node: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let guarded = node
        .downcast_ref::<HidingExec>()
        .filter(|guard| *guard.shown() == Shown::AllWithoutFilters)
        .map(|guard| Arc::clone(guard.input()));
    let node = guarded.unwrap_or(node);
    let inputs = node.children().into_iter().map(|input| without_guards(Arc::clone(input)));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(node, inputs)
}

/// Whether a filter on the rows of a node may become another one on its way through it.
fn mistakes_filters(node: &Arc<dyn ExecutionPlan>) -> bool {
    if node.children().is_empty() {
        return false;
    }
    repeats_names(node)
        || computes_anew(node)
        || misnames_groups(node)
        || misnames_inputs(node)
        || mistakes_keys(node)
}

fn repeats_names(node: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = node.schema();
    let mut seen = HashSet::with_capacity(schema.fields().len());
    !schema.fields().iter().all(|field| seen.insert(field.name()))
}

/// Whether a projection computes something that differs each time.
fn computes_anew(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.downcast_ref::<ProjectionExec>()
        .is_some_and(|projection| projection.expr().iter().any(|column| is_volatile(&column.expr)))
}

/// Whether a group has the name of another column of the input: `GROUP BY k + 1 AS k`.
fn misnames_groups(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else { return false };
    let input = aggregate.input().schema();
    aggregate.group_expr().expr().iter().any(|(key, name)| {
        let is_that_column = key.downcast_ref::<Column>().is_some_and(|column| column.name() == name);
        !is_that_column && input.column_with_name(name).is_some()
    })
}

/// Whether an input of a union has other names.
fn misnames_inputs(node: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = node.schema();
    let names = || schema.fields().iter().map(|field| field.name());
    node.is::<UnionExec>()
        && node.children().into_iter().any(|input| {
            let input = input.schema();
            !names().eq(input.fields().iter().map(|field| field.name()))
        })
}

/// Whether the key of a semi join has the name of another column of the side that it gives no rows of. Filters on keys go there, too.
fn mistakes_keys(node: &Arc<dyn ExecutionPlan>) -> bool {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else { return false };
    let from_left = match join.join_type() {
        JoinType::LeftSemi => true,
        JoinType::RightSemi => false,
        _ => return false,
    };
    let other = if from_left { join.right() } else { join.left() }.schema();
    join.on().iter().any(|(left, right)| {
        let (own, paired) = if from_left { (left, right) } else { (right, left) };
        let Some(own) = own.downcast_ref::<Column>() else { return false };
        let found = other.column_with_name(own.name()).map(|(place, _)| place);
        found.is_some() && found != paired.downcast_ref::<Column>().map(Column::index)
    })
}
