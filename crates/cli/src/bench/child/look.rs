//! Finds out whether two runs of a statement may give different rows, and both be right.

use std::collections::BTreeMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{DdlStatement, Distinct, Expr, LogicalPlan};
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use milepost::Session;
use milepost::identity::{FunctionVersions, determinism};
use milepost::sql::{Statement, StatementKind};

use crate::bench::line::MayDiffer;

/// Aggregates whose result depends on the order of their rows.
const IN_ORDER: [&str; 9] = [
    "array_agg",
    "string_agg",
    "first_value",
    "last_value",
    "nth_value",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "approx_median",
    "any_value",
];

/// Looks at the statements of a script, one after the other, in a session without checkpoints: there the plan of a query
/// holds all that its result is made of.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Tables and checkpoints with rows that may differ.
    tables: BTreeMap<String, MayDiffer>,
}

impl Look {
    /// Looks at a statement that has run; `plan` is a query's.
    pub(super) async fn at(
        &mut self,
        session: &Session,
        statement: &Statement,
        plan: Option<&LogicalPlan>,
    ) -> Option<MayDiffer> {
        let options = session.copied_config().options().clone();
        let inner = match &statement.kind {
            StatementKind::Checkpoint(create) => &create.query,
            StatementKind::Refresh { name, .. } => return self.tables.get(name.as_str()).cloned(),
            StatementKind::DataFusion(inner) => match plan {
                Some(plan) => return self.of(plan, &options),
                None if fills_table(inner) => inner,
                None => return None,
            },
            _ => return None,
        };
        // It has run, so it can be planned; where it cannot once more, nothing is known.
        let plan = session.state().statement_to_plan(inner.as_ref().clone()).await.ok()?;
        let (table, input) = match (&statement.kind, &plan) {
            (StatementKind::Checkpoint(create), query) => (create.name.as_str(), query),
            (_, LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create))) => {
                (create.name.table(), create.input.as_ref())
            }
            (_, LogicalPlan::Dml(change)) => (change.table_name.table(), change.input.as_ref()),
            _ => return None,
        };
        let found = self.of(input, &options);
        if let Some(found) = &found {
            self.tables.insert(table.to_string(), found.clone());
        }
        found
    }

    /// What counts most: rows that differ always, then rows that are left open.
    fn of(&self, plan: &LogicalPlan, options: &ConfigOptions) -> Option<MayDiffer> {
        let functions = FunctionVersions::new();
        if let Ok(found) = determinism(plan, options, &functions)
            && let Some(reason) = found.reason()
        {
            return Some(MayDiffer::Always(reason.to_string()));
        }
        let mut found = None;
        let walked = plan.apply_with_subqueries(|node| {
            let here = self.of_node(node, options)?;
            if matches!(here, Some(MayDiffer::Always(_))) {
                found = here;
                return Ok(TreeNodeRecursion::Stop);
            }
            found = found.take().or(here);
            Ok(TreeNodeRecursion::Continue)
        });
        walked.ok().and(found)
    }

    fn of_node(&self, node: &LogicalPlan, options: &ConfigOptions) -> Result<Option<MayDiffer>> {
        let open = |what: &str| Ok(Some(MayDiffer::Open(what.to_string())));
        match node {
            LogicalPlan::Limit(_) => open("LIMIT leaves open which of equal rows are taken"),
            LogicalPlan::Distinct(Distinct::On(_)) => {
                open("DISTINCT ON leaves open which of equal rows are taken")
            }
            LogicalPlan::Window(_) => open("a window leaves the order of equal rows open"),
            LogicalPlan::TableScan(scan) => Ok(match scan.source.get_logical_plan() {
                Some(view) => self.of(&view, options),
                None => self.tables.get(scan.table_name.table()).cloned(),
            }),
            node => {
                let mut found = None;
                node.apply_expressions(|expr| {
                    expr.apply(|expr| {
                        if let Some(name) = aggregate_in_order(expr) {
                            let why = format!("{name} without ORDER BY takes rows in any order");
                            found = Some(MayDiffer::Open(why));
                            return Ok(TreeNodeRecursion::Stop);
                        }
                        Ok(TreeNodeRecursion::Continue)
                    })
                })?;
                Ok(found)
            }
        }
    }
}

fn aggregate_in_order(expr: &Expr) -> Option<&str> {
    let Expr::AggregateFunction(call) = expr else { return None };
    (call.params.order_by.is_empty() && IN_ORDER.contains(&call.func.name())).then(|| call.func.name())
}

/// Whether the statement puts the rows of a query into a table.
fn fills_table(statement: &DFStatement) -> bool {
    let DFStatement::Statement(inner) = statement else { return false };
    matches!(inner.as_ref(), SqlStatement::CreateTable(_) | SqlStatement::Insert(_) | SqlStatement::Query(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found about the last statement of a script.
    async fn look(script: &str) -> Option<MayDiffer> {
        let session = Session::open("memory://look").await.unwrap();
        session.sql("SET milepost.enabled = false").await.unwrap();
        let mut look = Look::default();
        let mut found = None;
        for statement in session.statements(script).unwrap() {
            let frame = session.execute(&statement).await.unwrap();
            let plan = statement.is_query().then(|| frame.logical_plan().clone());
            found = look.at(&session, &statement, plan.as_ref()).await;
        }
        found
    }

    #[tokio::test]
    async fn time_and_chance_are_followed_through_tables_and_checkpoints() {
        for script in [
            "SELECT random()",
            "SELECT now()",
            "CHECKPOINT c AS SELECT now() AS at; SELECT * FROM c",
            "CHECKPOINT c AS SELECT i FROM range(0, 9) AS t(i) WHERE random() < 0.5",
            "CREATE TABLE t AS SELECT random() AS r; SELECT max(r) FROM t",
            "CREATE TABLE t (r DOUBLE); INSERT INTO t SELECT random(); SELECT * FROM t",
            "SELECT * FROM range(0, 3) AS t(i) WHERE i > (SELECT random())",
        ] {
            assert!(matches!(look(script).await, Some(MayDiffer::Always(_))), "{script}");
        }
    }

    #[tokio::test]
    async fn what_sql_leaves_open_is_told_apart() {
        for script in [
            "SELECT * FROM range(0, 9) AS t(i) LIMIT 3",
            "CHECKPOINT c AS SELECT * FROM range(0, 9) AS t(i) LIMIT 3; SELECT count(*) FROM c",
            "SELECT array_agg(i) FROM range(0, 9) AS t(i)",
            "SELECT row_number() OVER (ORDER BY i) FROM range(0, 9) AS t(i)",
        ] {
            assert!(matches!(look(script).await, Some(MayDiffer::Open(_))), "{script}");
        }
    }

    #[tokio::test]
    async fn plain_queries_have_one_result() {
        for script in [
            "SELECT i % 3 AS k, count(*), sum(i) FROM range(0, 9) AS t(i) GROUP BY 1 ORDER BY 1",
            "CHECKPOINT c AS SELECT * FROM range(0, 9) AS t(i); SELECT max(i) FROM c",
            "SELECT array_agg(i ORDER BY i) FROM range(0, 9) AS t(i)",
        ] {
            assert_eq!(look(script).await, None, "{script}");
        }
    }
}
