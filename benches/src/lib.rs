//! What the benchmarks share: data that is generated once, and medians.

use std::path::PathBuf;
use std::time::Duration;

use datafusion::error::Result;
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

/// The middle of several times.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
