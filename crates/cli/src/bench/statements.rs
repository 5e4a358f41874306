//! The statements of the script, as the report names them.

use milepost::job::{JobStep, StepKind};
use milepost::sql::StatementKind;
use serde::Serialize;

use super::child::{Reads, reads};
use super::line::MayDiffer;

/// Longer texts are cut.
const LONGEST: usize = 100;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct StatementInfo {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The line on which it begins.
    pub(super) line: usize,
    /// state, query, checkpoint, sink or other.
    pub(super) kind: &'static str,
    /// The first words of a query; of other statements, which may hold secrets, what they are.
    pub(super) text: String,
    /// The checkpoint, if this makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<String>,
    /// What of it must be the same in all runs.
    #[serde(skip)]
    pub(super) compared: Compared,
    /// Why its rows may differ all the same, as far as its text tells.
    #[serde(skip)]
    pub(super) differs: Option<MayDiffer>,
}

/// What two runs of a statement must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// The number of rows and their content.
    Rows,
    /// The number of rows that it wrote.
    Written,
    /// The number of rows that it stored, where it stored any.
    Stored,
    /// Nothing.
    Nothing,
}

impl StatementInfo {
    /// Of a step.
    pub(super) fn of(step: &JobStep) -> Self {
        let statement = &step.statement;
        let checkpoint = match &statement.kind {
            StatementKind::Checkpoint(create) => Some(create.name.to_string()),
            _ => None,
        };
        let compared = match step.kind() {
            StepKind::Query if statement.is_query() => Compared::Rows,
            StepKind::Sink => Compared::Written,
            StepKind::Checkpoint => Compared::Stored,
            _ => Compared::Nothing,
        };
        let differs = match reads(statement) {
            Reads::Tables => None,
            Reads::Names => Some(MayDiffer::Always("it lists tables or settings".to_string())),
            Reads::Store => Some(MayDiffer::Always("it reads the tables about the store".to_string())),
            Reads::Version => Some(MayDiffer::Open("it reads a version by its number".to_string())),
        };
        let text = if statement.is_query() { head(&statement.text) } else { step.what() };
        let kind = step.kind().as_str();
        Self { number: step.number(), line: statement.line, kind, text, checkpoint, compared, differs }
    }
}

/// The first words of a text, in one line, without the secrets of URLs.
fn head(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    shortened(&milepost::redact(&words.join(" ")), LONGEST)
}

/// At most `longest` characters.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_string(),
        Some(_) => {
            let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}
