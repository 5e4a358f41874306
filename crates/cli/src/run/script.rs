//! A script is SQL statements and backslash commands. All of it is parsed before any of it runs.

use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use milepost::sql::Statement;

use super::source::Source;
use super::unfilled;
use crate::commands::Command;
use crate::failure::{Failure, Place};
use crate::input::{self, Input};
use crate::oneline::stopped;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// A statement, ours or DataFusion's.
    Statement(Box<Statement>),
    /// A backslash command and its line.
    Command {
        /// The line on which it stands, from 1.
        line: usize,
        /// What it does.
        command: Command,
    },
}

/// A script that parses.
#[derive(Debug)]
pub(crate) struct Script {
    /// What errors call it.
    pub(crate) name: String,
    /// What to do, in order.
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Parses all of a script.
    ///
    /// # Errors
    /// The first statement or command that does not parse, with its line. Where it holds a variable, that is said too.
    pub(crate) fn parse(options: &ConfigOptions, source: &Source) -> Result<Self, Failure> {
        Self::parse_filled(options, source).map_err(|failure| {
            let dialect = input::dialect(&options.sql_parser.dialect);
            let text = began_to_stopped(&failure, &source.text);
            unfilled::of_parse(failure, &text, &*dialect)
        })
    }

    /// As [`Self::parse`], of a script whose variables are filled in.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn parse_filled(options: &ConfigOptions, source: &Source) -> Result<Self, Failure> {
        let dialect = input::dialect(&options.sql_parser.dialect);
        let ends_statement = |text: &str| input::state(text, &*dialect) != Input::Open;
        let mut steps = Vec::new();
        for chunk in chunks(&source.text, ends_statement) {
            match chunk {
                Chunk::Sql { first_line, text } => {
                    let statements = milepost::sql::parse(&text, options)
                        .map_err(|error| misplaced(&source.name, first_line, error))?;
                    steps.extend(statements.into_iter().map(|mut statement| {
                        statement.line += first_line - 1;
                        Step::Statement(Box::new(statement))
                    }));
                }
                Chunk::Command { line, text } => {
                    let place = Place { script: source.name.clone(), line };
                    let command = text.parse().map_err(|what| Failure::Command { place, what })?;
                    steps.push(Step::Command { line, command });
                }
            }
        }
        Ok(Self { name: source.name.clone(), steps })
    }

    /// Where a line of this script is.
    pub(crate) fn place(&self, line: usize) -> Place {
        Place { script: self.name.clone(), line }
    }
}

/// A run of SQL lines, or one line with a command.
#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    Sql { first_line: usize, text: String },
    Command { line: usize, text: String },
}

/// Cuts text where a line outside any statement begins with a backslash. A first line for the system's loader
/// (`#!`) is left out.
fn chunks(text: &str, ends_statement: impl Fn(&str) -> bool) -> Vec<Chunk> {
    let mut found = Vec::new();
    let (mut sql, mut first_line) = (String::new(), 1);
    // Ends of lines stay as they are: they may stand inside a quote.
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index == 0 && line.starts_with("#!") {
            sql.push('\n');
        } else if line.starts_with('\\') && ends_statement(&sql) {
            found.push(Chunk::Sql { first_line, text: std::mem::take(&mut sql) });
            found.push(Chunk::Command { line: index + 1, text: line.trim_end().to_string() });
            first_line = index + 2;
        } else {
            sql.push_str(line);
        }
    }
    found.push(Chunk::Sql { first_line, text: sql });
    found.retain(|chunk| !matches!(chunk, Chunk::Sql { text, .. } if text.trim().is_empty()));
    found
}

/// The failure of a statement that does not parse. The engine says on which line the statement begins, the parser
/// how many lines further it got.
fn misplaced(script: &str, first_line: usize, error: DataFusionError) -> Failure {
    let began = statement_line(&error).unwrap_or(1);
    let further = stopped(&error).map_or(1, |at| at.line);
    let line = first_line + began - 1 + further - 1;
    let place = Place { script: script.to_string(), line };
    Failure::Statement { place, source: Box::new(error) }
}

/// The lines of a script from the one on which the statement begins that does not parse to the one on which the parser stopped.
fn began_to_stopped(failure: &Failure, script: &str) -> String {
    let Failure::Statement { place, source } = failure else { return String::new() };
    let lines = stopped(source).map_or(1, |at| at.line);
    let lines = script.lines().skip(place.line.saturating_sub(lines)).take(lines);
    lines.collect::<Vec<_>>().join("\n")
}

/// The line in `statement at line 12`, the context that the engine gives to what does not parse.
fn statement_line(error: &DataFusionError) -> Option<usize> {
    let DataFusionError::Context(context, _) = error else { return None };
    context.strip_prefix("statement at line ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    fn cut(text: &str) -> Vec<Chunk> {
        chunks(text, |sql| input::state(sql, &GenericDialect {}) != Input::Open)
    }

    fn sql(first_line: usize, text: &str) -> Chunk {
        Chunk::Sql { first_line, text: text.to_string() }
    }

    fn command(line: usize, text: &str) -> Chunk {
        Chunk::Command { line, text: text.to_string() }
    }

    #[test]
    fn commands_stand_between_statements() {
        let text = "SELECT 1;\n\\d\n\nSELECT\n 2;\n\\q  \n";
        let expected =
            [sql(1, "SELECT 1;\n"), command(2, "\\d"), sql(3, "\nSELECT\n 2;\n"), command(6, "\\q")];
        assert_eq!(cut(text), expected);
    }

    #[test]
    fn a_backslash_inside_a_statement_is_part_of_it() {
        let text = "SELECT '\r\n\\d\r\n';";
        assert_eq!(cut(text), [sql(1, text)]);
    }

    #[test]
    fn the_loaders_line_is_left_out_and_counted() {
        assert_eq!(cut("#!/usr/bin/env -S milepost -f\nSELECT 1"), [sql(1, "\nSELECT 1")]);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(cut(" \n\n"), []);
    }
}
