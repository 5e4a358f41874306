//! `checkpoint((SELECT …) [, 'name'])` in a FROM clause, planned where the SQL planner meets it.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, FunctionArg, FunctionArgExpr, Query, TableFactor, Value,
};
use milepost_store::CheckpointName;

use super::values::values_query;
use crate::config::MilepostConfig;
use crate::error::{Error, store_error};
use crate::logical::{Checkpoint, with_true_dependencies};

/// Plans `checkpoint((…))` as a [`Checkpoint`] leaf, or as its subquery where checkpoints are switched off.
#[derive(Debug)]
pub(crate) struct InlineCheckpoint;

impl RelationPlanner for InlineCheckpoint {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (query, name, alias) = match relation {
            TableFactor::Table { name, args: Some(args), alias, .. }
                if name.to_string().eq_ignore_ascii_case("checkpoint") =>
            {
                let (query, name) = arguments(args.args)?;
                (query, name, alias)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let plan = with_true_dependencies(plan_subquery(query, context)?)?.data;
        refuse_outer_tables(&plan)?;
        let enabled = context
            .context_provider()
            .options()
            .extensions
            .get::<MilepostConfig>()
            .is_some_and(|config| config.enabled);
        let plan = if enabled { Checkpoint::new(plan, name).into_plan() } else { plan };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

fn arguments(arguments: Vec<FunctionArg>) -> Result<(Box<Query>, Option<CheckpointName>)> {
    let shown = arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let wrong = || Error::Syntax {
        found: format!("checkpoint({shown})"),
        expected:
            "checkpoint((SELECT …)) or checkpoint((SELECT …), 'name'), the query in its own parentheses"
                .to_string(),
    };
    let mut arguments = arguments.into_iter();
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(mut first))) = arguments.next() else {
        return Err(wrong().into());
    };
    while let SqlExpr::Nested(inner) = first {
        first = *inner;
    }
    let query = match first {
        SqlExpr::Subquery(query) => query,
        other => values_query(&other).ok_or_else(wrong)?,
    };
    let name = match arguments.next() {
        None => None,
        Some(argument) => {
            let text = name_argument(&argument).ok_or_else(wrong)?;
            Some(CheckpointName::parse(text).map_err(store_error)?)
        }
    };
    if arguments.next().is_some() {
        return Err(wrong().into());
    }
    Ok((query, name))
}

/// `'x'`, or `name => 'x'` in either form that the dialects parse it to.
fn name_argument(argument: &FunctionArg) -> Option<&str> {
    let value = match argument {
        FunctionArg::Unnamed(value) => value,
        FunctionArg::Named { name, arg, .. } if name.value.eq_ignore_ascii_case("name") => arg,
        FunctionArg::ExprNamed { name: SqlExpr::Identifier(name), arg, .. }
            if name.value.eq_ignore_ascii_case("name") =>
        {
            arg
        }
        _ => return None,
    };
    match value {
        FunctionArgExpr::Expr(SqlExpr::Value(value)) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Plans the query as `EXISTS (query)` and takes its plan: that keeps its ORDER BY and the CTEs in scope, and lists the
/// outer columns that it uses, where a derived table would lose the order and report outer columns as unknown.
fn plan_subquery(query: Box<Query>, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let exists = SqlExpr::Exists { subquery: query, negated: false };
    let Expr::Exists(exists) = context.sql_expr_to_logical_expr(exists, &DFSchema::empty())? else {
        return datafusion::common::internal_err!("EXISTS was planned as something else");
    };
    Ok(std::sync::Arc::unwrap_or_clone(exists.subquery.subquery))
}

/// Refuses columns and recursive tables that belong to the query around the checkpoint.
fn refuse_outer_tables(plan: &LogicalPlan) -> Result<()> {
    if let Some(table) = outer_work_table(plan)? {
        return Err(Error::InsideRecursion { table: table.to_string() }.into());
    }
    let mut foreign = Vec::new();
    outer_columns(plan, &[], &mut foreign)?;
    if foreign.is_empty() { Ok(()) } else { Err(Error::Correlated { columns: foreign.join(", ") }.into()) }
}

/// Whether a part of a query needs no row of the query around it.
pub(crate) fn is_closed(plan: &LogicalPlan) -> Result<bool> {
    let mut foreign = Vec::new();
    outer_columns(plan, &[], &mut foreign)?;
    Ok(foreign.is_empty() && outer_work_table(plan)?.is_none())
}

/// The recursive table of a query around `plan` that it reads, if it reads one.
fn outer_work_table(plan: &LogicalPlan) -> Result<Option<TableReference>> {
    let mut recursive_here: Vec<TableReference> = Vec::new();
    let mut work_tables: Vec<TableReference> = Vec::new();
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::RecursiveQuery(query) => {
                recursive_here.push(TableReference::bare(query.name.clone()))
            }
            LogicalPlan::TableScan(scan)
                if source_as_provider(&scan.source).is_ok_and(|table| table.is::<CteWorkTable>()) =>
            {
                work_tables.push(scan.table_name.clone());
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(work_tables.into_iter().find(|table| !recursive_here.contains(table)))
}

/// The columns that `plan` takes from a query around it. `scopes` are the relations that it may see: those below the nodes
/// whose subquery it is, within the checkpoint. A relation beside it that has the same name is none of them.
fn outer_columns(plan: &LogicalPlan, scopes: &[&LogicalPlan], foreign: &mut Vec<String>) -> Result<()> {
    plan.apply(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part
                    && !is_provided(scopes, column)?
                {
                    foreign.push(column.to_string());
                }
                if let Some(inner) = subquery_of(part) {
                    outer_columns(&inner.subquery, &[scopes, &[node]].concat(), foreign)?;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        // The right side of a lateral join sees the rows of the left one.
        if let LogicalPlan::Join(join) = node
            && has_lateral_side(&join.right)?
        {
            outer_columns(&join.left, scopes, foreign)?;
            outer_columns(&join.right, &[scopes, &[join.left.as_ref()]].concat(), foreign)?;
            return Ok(TreeNodeRecursion::Jump);
        }
        if let LogicalPlan::Subquery(inner) = node {
            outer_columns(&inner.subquery, scopes, foreign)?;
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The query within an expression.
fn subquery_of(expression: &Expr) -> Option<&Subquery> {
    match expression {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(within) => Some(&within.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

/// Whether a relation at or below one of the nodes has the column.
fn is_provided(scopes: &[&LogicalPlan], column: &Column) -> Result<bool> {
    for scope in scopes {
        if scope.exists(|node| Ok(node.schema().has_column(column)))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_lateral_side(right: &LogicalPlan) -> Result<bool> {
    right.exists(|node| Ok(matches!(node, LogicalPlan::Subquery(_))))
}
