//! A loop whose state is a checkpoint, in a process of its own: `benches/scripts/iterate.py` starts it.
//!
//! ```sh
//! iterate graph --out GRAPH [--nodes 100000] [--edges 2000000]
//! iterate checkpoint|parquet --graph GRAPH --loop pagerank|components --out PATH [--rounds 50] [--durability fsync|none]
//! ```
//!
//! - `graph` writes the tables `nodes` and `links` as Parquet files.
//! - `checkpoint`: Milepost makes the state a checkpoint each round, in the new store `--out`.
//! - `parquet`: plain DataFusion writes it to a Parquet file each round and reads it back.
//!
//! Prints one line of JSON: `ms` of each round, `planning` of each round, and `check`, a sum over the last state.

use std::path::{Path, PathBuf};
use std::time::Instant;

use datafusion::arrow::util::display::array_value_to_string;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::*;
use milepost::Session;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    match arguments.mode.as_str() {
        "graph" => graph(&arguments).await,
        "checkpoint" => print(checkpoint(&arguments).await?),
        "parquet" => print(parquet(&arguments).await?),
        other => Err(usage(format!("unknown mode {other}"))),
    }
}

struct Arguments {
    mode: String,
    graph: PathBuf,
    looped: String,
    out: PathBuf,
    rounds: usize,
    nodes: u64,
    edges: u64,
    durability: String,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mode = arguments.next().ok_or_else(|| usage("no mode".to_string()))?;
        let mut parsed = Self {
            mode,
            graph: PathBuf::new(),
            looped: String::new(),
            out: PathBuf::new(),
            rounds: 50,
            nodes: 100_000,
            edges: 2_000_000,
            durability: "fsync".to_string(),
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| usage(format!("{option} has no value")))?;
            let number = || value.parse().map_err(|_| usage(format!("{value} is no number")));
            match option.as_str() {
                "--graph" => parsed.graph = PathBuf::from(value),
                "--loop" => parsed.looped = value,
                "--out" => parsed.out = PathBuf::from(value),
                "--rounds" => parsed.rounds = number()? as usize,
                "--nodes" => parsed.nodes = number()?,
                "--edges" => parsed.edges = number()?,
                "--durability" => parsed.durability = value,
                other => return Err(usage(format!("unknown option {other}"))),
            }
        }
        Ok(parsed)
    }

    fn sql(&self, part: &str) -> Result<String> {
        let file = format!("{}/sql/{}_{part}.sql", env!("CARGO_MANIFEST_DIR"), self.looped);
        let text = std::fs::read_to_string(file)?;
        Ok(text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"))
    }
}

fn usage(what: String) -> DataFusionError {
    DataFusionError::Configuration(what)
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
    let session = Session::open(&arguments.out.display().to_string()).await?;
    register(session.context(), &arguments.graph).await?;
    run(&session, &format!("SET milepost.durability = '{}'", arguments.durability)).await?;
    run(&session, &format!("CHECKPOINT state AS {}", arguments.sql("first")?)).await?;
    let round = arguments.sql("round")?;
    let (mut rounds, mut planning) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let began = Instant::now();
        session.sql(&round).await?.create_physical_plan().await?;
        planning.push(milliseconds(began));
        let began = Instant::now();
        run(&session, &format!("CHECKPOINT state AS {round}")).await?;
        rounds.push(milliseconds(began));
    }
    let check = check(&session.sql(&check_sql(arguments)).await?.collect().await?)?;
    Ok(Measured { rounds, planning, check })
}

async fn run(session: &Session, sql: &str) -> Result<()> {
    session.sql(sql).await?.collect().await?;
    Ok(())
}

async fn parquet(arguments: &Arguments) -> Result<Measured> {
    let context = SessionContext::new();
    register(&context, &arguments.graph).await?;
    let (first, round) = (arguments.sql("first")?, arguments.sql("round")?);
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
    let check = check(&context.sql(&check_sql(arguments)).await?.collect().await?)?;
    Ok(Measured { rounds, planning, check })
}

/// Writes the state of a round aside and reads on from there.
async fn keep(context: &SessionContext, sql: &str, out: &Path, round: usize) -> Result<()> {
    let folder = format!("{}/{round}/", out.display());
    context.sql(sql).await?.write_parquet(&folder, DataFrameWriteOptions::new(), None).await?;
    context.deregister_table("state")?;
    context.register_parquet("state", &folder, ParquetReadOptions::default()).await
}

fn check_sql(arguments: &Arguments) -> String {
    let column = if arguments.looped == "pagerank" { "rank" } else { "component" };
    format!("SELECT sum({column} * (node % 7 + 1)) FROM state")
}

fn check(batches: &[datafusion::arrow::array::RecordBatch]) -> Result<String> {
    let first = batches.first().ok_or_else(|| usage("the last state cannot be read".to_string()))?;
    Ok(array_value_to_string(first.column(0), 0)?)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}
