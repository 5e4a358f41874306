//! Whose an attempt or a run is.

use serde::{Deserialize, Serialize};

/// The process that owns an attempt or drives a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its host.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// The run that it is in.
    pub run: String,
}

impl Owner {
    /// This process, in a run.
    #[must_use]
    pub fn here(run: &str) -> Self {
        Self { host: host(), pid: std::process::id(), run: run.to_owned() }
    }

    /// Whether both are on one host, so that its locks tell about either. A host without a name is no other's.
    #[must_use]
    pub fn same_host(&self, other: &Self) -> bool {
        !self.host.is_empty() && self.host == other.host
    }
}

/// The name of this host; empty if it has none.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_name_are_not_the_same() {
        let on = |host: &str| Owner { host: host.to_owned(), pid: 1, run: String::new() };
        assert!(on("a").same_host(&on("a")));
        assert!(!on("a").same_host(&on("b")));
        assert!(!on("").same_host(&on("")));
        assert_eq!(Owner::here("r").pid, std::process::id());
    }
}
