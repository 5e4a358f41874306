//! A script is cut at its top-level semicolons, and every statement is parsed before the first one runs.

use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::{Dialect, dialect_from_str};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::parser::parse_statement;
use super::statement::Statement;
use super::tokens::tokenize;

/// Parses every statement of a script, in the dialect and within the limits of `options`.
///
/// # Errors
/// The first statement that does not parse, with its line.
pub fn parse(script: &str, options: &ConfigOptions) -> Result<Vec<Statement>> {
    parse_script(script, dialect(options)?.as_ref(), options.sql_parser.recursion_limit.get())
}

/// The tokens of a text: what is left when spaces and comments do not count.
pub(crate) fn normal_form<'a>(text: &'a str, options: &ConfigOptions) -> Result<Vec<&'a str>> {
    let tokens = tokenize(text, dialect(options)?.as_ref())?;
    Ok(tokens.into_iter().filter_map(|token| text.get(token.bytes)).collect())
}

fn dialect(options: &ConfigOptions) -> Result<Box<dyn Dialect>> {
    let name = &options.sql_parser.dialect;
    dialect_from_str(name).ok_or_else(|| DataFusionError::Plan(format!("there is no SQL dialect '{name}'")))
}

fn parse_script(script: &str, dialect: &dyn Dialect, recursion_limit: usize) -> Result<Vec<Statement>> {
    cut(script, dialect)?
        .into_iter()
        .map(|(text, line)| {
            let kind =
                parse_statement(text, dialect, recursion_limit).map_err(|error| located(error, line))?;
            Ok(Statement { text: text.to_string(), line, kind })
        })
        .collect()
}

/// The script's statements and the line on which each begins. Semicolons in quotes and comments do not count.
fn cut<'a>(script: &'a str, dialect: &dyn Dialect) -> Result<Vec<(&'a str, usize)>> {
    let mut statements = Vec::new();
    let mut open: Option<(usize, usize, usize)> = None;
    for placed in tokenize(script, dialect)? {
        if placed.token == Token::SemiColon {
            if let Some((start, end, line)) = open.take() {
                statements.push((&script[start..end], line));
            }
            continue;
        }
        let (start, line) = open.map_or((placed.bytes.start, placed.line), |(start, _, line)| (start, line));
        open = Some((start, placed.bytes.end, line));
    }
    statements.extend(open.map(|(start, end, line)| (&script[start..end], line)));
    Ok(statements)
}

fn located(error: DataFusionError, line: usize) -> DataFusionError {
    error.context(format!("statement at line {line}"))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_end_a_statement() {
        let script = "SELECT ';' AS \"a;b\"; -- one; two\n\n/* ; */ SELECT 'ü;' ;;\nSELECT $$;$$";
        let found = cut(script, &GenericDialect {}).unwrap();
        let expected = vec![("SELECT ';' AS \"a;b\"", 1), ("SELECT 'ü;'", 3), ("SELECT $$;$$", 4)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mistake_in_the_last_statement_is_found_and_placed() {
        let error = parse_script("SELECT 1;\nSELECT 2;\nSELEC 3", &GenericDialect {}, 50).unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
    }

    #[test]
    fn empty_scripts_have_no_statements() {
        for script in ["", " \n ", "-- only a comment", ";;"] {
            assert!(parse_script(script, &GenericDialect {}, 50).unwrap().is_empty());
        }
    }
}
