//! A loop whose state is a checkpoint, in a process of its own: `benches/scripts/iterate.py` starts it.
//!
//! Prints one line of JSON: `ms` of each round, `planning` of each round, and `check`, a sum over the last
//! state. `iterate --help` tells the modes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::*;
use milepost::Session;
use milepost_benches::{config, milliseconds, open, query};

/// Runs a loop whose state is written each round, and tells how long each round takes.
#[derive(Parser)]
struct Arguments {
    mode: Mode,
    /// The folder of the graph.
    #[arg(long, default_value = ".")]
    graph: PathBuf,
    /// What the loop computes.
    #[arg(long = "loop", default_value = "pagerank")]
    looped: Loop,
    /// The store or folder that is written.
    #[arg(long)]
    out: PathBuf,
    #[arg(long, default_value_t = 50)]
    rounds: usize,
    #[arg(long, default_value_t = 100_000)]
    nodes: u64,
    #[arg(long, default_value_t = 2_000_000)]
    edges: u64,
    /// When `checkpoint` calls its files written.
    #[arg(long, default_value = "fsync")]
    durability: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Writes the tables `nodes` and `links` as Parquet files.
    Graph,
    /// Milepost makes the state a checkpoint each round, in a new store.
    Checkpoint,
    /// Plain DataFusion writes it to a Parquet file each round and reads it back.
    Parquet,
}

#[derive(Clone, Copy, ValueEnum)]
enum Loop {
    Pagerank,
    Components,
}

impl Loop {
    /// The query of a part: `first` makes the state, `round` the next one.
    fn sql(self, part: &str) -> Result<String> {
        let looped = match self {
            Self::Pagerank => "pagerank",
            Self::Components => "components",
        };
        query(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("sql/{looped}_{part}.sql")))
    }

    /// A query whose answer tells a right last state from a wrong one.
    fn check(self) -> String {
        let column = match self {
            Self::Pagerank => "rank",
            Self::Components => "component",
        };
        format!("SELECT sum({column} * (node % 7 + 1)) FROM state")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.mode {
        Mode::Graph => graph(&arguments).await,
        Mode::Checkpoint => print(checkpoint(&arguments).await?),
        Mode::Parquet => print(parquet(&arguments).await?),
    }
}

struct Measured {
    rounds: Vec<f64>,
    planning: Vec<f64>,
    check: String,
}

fn print(measured: Measured) -> Result<()> {
    let Measured { rounds, planning, check } = measured;
    println!("{{\"ms\": {rounds:?}, \"planning\": {planning:?}, \"check\": {check}}}");
    Ok(())
}

/// A graph by arithmetic: the targets lean towards small numbers, so some nodes are popular and some have no links in.
async fn graph(arguments: &Arguments) -> Result<()> {
    let (context, nodes) = (SessionContext::new(), arguments.nodes);
    let links = format!(
        "WITH edges AS (
             SELECT DISTINCT (i * 7919) % {nodes} AS source,
                    ((i * 104729) % {nodes}) * ((i * 1299709) % {nodes}) / {nodes} AS target
             FROM range(0, {edges}) AS t(i)
         )
         SELECT source, target, CAST(1.0 AS DOUBLE) / count(*) OVER (PARTITION BY source) AS weight FROM edges",
        edges = arguments.edges
    );
    for (table, sql) in
        [("nodes", format!("SELECT i AS node FROM range(0, {nodes}) AS t(i)")), ("links", links)]
    {
        let folder = format!("{}/{table}/", arguments.out.display());
        context.sql(&sql).await?.write_parquet(&folder, DataFrameWriteOptions::new(), None).await?;
    }
    Ok(())
}

async fn register(context: &SessionContext, graph: &Path) -> Result<()> {
    for table in ["nodes", "links"] {
        let folder = format!("{}/", graph.join(table).display());
        context.register_parquet(table, folder, ParquetReadOptions::default()).await?;
    }
    Ok(())
}

async fn checkpoint(arguments: &Arguments) -> Result<Measured> {
    let session = open(&arguments.out).await?;
    register(session.context(), &arguments.graph).await?;
    run(&session, &format!("SET milepost.durability = '{}'", arguments.durability)).await?;
    run(&session, &format!("CHECKPOINT state AS {}", arguments.looped.sql("first")?)).await?;
    let round = arguments.looped.sql("round")?;
    let (mut rounds, mut planning) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let began = Instant::now();
        session.sql(&round).await?.create_physical_plan().await?;
        planning.push(milliseconds(began));
        let began = Instant::now();
        run(&session, &format!("CHECKPOINT state AS {round}")).await?;
        rounds.push(milliseconds(began));
    }
    let check = check(&session.sql(&arguments.looped.check()).await?.collect().await?)?;
    Ok(Measured { rounds, planning, check })
}

async fn run(session: &Session, sql: &str) -> Result<()> {
    session.sql(sql).await?.collect().await?;
    Ok(())
}

async fn parquet(arguments: &Arguments) -> Result<Measured> {
    let context = SessionContext::new_with_config(config());
    register(&context, &arguments.graph).await?;
    let (first, round) = (arguments.looped.sql("first")?, arguments.looped.sql("round")?);
    keep(&context, &first, &arguments.out, 0).await?;
    let (mut rounds, mut planning) = (Vec::new(), Vec::new());
    for number in 1..=arguments.rounds {
        let began = Instant::now();
        context.sql(&round).await?.create_physical_plan().await?;
        planning.push(milliseconds(began));
        let began = Instant::now();
        keep(&context, &round, &arguments.out, number).await?;
        rounds.push(milliseconds(began));
    }
    let check = check(&context.sql(&arguments.looped.check()).await?.collect().await?)?;
    Ok(Measured { rounds, planning, check })
}

/// Writes the state of a round aside and reads on from there.
async fn keep(context: &SessionContext, sql: &str, out: &Path, round: usize) -> Result<()> {
    let folder = format!("{}/{round}/", out.display());
    context.sql(sql).await?.write_parquet(&folder, DataFrameWriteOptions::new(), None).await?;
    context.deregister_table("state")?;
    context.register_parquet("state", &folder, ParquetReadOptions::default()).await
}

fn check(batches: &[datafusion::arrow::array::RecordBatch]) -> Result<String> {
    let first = batches
        .first()
        .ok_or_else(|| DataFusionError::Execution("the last state cannot be read".to_string()))?;
    Ok(array_value_to_string(first.column(0), 0)?)
}
