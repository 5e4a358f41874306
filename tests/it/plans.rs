//! What the planner makes of a snapshot: plans before and after, and what reaches the scan.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionConfig;
use milepost::Session;

use crate::support::{physical, run, unique};

/// One partition keeps the plans short; names of files are cut to what is the same in every run.
async fn session() -> Session {
    let config = SessionConfig::new().with_target_partitions(1);
    let store = format!("memory://{}", unique("plans"));
    let session = Session::builder().with_config(config).with_store_url(&store).build().await.unwrap();
    run(&session, "CREATE TABLE sales AS SELECT value AS id, value % 10 AS k, 'item ' || value AS name FROM generate_series(1, 1000)")
        .await
        .unwrap();
    session
}

async fn plan(session: &Session, sql: &str) -> String {
    physical(session.sql(sql).await.unwrap()).await
}

macro_rules! assert_plan {
    ($plan:expr, @$expected:literal) => {
        insta::with_settings!({ filters => vec![
            (r"[^ \[,{]*checkpoints/([a-z_0-9]+?)/attempts/[0-9A-Za-z]+/unit-(\d+)-[0-9A-Za-z]+\.parquet", "$1/unit-$2"),
            (r"auto_[0-9a-f]+", "auto_…"),
        ]}, {
            insta::assert_snapshot!($plan, @$expected)
        })
    };
}

#[tokio::test]
async fn a_plan_before_and_after_its_checkpoint() {
    let session = session().await;
    let sql = "SELECT k, count(*) AS n FROM sales GROUP BY k";
    assert_plan!(plan(&session, sql).await, @"");
    assert_plan!(plan(&session, &format!("SELECT * FROM checkpoint(({sql}), 'c') AS t")).await, @"");
}
