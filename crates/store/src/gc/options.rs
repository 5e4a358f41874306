//! How garbage is collected.

use std::time::Duration;

use crate::ids::CheckpointName;

/// How garbage is collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// Whether to only say what would be done. Default: no.
    ///
    /// Such a run appends and deletes nothing. To learn the store's time it writes one small object and removes it.
    pub dry_run: bool,
    /// How long files stay after the drops that freed them, so that whoever reads them can end; and the age before
    /// which no version is dropped. Default: 24 hours. Zero is safe only while nobody reads.
    pub grace: Duration,
    /// How long an attempt must be without a sign of life before it is taken for dead. One whose owner's process is seen to
    /// live on this host is never. Default: 15 minutes.
    pub death: Duration,
    /// How many versions are kept of a checkpoint that does not say so itself; at least one. `None`: all. Default: 2.
    pub keep_versions: Option<u32>,
    /// The age at which versions that do not say so themselves are dropped, also the newest. Default: none.
    pub ttl: Option<Duration>,
    /// The checkpoints to look at. `None`: all, and what lies beside them. Default: all.
    pub checkpoints: Option<Vec<CheckpointName>>,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            grace: Duration::from_secs(24 * 60 * 60),
            death: Duration::from_secs(15 * 60),
            keep_versions: Some(2),
            ttl: None,
            checkpoints: None,
        }
    }
}

impl GcOptions {
    /// The defaults, as a dry run.
    #[must_use]
    pub fn dry() -> Self {
        Self { dry_run: true, ..Self::default() }
    }
}
