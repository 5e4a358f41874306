//! Recognises our statements by their first words and leaves all others to DataFusion.

use std::str::FromStr;

use datafusion::common::Result;
use datafusion::logical_expr::ExplainFormat;
use datafusion::sql::parser::{DFParser, DFParserBuilder, Statement as DFStatement};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use milepost_store::{CheckpointName, Version};

use super::materialized;
use super::secret_urls;
use super::snapshot_fn;
use super::statement::{CreateCheckpoint, StatementKind, describe, is_query};
use super::tokens::{tokenize, tokens};
use crate::error::{Error, store_error};

/// Parses one statement, ours or DataFusion's.
///
/// # Errors
/// A statement that follows neither grammar, with line and column.
pub(crate) fn parse_statement(
    sql: &str,
    dialect: &dyn Dialect,
    recursion_limit: usize,
) -> Result<StatementKind> {
    let sql = materialized::rewrite(sql, dialect)?;
    let tokens = tokens(&sql, dialect)?;
    parse_as_it_stands(&sql, tokens, dialect, recursion_limit)
}

/// Parses the one statement of `script`, which has nothing to rewrite in it, from the script's tokens.
///
/// # Errors
/// As [`parse_statement`].
pub(super) fn parse_tokens(
    script: &str,
    mut tokens: Vec<TokenWithSpan>,
    dialect: &dyn Dialect,
    recursion_limit: usize,
) -> Result<StatementKind> {
    tokens.retain(|placed| placed.token != Token::SemiColon);
    parse_as_it_stands(script, tokens, dialect, recursion_limit)
}

fn parse_as_it_stands(
    sql: &str,
    tokens: Vec<TokenWithSpan>,
    dialect: &dyn Dialect,
    recursion_limit: usize,
) -> Result<StatementKind> {
    let parser = DFParserBuilder::new(tokens).with_dialect(dialect).with_recursion_limit(recursion_limit);
    let mut statement = OurParser { inner: parser.build()?, sql, dialect };
    let kind = statement.parse()?;
    statement.expect_end()?;
    Ok(kind)
}

/// Parses a query that stands by itself, such as a stored definition.
///
/// # Errors
/// Text that is no query.
pub(crate) fn parse_query(sql: &str, dialect: &dyn Dialect, recursion_limit: usize) -> Result<DFStatement> {
    match parse_statement(sql, dialect, recursion_limit)? {
        StatementKind::DataFusion(inner) if is_query(&inner) => Ok(*inner),
        StatementKind::DataFusion(inner) => Err(Error::NotAQuery { what: describe(&inner) }.into()),
        _ => Err(Error::NotAQuery { what: "a checkpoint statement".to_string() }.into()),
    }
}

struct OurParser<'a> {
    inner: DFParser<'a>,
    sql: &'a str,
    dialect: &'a dyn Dialect,
}

impl OurParser<'_> {
    fn parse(&mut self) -> Result<StatementKind> {
        match self.leading_words().as_slice() {
            ["checkpoint", ..] => {
                self.skip(1);
                Ok(StatementKind::Checkpoint(self.create_checkpoint()?))
            }
            ["refresh", "checkpoint", ..] => self.refresh(),
            ["drop", "checkpoint", ..] => self.drop_checkpoint(),
            ["show", "checkpoints", ..] => self.show_checkpoints(),
            ["show", "snapshots", ..] => self.show_snapshots(),
            ["describe" | "desc", "checkpoint", ..] => self.describe_checkpoint(),
            ["verify", "checkpoint", ..] => self.verify_checkpoint(),
            ["verify", "checkpoints", ..] => {
                self.skip(2);
                Ok(StatementKind::Verify { name: None, version: None })
            }
            ["vacuum", "checkpoints", ..] => self.vacuum(),
            ["explain", ..] if self.explains_a_checkpoint() => self.explain(),
            _ => {
                let mut statement = self.inner.parse_statement()?;
                secret_urls::rewrite(&mut statement);
                snapshot_fn::rewrite(&mut statement)?;
                Ok(StatementKind::DataFusion(Box::new(statement)))
            }
        }
    }

    /// Up to two unquoted words at the front that our statements begin with, in lower case.
    fn leading_words(&self) -> Vec<&'static str> {
        const OURS: &[&str] = &[
            "checkpoint",
            "checkpoints",
            "refresh",
            "drop",
            "show",
            "snapshots",
            "describe",
            "desc",
            "verify",
            "vacuum",
            "explain",
        ];
        (0..2)
            .map_while(|n| match &self.inner.parser.peek_nth_token_ref(n).token {
                Token::Word(word) if word.quote_style.is_none() => {
                    OURS.iter().find(|ours| word.value.eq_ignore_ascii_case(ours)).copied()
                }
                _ => None,
            })
            .collect()
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        matches!(&self.inner.parser.peek_nth_token_ref(at).token,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
    }

    /// Whether `CHECKPOINT` follows the options of an `EXPLAIN`.
    fn explains_a_checkpoint(&self) -> bool {
        let mut at = 1;
        at += usize::from(self.is_word(at, "analyze"));
        at += usize::from(self.is_word(at, "verbose"));
        at += 2 * usize::from(self.is_word(at, "format"));
        self.is_word(at, "checkpoint")
    }

    fn skip(&mut self, tokens: usize) {
        for _ in 0..tokens {
            self.inner.parser.next_token();
        }
    }

    fn create_checkpoint(&mut self) -> Result<CreateCheckpoint> {
        let name = self.name()?;
        let options = if self.word("with") { self.options()? } else { Vec::new() };
        if !self.word("as") {
            return self.expected("AS and a query");
        }
        let mut query_text = self.rest().to_string();
        if query_text.is_empty() {
            return self.expected("a query after AS");
        }
        let mut query = self.inner.parse_statement()?;
        if !is_query(&query) {
            return Err(Error::NotAQuery { what: describe(&query) }.into());
        }
        if secret_urls::rewrite(&mut query) {
            query_text = query.to_string();
        }
        snapshot_fn::rewrite(&mut query)?;
        Ok(CreateCheckpoint { name, options, query_text, query: Box::new(query) })
    }

    fn options(&mut self) -> Result<Vec<(String, String)>> {
        self.token(&Token::LParen, "( after WITH")?;
        let mut options: Vec<(String, String)> = Vec::new();
        loop {
            let key = self.inner.parse_option_key()?.to_ascii_lowercase();
            let _ = self.inner.parser.consume_token(&Token::Eq);
            let value = self.inner.parse_option_value()?;
            let value = value.clone().into_string().unwrap_or_else(|| value.to_string());
            if options.iter().any(|(seen, _)| *seen == key) {
                let found = format!("option '{key}' is given twice");
                return Err(Error::Syntax { found, expected: "each option once".to_string() }.into());
            }
            options.push((key, value));
            if !self.inner.parser.consume_token(&Token::Comma) {
                break;
            }
        }
        self.token(&Token::RParen, ", or ) after an option")?;
        Ok(options)
    }

    fn refresh(&mut self) -> Result<StatementKind> {
        self.skip(2);
        let name = self.name()?;
        Ok(StatementKind::Refresh { name, force: self.word("force") })
    }

    fn drop_checkpoint(&mut self) -> Result<StatementKind> {
        self.skip(2);
        // A checkpoint may be called `if`.
        let if_exists = self.is_word(0, "if") && self.is_word(1, "exists");
        if if_exists {
            self.skip(2);
        }
        Ok(StatementKind::Drop { name: self.name()?, if_exists, version: self.version()? })
    }

    fn show_checkpoints(&mut self) -> Result<StatementKind> {
        self.skip(2);
        let like = if self.word("like") {
            match self.inner.parser.next_token().token {
                Token::SingleQuotedString(pattern) => Some(pattern),
                _ => {
                    self.inner.parser.prev_token();
                    return self.expected("a pattern in single quotes");
                }
            }
        } else {
            None
        };
        Ok(StatementKind::ShowCheckpoints { like })
    }

    fn show_snapshots(&mut self) -> Result<StatementKind> {
        self.skip(2);
        if !self.word("of") {
            return self.expected("OF and a checkpoint's name");
        }
        Ok(StatementKind::ShowSnapshots { name: self.name()? })
    }

    fn describe_checkpoint(&mut self) -> Result<StatementKind> {
        self.skip(2);
        Ok(StatementKind::Describe { name: self.name()?, version: self.version()? })
    }

    fn verify_checkpoint(&mut self) -> Result<StatementKind> {
        self.skip(2);
        Ok(StatementKind::Verify { name: Some(self.name()?), version: self.version()? })
    }

    fn vacuum(&mut self) -> Result<StatementKind> {
        self.skip(2);
        let dry_run = self.word("dry");
        if dry_run && !self.word("run") {
            return self.expected("RUN after DRY");
        }
        Ok(StatementKind::Vacuum { dry_run })
    }

    fn explain(&mut self) -> Result<StatementKind> {
        self.skip(1);
        let (analyze, verbose) = (self.word("analyze"), self.word("verbose"));
        let format = self.inner.parse_explain_format()?.map(|name| name.parse()).transpose()?;
        let refused = match format {
            Some(_) if verbose => Some("EXPLAIN VERBOSE with FORMAT"),
            Some(ExplainFormat::Indent) | None => None,
            Some(_) if analyze => Some("EXPLAIN ANALYZE CHECKPOINT with a FORMAT other than INDENT"),
            Some(_) => None,
        };
        if let Some(found) = refused {
            let expected = "one of the two".to_string();
            return Err(Error::Syntax { found: found.to_string(), expected }.into());
        }
        self.skip(1);
        Ok(StatementKind::Explain { analyze, verbose, format, create: self.create_checkpoint()? })
    }

    fn version(&mut self) -> Result<Option<Version>> {
        if !self.word("version") {
            return Ok(None);
        }
        match self.inner.parser.next_token().token {
            Token::Number(digits, _) if u64::from_str(&digits).is_ok_and(|n| n > 0) => {
                Ok(u64::from_str(&digits).ok().map(Version))
            }
            _ => {
                self.inner.parser.prev_token();
                self.expected("a version number, from 1")
            }
        }
    }

    /// A checkpoint's name: unquoted words are folded to lower case as SQL does, quoted ones stand as they are.
    fn name(&mut self) -> Result<CheckpointName> {
        let next = self.inner.parser.next_token();
        let text = match &next.token {
            Token::Word(word) if word.quote_style.is_some() => word.value.clone(),
            Token::Word(word) => word.value.to_ascii_lowercase(),
            Token::SingleQuotedString(text) => text.clone(),
            _ => {
                self.inner.parser.prev_token();
                return self.expected("a checkpoint's name");
            }
        };
        if self.inner.parser.peek_token_ref().token == Token::Period {
            let whole = format!("{text}.…");
            return CheckpointName::parse(&whole).map_err(store_error);
        }
        CheckpointName::parse(&text).map_err(store_error)
    }

    /// Takes the next token if it is this unquoted word.
    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        if found {
            self.inner.parser.next_token();
        }
        found
    }

    fn token(&mut self, token: &Token, expected: &str) -> Result<()> {
        if self.inner.parser.consume_token(token) { Ok(()) } else { self.expected(expected) }
    }

    fn expect_end(&mut self) -> Result<()> {
        let _ = self.inner.parser.consume_token(&Token::SemiColon);
        match self.inner.parser.peek_token_ref().token {
            Token::EOF => Ok(()),
            _ => self.expected("the end of the statement"),
        }
    }

    /// The text from the next token on, without a closing semicolon.
    fn rest(&self) -> &str {
        let TokenWithSpan { span, token } = self.inner.parser.peek_token_ref();
        if *token == Token::EOF {
            return "";
        }
        let tokens = tokenize(self.sql, self.dialect).unwrap_or_default();
        let here = super::tokens::offset(self.sql, span.start);
        let end = tokens.iter().rfind(|t| t.token != Token::SemiColon).map_or(0, |t| t.bytes.end);
        self.sql.get(here..end).unwrap_or("").trim()
    }

    fn expected<T>(&self, expected: &str) -> Result<T> {
        let next = self.inner.parser.peek_token_ref();
        let found = match next.token {
            Token::EOF => "the statement ends".to_string(),
            _ => format!(
                "'{}' at line {}, column {}",
                next.token, next.span.start.line, next.span.start.column
            ),
        };
        Err(Error::Syntax { found, expected: expected.to_string() }.into())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    fn parse(sql: &str) -> StatementKind {
        parse_statement(sql, &GenericDialect {}, 50).unwrap()
    }

    fn refuse(sql: &str) -> String {
        parse_statement(sql, &GenericDialect {}, 50).unwrap_err().to_string()
    }

    #[test]
    fn a_checkpoint_keeps_its_name_options_and_query_text() {
        let sql = "Checkpoint By_Day WITH (compression = 'small', keep_versions 3, ttl = '7 days')\n AS SELECT 1 -- why\n;";
        let StatementKind::Checkpoint(create) = parse(sql) else { panic!("{sql}") };
        assert_eq!(create.name.as_str(), "by_day");
        let options: Vec<_> = create.options.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(options, [("compression", "small"), ("keep_versions", "3"), ("ttl", "7 days")]);
        assert_eq!(create.query_text, "SELECT 1");
    }

    #[test]
    fn every_statement_of_ours_is_recognised() {
        assert!(matches!(parse("REFRESH CHECKPOINT a FORCE"), StatementKind::Refresh { force: true, .. }));
        assert!(matches!(
            parse("DROP CHECKPOINT IF EXISTS a VERSION 3"),
            StatementKind::Drop { if_exists: true, version: Some(Version(3)), .. }
        ));
        assert!(matches!(
            parse("SHOW CHECKPOINTS LIKE 'a%'"),
            StatementKind::ShowCheckpoints { like: Some(_) }
        ));
        assert!(matches!(parse("DROP CHECKPOINT if"), StatementKind::Drop { if_exists: false, .. }));
        assert!(matches!(parse("DROP CHECKPOINT IF EXISTS if"), StatementKind::Drop { if_exists: true, .. }));
        assert!(matches!(
            parse("EXPLAIN FORMAT TREE CHECKPOINT a AS SELECT 1"),
            StatementKind::Explain { format: Some(ExplainFormat::Tree), .. }
        ));
        assert!(matches!(
            parse("EXPLAIN ANALYZE FORMAT INDENT CHECKPOINT a AS SELECT 1"),
            StatementKind::Explain { analyze: true, format: Some(ExplainFormat::Indent), .. }
        ));
        assert!(matches!(parse("show snapshots of a"), StatementKind::ShowSnapshots { .. }));
        assert!(matches!(parse("DESCRIBE CHECKPOINT a VERSION 1"), StatementKind::Describe { .. }));
        assert!(matches!(
            parse("EXPLAIN ANALYZE VERBOSE CHECKPOINT a AS SELECT 1"),
            StatementKind::Explain { analyze: true, verbose: true, .. }
        ));
    }

    #[test]
    fn datafusion_keeps_its_own() {
        for sql in
            ["SHOW TABLES", "DROP TABLE t", "DESCRIBE t", "EXPLAIN SELECT 1", "SELECT checkpoint FROM t"]
        {
            assert!(matches!(parse(sql), StatementKind::DataFusion(_)), "{sql}");
        }
    }

    #[test]
    fn mistakes_say_what_was_found_and_what_could_stand_there() {
        assert!(refuse("CHECKPOINT a SELECT 1").contains("expected AS"));
        assert!(refuse("CHECKPOINT").contains("the statement ends"));
        assert!(refuse("CHECKPOINT a AS").contains("a query after AS"));
        assert!(refuse("CHECKPOINT a AS DROP TABLE t").contains("DROP TABLE is none"));
        assert!(refuse("CHECKPOINT a AS COPY t TO 'x'").contains("COPY is none"));
        assert!(refuse("CHECKPOINT a.b AS SELECT 1").contains("a."));
        assert!(refuse("CHECKPOINT \"Big\" AS SELECT 1").contains("Big"));
        assert!(refuse("DROP CHECKPOINT a VERSION none").contains("version number"));
        assert!(refuse("EXPLAIN FORMAT XML CHECKPOINT a AS SELECT 1").contains("XML"));
        assert!(refuse("EXPLAIN ANALYZE FORMAT TREE CHECKPOINT a AS SELECT 1").contains("INDENT"));
        assert!(refuse("EXPLAIN VERBOSE FORMAT TREE CHECKPOINT a AS SELECT 1").contains("VERBOSE"));
        assert!(refuse("REFRESH CHECKPOINT a b").contains("end of the statement"));
        assert!(refuse("CHECKPOINT a WITH (ttl = 1, ttl = 2) AS SELECT 1").contains("twice"));
    }
}
