//! `WITH t AS MATERIALIZED (query)` is an inline checkpoint in standard words.
//!
//! ```text
//! t AS MATERIALIZED (query)        →    t AS (SELECT * FROM checkpoint((query)))
//! t AS NOT MATERIALIZED (query)    →    t AS (query)
//! ```
//!
//! Only the PostgreSQL dialect parses these words, and DataFusion's planner ignores them there, so they are rewritten
//! in the text. Lines stay lines.

use std::borrow::Cow;

use datafusion::common::Result;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::tokens::{Placed, tokenize};

/// Whether there may be anything to rewrite.
pub(super) fn occurs(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains("materialized")
}

/// `sql` with every `[NOT] MATERIALIZED` rewritten.
pub(super) fn rewrite<'a>(sql: &'a str, dialect: &dyn Dialect) -> Result<Cow<'a, str>> {
    if !occurs(sql) {
        return Ok(Cow::Borrowed(sql));
    }
    let tokens = tokenize(sql, dialect)?;
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for at in 0..tokens.len() {
        if !tokens[at].is_word("materialized") {
            continue;
        }
        let after_as = |back: usize| at >= back && tokens[at - back].is_word("as");
        let Some(close) = closing(&tokens, at + 1) else { continue };
        if after_as(1) {
            // VALUES inside double parentheses would parse as a tuple, so it gets a SELECT of its own.
            let is_values = tokens.get(at + 2).is_some_and(|t| t.is_word("values"));
            let (opening, ending) = if is_values {
                ("(SELECT * FROM checkpoint((SELECT * FROM (", "))))")
            } else {
                ("(SELECT * FROM checkpoint((", ")))")
            };
            edits.push((tokens[at].bytes.start..tokens[at + 1].bytes.end, opening.to_string()));
            edits.push((tokens[close].bytes.clone(), ending.to_string()));
        } else if after_as(2) && tokens[at - 1].is_word("not") {
            edits.push((tokens[at - 1].bytes.start..tokens[at].bytes.end, String::new()));
        }
    }
    Ok(Cow::Owned(apply(sql, edits)))
}

/// The index of the parenthesis that closes the one at `open`.
fn closing(tokens: &[Placed], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, placed) in tokens.iter().enumerate().skip(open) {
        match placed.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (index > open).then_some(index);
        }
    }
    None
}

fn apply(sql: &str, mut edits: Vec<(std::ops::Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = String::with_capacity(sql.len() + 32 * edits.len());
    let mut done = 0;
    for (range, replacement) in edits {
        text.push_str(&sql[done..range.start]);
        text.push_str(&replacement);
        done = range.end;
    }
    text.push_str(&sql[done..]);
    text
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    fn rewritten(sql: &str) -> String {
        rewrite(sql, &GenericDialect {}).unwrap().into_owned()
    }

    #[test]
    fn materialized_becomes_an_inline_checkpoint() {
        assert_eq!(
            rewritten("WITH t AS MATERIALIZED (SELECT (1) AS a) SELECT * FROM t"),
            "WITH t AS (SELECT * FROM checkpoint((SELECT (1) AS a))) SELECT * FROM t"
        );
    }

    #[test]
    fn nested_and_negated_ones_are_rewritten_each_in_its_place() {
        assert_eq!(
            rewritten(
                "WITH a AS materialized (WITH b AS MATERIALIZED (SELECT 1) SELECT * FROM b), c AS NOT MATERIALIZED (SELECT 2) SELECT 3"
            ),
            "WITH a AS (SELECT * FROM checkpoint((WITH b AS (SELECT * FROM checkpoint((SELECT 1))) SELECT * FROM b))), c AS  (SELECT 2) SELECT 3"
        );
    }

    #[test]
    fn values_are_wrapped_because_they_would_parse_as_a_tuple() {
        assert_eq!(
            rewritten("WITH t(x) AS MATERIALIZED (VALUES (1), (2)) SELECT x FROM t"),
            "WITH t(x) AS (SELECT * FROM checkpoint((SELECT * FROM (VALUES (1), (2))))) SELECT x FROM t"
        );
    }

    #[test]
    fn the_word_elsewhere_is_left_alone() {
        for sql in
            ["SELECT 'AS MATERIALIZED (x)'", "SELECT materialized FROM t", "SELECT a AS materialized FROM t"]
        {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
