//! One measurement in a process of its own, so that its memory is its own: `benches/scripts/peers.py` starts it.
//!
//! Prints one line of JSON: `ms`, the time of the statement without starting the program and naming the tables (a list for
//! `read`), and `bytes`, what lies in `--out`. `case --help` tells the modes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::*;
use futures::StreamExt;
use milepost_benches::{config, milliseconds, open, query};

const TABLES: [&str; 3] = ["lineitem", "orders", "customer"];

/// Runs one query over TPC-H tables and tells how long it takes.
#[derive(Parser)]
struct Arguments {
    mode: Mode,
    /// The tables, as `milepost datagen tpch` makes them.
    #[arg(long, default_value = ".")]
    data: PathBuf,
    /// The file of the query.
    #[arg(long)]
    sql: PathBuf,
    /// The file or the store that is written or read.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// When `checkpoint` calls its files written.
    #[arg(long, default_value = "none")]
    durability: String,
    /// How often `read` runs the query.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Plain DataFusion runs the query and drops its rows.
    Drain,
    /// Plain DataFusion writes them to a Parquet file.
    Copy,
    /// Milepost makes them a checkpoint named `result` in a new store.
    Checkpoint,
    /// Milepost runs the query over a store.
    Read,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sql = query(&arguments.sql)?;
    let ms = match arguments.mode {
        Mode::Drain => vec![drain(&plain(&arguments.data).await?, &sql).await?],
        Mode::Copy => vec![copy(&arguments, &sql).await?],
        Mode::Checkpoint => vec![checkpoint(&arguments, &sql).await?],
        Mode::Read => read(&arguments, &sql).await?,
    };
    println!("{{\"ms\": {ms:?}, \"bytes\": {}}}", bytes_in(&arguments.out)?);
    Ok(())
}

async fn plain(data: &Path) -> Result<SessionContext> {
    let context = SessionContext::new_with_config(config());
    register(&context, data).await?;
    Ok(context)
}

async fn register(context: &SessionContext, data: &Path) -> Result<()> {
    for table in TABLES {
        let folder = data.join(table);
        context
            .register_parquet(table, format!("{}/", folder.display()), ParquetReadOptions::default())
            .await?;
    }
    Ok(())
}

/// Runs a query and drops its rows as they come, in milliseconds.
async fn drain(context: &SessionContext, sql: &str) -> Result<f64> {
    let began = Instant::now();
    let streams = context.sql(sql).await?.execute_stream_partitioned().await?;
    let drains = streams.into_iter().map(|mut rows| {
        tokio::spawn(async move {
            while let Some(batch) = rows.next().await {
                batch?;
            }
            Ok::<_, DataFusionError>(())
        })
    });
    for drained in futures::future::join_all(drains).await {
        drained.map_err(|error| DataFusionError::External(Box::new(error)))??;
    }
    Ok(milliseconds(began))
}

async fn copy(arguments: &Arguments, sql: &str) -> Result<f64> {
    let context = plain(&arguments.data).await?;
    let sql = format!(
        "COPY ({sql}) TO '{}' STORED AS PARQUET OPTIONS (compression 'snappy')",
        arguments.out.display()
    );
    let began = Instant::now();
    context.sql(&sql).await?.collect().await?;
    Ok(milliseconds(began))
}

async fn checkpoint(arguments: &Arguments, sql: &str) -> Result<f64> {
    let session = open(&arguments.out).await?;
    register(session.context(), &arguments.data).await?;
    session.sql(&format!("SET milepost.durability = '{}'", arguments.durability)).await?.collect().await?;
    let began = Instant::now();
    session.sql(&format!("CHECKPOINT result AS {sql}")).await?.collect().await?;
    Ok(milliseconds(began))
}

async fn read(arguments: &Arguments, sql: &str) -> Result<Vec<f64>> {
    let session = open(&arguments.out).await?;
    let mut times = Vec::with_capacity(arguments.rounds);
    for _ in 0..arguments.rounds {
        let began = Instant::now();
        session.sql(sql).await?.collect().await?;
        times.push(milliseconds(began));
    }
    Ok(times)
}

/// The bytes of the Parquet files in a file or folder; none where there is nothing.
fn bytes_in(path: &Path) -> Result<u64> {
    if path.is_file() {
        let parquet = path.extension().is_some_and(|extension| extension == "parquet");
        return Ok(if parquet { path.metadata()?.len() } else { 0 });
    }
    if !path.is_dir() {
        return Ok(0);
    }
    std::fs::read_dir(path)?.map(|entry| bytes_in(&entry?.path())).sum()
}
