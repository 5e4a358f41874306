//! How far a result holds.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::error::Result;
use super::functions::{Function, FunctionVersions, Origin};

/// How far the result of a plan holds.
///
/// A query whose rows or order are left open by SQL itself is immutable here: `LIMIT` without `ORDER BY`,
/// `array_agg` or `first_value` without `ORDER BY`, `DISTINCT ON` without a full order. Any of its results is a right
/// one, so the stored one may be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Determinism {
    /// Same sources, same result, anywhere and at any time.
    Immutable,
    /// Holds within one run, because of the named function: `now()`, `current_date`, `current_time`, or a user
    /// function declared stable.
    Run(String),
    /// Another result at every call, because of the named function: `random()`, `uuid()`, an undeclared or volatile
    /// user function. The stored result holds within its run.
    Volatile(String),
}

impl Determinism {
    /// Whether the result holds beyond its run.
    pub fn is_immutable(&self) -> bool {
        matches!(self, Self::Immutable)
    }

    /// The word that manifests use: `immutable`, `run` or `volatile`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Immutable => "immutable",
            Self::Run(_) => "run",
            Self::Volatile(_) => "volatile",
        }
    }

    /// Why it is not immutable, in a sentence for people.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Immutable => None,
            Self::Run(reason) | Self::Volatile(reason) => Some(reason),
        }
    }
}

/// Finds the function of a plan that holds least far: in any node, scalar, aggregate, window or higher-order, in
/// lambdas and subqueries.
///
/// # Errors
/// DataFusion cannot walk the plan.
pub fn determinism(
    plan: &LogicalPlan,
    config: &ConfigOptions,
    functions: &FunctionVersions,
) -> Result<Determinism> {
    let mut found = Determinism::Immutable;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                Ok(match visit(expr, config, functions, &mut found) {
                    ControlFlow::Continue(()) => TreeNodeRecursion::Continue,
                    ControlFlow::Break(()) => TreeNodeRecursion::Stop,
                })
            })
        })
    })?;
    Ok(found)
}

/// The function of a plan that tells where a source's rows lie, which no version of a source says.
///
/// # Errors
/// DataFusion cannot walk the plan.
pub(crate) fn tells_where_rows_lie(plan: &LogicalPlan) -> Result<Option<String>> {
    const THEY_DO: [&str; 2] = ["input_file_name", "file_row_index"];
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let name = function_of(expr).map(|function| function.name().to_string());
                let name = name.filter(|name| THEY_DO.contains(&name.as_str()));
                found = found.take().or(name);
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(found)
}

fn visit(
    expr: &Expr,
    config: &ConfigOptions,
    functions: &FunctionVersions,
    found: &mut Determinism,
) -> ControlFlow<()> {
    let Some(function) = function_of(expr) else { return ControlFlow::Continue(()) };
    let name = function.name();
    match (function.origin(config, functions), function.volatility()) {
        (Origin::Undeclared, _) => {
            *found = Determinism::Volatile(format!("{name} is a user function without a declared version"));
            ControlFlow::Break(())
        }
        (Origin::BuiltIn | Origin::Declared(_), Volatility::Volatile) => {
            *found = Determinism::Volatile(format!("{name}() gives another value at every call"));
            ControlFlow::Break(())
        }
        (Origin::BuiltIn | Origin::Declared(_), Volatility::Stable) => {
            if found.is_immutable() {
                *found = Determinism::Run(format!("{name}() gives another value in every run"));
            }
            ControlFlow::Continue(())
        }
        (Origin::BuiltIn | Origin::Declared(_), Volatility::Immutable) => ControlFlow::Continue(()),
    }
}

fn function_of(expr: &Expr) -> Option<Function<'_>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => Some(Function::Scalar(func)),
        Expr::AggregateFunction(AggregateFunction { func, .. }) => Some(Function::Aggregate(func)),
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, .. } = window.as_ref();
            Some(Function::of_window(fun))
        }
        Expr::HigherOrderFunction(call) => Some(Function::HigherOrder(&call.func)),
        _ => None,
    }
}
