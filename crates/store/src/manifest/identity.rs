//! What a snapshot was computed from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Digest, Fingerprint, Signature};

/// What was computed, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What was computed.
    pub fingerprint: Fingerprint,
    /// What was computed, and from what: equal signatures mean equal results.
    pub signature: Signature,
    /// `immutable`, `run` or `volatile`.
    pub determinism: String,
    /// Whether another query may use the snapshot for its own.
    pub reusable: bool,
    /// The plan, line by line, so that a change can be named.
    pub parts: Vec<PlanPart>,
    /// The inputs as they were.
    pub sources: Vec<SourceVersion>,
    /// The settings that the result depends on.
    pub settings: BTreeMap<String, String>,
}

/// One operator of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPart {
    /// How deep it stands below the root.
    pub depth: u32,
    /// What it is, for people.
    pub label: String,
    /// The hash of the operator alone, without what is below it.
    pub hash: Digest,
}

/// One input at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceVersion {
    /// The input's name in the query.
    pub name: String,
    /// What kind of input it is: `files`, `snapshot`, `memory`, …
    pub kind: String,
    /// The hash of everything that identifies it. Absent: unknown, never reusable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its objects, if it has any.
    pub objects: Vec<SourceObject>,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One object of an input at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// Its path, without credentials.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its e-tag, where the store gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// Its version, where the store keeps several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its inode, on a local disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// When its bytes last changed, in nanoseconds since the Unix epoch, on a local disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// When its inode last changed, in nanoseconds since the Unix epoch, on a local disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctime_ns: Option<i64>,
}
