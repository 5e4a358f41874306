//! The plan after a checkpoint, and the files that it leaves.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, JoinType, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::{col, lit};
use milepost::CheckpointExt;
use milepost_tests::table::Table;

use super::{ROWS, TOTAL, session, total};
use crate::support::{Probe, brief, checkpoint, number, open, physical, run};

/// A table whose scan has no partitions at all.
#[derive(Debug)]
struct NoPartitions;

#[async_trait]
impl TableProvider for NoPartitions {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn datafusion::catalog::Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(EmptyExec::new(self.schema()).with_partitions(0)))
    }
}

// The plan after a checkpoint.

#[tokio::test]
async fn after_a_checkpoint_the_plan_is_a_scan_of_the_snapshot() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let sql = "SELECT n % 10 AS n, count(*) AS c FROM numbers GROUP BY 1";
    let frame = session.sql(sql).await.unwrap().checkpoint("c").await.unwrap();
    let plan = physical(frame).await;
    assert!(plan.contains("file_type=parquet") && !plan.contains("Aggregate"), "{plan}");
}

#[tokio::test]
async fn a_self_join_keeps_the_columns_of_both_sides_apart() {
    let session = session().await;
    let frame = session.sql("SELECT value AS n, value * 2 AS m FROM generate_series(1, 5)").await.unwrap();
    let frame = frame.checkpoint("c").await.unwrap();
    let (a, b) = (frame.clone().alias("a").unwrap(), frame.alias("b").unwrap());
    let joined = a.join(b, JoinType::Inner, &["m"], &["n"], None).unwrap();
    let picked = joined.select(vec![col("a.n"), col("b.n").alias("b_n"), col("b.m").alias("b_m")]).unwrap();
    let table = Table::collect(picked.sort_by(vec![col("a.n")]).unwrap()).await.unwrap();
    let rows: Vec<String> = table
        .rows
        .iter()
        .map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(rows, ["1 2 4", "2 4 8"]);
}

#[tokio::test]
async fn descendants_truncate_only_what_was_marked() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let rows = Probe::count(&session, "counted");
    let low =
        session.sql("SELECT counted(n) AS n FROM numbers").await.unwrap().checkpoint_lazy("low").unwrap();
    let middle = low.clone().filter(col("n").lt(lit(500))).unwrap();
    let high =
        middle.clone().select(vec![(col("n") * lit(2)).alias("n")]).unwrap().checkpoint_lazy("high").unwrap();
    assert_eq!(total(&high).await, 499 * 500);
    assert_eq!(session.checkpoint_names().await, ["high", "low"]);
    assert_eq!((total(&middle).await, total(&low).await), (499 * 250, TOTAL));
    assert_eq!(rows.load(Ordering::SeqCst), ROWS);
}

#[tokio::test]
async fn zero_partitions_and_zero_rows_are_results() {
    let session = session().await;
    session.register_table("none", Arc::new(NoPartitions)).unwrap();
    let frame = session.table("none").await.unwrap().checkpoint("c").await.unwrap();
    assert_eq!(frame.clone().count().await.unwrap(), 0);
    assert_eq!(number(&session, "SELECT count(*) FROM c").await, 0);
    let grouped =
        frame.aggregate(vec![col("n")], vec![count(lit(1))]).unwrap().checkpoint("g").await.unwrap();
    assert_eq!(grouped.count().await.unwrap(), 0);
}

/// The rows of an ordered query come back in that order, also where the result is large enough to be read in pieces side
/// by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_come_back_in_the_order_that_the_query_asked_for() {
    const MANY: i64 = 2_500_000;
    let session = session().await;
    run(&session, "SET datafusion.optimizer.repartition_file_min_size = 1").await.unwrap();
    let sorted = format!("SELECT value AS n FROM generate_series(1, {MANY}) ORDER BY n DESC");
    run(&session, &format!("CHECKPOINT c AS {sorted}")).await.unwrap();
    let inline = format!("SELECT n FROM checkpoint(({sorted}), 'c') AS t");
    // No column of the second one shows its order.
    let unseen = format!("SELECT value AS n FROM generate_series(1, {MANY}) ORDER BY n * -1");
    run(&session, &format!("CHECKPOINT d AS {unseen}")).await.unwrap();
    for sql in ["SELECT n FROM c", inline.as_str(), "SELECT n FROM d"] {
        let mut expected = MANY;
        for batch in run(&session, sql).await.unwrap() {
            let column: &Int64Array = batch.column(0).as_primitive();
            for value in column.values() {
                assert_eq!(*value, expected, "{sql}");
                expected -= 1;
            }
        }
        assert_eq!(expected, 0);
    }
    for ordered in [inline.as_str(), "SELECT n FROM d"] {
        let three = format!("SELECT min(n) FROM (SELECT n FROM ({ordered}) LIMIT 3)");
        assert_eq!(number(&session, &three).await, MANY - 2, "{ordered}");
    }
}

/// Bounds are measured, never inherited: a filter below a checkpoint must not prune rows that an earlier plan never had.
#[tokio::test]
async fn statistics_are_those_of_the_rows_that_are_there() {
    let session = session().await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let sql = "CHECKPOINT c AS SELECT n * -1 AS n, CASE WHEN n % 3 = 0 THEN NULL ELSE n END AS m FROM numbers WHERE n > 10";
    run(&session, sql).await.unwrap();
    let context = session.context();
    for (query, expected) in [
        ("SELECT count(*) FROM c", 989),
        ("SELECT min(n) FROM c", -999),
        ("SELECT max(n) FROM c", -11),
        ("SELECT count(m) FROM c", 659),
        ("SELECT count(*) FROM c WHERE n > 0", 0),
        ("SELECT count(*) FROM c WHERE n = -11", 1),
        ("SELECT count(*) FROM c WHERE m IS NULL", 330),
    ] {
        assert_eq!(number(&session, query).await, expected, "{query}");
    }
    let plan = physical(context.sql("SELECT count(*), min(n), max(n) FROM c").await.unwrap()).await;
    assert!(!plan.contains("file_type=parquet"), "answered without opening a file: {plan}");
}

// The store is files that can be moved and read.

#[tokio::test]
async fn a_store_can_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::create_dir(&new).unwrap();
    let sql = "CHECKPOINT c AS SELECT n, n * n AS square FROM numbers";
    let numbers = "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)";
    let session = open(&old).await;
    run(&session, numbers).await.unwrap();
    run(&session, sql).await.unwrap();
    drop(session);
    let moved =
        std::process::Command::new("mv").arg(old.join("store")).arg(new.join("store")).status().unwrap();
    assert!(moved.success());
    let session = open(&new).await;
    run(&session, numbers).await.unwrap();
    assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), "c 1 reused 1000");
    assert_eq!(number(&session, "SELECT sum(n) FROM c").await, TOTAL);
}

#[tokio::test]
async fn data_files_are_parquet_that_anybody_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(folder.path()).await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    run(&session, "CHECKPOINT c AS SELECT n, 'row ' || n AS text FROM numbers").await.unwrap();
    let files = session.sql("SELECT path FROM milepost.files").await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    let mut rows = 0;
    for row in Table::collect(files).await.unwrap().rows {
        let path = folder.path().join("store").join(row[0].to_string()).display().to_string();
        let frame = context.read_parquet(path, Default::default()).await.unwrap();
        assert_eq!(frame.schema().field_names(), ["?table?.n", "?table?.text"]);
        rows += frame.count().await.unwrap();
    }
    assert_eq!(rows, ROWS);
}

/// Where a query gives one name to several columns, all others keep theirs in files.
#[tokio::test]
async fn other_tools_see_the_names_of_columns_where_these_are_unique() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(folder.path()).await;
    run(&session, "CREATE TABLE numbers AS SELECT value AS n FROM generate_series(0, 999)").await.unwrap();
    let twins = "SELECT l.n, r.n, l.n + r.n AS twice FROM numbers l JOIN numbers r ON l.n + 1 = r.n";
    let report = checkpoint(&session, &format!("CHECKPOINT c AS {twins}")).await.unwrap();
    assert_eq!(brief(&report), "c 1 written 999");
    assert_eq!(
        brief(&checkpoint(&session, &format!("CHECKPOINT c AS {twins}")).await.unwrap()),
        "c 1 reused 999"
    );
    let files = session.sql("SELECT path FROM milepost.files").await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    let mut paths = vec![];
    for row in Table::collect(files).await.unwrap().rows {
        paths.push(folder.path().join("store").join(row[0].to_string()).display().to_string());
    }
    let frame = context.read_parquet(paths, Default::default()).await.unwrap();
    context.register_table("files", frame.into_view()).unwrap();
    let sums = |table: &str, columns: [&str; 3]| {
        let sums = columns.map(|column| format!("sum({column})")).join(", ");
        format!("SELECT {sums} FROM {table}")
    };
    let expected = ["498501", "499500", "998001"];
    let in_files = context.sql(&sums("files", ["n", "n_2", "twice"])).await.unwrap();
    for frame in [
        in_files,
        session.sql(&sums("c", ["n", "n_2", "twice"])).await.unwrap(),
        session.sql(&sums(&format!("checkpoint(({twins})) AS t(a, b, c)"), ["a", "b", "c"])).await.unwrap(),
    ] {
        let row = &Table::collect(frame).await.unwrap().rows[0];
        assert_eq!(row.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }
}
