//! What the entries of a job's log say. They hold hashes and never a statement's text, which may hold secrets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::state::JobState;
use crate::ids::{CheckpointName, Digest, Version};
use crate::sealed::EDITED_JOBS;

/// An entry's body: what happened, and where the job stands after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// What happened.
    pub entry: JobEntry,
    /// Where the job stands after it, so that the newest entry alone tells.
    pub state: JobState,
}

/// What happened to a job. Whose entry it is, and of which run, stands in the state beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEntry {
    /// A new run began.
    Run,
    /// Another driver took the unfinished run up.
    Takeover {
        /// The epoch of the driver before it, which is fenced from here on.
        from: Epoch,
    },
    /// A step that may commit a snapshot or have an effect outside of the store is about to run: if nothing follows, it may have
    /// run in part.
    StepBegin(BegunStep),
    /// The script was edited: what the run has recorded of this step and of those after it is of another text.
    Edit {
        /// The first step that is another one now, from 0.
        from: u64,
    },
    /// A step is finished.
    Step(StepRecord),
    /// The driver is through with the run.
    Finish {
        /// Whether the script came to its end.
        outcome: RunOutcome,
        /// Why not. The caller sees to it that it holds no secrets.
        error: Option<String>,
    },
}

impl JobEntry {
    /// What a reader must know beyond the format.
    pub(super) fn features(&self) -> Vec<String> {
        match self {
            Self::Edit { .. } => vec![EDITED_JOBS.to_owned()],
            Self::Run | Self::Takeover { .. } | Self::StepBegin(_) | Self::Step(_) | Self::Finish { .. } => {
                vec![]
            }
        }
    }
}

/// The number of a driver's turn. Each is larger than all before it in the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A step that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunStep {
    /// Its place in the script, from 0.
    pub index: u64,
    /// The hash of all statements up to it, and of the variables.
    pub identity: Digest,
    /// What it does.
    pub kind: StepKind,
}

/// A step that is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its place in the script, from 0.
    pub index: u64,
    /// The hash of all statements up to it, and of the variables.
    pub identity: Digest,
    /// What it does.
    pub kind: StepKind,
    /// What came of it.
    pub outcome: StepOutcome,
    /// The snapshot that it made or found, if that is what its statement is for.
    pub checkpoint: Option<SnapshotRef>,
    /// All snapshots that it made or found under their names, those inside of its query among them, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotRef>,
    /// What its checkpoints without a name were, in the order in which they were met. It may lie under any name, and tells nothing of
    /// what that name stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed: Vec<SnapshotRef>,
    /// The versions that names of checkpoints stood for in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<SnapshotRef>,
    /// Rows that it wrote or returned, if they were counted.
    pub rows: Option<u64>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// How long it would have taken besides without what was reused, in milliseconds.
    pub saved_ms: u64,
    /// Where the time of writing snapshots went; absent if none was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<StepTimes>,
}

/// Where the time of writing snapshots went, in milliseconds. Units run side by side, so that the sum may be more than the
/// step took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTimes {
    /// Computing rows.
    pub compute_ms: u64,
    /// Encoding, hashing and measuring them.
    pub encode_ms: u64,
    /// Sending bytes to the store.
    pub write_ms: u64,
    /// Ending files, which a local disk syncs, and recording that units are complete.
    pub sync_ms: u64,
    /// Judging and committing.
    pub commit_ms: u64,
}

/// What a step does, and so whether it is to be run again when the job is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It changes the session alone: run again each time.
    State,
    /// It returns rows.
    Query,
    /// It makes or finds a snapshot.
    Checkpoint,
    /// It writes rows outside of the store: COPY, INSERT.
    Sink,
    /// Any other effect that lasts.
    OtherEffect,
}

impl StepKind {
    /// The word for it in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Query => "query",
            Self::Checkpoint => "checkpoint",
            Self::Sink => "sink",
            Self::OtherEffect => "other",
        }
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It ran.
    Done,
    /// It wrote a snapshot.
    Written,
    /// It wrote a snapshot, in part from units that were complete before.
    Resumed,
    /// It found a fresh snapshot.
    Reused,
    /// It took over the snapshot that another writer committed meanwhile.
    Adopted,
}

impl StepOutcome {
    /// The word for it in result rows and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Written => "written",
            Self::Resumed => "resumed",
            Self::Reused => "reused",
            Self::Adopted => "adopted",
        }
    }
}

/// A snapshot by name and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRef {
    /// The checkpoint.
    pub checkpoint: CheckpointName,
    /// The version.
    pub version: Version,
}

/// How a driver leaves a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The script came to its end: the next start is a new run.
    Done,
    /// It did not: the next start goes on with this run.
    Failed,
}
