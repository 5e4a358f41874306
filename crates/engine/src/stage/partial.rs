//! Aggregations over a cut input: units hold partial states, and the rest of the plan reads them.
//!
//! ```text
//! Final aggregate, and all above it          the rest: runs once, when all units are there
//!   exchange
//!     Partial aggregate                      a unit for each slice; its files hold states
//!       filters, joins, …
//!         scan of files
//! ```

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::{ExecutionPlanProperties, InputOrderMode};

use super::purity::{Plan, Reason, built_in, driving_scan};

/// The partial aggregation that the rest of a plan is built on.
///
/// # Errors
/// Says why the plan has none whose states can be kept.
pub(super) fn partial_aggregate(plan: &Plan) -> Result<&Plan, Reason> {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        // Sorted states would have to come back sorted.
        if *aggregate.input_order_mode() != InputOrderMode::Linear || aggregate.limit_options().is_some() {
            return Err("its groups are made in the order of their rows".to_string());
        }
        if *aggregate.mode() == AggregateMode::Partial {
            aggregate.aggr_expr().iter().try_for_each(state_is_exact)?;
            if plan.output_ordering().is_some() {
                return Err("its groups are made in the order of their rows".to_string());
            }
            states_can_be_stored(&plan.schema())?;
            driving_scan(aggregate.input())?;
            return Ok(plan);
        }
    }
    match plan.children().as_slice() {
        [child] => partial_aggregate(child),
        _ => Err("it reads several inputs".to_string()),
    }
}

/// Whether a state that was stored and read back leads to the value that it would have led to.
fn state_is_exact(function: &Arc<AggregateFunctionExpr>) -> Result<(), Reason> {
    let known = matches!(
        built_in(function),
        Some(
            "count"
                | "sum"
                | "avg"
                | "min"
                | "max"
                | "bool_and"
                | "bool_or"
                | "bit_and"
                | "bit_or"
                | "bit_xor"
        )
    );
    if known && !function.is_distinct() && function.order_bys().is_empty() {
        return Ok(());
    }
    Err(format!("the state of {} is kept for one execution only", function.name()))
}

/// Whether Parquet gives back groups and states of these types. A narrow dictionary does not grow with the groups of a slice.
fn states_can_be_stored(schema: &Schema) -> Result<(), Reason> {
    milepost_store::check_schema(schema).map_err(|error| error.to_string())?;
    let narrow = schema.fields().iter().find(|field| {
        matches!(field.data_type(), DataType::Dictionary(key, _) if key.primitive_width().is_none_or(|width| width < 4))
    });
    match narrow {
        Some(field) => {
            Err(format!("the dictionary of {} may be too narrow for the groups of a slice", field.name()))
        }
        None => Ok(()),
    }
}

/// The plan with `states` in the place of its partial aggregation.
pub(super) fn with_states(plan: &Plan, partial: &Plan, states: &Plan) -> Result<Plan> {
    if Arc::ptr_eq(plan, partial) {
        return Ok(Arc::clone(states));
    }
    let [child] = plan.children()[..] else {
        return internal_err!("{} is no part of what is above a partial aggregation", plan.name());
    };
    let child = with_states(child, partial, states)?;
    replace_children_if_necessary(Arc::clone(plan), vec![child])
}
