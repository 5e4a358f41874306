//! The receipt of a unit: the create-once record that its files are complete.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::{AttemptId, Checksum, Signature, UnitNumber};
use crate::manifest::DataFile;
use crate::sealed::{self, FORMAT};

/// Says that a unit is complete, and with which files.
///
/// Whoever wrote first wins: the stored receipt counts, also for a twin that wrote other files.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The attempt that the unit belongs to.
    pub attempt: AttemptId,
    /// The unit.
    pub unit: UnitNumber,
    /// What the attempt computes, and from what.
    pub signature: Signature,
    /// The input slice, as the unit plan has it.
    pub slice: serde_json::Value,
    /// The unit's files, in the order of their rows.
    pub files: Vec<DataFile>,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// How long the unit took, in milliseconds.
    pub elapsed_ms: u64,
    /// The checksum of the stored receipt. What is set here before the receipt is written does not count.
    pub checksum: Checksum,
}

#[derive(Serialize, Deserialize)]
struct StoredReceipt {
    format: u32,
    features: Vec<String>,
    kind: String,
    attempt: AttemptId,
    unit: UnitNumber,
    signature: Signature,
    slice: serde_json::Value,
    rows: u64,
    bytes: u64,
    elapsed_ms: u64,
    files: Vec<DataFile>,
}

const KIND: &str = "receipt";

impl Receipt {
    /// A receipt for `files`; rows and bytes are theirs.
    #[must_use]
    pub fn new(
        attempt: AttemptId,
        unit: UnitNumber,
        signature: Signature,
        slice: serde_json::Value,
        files: Vec<DataFile>,
        elapsed_ms: u64,
    ) -> Self {
        let rows = files.iter().map(|file| file.rows).sum();
        let bytes = files.iter().map(|file| file.size).sum();
        let checksum = Checksum::from_bytes([0; 32]);
        Self { attempt, unit, signature, slice, files, rows, bytes, elapsed_ms, checksum }
    }

    /// The stored form and its checksum.
    pub(crate) fn encode(&self, object: impl std::fmt::Display) -> Result<(bytes::Bytes, Checksum), Error> {
        let stored = StoredReceipt {
            format: FORMAT,
            features: vec![],
            kind: KIND.to_owned(),
            attempt: self.attempt,
            unit: self.unit,
            signature: self.signature,
            slice: self.slice.clone(),
            rows: self.rows,
            bytes: self.bytes,
            elapsed_ms: self.elapsed_ms,
            files: self.files.clone(),
        };
        sealed::seal(object, &stored)
    }

    /// Reads a stored receipt and checks that it is the one of `attempt` and `unit`.
    pub(crate) fn decode(
        object: impl std::fmt::Display,
        bytes: &[u8],
        attempt: AttemptId,
        unit: UnitNumber,
    ) -> Result<Self, Error> {
        let (stored, checksum): (StoredReceipt, _) = sealed::unseal(&object, bytes)?;
        let receipt = Self {
            attempt: stored.attempt,
            unit: stored.unit,
            signature: stored.signature,
            slice: stored.slice,
            files: stored.files,
            rows: stored.rows,
            bytes: stored.bytes,
            elapsed_ms: stored.elapsed_ms,
            checksum,
        };
        if stored.kind != KIND || receipt.attempt != attempt || receipt.unit != unit {
            let detail =
                format!("it is a {} of unit {} of attempt {}", stored.kind, receipt.unit, receipt.attempt);
            return Err(Error::ForeignObject { object: object.to_string(), detail });
        }
        match receipt.disagreement() {
            Some(detail) => Err(Error::ForeignObject { object: object.to_string(), detail }),
            None => Ok(receipt),
        }
    }

    /// Whether totals and files do not agree, and how.
    pub(crate) fn disagreement(&self) -> Option<String> {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let bytes: u64 = self.files.iter().map(|file| file.size).sum();
        if (rows, bytes) != (self.rows, self.bytes) {
            return Some(format!(
                "its files have {rows} rows and {bytes} bytes, it says {} and {}",
                self.rows, self.bytes
            ));
        }
        let stray = self
            .files
            .iter()
            .find(|file| file.unit != self.unit || crate::layout::owner_of(&file.path) != Some(self.attempt));
        stray.map(|file| format!("{} is not a file of unit {}", file.path, self.unit))
    }
}
