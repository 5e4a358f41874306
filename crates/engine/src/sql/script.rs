//! A script is cut at its top-level semicolons, and every statement is parsed before the first one runs.

use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::dialect::{Dialect, dialect_from_str};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::materialized;
use super::parser::{parse_statement, parse_tokens};
use super::statement::Statement;
use super::tokens::{LineIndex, speaks, tokens};

/// Parses every statement of a script, in the dialect and within the limits of `options`.
///
/// # Errors
/// The first statement that does not parse, with its line.
pub fn parse(script: &str, options: &ConfigOptions) -> Result<Vec<Statement>> {
    parse_script(script, dialect(options)?.as_ref(), options.sql_parser.recursion_limit.get())
}

/// The tokens of a text: what is left when spaces and comments do not count.
pub(crate) fn normal_form<'a>(text: &'a str, options: &ConfigOptions) -> Result<Vec<&'a str>> {
    let tokens = tokens(text, dialect(options)?.as_ref())?;
    let lines = LineIndex::new(text);
    let spoken = tokens.iter().filter(|placed| speaks(&placed.token));
    Ok(spoken
        .filter_map(|placed| text.get(lines.offset(placed.span.start)..lines.offset(placed.span.end)))
        .collect())
}

fn dialect(options: &ConfigOptions) -> Result<Box<dyn Dialect>> {
    let name = &options.sql_parser.dialect;
    dialect_from_str(name).ok_or_else(|| DataFusionError::Plan(format!("there is no SQL dialect '{name}'")))
}

fn parse_script(script: &str, dialect: &dyn Dialect, recursion_limit: usize) -> Result<Vec<Statement>> {
    let tokens = tokens(script, dialect)?;
    let statements = cut(script, &tokens);
    if let [(text, line)] = statements.as_slice()
        && !materialized::occurs(script)
    {
        // Most scripts are one statement: its tokens are there already.
        let kind = parse_tokens(script, tokens, dialect, recursion_limit);
        let kind = kind.map_err(|error| located(error, *line))?;
        return Ok(vec![Statement { text: text.to_string(), line: *line, kind }]);
    }
    let parsed = statements.into_iter().map(|(text, line)| {
        let kind = parse_statement(text, dialect, recursion_limit).map_err(|error| located(error, line))?;
        Ok(Statement { text: text.to_string(), line, kind })
    });
    parsed.collect()
}

/// The script's statements and the line on which each begins. Semicolons in quotes and comments do not count.
fn cut<'a>(script: &'a str, tokens: &[TokenWithSpan]) -> Vec<(&'a str, usize)> {
    let lines = LineIndex::new(script);
    let statements = tokens.split(|placed| placed.token == Token::SemiColon);
    let statements = statements.filter_map(|statement| {
        let mut words = statement.iter().filter(|placed| speaks(&placed.token));
        let first = words.next()?.span;
        let last = words.next_back().map_or(first, |placed| placed.span);
        let text = &script[lines.offset(first.start)..lines.offset(last.end)];
        Some((text, usize::try_from(first.start.line).unwrap_or(usize::MAX)))
    });
    statements.collect()
}

fn located(error: DataFusionError, line: usize) -> DataFusionError {
    error.context(format!("statement at line {line}"))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;
    use crate::sql::StatementKind;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_end_a_statement() {
        let script = "SELECT ';' AS \"a;b\"; -- one; two\n\n/* ; */ SELECT 'ü;' ;;\nSELECT $$;$$";
        let found = cut(script, &tokens(script, &GenericDialect {}).unwrap());
        let expected = vec![("SELECT ';' AS \"a;b\"", 1), ("SELECT 'ü;'", 3), ("SELECT $$;$$", 4)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mistake_in_the_last_statement_is_found_and_placed() {
        let error = parse_script("SELECT 1;\nSELECT 2;\nSELEC 3", &GenericDialect {}, 50).unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
    }

    /// A statement by itself is parsed from the tokens of the whole script, others from their own.
    #[test]
    fn a_statement_is_the_same_alone_and_among_others() {
        for sql in [
            "CHECKPOINT c WITH (ttl = '1 day') AS SELECT ';' AS x -- why\n",
            "WITH t AS MATERIALIZED (SELECT 1) SELECT * FROM t",
            "SELECT * FROM snapshot('c', 1)",
            "EXPLAIN CHECKPOINT c AS SELECT 'ü' AS x",
        ] {
            let alone = format!("\n-- first;\n ; {sql};\n;");
            let [one] = &parse_script(&alone, &GenericDialect {}, 50).unwrap()[..] else { panic!("{sql}") };
            let among = format!("SELECT 1;\n\n{sql}; SELECT 2");
            let [_, other, _] = &parse_script(&among, &GenericDialect {}, 50).unwrap()[..] else {
                panic!("{sql}")
            };
            assert_eq!((&one.text, one.line, other.line), (&other.text, 3, 3));
            let (one, other) = (&one.kind, &other.kind);
            match (one, other) {
                (StatementKind::DataFusion(one), StatementKind::DataFusion(other)) => assert_eq!(one, other),
                _ => assert_eq!(query_text(one), query_text(other)),
            }
        }
    }

    fn query_text(kind: &StatementKind) -> &str {
        match kind {
            StatementKind::Checkpoint(create) | StatementKind::Explain { create, .. } => &create.query_text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn empty_scripts_have_no_statements() {
        for script in ["", " \n ", "-- only a comment", ";;"] {
            assert!(parse_script(script, &GenericDialect {}, 50).unwrap().is_empty());
        }
    }
}
