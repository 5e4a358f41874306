//! Eager and lazy: how often an input is computed.

use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use datafusion::functions::expr_fn::random;
use datafusion::logical_expr::JoinType;
use datafusion::prelude::{col, lit};
use milepost::{CheckpointExt, CheckpointOptions};
use milepost_tests::table::Table;

use super::{ROWS, TOTAL, numbers, session, total};
use crate::support::{ANY_ORDER, CountingTable, Probe, assert_same, number, open, run};

#[tokio::test]
async fn an_eager_checkpoint_computes_its_input_once() {
    let session = session().await;
    let scans = CountingTable::register(&session, "numbers", numbers());
    let frame = session.table("numbers").await.unwrap().checkpoint("c").await.unwrap();
    assert_eq!(scans.load(Ordering::SeqCst), 1);
    assert_eq!((total(&frame).await, total(&frame).await), (TOTAL, TOTAL));
    assert_eq!(frame.clone().count().await.unwrap(), ROWS);
    assert_eq!(number(&session, "SELECT sum(n) FROM c").await, TOTAL);
    assert_eq!(scans.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lazy_checkpoint_computes_its_input_once_at_the_first_action() {
    let session = session().await;
    let scans = CountingTable::register(&session, "numbers", numbers());
    let frame = session.table("numbers").await.unwrap().checkpoint_lazy("c").unwrap();
    assert_eq!(scans.load(Ordering::SeqCst), 0);
    assert!(session.checkpoint_names().await.is_empty());
    assert_eq!((total(&frame).await, total(&frame).await), (TOTAL, TOTAL));
    assert_eq!(scans.load(Ordering::SeqCst), 1);
    assert_eq!(session.checkpoint_names().await, ["c"]);
}

#[tokio::test]
async fn an_input_that_is_used_again_above_a_checkpoint_is_not_computed_again() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let rows = Probe::count(&session, "counted");
    let frame =
        session.sql("SELECT counted(n) AS n FROM numbers").await.unwrap().checkpoint_lazy("c").unwrap();
    let even = frame.clone().filter((col("n") % lit(2)).eq(lit(0))).unwrap();
    let odd = frame.filter((col("n") % lit(2)).eq(lit(1))).unwrap();
    assert_eq!(even.clone().count().await.unwrap() + odd.clone().count().await.unwrap(), ROWS);
    assert_eq!(total(&even.union(odd).unwrap()).await, TOTAL);
    assert_eq!(rows.load(Ordering::SeqCst), ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_at_once_share_one_computation() {
    let session = session().await;
    let scans = CountingTable::register(&session, "numbers", numbers());
    let frame = session.table("numbers").await.unwrap().checkpoint_lazy("c").unwrap();
    let (a, b, c) = tokio::join!(total(&frame), total(&frame), total(&frame));
    assert_eq!((a, b, c), (TOTAL, TOTAL, TOTAL));
    assert_eq!(scans.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_lazy_checkpoint_of_chance_is_one_result_for_every_reader() {
    let session = session().await;
    let drawn =
        session.read_batch(numbers().remove(0)).unwrap().select(vec![col("n"), random().alias("r")]).unwrap();
    let frame = drawn.checkpoint_lazy("drawn").unwrap();
    let first = Table::collect(frame.clone()).await.unwrap();
    assert_same(&first, &Table::collect(frame.clone()).await.unwrap(), ANY_ORDER, "read again");
    let named = Table::collect(session.sql("SELECT n, r FROM drawn").await.unwrap()).await.unwrap();
    assert_eq!(named.rows.len(), ROWS);
    let left = frame.clone().select(vec![col("n"), col("r")]).unwrap().alias("a").unwrap();
    let right = frame.select(vec![col("n"), col("r")]).unwrap().alias("b").unwrap();
    let joined = left.join(right, JoinType::Inner, &["n", "r"], &["n", "r"], None).unwrap();
    assert_eq!(joined.count().await.unwrap(), ROWS);
}

#[tokio::test]
async fn a_limit_on_a_lazy_checkpoint_stores_everything() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let frame = session.table("numbers").await.unwrap().checkpoint_lazy("c").unwrap();
    let first = frame.limit(0, Some(1)).unwrap().collect().await.unwrap();
    assert_eq!(first.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert_eq!(number(&session, "SELECT count(*) FROM c").await, ROWS as i64);
}

#[tokio::test]
async fn an_explain_computes_nothing_and_an_explain_analyze_does() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let rows = Probe::count(&session, "counted");
    let frame =
        session.sql("SELECT counted(n) AS n FROM numbers").await.unwrap().checkpoint_lazy("c").unwrap();
    frame.clone().explain(false, false).unwrap().collect().await.unwrap();
    assert!(session.checkpoint_names().await.is_empty());
    assert_eq!(rows.load(Ordering::SeqCst), 0);
    frame.explain(false, true).unwrap().collect().await.unwrap();
    assert_eq!(session.checkpoint_names().await, ["c"]);
    assert_eq!(rows.load(Ordering::SeqCst), ROWS);
}

#[tokio::test]
async fn options_of_a_frame_do_what_they_say() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let numbers = || async { session.table("numbers").await.unwrap() };
    let named = || CheckpointOptions::named("c");
    numbers().await.checkpoint_with(named().with("compression", "small")).await.unwrap();
    numbers().await.checkpoint_with(named()).await.unwrap();
    assert_eq!(number(&session, "SELECT version FROM milepost.checkpoints").await, 1);
    numbers().await.checkpoint_with(CheckpointOptions { force: true, ..named() }).await.unwrap();
    assert_eq!(number(&session, "SELECT version FROM milepost.checkpoints").await, 2);
    let lazy = numbers()
        .await
        .checkpoint_with(CheckpointOptions { lazy: true, ..Default::default() })
        .await
        .unwrap();
    assert_eq!(session.checkpoint_names().await.len(), 1);
    assert_eq!(total(&lazy).await, TOTAL);
    assert_eq!(session.checkpoint_names().await.len(), 2);
    let wrong =
        numbers().await.checkpoint_with(named().with("compressoin", "small")).await.unwrap_err().to_string();
    assert!(wrong.contains("compressoin") && wrong.contains("compression"), "{wrong}");
    let wrong = numbers().await.checkpoint_lazy("No Name").unwrap_err().to_string();
    assert!(wrong.contains("No Name"), "{wrong}");
}

#[tokio::test]
async fn a_local_checkpoint_is_gone_with_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(folder.path()).await;
    let scans = CountingTable::register(&session, "numbers", numbers());
    let frame = session.table("numbers").await.unwrap().local_checkpoint().await.unwrap();
    assert_eq!((total(&frame).await, total(&frame).await), (TOTAL, TOTAL));
    assert_eq!(scans.load(Ordering::SeqCst), 1);
    assert!(session.checkpoint_names().await.is_empty());
    assert!(open(folder.path()).await.checkpoint_names().await.is_empty());
}

#[tokio::test]
async fn a_plain_datafusion_session_is_told_what_it_lacks() {
    let context = datafusion::prelude::SessionContext::new();
    let frame = context.read_batch(numbers().remove(0)).unwrap();
    let error = frame.checkpoint("c").await.unwrap_err().to_string();
    assert!(error.contains("no checkpoint store"), "{error}");
}
