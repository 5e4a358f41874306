//! `snapshot('name', n)` in a FROM clause is the table `milepost."name@n"`.
//!
//! DataFusion calls table functions synchronously, and a snapshot's schema stands in the store. Tables, though, are
//! looked up asynchronously before a statement is planned, so the call is turned into a table's name.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, TableAlias, TableFactor, Value,
    VisitMut, VisitorMut,
};

use milepost_store::CheckpointName;

use crate::error::Error;

/// The schema of system tables and old snapshots.
pub(crate) const SYSTEM_SCHEMA: &str = "milepost";

/// Rewrites every `snapshot(…)` of a statement.
pub(super) fn rewrite(statement: &mut DFStatement) -> Result<()> {
    let mut visitor = Rewrite;
    let flow = match statement {
        DFStatement::Statement(inner) => inner.visit(&mut visitor),
        DFStatement::Explain(explain) => return rewrite(&mut explain.statement),
        DFStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(&mut visitor),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        DFStatement::CreateExternalTable(_) | DFStatement::Reset(_) => ControlFlow::Continue(()),
    };
    match flow {
        ControlFlow::Break(error) => Err(error.into()),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, args, alias, .. } = factor else { return ControlFlow::Continue(()) };
        let Some(arguments) = args else { return ControlFlow::Continue(()) };
        if !name.to_string().eq_ignore_ascii_case("snapshot") {
            return ControlFlow::Continue(());
        }
        let Some((checkpoint, version)) = arguments_of(&arguments.args) else {
            let found = format!(
                "snapshot({})",
                arguments.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            );
            let expected = "snapshot('name', version) with a version from 1".to_string();
            return ControlFlow::Break(Error::Syntax { found, expected });
        };
        if let Err(error) = CheckpointName::parse(&checkpoint) {
            return ControlFlow::Break(Error::Store(error));
        }
        let quoted = |text: String| ObjectNamePart::Identifier(Ident::with_quote('"', text));
        *name =
            ObjectName(vec![quoted(SYSTEM_SCHEMA.to_string()), quoted(format!("{checkpoint}@{version}"))]);
        *args = None;
        alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::with_quote('"', checkpoint),
            columns: vec![],
            at: None,
        });
        ControlFlow::Continue(())
    }
}

fn arguments_of(arguments: &[FunctionArg]) -> Option<(String, u64)> {
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(name)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(version)),
    ] = arguments
    else {
        return None;
    };
    let (Expr::Value(name), Expr::Value(version)) = (name, version) else { return None };
    let (Value::SingleQuotedString(name), Value::Number(version, _)) = (&name.value, &version.value) else {
        return None;
    };
    Some((name.clone(), version.to_string().parse().ok().filter(|n| *n > 0)?))
}
