//! Checkpoints in a program of one's own: eager, lazy, inline, and again in a second session.
//!
//! ```sh
//! cargo run --release --example embedded
//! ```

use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{avg, count};
use datafusion::prelude::*;
use milepost::{CheckpointExt, CheckpointOptions, Session};

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("checkpoints");
    let trips = folder.path().join("trips.parquet");
    make_trips(&trips.to_string_lossy()).await?;

    // The first session writes.
    let session = Session::open(&store.to_string_lossy()).await?;
    let report = report(&session, &trips.to_string_lossy()).await?;
    report.show().await?;

    // The second one, which could as well be another process, finds both checkpoints fresh and computes nothing.
    let session = Session::open(&store.to_string_lossy()).await?;
    session.register_parquet("trips", trips.to_string_lossy(), ParquetReadOptions::default()).await?;
    self::report(&session, &trips.to_string_lossy()).await?.show().await?;
    session.sql("SHOW CHECKPOINTS").await?.show().await?;
    Ok(())
}

/// A program of several steps over one input.
async fn report(session: &Session, trips: &str) -> Result<DataFrame> {
    // Eager: written (or found fresh) before the next line.
    let clean = session
        .read_parquet(trips, ParquetReadOptions::default())
        .await?
        .filter(col("fare").gt(lit(0.0)))?
        .checkpoint("clean")
        .await?;

    // Lazy: written by the first action that needs it, and then kept.
    let by_zone = clean
        .aggregate(vec![col("zone")], vec![count(lit(1)).alias("trips"), avg(col("fare")).alias("fare")])?
        .checkpoint_lazy("by_zone")?;
    println!("{} zones", by_zone.clone().count().await?);

    // With options, and under a name made of its signature.
    let options = CheckpointOptions::default().with("compression", "small");
    by_zone
        .filter(col("trips").gt(lit(100)))?
        .sort(vec![col("zone").sort(true, false)])?
        .checkpoint_with(options)
        .await
}

async fn make_trips(path: &str) -> Result<()> {
    let context = SessionContext::new();
    let sql =
        "SELECT i AS id, i % 7 AS zone, CAST(i % 50 AS DOUBLE) - 1.0 AS fare FROM range(0, 10000) AS t(i)";
    context.sql(sql).await?.write_parquet(path, Default::default(), None).await?;
    Ok(())
}
