//! `milepost.reuse = transparent`: parts of plain queries that are read from checkpoints of the same plans.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::LogicalPlan;
use milepost::{CheckpointExt, Session};
use milepost_tests::table::Table;

use super::cases::{Failures, Tables, cases, plain};
use super::cuts::cuttable;
use crate::support::{physical, run, unique};

/// Makes a checkpoint of every part of every plan, the innermost first, and runs the query as it is after each. Returns how
/// many parts there were, and how many of them the query was read from.
pub(super) async fn served(tables: &Tables) -> (usize, usize) {
    let plain = plain(tables).await;
    let mut failures = Failures::default();
    let (mut parts, mut reads) = (0, 0);
    for case in cases(tables).await {
        let session = tables.session(&unique("served")).await;
        run(&session, "SET milepost.reuse = 'transparent'").await.unwrap();
        let plan = session.state().create_logical_plan(&case.sql).await.unwrap();
        let alone = plain.state().create_logical_plan(&case.sql).await.unwrap();
        for (position, what) in cuttable(&alone, &plain).await.into_iter().rev() {
            let name = format!("part_{position}");
            make(&session, part_at(&plan, position), &name).await;
            let frame = session.sql(&case.sql).await.unwrap();
            reads += usize::from(physical(frame.clone()).await.contains(&format!("checkpoints/{name}/")));
            let how = format!("served at {position} by {what}");
            failures.note(case.check(Table::collect(frame).await, &how));
            parts += 1;
        }
    }
    failures.finish();
    (parts, reads)
}

async fn make(session: &Session, part: LogicalPlan, name: &str) {
    DataFrame::new(session.state(), part).checkpoint(name).await.unwrap();
}

fn part_at(plan: &LogicalPlan, position: usize) -> LogicalPlan {
    let (mut at, mut found) = (0, None);
    plan.apply_with_subqueries(|node| {
        if at == position {
            found = Some(node.clone());
        }
        at += 1;
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    found.unwrap()
}
