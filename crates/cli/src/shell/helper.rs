//! What the line editor asks while somebody types.

use std::borrow::Cow;

use datafusion::config::Dialect as DialectName;
use milepost::Session;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};
use tokio::runtime::Handle;

use super::complete::Completions;
use super::highlight;
use super::names::Names;
use crate::input::{self, Input};

/// Completion, colours, and the question whether a statement is at its end.
pub(crate) struct ShellHelper {
    session: Session,
    completions: Completions,
    dialect: DialectName,
    colors: bool,
}

impl ShellHelper {
    /// A helper for a session. It asks the session for names through `handle`.
    pub(crate) fn new(handle: Handle, session: Session, colors: bool) -> Self {
        let dialect = dialect_of(&session);
        let names = Names::new(handle, session.clone());
        Self { session, completions: Completions::new(names), dialect, colors }
    }

    /// A statement ran: names and dialect may be others now.
    pub(crate) fn session_changed(&mut self) {
        self.dialect = dialect_of(&self.session);
        self.completions.forget_names();
    }
}

fn dialect_of(session: &Session) -> DialectName {
    session.context().copied_config().options().sql_parser.dialect
}

/// Whether all of the input is the word by which people leave other shells. It begins no statement of SQL.
pub(super) fn leaves(input: &str) -> bool {
    let word = input.trim().trim_end_matches(';').trim_end();
    word.eq_ignore_ascii_case("exit") || word.eq_ignore_ascii_case("quit")
}

/// Whether Enter runs the input or begins another line.
fn is_complete(text: &str, dialect: &DialectName) -> bool {
    text.starts_with('\\') || leaves(text) || input::state(text, &*input::dialect(dialect)) != Input::Open
}

impl Validator for ShellHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        // A mistake is no reason to hold the line back: running it says what is wrong, and it stays in the history.
        Ok(if is_complete(context.input(), &self.dialect) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Completer for ShellHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        self.completions.at(line, at, context)
    }
}

impl Highlighter for ShellHelper {
    fn highlight<'l>(&self, line: &'l str, _at: usize) -> Cow<'l, str> {
        if self.colors {
            highlight::colored(line, &*input::dialect(&self.dialect))
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_char(&self, line: &str, _at: usize, _kind: CmdKind) -> bool {
        self.colors && !line.is_empty()
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colors { Cow::Owned(highlight::faint(hint)) } else { Cow::Borrowed(hint) }
    }
}

impl Hinter for ShellHelper {
    type Hint = Advice;

    fn hint(&self, line: &str, _at: usize, context: &Context<'_>) -> Option<Advice> {
        (line.is_empty() && context.history().is_empty()).then_some(Advice)
    }
}

/// What an empty first prompt says. It cannot be accepted as input.
pub(crate) struct Advice;

impl rustyline::hint::Hint for Advice {
    fn display(&self) -> &str {
        "SQL and a semicolon, \\? for help, \\q to leave"
    }
    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Helper for ShellHelper {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_other_shells_leave_where_they_stand_alone() {
        for text in ["exit", "quit", " QUIT ; ", "Exit"] {
            assert!(leaves(text) && is_complete(text, &DialectName::Generic), "{text}");
        }
        for text in ["", ";", "exits", "exit 1", "SELECT 1 AS\nexit", "exit\nquit"] {
            assert!(!leaves(text), "{text}");
        }
    }

    #[test]
    fn enter_runs_what_is_complete() {
        for text in ["SELECT 1;", "\\d", "\\d lineitem", "", "CHECKPOINT a AS SELECT ';';", "SELEC 1;"] {
            assert!(is_complete(text, &DialectName::Generic), "{text}");
        }
        for text in [
            "SELECT 1",
            "CHECKPOINT by_day\nAS SELECT * FROM t",
            "SELECT ';",
            "SELECT 1; SELECT",
            "WITH t AS MATERIALIZED (SELECT 1;",
        ] {
            let complete = is_complete(text, &DialectName::Generic);
            assert_eq!(complete, text.ends_with("1;"), "{text}");
        }
    }
}
