//! Where every object of a store lies. This is the only place that forms object paths.

use object_store::path::Path;

use crate::ids::{AttemptId, CheckpointName, Signature, Slot, UnitNumber, Version};

/// Prefix of the temporary files of the durable local file system. Listings hide them.
pub const TEMP_PREFIX: &str = ".milepost-tmp-";

const ENTRY_DIGITS: usize = 20;

/// Forms the paths of one store below its root.
#[derive(Clone, Debug)]
pub struct Layout {
    root: Path,
}

impl Layout {
    /// The layout of a store at `root` of its object store.
    #[must_use]
    pub const fn new(root: Path) -> Self {
        Self { root }
    }

    /// The store's root.
    #[must_use]
    pub const fn root(&self) -> &Path {
        &self.root
    }

    /// Store id, format version and required features.
    #[must_use]
    pub fn identity(&self) -> Path {
        self.root.clone().join("milepost.json")
    }

    /// A key for the probe of create-if-absent.
    #[must_use]
    pub fn probe(&self, id: ulid::Ulid) -> Path {
        self.root.clone().join("probes").join(id.to_string())
    }

    /// The directory of all checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> Path {
        self.root.clone().join("checkpoints")
    }

    /// The directory of one checkpoint.
    #[must_use]
    pub fn checkpoint(&self, name: &CheckpointName) -> Path {
        self.checkpoints().join(name.as_str())
    }

    /// The directory of a checkpoint's log.
    #[must_use]
    pub fn log(&self, name: &CheckpointName) -> Path {
        self.checkpoint(name).join("log")
    }

    /// The overwritten hint where to start looking in a checkpoint's log.
    #[must_use]
    pub fn tail(&self, name: &CheckpointName) -> Path {
        self.checkpoint(name).join("tail")
    }

    /// The directory of all attempts of a checkpoint.
    #[must_use]
    pub fn attempts(&self, name: &CheckpointName) -> Path {
        self.checkpoint(name).join("attempts")
    }

    /// The directory of one attempt.
    #[must_use]
    pub fn attempt(&self, name: &CheckpointName, id: AttemptId) -> Path {
        self.attempts(name).join(id.to_string())
    }

    /// The record that an attempt began.
    #[must_use]
    pub fn attempt_record(&self, name: &CheckpointName, id: AttemptId) -> Path {
        self.attempt(name, id).join("attempt.json")
    }

    /// The overwritten sign of life of an attempt.
    #[must_use]
    pub fn heartbeat(&self, name: &CheckpointName, id: AttemptId) -> Path {
        self.attempt(name, id).join("heartbeat")
    }

    /// The receipt of a unit.
    #[must_use]
    pub fn receipt(&self, name: &CheckpointName, id: AttemptId, unit: UnitNumber) -> Path {
        self.attempt(name, id).join(format!("unit-{:05}.json", unit.0))
    }

    /// An object of a checkpoint by its path relative to the checkpoint's directory.
    #[must_use]
    pub fn relative(&self, name: &CheckpointName, relative: &str) -> Path {
        relative.split('/').fold(self.checkpoint(name), |path, part| path.join(part))
    }

    /// The directory of the index hints of one signature.
    #[must_use]
    pub fn index(&self, signature: &Signature) -> Path {
        self.root.clone().join("index").join(signature.hex())
    }

    /// One index hint.
    #[must_use]
    pub fn index_hint(&self, signature: &Signature, name: &CheckpointName, version: Version) -> Path {
        self.index(signature).join(format!("{name}@{version}"))
    }
}

/// The path of a new data file of a unit, relative to the checkpoint's directory.
#[must_use]
pub fn unit_file(attempt: AttemptId, unit: UnitNumber, id: ulid::Ulid) -> String {
    format!("attempts/{attempt}/unit-{:05}-{id}.parquet", unit.0)
}

/// The path of a new side file of a manifest, relative to the checkpoint's directory.
#[must_use]
pub fn side_file(attempt: AttemptId, kind: &str, id: ulid::Ulid) -> String {
    format!("attempts/{attempt}/{kind}-{id}.parquet")
}

/// The attempt that owns an object, by its path relative to the checkpoint's directory.
///
/// `None` if the path is not that of an object directly below an attempt.
#[must_use]
pub fn owner_of(relative: &str) -> Option<AttemptId> {
    let mut parts = relative.split('/');
    let (attempts, attempt, file) = (parts.next()?, parts.next()?, parts.next()?);
    let plain =
        attempts == "attempts" && !file.is_empty() && !file.starts_with('.') && parts.next().is_none();
    let id = ulid::Ulid::from_string(attempt).ok()?;
    // Lower-case and other spellings of one ulid would be other objects.
    (plain && id.to_string() == attempt).then_some(AttemptId(id))
}

/// The object name of a log slot: twenty digits, so that names sort like numbers.
#[must_use]
pub fn entry_name(slot: Slot) -> String {
    format!("{:0width$}.json", slot.0, width = ENTRY_DIGITS)
}

/// The slot that an object name stands for; `None` if it is not a log entry's name.
#[must_use]
pub fn parse_entry_name(name: &str) -> Option<Slot> {
    let digits = name.strip_suffix(".json")?;
    if digits.len() != ENTRY_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Slot)
}

/// The checkpoint and version that an index hint's name stands for.
#[must_use]
pub fn parse_index_hint(name: &str) -> Option<(CheckpointName, Version)> {
    let (name, version) = name.split_once('@')?;
    Some((CheckpointName::parse(name).ok()?, Version(version.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_names_sort_like_their_slots() {
        let names: Vec<_> = [0, 9, 10, 99, 100, u64::MAX].map(|n| entry_name(Slot(n))).to_vec();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(names, sorted);
        assert!(names.iter().all(|name| parse_entry_name(name).is_some()));
        for foreign in ["1.json", "00000000000000000001.json.bak", "0000000000000000000x.json", "x"] {
            assert_eq!(parse_entry_name(foreign), None);
        }
    }

    #[test]
    fn only_plain_paths_below_an_attempt_have_an_owner() {
        let id = AttemptId(ulid::Ulid::from_parts(1 << 40, 0xFFFF));
        assert_eq!(owner_of(&unit_file(id, UnitNumber(7), ulid::Ulid::from_parts(3, 4))), Some(id));
        for bad in [
            "attempts/x/unit.parquet".to_owned(),
            format!("attempts/{id}"),
            format!("attempts/{id}/"),
            format!("attempts/{id}/a/b"),
            format!("../other/attempts/{id}/a"),
            format!("attempts/{}/a", id.to_string().to_lowercase()),
            format!("attempts/{id}/.."),
        ] {
            assert_eq!(owner_of(&bad), None, "{bad}");
        }
    }
}
