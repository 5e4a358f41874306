//! PageRank, a checkpoint each round: the plan of a round is always the same size, so planning never slows down, and a
//! program that dies goes on from the last round that was committed, which stands in the ranks themselves.
//!
//! ```sh
//! cargo run --release --example pagerank -- [nodes] [edges] [rounds]
//! ```
//!
//! With `MILEPOST_STORE` set, ranks are kept there, and the next run goes on with them; otherwise in a temporary folder.

use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::error::{DataFusionError, Result};
use milepost::{CheckpointExt, CheckpointName, Session};

/// A graph by arithmetic: the targets lean towards small numbers, so some nodes are popular and some have no links in.
fn links_sql(nodes: usize, edges: usize) -> String {
    format!(
        "WITH edges AS (
             SELECT DISTINCT (i * 7919) % {nodes} AS source,
                    ((i * 104729) % {nodes}) * ((i * 1299709) % {nodes}) / {nodes} AS target
             FROM range(0, {edges}) AS t(i)
         )
         SELECT source, target, 1.0 / count(*) OVER (PARTITION BY source) AS weight FROM edges"
    )
}

/// Ranks before the first round.
fn first_sql(nodes: usize) -> String {
    format!(
        "SELECT i AS node, CAST(0 AS BIGINT) AS round, 1.0 / {nodes} AS rank FROM range(0, {nodes}) AS t(i)"
    )
}

/// One round: each node passes its rank on in equal shares.
fn round_sql(nodes: usize, links: &str, ranks: &str) -> String {
    format!(
        "SELECT n.node, n.round + 1 AS round, 0.15 / {nodes} + 0.85 * coalesce(r.received, 0.0) AS rank
         FROM (SELECT node, round FROM {ranks}) AS n
         LEFT JOIN (
             SELECT l.target, sum(k.rank * l.weight) AS received
             FROM {links} AS l JOIN {ranks} AS k ON l.source = k.node
             GROUP BY l.target
         ) AS r ON n.node = r.target"
    )
}

/// The last round that is stored; `None` if nothing is.
async fn last_round(session: &Session, ranks: &str) -> Result<Option<i64>> {
    let name = CheckpointName::parse(ranks).map_err(milepost::Error::from)?;
    if session.store().newest(&name).await.map_err(milepost::Error::from)?.is_none() {
        return Ok(None);
    }
    let rows = session.sql(&format!("SELECT max(round) FROM {ranks}")).await?.collect().await?;
    Ok(rows.first().map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0)))
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Some(default), |text| text.parse().ok());
    let (Some(nodes), Some(edges), Some(rounds)) = (number(10_000), number(200_000), number(50)) else {
        return Err(DataFusionError::Execution("usage: pagerank [nodes] [edges] [rounds]".to_string()));
    };
    let folder = tempfile::tempdir()?;
    let store =
        std::env::var("MILEPOST_STORE").unwrap_or_else(|_| folder.path().to_string_lossy().into_owned());
    let session = Session::open(&store).await?;

    // Another graph has other ranks.
    let (links, ranks) = (format!("links_{nodes}_{edges}"), format!("ranks_{nodes}_{edges}"));
    session.sql(&links_sql(nodes, edges)).await?.checkpoint(&links).await?;
    let done = match last_round(&session, &ranks).await? {
        Some(round) => round,
        None => {
            session.sql(&first_sql(nodes)).await?.checkpoint(&ranks).await?;
            0
        }
    };
    let done = usize::try_from(done).unwrap_or(0);
    if done > 0 {
        println!("going on after round {done}");
    }

    println!("round   plan ms  total ms");
    let mut planning = Vec::with_capacity(rounds);
    for round in done + 1..=rounds {
        let started = Instant::now();
        let step = session.sql(&round_sql(nodes, &links, &ranks)).await?;
        step.clone().create_physical_plan().await?;
        let planned = started.elapsed();
        step.checkpoint(&ranks).await?;
        planning.push(planned);
        println!("{round:>5}  {:>8.1}  {:>8.1}", millis(planned), millis(started.elapsed()));
    }
    if let [_, second, .., last] = planning.as_slice() {
        println!("planning, last round against the second: {:.2}", last.as_secs_f64() / second.as_secs_f64());
    }
    let best = format!("SELECT node, round(rank, 6) AS rank FROM {ranks} ORDER BY rank DESC, node LIMIT 5");
    session.sql(&best).await?.show().await?;
    session.sql(&format!("SELECT round(sum(rank), 3) AS all_ranks FROM {ranks}")).await?.show().await
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
