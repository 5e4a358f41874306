//! Keeps DataFusion 55.2 from taking expressions for sorted that are not.
//!
//! What is computed from an ordered column is in order, too, if the expression says so of itself. A cast from a timestamp to a time of
//! day does, which begins again every day, and so does `log`, which falls for bases below one and knows no negative numbers; see
//! docs/upstream/false-monotony.md. They are put into a function that gives its argument and says nothing of order. That is done
//! in the logical plan, right before the physical one is made of it: there every node is asked for its expressions in one way, and a
//! node may sort its own input by a column, and then take the groups by such an expression for sorted.

use std::cell::LazyCell;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::functions::math::log::LogFunc;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use super::walk::any_node;

/// The plan in which expressions that seem to keep an order are known to keep none; `None` if it has no such expression.
pub(crate) fn without_false_monotony(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if !any_node(plan, misleads)? {
        return Ok(None);
    }
    let honest = plan.clone().transform_up_with_subqueries(|node| {
        if !misleads(&node) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let gives_columns =
            matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Window(_) | LogicalPlan::Aggregate(_));
        node.map_expressions(|expression| {
            let name = gives_columns.then(|| expression.schema_name().to_string());
            let honest = expression.transform_up(|part| {
                let seems = seems_ordered(&part, &&schema);
                Ok(if seems { Transformed::yes(in_no_order(part)) } else { Transformed::no(part) })
            })?;
            honest.map_data(|expression| match name {
                Some(name) => expression.alias_if_changed(name),
                None => Ok(expression),
            })
        })
    })?;
    Ok(Some(honest.data))
}

/// Whether a node of DataFusion's own computes such an expression. What a scan is given stays as its table knows it.
fn misleads(node: &LogicalPlan) -> bool {
    let computes = matches!(
        node,
        LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
    );
    // Most plans have no such expression, and nobody needs to know the types.
    let schema = LazyCell::new(|| merge_schema(&node.inputs()));
    computes
        && node
            .expressions()
            .iter()
            .any(|expression| expression.exists(|part| Ok(seems_ordered(part, &schema))).unwrap_or(true))
}

/// Whether an expression says that it keeps the order of its arguments, and does not.
fn seems_ordered(expression: &Expr, schema: &impl Deref<Target = DFSchema>) -> bool {
    match expression {
        Expr::Cast(cast) => {
            matches!(cast.field.data_type(), DataType::Time32(_) | DataType::Time64(_))
                && cast.expr.get_type(&**schema).map_or(true, |from| has_date(&from))
        }
        Expr::ScalarFunction(call) => call.func.inner().is::<LogFunc>(),
        _ => false,
    }
}

fn has_date(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

fn in_no_order(expression: Expr) -> Expr {
    static IN_NO_ORDER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(InNoOrder { signature }))
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&IN_NO_ORDER), vec![expression]))
}

/// Gives its argument. As every function that does not say otherwise, it keeps no order.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InNoOrder {
    signature: Signature,
}

impl ScalarUDFImpl for InNoOrder {
    fn name(&self) -> &str {
        "in_no_order"
    }

    /// Columns above have the argument's name.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [argument] = arguments else { return internal_err!("in_no_order has one argument") };
        Ok(argument.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [argument] = arguments else { return internal_err!("in_no_order has one argument") };
        Ok(argument.clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let [argument] = arguments.arg_fields else {
            return internal_err!("in_no_order has one argument");
        };
        Ok(Arc::clone(argument))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Ok([argument]) = <[_; 1]>::try_from(arguments.args) else {
            return internal_err!("in_no_order has one argument");
        };
        Ok(argument)
    }
}
