//! Committing: judge by the log, append, and judge again after every lost race.

mod abandon;
mod judge;
mod prepare;
mod publish;
pub(crate) mod view;

use async_trait::async_trait;

use crate::error::{Cause, Error};
use crate::ids::Version;
use crate::manifest::Manifest;
use crate::snapshot::Snapshot;

/// What an attempt wants to commit.
#[derive(Clone, Debug)]
pub struct CommitDraft {
    /// What the snapshot is.
    pub manifest: Manifest,
    /// The version that this one is to replace: nothing up to it counts as the result that was asked for.
    pub replaces: Option<Version>,
}

/// A source is not what it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source {source_name} changed: {what}")]
pub struct SourceChanged {
    /// The source, as the query names it.
    pub source_name: String,
    /// What changed.
    pub what: String,
}

/// Looks at the world outside the store, again before every append.
#[async_trait]
pub trait CommitJudge: Send + Sync {
    /// The source that changed or vanished since it was read, if one did. Files that were merely added are no change.
    ///
    /// # Errors
    /// It cannot be told: the sources did not answer.
    async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause>;

    /// Whether the driver of a job, for which the commit is, has been fenced: another one has taken the job over. To be told from
    /// what is in the job's log now.
    ///
    /// # Errors
    /// The job's log cannot be read.
    async fn is_fenced(&self) -> Result<bool, Error> {
        Ok(false)
    }
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "another writer's snapshot may be the result, or none"]
pub enum CommitOutcome {
    /// The snapshot is committed.
    Committed(Snapshot),
    /// Another committed the same signature with the same columns meanwhile: that is the result.
    Adopted(Snapshot),
    /// The same step of the same run, or this very attempt, had committed before: that is the result.
    AlreadyCommitted(Snapshot),
    /// Everything was dropped meanwhile, or the attempt had been given up by its own writer. One that somebody else closed
    /// is an error: [`crate::Error::AttemptClosed`].
    Closed,
    /// The state that this one builds on is no longer the newest.
    Superseded {
        /// What is the newest now.
        newest: Option<Version>,
    },
}
