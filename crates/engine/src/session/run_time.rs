//! `now()` in a run that several drivers take turns at: the same in all statements of all of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, Volatility};

/// A frame whose query takes the run's `now()` when it is collected.
pub(super) fn when_collected(frame: DataFrame, now: DateTime<Utc>) -> DataFrame {
    let (mut state, plan) = frame.into_parts();
    state.execution_props_mut().query_execution_start_time = Some(now);
    DataFrame::new(state, plan)
}

/// The plan with the run's `now()` written into it where DataFusion runs it at once, by its own clock: CREATE TABLE AS.
pub(super) fn at_once(plan: LogicalPlan, now: DateTime<Utc>, state: &SessionState) -> Result<LogicalPlan> {
    let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(mut create)) = plan else { return Ok(plan) };
    let context = SimplifyContext::builder()
        .with_query_execution_start_time(Some(now))
        .with_config_options(Arc::clone(state.config().options()))
        .build();
    let input = Arc::unwrap_or_clone(create.input);
    let input = input.transform_down_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let written = expr.transform_up(|expr| written_out(expr, &context))?;
            Ok(written.update_data(|expr| name.restore(expr)))
        })
    })?;
    create.input = Arc::new(input.data);
    Ok(LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)))
}

/// The value of a function that has one for as long as a run lasts.
fn written_out(expr: Expr, context: &SimplifyContext) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Ok(Transformed::no(expr)) };
    if !args.is_empty() || func.signature().volatility != Volatility::Stable {
        return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })));
    }
    Ok(match func.simplify(args, context)? {
        ExprSimplifyResult::Simplified(value) => Transformed::yes(value),
        ExprSimplifyResult::Original(args) => {
            Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
    })
}
