//! Colours for what is typed: keywords, ours among them, and quoted text.

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

const KEYWORD: &str = "\x1b[1;34m";
const QUOTED: &str = "\x1b[32m";
const FAINT: &str = "\x1b[90m";
const PLAIN: &str = "\x1b[0m";

/// Words of our statements that are no keywords of SQL.
pub(super) const OUR_WORDS: [&str; 6] =
    ["CHECKPOINT", "CHECKPOINTS", "SNAPSHOT", "SNAPSHOTS", "REFRESH", "MATERIALIZED"];

/// The line with colours. A line that ends inside a quote stays as it is until the quote is closed.
pub(super) fn colored<'l>(line: &'l str, dialect: &dyn Dialect) -> Cow<'l, str> {
    // Escapes stay as they were typed, or the cursor would not be where the text is.
    let Ok(tokens) = Tokenizer::new(dialect, line).with_unescape(false).tokenize() else {
        return Cow::Borrowed(line);
    };
    let mut shown = String::with_capacity(line.len() * 2);
    let mut typed = String::with_capacity(line.len());
    for token in &tokens {
        let text = token.to_string();
        typed.push_str(&text);
        match color(token) {
            Some(color) => {
                shown.push_str(color);
                shown.push_str(&text);
                shown.push_str(PLAIN);
            }
            None => shown.push_str(&text),
        }
    }
    // Some tokens print in another way than they were typed, and the editor needs every character in its place.
    if typed == line { Cow::Owned(shown) } else { Cow::Borrowed(line) }
}

/// Text that stands back.
pub(super) fn faint(text: &str) -> String {
    format!("{FAINT}{text}{PLAIN}")
}

fn color(token: &Token) -> Option<&'static str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => {
            let ours = || OUR_WORDS.iter().any(|known| word.value.eq_ignore_ascii_case(known));
            (word.keyword != Keyword::NoKeyword || ours()).then_some(KEYWORD)
        }
        Token::SingleQuotedString(_) | Token::DollarQuotedString(_) | Token::EscapedStringLiteral(_) => {
            Some(QUOTED)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    fn without_colors(text: &str) -> String {
        [KEYWORD, QUOTED, FAINT, PLAIN].iter().fold(text.to_string(), |text, code| text.replace(code, ""))
    }

    #[test]
    fn our_words_are_keywords_too() {
        let shown = colored("CHECKPOINT a AS select 'x'", &GenericDialect {});
        let expected = format!(
            "{KEYWORD}CHECKPOINT{PLAIN} a {KEYWORD}AS{PLAIN} {KEYWORD}select{PLAIN} {QUOTED}'x'{PLAIN}"
        );
        assert_eq!(shown, expected);
    }

    #[test]
    fn colours_never_change_the_text() {
        for line in [
            "SELECT 1 -- why not\n FROM t;",
            "SELECT 'it''s', \"a\"\"b\", 1.50e3, $$x$$ /* c */",
            "SELECT '",
            "\\d lineitem",
            "SELECT * FROM \u{1F980} WHERE a <> b AND c != d",
        ] {
            assert_eq!(without_colors(&colored(line, &GenericDialect {})), line);
        }
    }
}
