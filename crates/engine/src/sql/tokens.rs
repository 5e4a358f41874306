//! Tokens with their byte ranges, for the places where text is cut or rewritten before it is parsed.

use std::cell::Cell;
use std::ops::Range;

use datafusion::common::Result;
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A token that is neither space nor comment, where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) bytes: Range<usize>,
}

impl Placed {
    /// Whether this is the given word, unquoted, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }
}

/// The tokens of `sql` as the parser takes them. Fails where a quote or comment is not closed.
pub(super) fn tokens(sql: &str, dialect: &dyn Dialect) -> Result<Vec<TokenWithSpan>> {
    Ok(Tokenizer::new(dialect, sql).tokenize_with_location().map_err(ParserError::from)?)
}

/// Whether a token says something: it is no space, no comment and not the end.
pub(super) fn speaks(token: &Token) -> bool {
    !matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// The tokens of `sql` that say something. Fails where a quote or comment is not closed.
pub(super) fn tokenize(sql: &str, dialect: &dyn Dialect) -> Result<Vec<Placed>> {
    let lines = LineIndex::new(sql);
    Ok(tokens(sql, dialect)?
        .into_iter()
        .filter(|t| speaks(&t.token))
        .map(|t| Placed { bytes: lines.offset(t.span.start)..lines.offset(t.span.end), token: t.token })
        .collect())
}

/// The byte offset of a place that the tokenizer gave.
pub(super) fn offset(sql: &str, at: Location) -> usize {
    LineIndex::new(sql).offset(at)
}

/// Byte offsets of lines; the tokenizer counts lines and characters.
pub(super) struct LineIndex<'a> {
    sql: &'a str,
    starts: Vec<usize>,
    /// The last place that was asked for. Tokens are asked for in order, and a script may be one line.
    last: Cell<Place>,
}

/// A line, a column in characters, and the byte where they meet, all from 0.
#[derive(Clone, Copy, Default)]
struct Place {
    line: usize,
    column: usize,
    byte: usize,
}

impl<'a> LineIndex<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        let starts = std::iter::once(0).chain(sql.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { sql, starts, last: Cell::default() }
    }

    pub(super) fn offset(&self, at: Location) -> usize {
        let line = usize::try_from(at.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(at.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(start) = self.starts.get(line).copied() else { return self.sql.len() };
        let last = self.last.get();
        let is_ahead = last.line == line && last.column <= column;
        let from = if is_ahead { last } else { Place { line, column: 0, byte: start } };
        let ahead = self.sql[from.byte..].char_indices().nth(column - from.column);
        let Some((within, _)) = ahead else { return self.sql.len() };
        let byte = from.byte + within;
        self.last.set(Place { line, column, byte });
        byte
    }
}
