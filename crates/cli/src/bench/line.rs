//! What a run tells the process that started it: one JSON object a line on its standard output.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// The outcome of a statement that was not run.
pub(super) const LEFT_OUT: &str = "left out";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The script is parsed, and its first statement comes next.
    Begin(Begin),
    /// A statement has run.
    Step(StepRan),
    /// A statement was finished by an earlier process of the job.
    Skipped(u64),
    /// The script is through.
    End(End),
}

/// What is known before the first statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begin {
    /// The hash of the script.
    pub(super) script: String,
    /// Milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
}

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StepRan {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its time in milliseconds.
    pub(super) ms: f64,
    /// The rows that it gave, wrote or stored.
    pub(super) rows: u64,
    /// What a CHECKPOINT or REFRESH says of itself: written, reused, view, …; `left out` if it was not run, else `done`.
    pub(super) outcome: String,
    /// Bytes that it stored.
    pub(super) bytes: u64,
    /// The units of a checkpoint, and how many of them were there before.
    pub(super) units: u64,
    pub(super) units_reused: u64,
    /// The rows of a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content>,
    /// Milliseconds for computing a checkpoint's query without storing it, and for reading all of the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<Parts>,
    /// What may differ between two runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) differs: Option<MayDiffer>,
}

/// The rows of a result in any order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    /// The sum of the hashes of all rows, without columns of floating-point numbers.
    pub(super) exact: String,
    /// Those columns.
    pub(super) floats: Vec<Floats>,
}

/// A column of floating-point numbers, whose last digits depend on the order in which they were added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Floats {
    /// How many are NULL, NaN or infinite.
    pub(super) odd: [u64; 3],
    /// The sum, the sum with each number weighted by a hash of the rest of its row, and the sum of the absolute values.
    pub(super) sums: [f64; 3],
    /// How far two sums may be apart, as a part of the third.
    pub(super) tolerance: f64,
}

/// The parts of a checkpoint's time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Parts {
    /// Its query alone: the rows are thrown away.
    pub(super) compute: f64,
    /// Reading all rows and columns of the snapshot.
    pub(super) read: f64,
}

/// Why two runs of a statement may give different rows, and both be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MayDiffer {
    /// It asks for the time, for random numbers, or for what the store holds.
    Always(String),
    /// SQL leaves it open which rows are given.
    Open(String),
}

/// What is known after the last statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// The most memory that the process had at once, in bytes.
    pub(super) peak_memory: Option<u64>,
}

/// Tells a line.
///
/// # Errors
/// Nobody listens any more.
pub(super) fn tell(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line).map_err(io::Error::other)?;
    text.push('\n');
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
