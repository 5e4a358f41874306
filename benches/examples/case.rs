//! One measurement in a process of its own, so that its memory is its own: `benches/scripts/peers.py` starts it.
//!
//! ```sh
//! case drain|copy|checkpoint|read --data TPCH --sql FILE.sql [--out PATH] [--durability none|fsync] [--rounds N]
//! ```
//!
//! - `drain`: plain DataFusion runs the query and drops its rows.
//! - `copy`: plain DataFusion writes them to the Parquet file `--out`.
//! - `checkpoint`: Milepost makes them a checkpoint named `result` in the new store `--out`.
//! - `read`: Milepost runs the query over the store `--out`, `--rounds` times.
//!
//! Prints one line of JSON: `ms`, the time of the statement without starting the program and naming the tables (a list for
//! `read`), and `bytes`, what lies in `--out`. TPCH is what `milepost datagen tpch` makes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::*;
use futures::StreamExt;
use milepost::Session;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TABLES: [&str; 3] = ["lineitem", "orders", "customer"];

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let ms = match arguments.mode.as_str() {
        "drain" => vec![drain(&plain(&arguments.data).await?, &arguments.sql).await?],
        "copy" => vec![copy(&arguments).await?],
        "checkpoint" => vec![checkpoint(&arguments).await?],
        "read" => read(&arguments).await?,
        other => return Err(usage(format!("unknown mode {other}"))),
    };
    println!("{{\"ms\": {ms:?}, \"bytes\": {}}}", bytes_in(&arguments.out)?);
    Ok(())
}

struct Arguments {
    mode: String,
    data: PathBuf,
    sql: String,
    out: PathBuf,
    durability: String,
    rounds: usize,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mode = arguments.next().ok_or_else(|| usage("no mode".to_string()))?;
        let mut parsed = Self {
            mode,
            data: PathBuf::new(),
            sql: String::new(),
            out: PathBuf::new(),
            durability: "none".to_string(),
            rounds: 1,
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| usage(format!("{option} has no value")))?;
            match option.as_str() {
                "--data" => parsed.data = PathBuf::from(value),
                "--sql" => parsed.sql = std::fs::read_to_string(value)?,
                "--out" => parsed.out = PathBuf::from(value),
                "--durability" => parsed.durability = value,
                "--rounds" => {
                    parsed.rounds =
                        value.parse().map_err(|_| usage(format!("{value} is no number of rounds")))?;
                }
                other => return Err(usage(format!("unknown option {other}"))),
            }
        }
        Ok(parsed)
    }
}

fn usage(what: String) -> DataFusionError {
    DataFusionError::Configuration(what)
}

async fn plain(data: &Path) -> Result<SessionContext> {
    let context = SessionContext::new();
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

async fn copy(arguments: &Arguments) -> Result<f64> {
    let context = plain(&arguments.data).await?;
    let sql = uncommented(&arguments.sql);
    let sql = format!(
        "COPY ({sql}) TO '{}' STORED AS PARQUET OPTIONS (compression 'snappy')",
        arguments.out.display()
    );
    let began = Instant::now();
    context.sql(&sql).await?.collect().await?;
    Ok(milliseconds(began))
}

async fn checkpoint(arguments: &Arguments) -> Result<f64> {
    let session = Session::open(&arguments.out.display().to_string()).await?;
    register(session.context(), &arguments.data).await?;
    session.sql(&format!("SET milepost.durability = '{}'", arguments.durability)).await?.collect().await?;
    let sql = uncommented(&arguments.sql);
    let began = Instant::now();
    session.sql(&format!("CHECKPOINT result AS {sql}")).await?.collect().await?;
    Ok(milliseconds(began))
}

async fn read(arguments: &Arguments) -> Result<Vec<f64>> {
    let session = Session::open(&arguments.out.display().to_string()).await?;
    let mut times = Vec::with_capacity(arguments.rounds);
    for _ in 0..arguments.rounds {
        let began = Instant::now();
        session.sql(&arguments.sql).await?.collect().await?;
        times.push(milliseconds(began));
    }
    Ok(times)
}

fn uncommented(sql: &str) -> String {
    sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
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
