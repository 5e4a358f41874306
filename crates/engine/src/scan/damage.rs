//! What is said of a snapshot whose bytes are not those that were written: which checkpoint and version, which file, what is
//! wrong with it, and what to do next.

use milepost_store::{CheckpointName, Error as StoreError, Snapshot};

use crate::config::OnDamage;
use crate::context::Home;
use crate::error::Error;

/// How a query came to read a snapshot, on which depends what helps when it is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBy {
    /// By the name of its checkpoint.
    Name,
    /// Through the query that makes it: an inline checkpoint, or a DataFrame that is one.
    Query,
    /// By the number of its version.
    Version,
}

/// Whose files are read.
#[derive(Debug)]
pub(super) enum FilesOf {
    /// A committed snapshot's.
    Snapshot { snapshot: Box<Snapshot>, by: ReadBy, on_damage: OnDamage },
    /// Those that units have written, and nobody has committed yet.
    Units(CheckpointName),
}

impl FilesOf {
    /// Whose files they are.
    pub(super) fn name(&self) -> &CheckpointName {
        match self {
            Self::Snapshot { snapshot, .. } => &snapshot.name,
            Self::Units(name) => name,
        }
    }

    /// What a store's error means to whoever reads these files. Damage of a snapshot is remembered.
    pub(super) fn blame(&self, home: &Home, error: StoreError) -> Error {
        match self {
            Self::Snapshot { snapshot, by, on_damage } => damaged(home, snapshot, *by, *on_damage, error),
            Self::Units(name) if error.is_damage() => {
                Error::DamagedUnit { name: name.to_string(), what: what(&error), source: Box::new(error) }
            }
            Self::Units(_) => error.into(),
        }
    }
}

/// What a store's error means to whoever reads a snapshot. Damage is remembered: the snapshot is not trusted again before
/// it was read whole.
pub(crate) fn damaged(
    home: &Home,
    snapshot: &Snapshot,
    by: ReadBy,
    on_damage: OnDamage,
    error: StoreError,
) -> Error {
    if !error.is_damage() {
        return error.into();
    }
    home.suspect(snapshot);
    let again = on_damage == OnDamage::Recompute && can_be_made(snapshot, by);
    Error::DamagedSnapshot {
        name: snapshot.name.to_string(),
        version: snapshot.version.0,
        what: what(&error),
        next: next(snapshot, by, again),
        again,
        source: Box::new(error),
    }
}

/// Whether a statement that reads it can compute it again. One that was made from its own earlier version cannot be, for
/// that is not what its definition would read now.
fn can_be_made(snapshot: &Snapshot, by: ReadBy) -> bool {
    let manifest = &snapshot.manifest;
    match by {
        ReadBy::Name => manifest.definition.is_some() && manifest.read_version.is_none(),
        ReadBy::Query => true,
        ReadBy::Version => false,
    }
}

fn what(error: &StoreError) -> String {
    match error {
        StoreError::Damaged { object, expected, found } => {
            format!("{object}: expected {expected}, found {found}")
        }
        other => other.to_string(),
    }
}

fn next(snapshot: &Snapshot, by: ReadBy, again: bool) -> String {
    let (name, version) = (&snapshot.name, snapshot.version);
    if again {
        return "run the statement again in this session, or elsewhere after SET milepost.verify_reads = true, and the \
                snapshot is computed anew"
            .to_string();
    }
    let restore = "put the file back from a backup";
    match by {
        ReadBy::Version => {
            format!("{restore}, or give the version up with DROP CHECKPOINT {name} VERSION {version}")
        }
        _ if snapshot.manifest.read_version.is_some() => format!(
            "{restore}, or go back to the version before it with DROP CHECKPOINT {name} VERSION {version}"
        ),
        _ if snapshot.manifest.definition.is_some() => {
            format!("{restore}, or compute it again with REFRESH CHECKPOINT {name} FORCE")
        }
        _ => format!("{restore}, or run what made it again after SET milepost.on_damage = 'recompute'"),
    }
}
