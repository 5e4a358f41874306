//! A checkpoint never changes a result.
//!
//! Every query of TPC-H and of the corpus runs in plain DataFusion first: that is what it must give. Then the same rows,
//! column names and types must come from it
//! - with checkpoints switched off,
//! - as a named checkpoint: written, read, reused, and read by a new session,
//! - with an inline checkpoint around every part of its plan in turn, written and then reused,
//! - with checkpoints around all parts at once, one in another,
//! - and as it is, where the store holds parts of it and `milepost.reuse` is `transparent`.
//!
//! Rows are compared as a multiset, or one by one where the query asks for an order. Values are equal to the bit; only
//! queries that say so in their title may differ in the last digits of floats.

mod cases;
mod cuts;
mod served;

use std::path::Path;

use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use milepost::Session;
use milepost_tests::table::{Compare, Table};
use milepost_tests::tpch;

use self::cases::{Case, Failures, Tables, cases, has_unique_names, read, tpch_tables};
use self::cuts::{cut_everywhere, every_cut};
use self::served::served;
use crate::support::{brief, checkpoint, unique};

async fn off(tables: &Tables) {
    let session = tables.session(&unique("off")).await;
    session.sql("SET milepost.enabled = false").await.unwrap().collect().await.unwrap();
    let mut failures = Failures::default();
    for case in cases(tables).await {
        session.sql(&format!("CHECKPOINT off AS {}", case.sql)).await.unwrap();
        failures.note(case.check(read(&session, &case.sql).await, "switched off"));
        if has_unique_names(&case.expected) {
            // A view promises no order.
            let case = Case { compare: Compare { in_order: false, ..case.compare }, ..case };
            failures.note(case.check(read(&session, "SELECT * FROM off").await, "as a view"));
        }
    }
    assert!(session.checkpoint_names().await.is_empty());
    failures.finish();
}

async fn named(tables: &Tables) {
    let store = unique("named");
    let first = tables.session(&store).await;
    let cases = cases(tables).await;
    let mut failures = Failures::default();
    for (number, case) in cases.iter().enumerate() {
        failures.note(case.ensured(&first, number, "written").await);
        failures.note(case.check(read_named(&first, number, case).await, "written"));
        failures.note(case.ensured(&first, number, "reused").await);
    }
    let second = tables.session(&store).await;
    for (number, case) in cases.iter().enumerate() {
        failures.note(case.ensured(&second, number, "reused").await);
        failures.note(case.check(read_named(&second, number, case).await, "reused by a new session"));
    }
    failures.finish();
    assert_eq!((first.take_notices(), second.take_notices()), (vec![], vec![]));
}

impl Case {
    /// Runs the CHECKPOINT of this case and says what is unexpected about its report.
    async fn ensured(&self, session: &Session, number: usize, outcome: &str) -> Option<String> {
        let expected = format!("q{number} 1 {outcome} {}", self.expected.rows.len());
        let found = match checkpoint(session, &format!("CHECKPOINT q{number} AS {}", self.sql)).await {
            Ok(report) => brief(&report),
            Err(error) => error.to_string(),
        };
        (found != expected).then(|| format!("{}: {found} instead of {expected}\n{}", self.title, self.sql))
    }
}

/// All columns of a named checkpoint, under the names that the query gave them: repeated names are numbered in a table.
async fn read_named(session: &Session, number: usize, case: &Case) -> Result<Table> {
    let mut table = read(session, &format!("SELECT * FROM q{number}")).await?;
    if !has_unique_names(&case.expected) {
        for (column, (name, _)) in table.columns.iter_mut().zip(&case.expected.columns) {
            column.0.clone_from(name);
        }
    }
    Ok(table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_cut_everywhere() {
    cut_everywhere(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_cut_everywhere() {
    cut_everywhere(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_switched_off() {
    off(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_written_and_reused() {
    named(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_wherever_it_is_cut() {
    let cuts = every_cut(&Tables::Corpus).await;
    assert!(cuts > 500, "only {cuts} cuts were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_switched_off() {
    off(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_written_and_reused() {
    named(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_wherever_it_is_cut() {
    let cuts = every_cut(&tpch_tables().await).await;
    assert!(cuts > 150, "only {cuts} cuts were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_read_from_its_parts() {
    let (parts, reads) = served(&Tables::Corpus).await;
    assert!(parts > 500 && reads > 200, "{reads} of {parts} parts were read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_read_from_its_parts() {
    let (parts, reads) = served(&tpch_tables().await).await;
    assert!(parts > 150 && reads > 100, "{reads} of {parts} parts were read");
}

/// The comparison itself can tell results apart.
#[tokio::test]
async fn differences_are_seen() {
    let context = SessionContext::new();
    let table = |sql: &'static str| {
        let context = context.clone();
        async move { Table::collect(context.sql(sql).await.unwrap()).await.unwrap() }
    };
    let any = Compare { in_order: false, approximate: false };
    let ordered = Compare { in_order: true, ..any };
    let base = table("SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, s)").await;
    let swapped = table("SELECT * FROM (VALUES (2, 'b'), (1, 'a'), (2, 'b')) AS t(i, s)").await;
    assert!(base.difference(&swapped, any).is_none() && base.difference(&swapped, ordered).is_some());
    for other in [
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (1, 'a'), (2, 'b')) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, NULL)) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, x)",
        "SELECT i::INT, s FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, s)",
    ] {
        assert!(base.difference(&table(other).await, any).is_some(), "{other}");
    }
    let (positive, negative) = (table("SELECT 0.0 AS z").await, table("SELECT -0.0 AS z").await);
    assert!(positive.difference(&negative, any).is_some(), "the sign of zero");
}

#[tokio::test]
async fn tpch_tables_hold_what_tpch_says() {
    let Tables::Tpch(dir) = tpch_tables().await else { panic!("not TPC-H") };
    let context = SessionContext::new();
    tpch::register(&context, Path::new(&dir)).await.unwrap();
    for (table, rows) in
        [("lineitem", 60_175), ("orders", 15_000), ("customer", 1_500), ("nation", 25), ("region", 5)]
    {
        let count = context.table(table).await.unwrap().count().await.unwrap();
        assert_eq!(count, rows, "{table}");
    }
}
