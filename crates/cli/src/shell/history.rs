//! The statements that the shell remembers from one start to the next. One that may hold a secret is not remembered.

use std::path::PathBuf;

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use rustyline::history::History;

use super::LineEditor;

/// Where they are kept.
pub(super) fn file() -> Option<PathBuf> {
    dirs::home_dir().map(|home| home.join(".milepost_history"))
}

/// Remembers what was typed, here and in the file.
pub(super) fn remember(editor: &mut LineEditor, path: Option<&PathBuf>, input: &str, dialect: &dyn Dialect) {
    if may_hold_secrets(input, dialect) {
        return;
    }
    let added = editor.history_mut().add(input.trim_end());
    if let (Ok(true), Some(path)) = (added, path) {
        // Written at once, so that a killed shell has its history too. A full disk must not end the shell.
        let _ = editor.append_history(path);
    }
}

/// Whether there is a URL with a password or a query, or a value that follows the name of a secret. The text may be full
/// of mistakes.
fn may_hold_secrets(input: &str, dialect: &dyn Dialect) -> bool {
    if is_cut(input) {
        return true;
    }
    let Ok(tokens) = Tokenizer::new(dialect, input).tokenize() else {
        return milepost::is_secret_name(input);
    };
    let tokens: Vec<&Token> = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let is_secret = |token: &&Token| name(token).is_some_and(milepost::is_secret_name);
    let in_options = tokens.windows(2).enumerate().any(|(at, pair)| match pair {
        [Token::Word(word), Token::LParen] if word.value.eq_ignore_ascii_case("options") => {
            let list = tokens.iter().skip(at + 2).take_while(|token| **token != &Token::RParen);
            list.into_iter().any(is_secret)
        }
        // `PASSWORD 'x'`, and lists without the word OPTIONS.
        [key, Token::SingleQuotedString(_)] => is_secret(key),
        _ => false,
    });
    in_options || tokens.iter().filter_map(|token| name(token)).any(is_cut)
}

fn is_cut(text: &str) -> bool {
    milepost::redact(&milepost::redact_url(text)) != text
}

/// The text of a word, or of what stands in quotes.
fn name(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(&word.value),
        Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text)
        | Token::EscapedStringLiteral(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    #[test]
    fn what_may_hold_a_secret_is_not_remembered() {
        for input in [
            "SELECT * FROM 'http://u:hunter2@h/a.csv';",
            "SELECT * FROM \"http://h/a.csv?sig=hunter2\";",
            "COPY t TO 's3://AK:it''s hunter2@b/x.csv';",
            "SELECT 1; -- http://u:hunter2@h/",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://b/' OPTIONS (aws.secret_access_key hunter2);",
            "copy t to 's3://b/x.csv' options ('format.delimiter' ';', 'AWS.Session_Token' 'hunter2');",
            "COPY t TO 's3://b/x.csv' OPTION ('aws.access_key_id' 'hunter2');",
            "COPY t TO 's3://b/x.csv' OPTIONS ('azure.sas' 'hunter2;",
            "CREATE USER joe PASSWORD 'hunter2';",
        ] {
            assert!(may_hold_secrets(input, &GenericDialect {}), "{input}");
        }
        for input in [
            "SELECT key, token FROM 's3://b/part-*.csv' WHERE token = 'x';",
            "COPY t TO 's3://b/x.csv' OPTIONS ('aws.region' 'eu-1', format.delimiter ';', compression gzip);",
            "SELEC 1;",
            "SELECT ';",
            "\\d lineitem",
            "CHECKPOINT c WITH (ttl = '1 day') AS SELECT 'it''s' AS x;",
        ] {
            assert!(!may_hold_secrets(input, &GenericDialect {}), "{input}");
        }
    }
}
