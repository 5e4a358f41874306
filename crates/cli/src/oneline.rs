//! One line for an error of the engine or of DataFusion: what went wrong and what to do next.
//!
//! DataFusion's errors name the layers they came through and may span many lines. People need the innermost one,
//! in one line that a log or a terminal can hold.

use std::fmt;
use std::ops::Range;

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// Longer texts are cut: a plan or a schema inside an error helps nobody on a terminal.
const LONGEST: usize = 1_200;

/// An error's text in one line.
pub(crate) fn describe(error: &DataFusionError) -> String {
    let root = innermost(error);
    let text = match milepost::Error::find(error) {
        Some(ours) => ours.to_string(),
        None => match root {
            DataFusionError::SQL(parser, _) => syntax_error(parser),
            _ => plain(root),
        },
    };
    let text = match (stopped(error), position(&text)) {
        // The line stands in front of the message, counted from the beginning of the script.
        (Some(at), Some((range, _))) => format!("{}{at}{}", &text[..range.start], &text[range.end..]),
        _ => text,
    };
    match next_step(root) {
        Some(step) => format!("{}: {step}", flatten(&text)),
        None => flatten(&text),
    }
}

/// Text in one line, cut where it is too long to read.
pub(crate) fn flatten(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_end_matches(['.', ':', ';', ' ']);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line.to_string(),
    }
}

/// Where the parser stopped, in the text that it was given. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Other statements may stand before this one on its first line.
        let of_what = if self.line == 1 { " of the statement" } else { "" };
        write!(f, " at column {}{of_what}", self.column)
    }
}

/// Where the parser stopped, if this is a syntax error that says so.
pub(crate) fn stopped(error: &DataFusionError) -> Option<Stopped> {
    let text = match (milepost::Error::find(error), innermost(error)) {
        (Some(ours @ milepost::Error::Syntax { .. }), _) => ours.to_string(),
        (None, DataFusionError::SQL(parser, _)) => parser.to_string(),
        _ => return None,
    };
    position(&text).map(|(_, at)| at)
}

/// The last ` at Line: 3, Column: 7` of a text, in either of its spellings, and its place.
fn position(text: &str) -> Option<(Range<usize>, Stopped)> {
    let lower = text.to_ascii_lowercase();
    let start = lower.rfind(" at line")?;
    let (line, rest) = number(&lower[start + " at line".len()..])?;
    let (column, rest) = number(rest.strip_prefix(", column")?)?;
    Some((start..text.len() - rest.len(), Stopped { line, column }))
}

/// The number at the front, after a colon and spaces, and what follows it.
fn number(text: &str) -> Option<(usize, &str)> {
    let text = text.trim_start_matches([':', ' ']);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The error below the contexts, the first one of a collection.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => innermost(inner),
        DataFusionError::Shared(inner) => innermost(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(error, innermost),
        DataFusionError::External(inner) => inner.downcast_ref().map_or(error, innermost),
        _ => error,
    }
}

/// The text without the class that DataFusion puts in front of the most common errors.
fn plain(error: &DataFusionError) -> String {
    let text = error.strip_backtrace();
    // Internal errors end with an appeal that is longer than what happened.
    let text =
        text.split_once("\nThis issue was likely caused").map_or(text.as_str(), |(what, _)| what).to_string();
    for class in ["Error during planning: ", "Execution error: ", "External error: ", "Schema error: "] {
        if let Some(rest) = text.strip_prefix(class) {
            return rest.to_string();
        }
    }
    text
}

fn syntax_error(error: &ParserError) -> String {
    match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => format!("syntax error: {text}"),
        ParserError::RecursionLimitExceeded => {
            "the statement nests too deeply: raise datafusion.sql_parser.recursion_limit".to_string()
        }
    }
}

/// What to do next, where DataFusion's text does not say it.
fn next_step(error: &DataFusionError) -> Option<&'static str> {
    match error {
        DataFusionError::ResourcesExhausted(text) if text.to_ascii_lowercase().contains("disk") => {
            Some("free disk space or raise --disk-limit")
        }
        DataFusionError::ResourcesExhausted(_) => Some("raise --memory-limit, or lower --batch-size"),
        DataFusionError::ObjectStore(_) => Some("check the location and the right to read it"),
        DataFusionError::Plan(text) if text.starts_with("table '") && text.contains("not found") => {
            let is_file = text.contains('/') || text.matches('.').count() > 2;
            Some(if is_file {
                "it is no table, and no file that can be read"
            } else {
                "SHOW TABLES lists those that exist"
            })
        }
        DataFusionError::Internal(text) if text.contains("finalizing writes") => {
            Some("check the location, the right to write there, and the space that is left")
        }
        DataFusionError::Internal(_) => Some("this looks like a defect, report it with the statement"),
        DataFusionError::NotImplemented(_) => {
            Some("DataFusion 55 does not have it, write the query another way")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_error(sql: &str) -> DataFusionError {
        datafusion::sql::parser::DFParser::parse_sql(sql).unwrap_err()
    }

    #[test]
    fn layers_and_line_breaks_are_taken_away() {
        let error =
            DataFusionError::Plan("no such\n  column".to_string()).context("type_coercion").context("outer");
        assert_eq!(describe(&error), "no such column");
    }

    #[test]
    fn a_syntax_error_keeps_its_place() {
        let error = parse_error("SELECT 1\nFROM t\nWHERE;").context("statement at line 7");
        assert_eq!(stopped(&error), Some(Stopped { line: 3, column: 6 }));
        let text = describe(&error);
        assert!(text.starts_with("syntax error: ") && text.ends_with("found: ; at column 6"), "{text}");
        let first = describe(&parse_error("SELECT )"));
        assert!(first.ends_with("at column 8 of the statement"), "{first}");
    }

    #[test]
    fn a_line_in_another_text_is_no_place() {
        let error = DataFusionError::Plan("the file ends at line 3, column 4".to_string());
        assert_eq!(stopped(&error), None);
        assert_eq!(describe(&error), "the file ends at line 3, column 4");
    }

    #[test]
    fn our_own_syntax_errors_have_places_too() {
        let found = "'t' at line 2, column 6".to_string();
        let error = DataFusionError::from(milepost::Error::Syntax { found, expected: "the end".to_string() });
        assert_eq!(stopped(&error), Some(Stopped { line: 2, column: 6 }));
        assert_eq!(describe(&error), "'t' at column 6: expected the end");
    }

    #[test]
    fn errors_of_the_engine_are_found_below_others() {
        let ours = DataFusionError::from(milepost::Error::NotInstalled);
        assert_eq!(describe(&ours.context("planning")), milepost::Error::NotInstalled.to_string());
    }

    #[test]
    fn endless_text_is_cut() {
        let error = DataFusionError::Plan("ü ".repeat(10_000));
        assert!(describe(&error).chars().count() <= LONGEST + 2);
    }
}
