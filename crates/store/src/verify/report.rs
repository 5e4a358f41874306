//! What is verified, and what was found.

use std::fmt;

use super::Progress;
use crate::ids::{CheckpointName, Version};

/// What is verified.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The checkpoint. Default: all, and the logs of jobs.
    pub name: Option<CheckpointName>,
    /// The version whose files are read; logs are read in any case. Default: all that are there.
    pub version: Option<Version>,
    /// Is told how far the verification is. Default: nobody.
    pub progress: Option<Progress>,
}

/// What was verified, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Everything that is not what was written.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub checked: Checked,
    /// Bytes that were read.
    pub bytes_read: u64,
}

/// How many objects were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Checkpoints with a log.
    pub checkpoints: u64,
    /// Log entries.
    pub entries: u64,
    /// Snapshots that are there.
    pub snapshots: u64,
    /// Side files of their manifests.
    pub side_files: u64,
    /// Records of the attempts that wrote them.
    pub attempts: u64,
    /// Receipts of their units.
    pub receipts: u64,
    /// Data files.
    pub data_files: u64,
    /// Index hints.
    pub hints: u64,
    /// Jobs with a log. Its entries are counted with those of checkpoints.
    pub jobs: u64,
}

/// One object that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its path in the object store.
    pub object: String,
    /// What is the matter with it.
    pub what: Damage,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// The checkpoint that it belongs to.
    pub checkpoint: Option<CheckpointName>,
    /// The versions that cannot be relied on because of it.
    pub versions: Vec<Version>,
}

/// What can be the matter with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Damage {
    /// It is not there.
    Missing,
    /// Its end is not there.
    Short,
    /// It is longer than it was.
    Long,
    /// Some of its bytes are others.
    Flipped,
    /// It is whole, but something else belongs there.
    Foreign,
    /// A newer program wrote it: this one cannot say.
    Newer,
    /// It is whole, but what comes after it in the log was written after something else.
    OutOfChain,
    /// It is whole, but says something else than another object says of it.
    Disagrees,
    /// It could not be read. It may be whole.
    Unreadable,
    /// A hint that leads nowhere. This harms nobody, and garbage collection removes it.
    Stale,
}

impl Damage {
    /// Whether nothing can come of it.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::Stale)
    }
}

impl VerifyReport {
    /// Whether everything that was looked at can be relied on.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged() == 0
    }

    /// How many objects cannot be relied on.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.what.is_harmless()).count()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Short => "short",
            Self::Long => "long",
            Self::Flipped => "flipped",
            Self::Foreign => "foreign",
            Self::Newer => "newer",
            Self::OutOfChain => "out of chain",
            Self::Disagrees => "disagrees",
            Self::Unreadable => "unreadable",
            Self::Stale => "stale",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: expected {}, found {}", self.object, self.what, self.expected, self.found)
    }
}
