//! Joins by a dictionary of integers send no filters to scans.
//!
//! For such a filter DataFusion 55.2 looks for the least and the greatest key. Knowing them, it builds a table that is indexed by
//! the keys, which it cannot for a dictionary: the join is an error. See docs/upstream/dictionary-joins.md.

use arrow::datatypes::DataType;
use datafusion::physical_plan::joins::HashJoinExec;

use super::{Guard, any};

pub(super) const GUARD: Guard = Guard {
    rule: "FilterPushdown(Post)",
    may_err: |plan| any(plan, &|node| node.downcast_ref::<HashJoinExec>().is_some_and(is_by_dictionary)),
    without: Some(|options| options.enable_join_dynamic_filter_pushdown = false),
};

fn is_by_dictionary(join: &HashJoinExec) -> bool {
    let left = join.left().schema();
    let dictionary = |key: DataType| matches!(key, DataType::Dictionary(_, values) if values.is_integer());
    join.on().iter().any(|(key, _)| key.data_type(&left).is_ok_and(dictionary))
}
