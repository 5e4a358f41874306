//! What the benchmarks share: data that is generated once, queries from files, times.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datafusion::error::Result;
use datafusion::execution::config::SessionConfig;
use milepost::Session;
use milepost_tests::tpch::write_tables;

/// The folder of TPC-H tables at `scale`, generated into the temporary folder when it is not there yet.
///
/// # Errors
/// A folder that cannot be written.
pub fn tpch(scale: f64) -> Result<PathBuf> {
    let data = std::env::temp_dir().join(format!("milepost-bench-tpch-{scale}"));
    let complete = data.join("complete");
    if !complete.exists() {
        eprintln!("generating TPC-H at scale {scale} in {}", data.display());
        write_tables(&data, scale, 2)?;
        std::fs::write(complete, "")?;
    }
    Ok(data)
}

/// A session's configuration with as many partitions as the runtime has threads: `TOKIO_WORKER_THREADS`, or the machine's.
#[must_use]
pub fn config() -> SessionConfig {
    let threads = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|threads| threads.parse().ok());
    threads.map_or_else(SessionConfig::new, |threads| SessionConfig::new().with_target_partitions(threads))
}

/// A session of that configuration on a store in a folder.
///
/// # Errors
/// A store that cannot be opened.
pub async fn open(store: &Path) -> Result<Session> {
    Ok(Session::builder().with_config(config()).with_store_url(&store.display().to_string()).build().await?)
}

/// The middle of several times.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A query from a file, without its lines of comment, so that it can stand in parentheses.
///
/// # Errors
/// A file that cannot be read.
pub fn query(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"))
}

/// The milliseconds since then.
pub fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}
