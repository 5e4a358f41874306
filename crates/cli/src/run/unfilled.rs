//! Variables that nobody has filled in: `${name}` in a script that was written for `milepost run`.

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use milepost::job::Variables;

use crate::failure::Failure;

/// The failure of a statement that ran, with a word on a variable of the statement that its message repeats. The same characters
/// may be meant as they stand, as in a pattern: then no message has to do with them.
pub(super) fn of_run(failure: Failure, text: &str) -> Failure {
    if !text.contains("${") {
        return failure;
    }
    let message = failure.to_string();
    let repeats = |name: &String| {
        // As it is written, and as it stands in the URL of a file.
        message.contains(&format!("${{{name}}}")) || message.contains(&format!("$%7B{name}%7D"))
    };
    told(failure, variables(text).into_iter().find(repeats))
}

/// The failure of a statement that does not parse, with a word on a variable where SQL has none: outside of quotes and comments.
/// `text` ends with the line on which the parser stopped.
pub(super) fn of_parse(failure: Failure, text: &str, dialect: &dyn Dialect) -> Failure {
    let tokens = Tokenizer::new(dialect, text).tokenize().unwrap_or_default();
    let name = tokens.windows(4).find_map(|window| match window {
        [before, Token::LBrace, Token::Word(name), Token::RBrace] if before.to_string().ends_with('$') => {
            Some(name.value.clone())
        }
        _ => None,
    });
    told(failure, name)
}

fn told(failure: Failure, name: Option<String>) -> Failure {
    match name {
        Some(name) => Failure::Unfilled { failure: Box::new(failure), name },
        None => failure,
    }
}

/// The names of all variables of a text.
fn variables(text: &str) -> Vec<String> {
    let (mut known, mut found) = (Variables::default(), Vec::new());
    while let Err(milepost::Error::UnknownVariable { name, .. }) = known.fill_in(text) {
        if known.set(&name, "").is_err() {
            break;
        }
        found.push(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;
    use crate::failure::Place;

    fn failure(message: &str) -> Failure {
        let place = Place { script: "-c".to_string(), line: 1 };
        Failure::Statement { place, source: Box::new(DataFusionError::Execution(message.to_string())) }
    }

    fn name(failure: &Failure) -> Option<&str> {
        match failure {
            Failure::Unfilled { name, .. } => Some(name),
            _ => None,
        }
    }

    #[test]
    fn a_message_that_repeats_a_variable_says_who_fills_it_in() {
        let text = "CREATE EXTERNAL TABLE ${t} STORED AS CSV LOCATION '${data}/'";
        for message in ["No files found at file:///x/$%7Bdata%7D/", "cannot read '${data}/'"] {
            let failed = of_run(failure(message), text);
            assert_eq!(name(&failed), Some("data"));
            let line = failed.to_string();
            assert!(line.starts_with("-c:1: ") && line.contains("--var data=VALUE"), "{line}");
        }
        assert_eq!(name(&of_run(failure("No field named nope"), text)), None);
        assert_eq!(name(&of_run(failure("no ${data}"), "SELECT 1")), None);
    }

    #[test]
    fn what_is_quoted_is_no_reason_not_to_parse() {
        let parsed = |text: &str| {
            let failed = of_parse(failure("syntax error"), text, &GenericDialect {});
            name(&failed).map(str::to_string)
        };
        for text in ["SELECT ${day}", "CHECKPOINT a_${day} AS SELECT 1", "SELECT 1\nFROM ${day}.t"] {
            assert_eq!(parsed(text).as_deref(), Some("day"), "{text}");
        }
        for text in ["SELECT '${day}' FORM t", "SELEC 1 -- ${day}", "SELECT {day}", "SELECT '${day}"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
