//! What the entries of a checkpoint's log say.

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, Signature, Slot, Version};
use crate::manifest::{Manifest, Origin, StoredManifest};

/// How many commits a state remembers by their origin, dropped ones counted.
const RECENT_COMMITS: usize = 64;

/// What happened to a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckpointEntry {
    /// A snapshot became the newest.
    Commit {
        /// Its version.
        version: Version,
        /// The attempt that wrote it.
        attempt: AttemptId,
        /// What it is.
        manifest: Box<Manifest>,
    },
    /// A snapshot is no longer there.
    Drop {
        /// Its version.
        version: Version,
    },
    /// No snapshot is there any more, and every attempt that began before this is closed.
    DropAll,
    /// The attempt is closed: no later commit may name a file of it.
    Abandon {
        /// The closed attempt.
        attempt: AttemptId,
    },
}

/// An entry's body: what happened, and what is there after it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointRecord {
    /// What happened.
    pub entry: CheckpointEntry,
    /// What is there after it.
    pub state: LogState,
}

/// What is there after an entry, so that the newest entry alone tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogState {
    /// The snapshots that are there, oldest first.
    pub live: Vec<LiveVersion>,
    /// The last version ever given, dropped ones counted. 0: none yet.
    pub last_version: Version,
    /// The last 64 commits, oldest first, dropped ones counted.
    pub recent: Vec<RecentCommit>,
}

/// A snapshot that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveVersion {
    /// Its version.
    pub version: Version,
    /// The slot of its commit.
    pub slot: Slot,
    /// What was computed, and from what.
    pub signature: Signature,
    /// The attempt that wrote it.
    pub attempt: AttemptId,
    /// The step that wrote it.
    pub origin: Origin,
}

/// A commit, remembered by the step that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecentCommit {
    /// The step.
    pub origin: Origin,
    /// Its version.
    pub version: Version,
}

impl LogState {
    /// The newest snapshot that is there.
    #[must_use]
    pub fn newest(&self) -> Option<&LiveVersion> {
        self.live.last()
    }

    /// The snapshot with this version, if it is there.
    #[must_use]
    pub fn find(&self, version: Version) -> Option<&LiveVersion> {
        self.live.iter().find(|live| live.version == version)
    }

    /// The state after a commit.
    #[must_use]
    pub(crate) fn with_commit(&self, live: LiveVersion) -> Self {
        let mut state = self.clone();
        state.last_version = live.version;
        state.recent.push(RecentCommit { origin: live.origin.clone(), version: live.version });
        let excess = state.recent.len().saturating_sub(RECENT_COMMITS);
        state.recent.drain(..excess);
        state.live.push(live);
        state
    }

    /// The state after a drop of one version.
    #[must_use]
    pub(crate) fn without(&self, version: Version) -> Self {
        let mut state = self.clone();
        state.live.retain(|live| live.version != version);
        state
    }

    /// The state after a drop of all versions.
    #[must_use]
    pub(crate) fn without_all(&self) -> Self {
        Self { live: vec![], ..self.clone() }
    }
}

/// A [`CheckpointEntry`] as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredEntry {
    Commit { version: Version, attempt: AttemptId, manifest: Box<StoredManifest> },
    Drop { version: Version },
    DropAll,
    Abandon { attempt: AttemptId },
}

/// A [`CheckpointRecord`] as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredRecord {
    pub(crate) state: LogState,
    pub(crate) entry: StoredEntry,
}
