//! Loops: what a step costs, and that each one counts.

use std::time::{Duration, Instant};

use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::JoinType;
use datafusion::prelude::{col, lit};
use milepost::CheckpointExt;
use milepost_tests::table::Table;

use super::session;
use crate::support::{number, run};

#[tokio::test]
async fn repeated_self_joins_plan_in_flat_time() {
    let session = session().await;
    let mut frame = session.sql("SELECT value AS n FROM generate_series(1, 50)").await.unwrap();
    let mut times = Vec::new();
    for step in 0..6 {
        let (a, b) = (frame.clone().alias("a").unwrap(), frame.alias("b").unwrap());
        let joined = a
            .join(b, JoinType::Inner, &["n"], &["n"], None)
            .unwrap()
            .select(vec![col("a.n").alias("n")])
            .unwrap();
        let started = Instant::now();
        joined.clone().create_physical_plan().await.unwrap();
        times.push(started.elapsed());
        frame = joined.checkpoint(&format!("step_{step}")).await.unwrap();
    }
    assert_eq!(frame.count().await.unwrap(), 50);
    assert!(times[5] < times[0] * 5 + Duration::from_millis(50), "{times:?}");
}

/// Two thousand steps, with a checkpoint after every fifty: neither stack nor planning time grows with the steps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_loops_stay_flat_when_they_are_checkpointed_on_the_way() {
    let session = session().await;
    let mut frame =
        session.sql("SELECT value AS n, value AS steps FROM generate_series(1, 10)").await.unwrap();
    let mut times = Vec::new();
    for step in 1..=2_000 {
        frame = if step % 500 == 0 {
            let more = frame.clone().limit(0, Some(0)).unwrap();
            frame.union(more).unwrap()
        } else {
            frame.with_column("steps", col("steps") + lit(1)).unwrap()
        };
        if step % 50 == 0 {
            let started = Instant::now();
            frame = frame.local_checkpoint().await.unwrap();
            times.push(started.elapsed());
        }
    }
    let table = Table::collect(frame.aggregate(vec![], vec![count(lit(1)), sum(col("steps"))]).unwrap())
        .await
        .unwrap();
    let row: Vec<String> = table.rows[0].iter().map(ToString::to_string).collect();
    // 1 + … + 10 to begin with; then all but four steps add one to each of ten rows.
    assert_eq!(row, ["10", "20015"]);
    let (early, late) = (times[..10].iter().sum::<Duration>(), times[30..].iter().sum::<Duration>());
    assert!(late < early * 3 + Duration::from_millis(500), "{times:?}");
}

/// A checkpoint that reads itself in a loop: each step is a version, and the last one is right.
#[tokio::test]
async fn a_loop_of_named_steps_counts_to_a_hundred() {
    let session = session().await;
    run(&session, "CHECKPOINT r AS SELECT 0 AS n").await.unwrap();
    for _ in 0..100 {
        run(&session, "CHECKPOINT r AS SELECT n + 1 AS n FROM r").await.unwrap();
    }
    assert_eq!(number(&session, "SELECT n FROM r").await, 100);
    assert_eq!(number(&session, "SELECT version FROM milepost.checkpoints").await, 101);
}
