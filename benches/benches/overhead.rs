//! What Milepost adds to DataFusion when no checkpoint is in sight: the 22 TPC-H queries in both, interleaved.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench overhead -- [scale] [rounds]
//! ```
//!
//! Prints the median time of each query in plain DataFusion and in a Milepost session over the same files, and the ratio
//! of the sums. Data is generated once, in the temporary folder.

use std::time::{Duration, Instant};

use datafusion::error::Result;
use datafusion::prelude::*;
use milepost::Session;
use milepost_benches::{median, tpch};
use milepost_tests::tpch::{QUERIES, register};

#[tokio::main]
async fn main() -> Result<()> {
    let numbers: Vec<f64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let scale = numbers.first().copied().unwrap_or(0.1);
    let rounds = numbers.get(1).map_or(7, |rounds| *rounds as usize).max(3);
    let data = tpch(scale)?;
    let plain = SessionContext::new();
    let session = Session::open("memory://").await?;
    for context in [&plain, session.context()] {
        register(context, &data).await?;
    }

    println!("TPC-H scale {scale}, {rounds} rounds, interleaved; medians in ms");
    println!("query  datafusion  milepost  ratio");
    let (mut all_plain, mut all_ours) = (Duration::ZERO, Duration::ZERO);
    for (name, sql) in QUERIES {
        run_plain(&plain, sql).await?;
        run_ours(&session, sql).await?;
        let (mut in_plain, mut in_ours) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Whoever runs second finds warmer caches, so they take turns.
            if round % 2 == 0 {
                in_plain.push(run_plain(&plain, sql).await?);
                in_ours.push(run_ours(&session, sql).await?);
            } else {
                in_ours.push(run_ours(&session, sql).await?);
                in_plain.push(run_plain(&plain, sql).await?);
            }
        }
        let (in_plain, in_ours) = (median(&mut in_plain), median(&mut in_ours));
        println!("{name}    {:>10.1}  {:>8.1}  {:>5.3}", ms(in_plain), ms(in_ours), ratio(in_ours, in_plain));
        all_plain += in_plain;
        all_ours += in_ours;
    }
    println!("all    {:>10.1}  {:>8.1}  {:>5.3}", ms(all_plain), ms(all_ours), ratio(all_ours, all_plain));
    Ok(())
}

async fn run_plain(context: &SessionContext, sql: &str) -> Result<Duration> {
    let started = Instant::now();
    context.sql(sql).await?.collect().await?;
    Ok(started.elapsed())
}

async fn run_ours(session: &Session, sql: &str) -> Result<Duration> {
    let started = Instant::now();
    session.sql(sql).await?.collect().await?;
    Ok(started.elapsed())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
