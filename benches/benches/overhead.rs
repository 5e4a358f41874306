//! What Milepost adds to DataFusion when no checkpoint is in sight: the 22 TPC-H queries in both, interleaved.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench overhead -- [scale] [rounds]
//! ```
//!
//! Prints the median time of each query over the same files, and the ratio of the sums, in
//! - plain DataFusion, which lists a folder once and never again, so that it does not see new files;
//! - plain DataFusion that lists folders afresh for each query, as a Milepost session does by default;
//! - a Milepost session.
//!
//! The second ratio is what Milepost itself costs, the first one adds what fresh listings cost. Data is generated once, in
//! the temporary folder.

use std::time::{Duration, Instant};

use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
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
    let engines =
        [Engine::Plain(SessionContext::new()), Engine::Plain(listing_afresh()?), Engine::milepost().await?];
    for engine in &engines {
        register(engine.context(), &data).await?;
    }

    println!("TPC-H scale {scale}, {rounds} rounds, interleaved; medians in ms");
    println!("query  datafusion  listing afresh  milepost  to the first  to the second");
    let mut sums = [Duration::ZERO; 3];
    for (name, sql) in QUERIES {
        let medians = measure(&engines, sql, rounds).await?;
        println!("{name}  {}", line(medians));
        sums.iter_mut().zip(medians).for_each(|(sum, median)| *sum += median);
    }
    println!("all  {}", line(sums));
    Ok(())
}

enum Engine {
    Plain(SessionContext),
    Milepost(Session),
}

impl Engine {
    async fn milepost() -> Result<Self> {
        Ok(Self::Milepost(Session::open("memory://").await?))
    }

    fn context(&self) -> &SessionContext {
        match self {
            Self::Plain(context) => context,
            Self::Milepost(session) => session.context(),
        }
    }

    async fn run(&self, sql: &str) -> Result<Duration> {
        let started = Instant::now();
        let frame = match self {
            Self::Plain(context) => context.sql(sql).await?,
            Self::Milepost(session) => session.sql(sql).await?,
        };
        frame.collect().await?;
        Ok(started.elapsed())
    }
}

/// DataFusion without its cache of listings.
fn listing_afresh() -> Result<SessionContext> {
    let runtime = RuntimeEnvBuilder::new().with_object_list_cache_limit(0).build_arc()?;
    Ok(SessionContext::new_with_config_rt(SessionConfig::new(), runtime))
}

/// Who runs later finds warmer caches, so they take turns.
async fn measure(engines: &[Engine; 3], sql: &str, rounds: usize) -> Result<[Duration; 3]> {
    let mut times = [const { Vec::new() }; 3];
    for engine in engines {
        engine.run(sql).await?;
    }
    for round in 0..rounds {
        for turn in 0..3 {
            let at = (round + turn) % 3;
            times[at].push(engines[at].run(sql).await?);
        }
    }
    Ok(times.map(|mut times| median(&mut times)))
}

fn line([plain, afresh, ours]: [Duration; 3]) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    format!(
        "{:>12.2}  {:>14.2}  {:>8.2}  {:>12.3}  {:>13.3}",
        ms(plain),
        ms(afresh),
        ms(ours),
        ms(ours) / ms(plain),
        ms(ours) / ms(afresh)
    )
}
