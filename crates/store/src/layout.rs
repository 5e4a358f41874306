//! Where every object of a store lies. This is the only place that forms object paths.

use object_store::path::Path;

use crate::ids::{AttemptId, CheckpointName, DriverId, Signature, Slot, UnitNumber, Version};
use crate::job::JobName;

/// Prefix of the temporary files of the durable local file system. Listings hide them.
pub const TEMP_PREFIX: &str = ".milepost-tmp-";

const IDENTITY: &str = "milepost.json";
const CHECKPOINTS: &str = "checkpoints";
const INDEX: &str = "index";
const JOBS: &str = "jobs";
const PROBES: &str = "probes";

const ENTRY_DIGITS: usize = 20;
const HEARTBEAT_PREFIX: &str = "heartbeat-";
const LOCK_PREFIX: &str = "lock-";

/// Whether an object says whose store it is in.
pub(crate) fn is_identity(object: &str) -> bool {
    object.rsplit('/').next() == Some(IDENTITY)
}

/// Whether a log, or an entry of one, is a job's and not a checkpoint's.
pub(crate) fn is_of_job(object: &str) -> bool {
    let parts: Vec<&str> = object.split('/').collect();
    let log = parts.iter().rposition(|part| *part == "log");
    log.and_then(|at| at.checked_sub(2)).is_some_and(|at| parts[at] == JOBS)
}

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
        self.root.clone().join(IDENTITY)
    }

    /// The directory of probes: small objects that are removed again at once.
    #[must_use]
    pub fn probes(&self) -> Path {
        self.root.clone().join(PROBES)
    }

    /// A key for a probe: of create-if-absent, or of the store's time.
    #[must_use]
    pub fn probe(&self, id: ulid::Ulid) -> Path {
        self.probes().join(id.to_string())
    }

    /// The directory of all checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> Path {
        self.root.clone().join(CHECKPOINTS)
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

    /// The file that an attempt's owner holds a lock on; on a local disk only.
    #[must_use]
    pub fn lock(&self, name: &CheckpointName, id: AttemptId) -> Path {
        self.attempt(name, id).join("lock")
    }

    /// The receipt of a unit.
    #[must_use]
    pub fn receipt(&self, name: &CheckpointName, id: AttemptId, unit: UnitNumber) -> Path {
        self.attempt(name, id).join(receipt_name(unit))
    }

    /// An object of a checkpoint by its path relative to the checkpoint's directory.
    #[must_use]
    pub fn relative(&self, name: &CheckpointName, relative: &str) -> Path {
        relative.split('/').fold(self.checkpoint(name), |path, part| path.join(part))
    }

    /// The directory of all index hints.
    #[must_use]
    pub fn indexes(&self) -> Path {
        self.root.clone().join(INDEX)
    }

    /// The directory of the index hints of one signature.
    #[must_use]
    pub fn index(&self, signature: &Signature) -> Path {
        self.indexes().join(signature.hex())
    }

    /// One index hint.
    #[must_use]
    pub fn index_hint(&self, signature: &Signature, name: &CheckpointName, version: Version) -> Path {
        self.index(signature).join(format!("{name}@{version}"))
    }

    /// The directory of all jobs.
    #[must_use]
    pub fn jobs(&self) -> Path {
        self.root.clone().join(JOBS)
    }

    /// The directory of one job.
    #[must_use]
    pub fn job(&self, name: &JobName) -> Path {
        self.jobs().join(name.as_str())
    }

    /// The directory of a job's log.
    #[must_use]
    pub fn job_log(&self, name: &JobName) -> Path {
        self.job(name).join("log")
    }

    /// The overwritten hint where to start looking in a job's log.
    #[must_use]
    pub fn job_tail(&self, name: &JobName) -> Path {
        self.job(name).join("tail")
    }

    /// The overwritten sign of life of a job's driver.
    #[must_use]
    pub fn driver_heartbeat(&self, name: &JobName, driver: DriverId) -> Path {
        self.job(name).join(format!("{HEARTBEAT_PREFIX}{driver}"))
    }

    /// The file that a job's driver holds a lock on; on a local disk only.
    #[must_use]
    pub fn driver_lock(&self, name: &JobName, driver: DriverId) -> Path {
        self.job(name).join(format!("{LOCK_PREFIX}{driver}"))
    }

    /// What an index hint says by its path; `None` for what is no hint.
    #[must_use]
    pub fn parse_hint(&self, location: &Path) -> Option<(Signature, CheckpointName, Version)> {
        let mut parts = location.prefix_match(&self.indexes())?;
        let signature = Signature::from_hex(parts.next()?.as_ref())?;
        let (name, version) = parse_index_hint(parts.next()?.as_ref())?;
        parts.next().is_none().then_some((signature, name, version))
    }
}

/// Whether a name in a store's root is one of ours.
pub(crate) fn is_in_root(name: &str) -> bool {
    [IDENTITY, CHECKPOINTS, INDEX, JOBS, PROBES].contains(&name)
}

fn receipt_name(unit: UnitNumber) -> String {
    format!("unit-{:05}.json", unit.0)
}

/// The unit that an object's name is the receipt of; `None` if it is no receipt's name.
#[must_use]
pub fn parse_receipt_name(name: &str) -> Option<UnitNumber> {
    parse_unit(name.strip_prefix("unit-")?.strip_suffix(".json")?)
}

/// The attempt that a directory below `attempts/` is; `None` if its name is not that of an attempt.
#[must_use]
pub fn parse_attempt_name(name: &str) -> Option<AttemptId> {
    parse_ulid(name).map(AttemptId)
}

/// The driver whose heartbeat or lock an object of a job's directory is, by the object's name.
#[must_use]
pub fn parse_driver_file(name: &str) -> Option<DriverId> {
    let id = name.strip_prefix(HEARTBEAT_PREFIX).or_else(|| name.strip_prefix(LOCK_PREFIX))?;
    parse_ulid(id).map(DriverId)
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
    parse_attempt_name(attempt).filter(|_| plain)
}

/// What the objects in an attempt's directory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptObject {
    /// Rows of a unit.
    Data(UnitNumber),
    /// A long list of a manifest.
    Side,
    /// The receipt of a unit.
    Receipt(UnitNumber),
    /// The sign of life.
    Heartbeat,
    /// The file that the owner holds a lock on, on a local disk.
    Lock,
    /// What the attempt set out to do.
    Record,
}

/// What an object in an attempt's directory is, by its name; `None` if the name is none of ours.
#[must_use]
pub fn parse_attempt_object(name: &str) -> Option<AttemptObject> {
    match name {
        "attempt.json" => return Some(AttemptObject::Record),
        "heartbeat" => return Some(AttemptObject::Heartbeat),
        "lock" => return Some(AttemptObject::Lock),
        _ => {}
    }
    if let Some(unit) = parse_receipt_name(name) {
        return Some(AttemptObject::Receipt(unit));
    }
    let (kind, id) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    parse_ulid(id)?;
    match kind {
        "files" | "sources" => Some(AttemptObject::Side),
        _ => parse_unit(kind.strip_prefix("unit-")?).map(AttemptObject::Data),
    }
}

/// A unit's number as it stands in object names: at least five digits. Other spellings would be other objects.
fn parse_unit(text: &str) -> Option<UnitNumber> {
    let unit = text.parse().ok()?;
    (format!("{unit:05}") == text).then_some(UnitNumber(unit))
}

/// An id in its one spelling: others would be other objects.
#[must_use]
pub fn parse_ulid(text: &str) -> Option<ulid::Ulid> {
    ulid::Ulid::from_string(text).ok().filter(|id| id.to_string() == text)
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
    fn only_our_own_spelling_of_a_name_is_ours() {
        assert_eq!(parse_receipt_name(&receipt_name(UnitNumber(7))), Some(UnitNumber(7)));
        assert_eq!(parse_receipt_name(&receipt_name(UnitNumber(123_456))), Some(UnitNumber(123_456)));
        for foreign in
            ["unit-7.json", "unit-000007.json", "unit-00007.parquet", "unit-+0007.json", "unit-.json"]
        {
            assert_eq!(parse_receipt_name(foreign), None, "{foreign}");
        }
        let id = DriverId(ulid::Ulid::from_parts(1 << 40, 0xABC));
        assert_eq!(parse_driver_file(&format!("lock-{id}")), Some(id));
        assert_eq!(parse_driver_file(&format!("heartbeat-{id}")), Some(id));
        for foreign in [id.to_string(), format!("lock-{}", id.to_string().to_lowercase()), "tail".to_owned()]
        {
            assert_eq!(parse_driver_file(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn only_names_that_we_write_are_ours() {
        let id = ulid::Ulid::from_parts(1 << 40, 0xFFFF);
        for unit in [0, 7, 99_999, 100_000] {
            let path = unit_file(AttemptId(id), UnitNumber(unit), id);
            let name = path.rsplit('/').next().unwrap_or_default();
            assert_eq!(parse_attempt_object(name), Some(AttemptObject::Data(UnitNumber(unit))), "{name}");
            let receipt = format!("unit-{unit:05}.json");
            assert_eq!(parse_attempt_object(&receipt), Some(AttemptObject::Receipt(UnitNumber(unit))));
        }
        for kind in ["files", "sources"] {
            let path = side_file(AttemptId(id), kind, id);
            let name = path.rsplit('/').next().unwrap_or_default();
            assert_eq!(parse_attempt_object(name), Some(AttemptObject::Side));
        }
        for foreign in [
            "notes.txt".to_owned(),
            "unit-7.json".to_owned(),
            "unit-000007.json".to_owned(),
            "unit-+0007.json".to_owned(),
            "unit-00007.json.bak".to_owned(),
            "unit-00007.parquet".to_owned(),
            format!("unit-00007-{}.parquet", id.to_string().to_lowercase()),
            format!("other-{id}.parquet"),
            format!("unit-00007-{id}.parquet.tmp"),
        ] {
            assert_eq!(parse_attempt_object(&foreign), None, "{foreign}");
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
