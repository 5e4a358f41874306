//! One line for an error of the engine or of DataFusion: what went wrong and what to do next.
//!
//! DataFusion's errors name the layers they came through and may span many lines. People need the innermost one,
//! in one line that a log or a terminal can hold.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// Longer texts are cut: a plan or a schema inside an error helps nobody on a terminal.
const LONGEST: usize = 1_200;

/// An error's text in one line.
pub(crate) fn describe(error: &DataFusionError) -> String {
    if let Some(ours) = milepost::Error::find(error) {
        return flatten(&ours.to_string());
    }
    let root = innermost(error);
    let text = match root {
        DataFusionError::SQL(parser, _) => syntax_error(parser),
        _ => plain(root),
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

/// How far into a statement the parser got: the line within the text it was given, from 1.
pub(crate) fn parser_line(error: &DataFusionError) -> Option<usize> {
    let DataFusionError::SQL(parser, _) = innermost(error) else { return None };
    let text = parser.to_string();
    let (_, after) = text.rsplit_once("Line: ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
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
            Some("SHOW TABLES lists those that exist")
        }
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
        let error = parse_error("SELECT 1\nFROM\nWHERE;").context("statement at line 7");
        assert!(describe(&error).starts_with("syntax error: "), "{}", describe(&error));
        assert_eq!(parser_line(&error), Some(3));
        assert_eq!(parser_line(&DataFusionError::Plan("Line: 3".to_string())), None);
    }

    #[test]
    fn errors_of_the_engine_are_found_below_others() {
        let ours = DataFusionError::from(milepost::Error::NotBuilt { what: "VACUUM".to_string() });
        assert_eq!(describe(&ours.context("planning")), "VACUUM is not part of this release");
    }

    #[test]
    fn endless_text_is_cut() {
        let error = DataFusionError::Plan("ü ".repeat(10_000));
        assert!(describe(&error).chars().count() <= LONGEST + 2);
    }
}
