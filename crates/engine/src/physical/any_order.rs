//! Rows as they come: false claims that DataFusion 55.2 would hand on are taken back.
//!
//! An aggregation hands on what is known of its input: the order of the keys, which of them are constant or equal, that they are
//! unique, and by which of them rows are dealt out to partitions. Grouping sets put nulls in the place of keys, and none of it is so
//! (docs/upstream/grouping-sets.md). An outer join hands on what is constant or equal in the input that it fills up with nulls
//! (docs/upstream/outer-joins.md). A join in the order of one input claims the order of the other one for rows that are
//! equal in the first (docs/upstream/joined-orders.md). A projection claims that what now stands in the place of a key is one
//! (docs/upstream/projected-keys.md).

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Constraint, JoinType, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
    SymmetricHashJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::hiding::{HidingExec, Shown};

/// The plan with such nodes wherever something false would be claimed.
pub(super) fn without_false_claims(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let keys_matter = keys_matter(&plan);
    let hidden = plan.transform_up(|node| {
        let inputs = node.children();
        let hide: Vec<Option<Shown>> = (0..inputs.len())
            .map(|place| {
                // A merge join needs the orders of its inputs; what it claims is hidden above it.
                let hides = !node.is::<SortMergeJoinExec>()
                    && (misleads_by_values(&node, place) || misleads_by_order(&node, place));
                let keys = || keys_matter && misplaces_keys(&node);
                if hides { Some(Shown::Partitions) } else { keys().then_some(Shown::AllButKeys) }
            })
            .collect();
        let mut changed = hide.iter().any(Option::is_some);
        let mut node = if changed {
            let inputs = inputs.into_iter().zip(hide).map(|(input, hide)| match hide {
                Some(shown) => Arc::new(HidingExec::new(Arc::clone(input), shown)) as _,
                None => Arc::clone(input),
            });
            let inputs = inputs.collect();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            Arc::clone(&node).replace_children(inputs, options)?
        } else {
            node
        };
        if node.downcast_ref::<AggregateExec>().is_some_and(|it| it.group_expr().has_grouping_set()) {
            node = Arc::new(HidingExec::new(node, Shown::Nothing));
            changed = true;
        } else if node.is::<SortMergeJoinExec>() {
            node = Arc::new(HidingExec::new(node, Shown::Partitions));
            changed = true;
        }
        Ok(if changed { Transformed::yes(node) } else { Transformed::no(node) })
    })?;
    Ok(hidden.data)
}

/// Whether an input of an outer join is filled up with nulls, and tells of constants or equal columns.
fn misleads_by_values(node: &Arc<dyn ExecutionPlan>, place: usize) -> bool {
    let input = node.children().get(place).map(|input| input.equivalence_properties());
    filled_up(node).get(place) == Some(&true) && input.is_some_and(|known| !known.eq_group().is_empty())
}

/// Whether an input of a join has an order, and the join's rows are in the order of the other one.
fn misleads_by_order(node: &Arc<dyn ExecutionPlan>, place: usize) -> bool {
    let kept = node.maintains_input_order();
    let input = node.children().get(place).map(|input| input.equivalence_properties());
    join_type(node).is_some()
        && kept.contains(&true)
        && kept.get(place) == Some(&false)
        && input.is_some_and(|known| !known.oeq_class().is_empty())
}

/// Whether a node puts other columns in the places of keys of its input.
fn misplaces_keys(node: &Arc<dyn ExecutionPlan>) -> bool {
    let places: Vec<Option<usize>> = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        projection.expr().iter().map(|column| place_of(&column.expr)).collect()
    } else if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        aggregate.group_expr().expr().iter().map(|(key, _)| place_of(key)).collect()
    } else if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let Some(columns) = filter.projection().as_ref() else { return false };
        columns.iter().map(|column| Some(*column)).collect()
    } else {
        return false;
    };
    let moved = |key: &usize| places.get(*key) != Some(&Some(*key));
    node.children().into_iter().any(|input| {
        let constraints = input.equivalence_properties().constraints();
        constraints.iter().any(|constraint| match constraint {
            Constraint::PrimaryKey(keys) | Constraint::Unique(keys) => keys.iter().any(moved),
        })
    })
}

fn place_of(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

/// Whether rows may be in another order than that of the keys before the last sort: else nobody asks for keys.
fn keys_matter(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let sorts = |node: &Arc<dyn ExecutionPlan>| {
        node.is::<WindowAggExec>()
            || node.is::<BoundedWindowAggExec>()
            || node.is::<SortMergeJoinExec>()
            || node
                .downcast_ref::<AggregateExec>()
                .is_some_and(|it| it.required_input_ordering() != vec![None])
    };
    super::any(plan, &sorts) || sorts_in(plan) > 1
}

fn sorts_in(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below: usize = plan.children().into_iter().map(sorts_in).sum();
    below + usize::from(plan.is::<SortExec>())
}

/// Whether a join fills the columns of its left and of its right input up with nulls.
fn filled_up(node: &Arc<dyn ExecutionPlan>) -> [bool; 2] {
    match join_type(node) {
        Some(JoinType::Left) => [false, true],
        Some(JoinType::Right) => [true, false],
        Some(JoinType::Full) => [true, true],
        _ => [false, false],
    }
}

fn join_type(node: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    let hash = node.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let merge = || node.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type);
    let nested = || node.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let endless = || node.downcast_ref::<SymmetricHashJoinExec>().map(|join| *join.join_type());
    let piecewise = || node.downcast_ref::<PiecewiseMergeJoinExec>().map(PiecewiseMergeJoinExec::join_type);
    let cross = || node.is::<CrossJoinExec>().then_some(JoinType::Inner);
    hash.or_else(merge).or_else(nested).or_else(endless).or_else(piecewise).or_else(cross)
}
