//! Why a loop ended.

use std::path::PathBuf;

use milepost_store::Error;

/// Why a script did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The store refused, with an error of its own.
    #[error(transparent)]
    Store(#[from] Error),

    /// The store broke a promise.
    #[error("{0}")]
    Broken(String),

    /// A file of the test itself could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },

    /// A case failed; the command runs it alone.
    #[error("{case}: {source}\n  again: {command}")]
    Case {
        /// Which.
        case: String,
        /// How to run it alone.
        command: String,
        /// Why.
        source: Box<Self>,
    },
}

impl Failure {
    pub(crate) fn broken<T>(text: impl Into<String>) -> Result<T, Self> {
        Err(Self::Broken(text.into()))
    }

    /// What became of a file or directory.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }

    /// A case of a seed of the loop of this name.
    pub(crate) fn case(self, case: impl Into<String>, name: &str, seed: u64) -> Self {
        let command = format!("milepost-testkit soak --only {name} --seed {seed}");
        Self::Case { case: case.into(), command, source: Box::new(self) }
    }

    /// Whether a store whose requests fail may say so. Damage and broken invariants it must not have.
    #[must_use]
    pub const fn is_expected(&self) -> bool {
        match self {
            Self::Store(error) => {
                !error.is_damage() && !matches!(error, Error::Invariant { .. } | Error::StoreNotSafe { .. })
            }
            _ => false,
        }
    }
}
