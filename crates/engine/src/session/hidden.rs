//! What plans show and definitions keep of statements that hold secrets.
//!
//! A COPY needs the password of its target, and an external table that of its location. Nobody who reads their plans and
//! definitions does.

use std::sync::Arc;

use datafusion::logical_expr::logical_plan::{PlanType, ToStringifiedPlan};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as DFStatement;
use milepost_store::redact_option;

use crate::sql::{text_without_secrets, without_secrets};

/// Makes the plan of `statement` neither show nor keep what is secret in it. It does the same as before.
pub(super) fn hide_secrets(plan: &mut LogicalPlan, statement: &DFStatement) {
    let definition = match plan {
        LogicalPlan::Explain(explain) => {
            // Only shown, never run: EXPLAIN ANALYZE is another plan, which shows neither target nor options.
            if let Some(copy) = shown_copy(&explain.plan) {
                explain.stringified_plans = vec![copy.to_stringified(PlanType::InitialLogicalPlan)];
                explain.plan = Arc::new(copy);
            }
            return;
        }
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create)) => &mut create.definition,
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) => &mut create.definition,
        _ => return,
    };
    if let Some(text) = text_without_secrets(statement) {
        *definition = Some(text);
    }
}

fn shown_copy(plan: &LogicalPlan) -> Option<LogicalPlan> {
    let LogicalPlan::Copy(copy) = plan else { return None };
    let mut copy = copy.clone();
    copy.output_url = without_secrets(&copy.output_url);
    for (option, value) in &mut copy.options {
        *value = redact_option(option, value).into_owned();
    }
    Some(LogicalPlan::Copy(copy))
}
