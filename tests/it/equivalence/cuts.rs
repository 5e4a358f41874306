//! Checkpoints around the parts of a plan: each in turn, and all at once.

use std::collections::HashSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeRewriter};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;
use milepost::Session;
use milepost_tests::table::Table;

use super::cases::{Failures, Tables, cases, plain};
use crate::support::unique;

/// Puts an inline checkpoint around every part of every plan in turn. Returns how many cuts were made.
pub(super) async fn every_cut(tables: &Tables) -> usize {
    let plain = plain(tables).await;
    let mut failures = Failures::default();
    let mut cuts = 0;
    for case in cases(tables).await {
        let store = unique("cuts");
        let (session, later) = (tables.session(&store).await, tables.session(&store).await);
        // The second one also changes the order of joins.
        later.sql("SET milepost.join_order = 'measured'").await.unwrap();
        for session in [&session, &later] {
            // Small units, so that joins and aggregations over these small files are cut as those over large ones are.
            session.sql("SET milepost.unit_bytes = '64 KiB'").await.unwrap();
        }
        let plan = session.state().create_logical_plan(&case.sql).await.unwrap();
        let same = later.state().create_logical_plan(&case.sql).await.unwrap();
        let alone = plain.state().create_logical_plan(&case.sql).await.unwrap();
        for (position, what) in cuttable(&alone, &plain).await {
            let written = run_cut(&session, &plan, position).await;
            let names = session.checkpoint_names().await;
            let reused = run_cut(&session, &plan, position).await;
            let again = run_cut(&later, &same, position).await;
            for (result, how) in
                [(written, "written"), (reused, "reused"), (again, "reused in a new session")]
            {
                failures.note(case.check(result, &format!("{how}, cut at {position} around {what}")));
            }
            if session.checkpoint_names().await != names || names.is_empty() {
                failures
                    .note(Some(format!("{}, cut at {position} around {what}: was not reused", case.title)));
            }
            cuts += 1;
        }
    }
    failures.finish();
    cuts
}

async fn run_cut(session: &Session, plan: &LogicalPlan, position: usize) -> Result<Table> {
    Table::collect(session.execute_logical_plan(cut_at(plan, position)?).await?).await
}

/// Position (in the order of a walk from the top, into subqueries) and name of every part that can be a checkpoint.
pub(super) async fn cuttable(plan: &LogicalPlan, plain: &SessionContext) -> Vec<(usize, String)> {
    let mut parts = Vec::new();
    plan.apply_with_subqueries(|node| {
        parts.push(node.clone());
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    let mut found = Vec::new();
    for (position, part) in parts.into_iter().enumerate() {
        if gives_rows_of_its_own(&part) && runs_alone(&part, plain).await {
            let shown = part.display().to_string();
            found.push((position, shown.chars().take(60).collect()));
        }
    }
    found
}

/// Some parts mean nothing by themselves: DataFusion cannot run them alone, or gives other columns than they have within
/// the query, as for an aggregate whose calls of `grouping()` it resolves.
async fn runs_alone(part: &LogicalPlan, plain: &SessionContext) -> bool {
    let Ok(frame) = plain.execute_logical_plan(part.clone()).await else { return false };
    let Ok(plan) = frame.clone().create_physical_plan().await else { return false };
    plan.schema().fields().len() == part.schema().fields().len() && frame.collect().await.is_ok()
}

/// Whether a part of a plan stands by itself: it has columns that a snapshot can hold, does not depend on a row of the
/// query around it, and does not read a recursive table that is filled outside of it.
fn gives_rows_of_its_own(node: &LogicalPlan) -> bool {
    if matches!(node, LogicalPlan::Subquery(_))
        || milepost_store::check_schema(node.schema().as_arrow()).is_err()
    {
        return false;
    }
    let mut inner_tables = Vec::new();
    let mut work_tables = Vec::new();
    let mut outer = false;
    node.apply(|part| {
        if let LogicalPlan::RecursiveQuery(query) = part {
            inner_tables.push(query.name.clone());
        }
        if let LogicalPlan::TableScan(scan) = part
            && source_as_provider(&scan.source).is_ok_and(|table| table.is::<CteWorkTable>())
        {
            work_tables.push(scan.table_name.table().to_string());
        }
        part.apply_expressions(|expression| {
            expression.apply(|inner| {
                outer |= matches!(inner, Expr::OuterReferenceColumn(..));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .unwrap();
    !outer && work_tables.iter().all(|table| inner_tables.contains(table))
}

/// The plan with an unnamed checkpoint around its part at `position`.
fn cut_at(plan: &LogicalPlan, position: usize) -> Result<LogicalPlan> {
    let mut at = 0;
    let cut = plan.clone().transform_down_with_subqueries(|node| {
        let here = at == position;
        at += 1;
        if here {
            let node = milepost::logical::checkpoint_node(node, None)?;
            return Ok(Transformed::new(node, true, TreeNodeRecursion::Stop));
        }
        Ok(Transformed::no(node))
    })?;
    assert!(cut.transformed, "nothing at {position}");
    Ok(cut.data)
}

/// Puts checkpoints around all parts of a plan at once, one in another.
struct CutEverywhere {
    cuttable: HashSet<usize>,
    next: usize,
    above: Vec<usize>,
}

impl TreeNodeRewriter for CutEverywhere {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        self.above.push(self.next);
        self.next += 1;
        Ok(Transformed::no(node))
    }

    fn f_up(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let here = self.above.pop().unwrap();
        if !self.cuttable.contains(&here) {
            return Ok(Transformed::no(node));
        }
        milepost::logical::checkpoint_node(node, None).map(Transformed::yes)
    }
}

pub(super) async fn cut_everywhere(tables: &Tables) {
    let plain = plain(tables).await;
    let mut failures = Failures::default();
    for case in cases(tables).await {
        let session = tables.session(&unique("everywhere")).await;
        let plan = session.state().create_logical_plan(&case.sql).await.unwrap();
        let alone = plain.state().create_logical_plan(&case.sql).await.unwrap();
        let cuttable = cuttable(&alone, &plain).await.into_iter().map(|(position, _)| position).collect();
        let mut cut = CutEverywhere { cuttable, next: 0, above: vec![] };
        let plan = plan.rewrite_with_subqueries(&mut cut).unwrap().data;
        for how in ["written everywhere", "reused everywhere"] {
            let result =
                async { Table::collect(session.execute_logical_plan(plan.clone()).await?).await }.await;
            failures.note(case.check(result, how));
        }
    }
    failures.finish();
}
