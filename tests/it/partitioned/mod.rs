//! Snapshots written with `partition_by`: the same rows as ever, and no exchange where it is safe to spare it.

mod refusals;
mod rows;
mod types;

use milepost::Session;
use milepost_tests::table::Table;

use crate::support::{ANY_ORDER, assert_same, config, physical, run};

/// A session over the store `name` in memory, in which joins are made partition by partition however small they are.
async fn session(name: &str) -> Session {
    session_with(name, 3).await
}

/// The same with another number of partitions.
async fn session_with(name: &str, partitions: usize) -> Session {
    let config = config().with_target_partitions(partitions);
    let store = format!("memory://{name}");
    let session = Session::builder().with_config(config).with_store_url(&store).build().await.unwrap();
    join_by_partitions(&session).await;
    session
}

async fn join_by_partitions(session: &Session) {
    for setting in ["hash_join_single_partition_threshold", "hash_join_single_partition_threshold_rows"] {
        run(session, &format!("SET datafusion.optimizer.{setting} = 0")).await.unwrap();
    }
    // Aggregations are made so from four partitions on.
    run(session, "SET datafusion.optimizer.subset_repartition_threshold = 1").await.unwrap();
}

/// Two tables with keys that repeat, are NULL, and are in one of them only.
async fn tables(session: &Session) {
    for sql in [
        "CREATE TABLE sales AS SELECT value AS id, nullif(value * 7919 % 101, 5) AS k, value % 4 AS o, \
         'item ' || (value % 101) AS name FROM generate_series(1, 4000) AS t(value)",
        "CREATE TABLE kinds AS SELECT nullif(value, 7) AS k, value % 4 AS o, 'kind ' || value AS kind \
         FROM generate_series(50, 150) AS t(value) UNION ALL SELECT NULL, 1, 'kind of none'",
    ] {
        run(session, sql).await.unwrap();
    }
}

/// Both tables as snapshots by `k`.
async fn snapshots(session: &Session) {
    tables(session).await;
    run(session, "CHECKPOINT sold WITH (partition_by = 'k') AS SELECT * FROM sales").await.unwrap();
    run(session, "CHECKPOINT sorts WITH (partition_by = 'k') AS SELECT * FROM kinds").await.unwrap();
}

async fn plan(session: &Session, sql: &str) -> String {
    physical(session.sql(sql).await.unwrap()).await
}

/// How many exchanges by hash a query needs.
async fn exchanges(session: &Session, sql: &str) -> usize {
    plan(session, sql).await.matches("RepartitionExec: partitioning=Hash").count()
}

/// Asserts that two results have the same rows, in any order; the names of sums and counts may tell which table was read.
#[track_caller]
fn assert_rows(expected: &Table, found: &Table, what: &str) {
    let types = |table: &Table| table.columns.iter().map(|column| column.1.clone()).collect::<Vec<_>>();
    assert_eq!(types(expected), types(found), "{what}");
    let named = Table { columns: found.columns.clone(), ..expected.clone() };
    assert_same(&named, found, ANY_ORDER, what);
}
