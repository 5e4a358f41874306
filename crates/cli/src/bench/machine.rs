//! The machine that a benchmark ran on. What the system does not tell is left out.

use std::fs;

use serde::Serialize;

/// What a reader needs to know to judge the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    /// Operating system and processor, as Rust names them.
    pub(super) os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kernel: Option<String>,
    /// The processor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) processor: Option<String>,
    /// Cores that the program may use.
    pub(super) cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_bytes: Option<u64>,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        Self {
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_string()),
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes("/proc/meminfo", "MemTotal"),
        }
    }
}

/// The most memory that this process had at once, in bytes, where the system tells.
pub(super) fn peak_memory() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM")
}

fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let value = field(file, key)?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// The first `key: value` of a file.
fn field(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_string())
}
