//! How far a piece of SQL text has come: nothing yet, in the middle, or at the end of a statement.
//!
//! The tokenizer of the session's dialect decides, so that quotes, comments and dollar quotes mean here what they
//! mean to the parser.

use datafusion::config::Dialect as DialectName;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, dialect_from_str};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Where text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Only spaces, comments and semicolons.
    Nothing,
    /// Inside a statement, a quote or a comment.
    Open,
    /// After the semicolon of a statement.
    Complete,
}

/// Where `text` ends.
pub(crate) fn state(text: &str, dialect: &dyn Dialect) -> Input {
    let Ok(tokens) = Tokenizer::new(dialect, text).tokenize() else {
        return broken(text);
    };
    let mut seen = Input::Nothing;
    for token in tokens {
        seen = match token {
            Token::Whitespace(_) | Token::EOF => seen,
            Token::SemiColon if seen == Input::Nothing => Input::Nothing,
            Token::SemiColon => Input::Complete,
            _ => Input::Open,
        };
    }
    seen
}

/// Text that the tokenizer refuses is mostly a quote or comment that goes on in the next line. A semicolon at the
/// end with quotes that match is a mistake for the parser to report instead.
fn broken(text: &str) -> Input {
    let even = |quote: &str| text.matches(quote).count().is_multiple_of(2);
    let comment_open = text.matches("/*").count() > text.matches("*/").count();
    let closed = ["'", "\"", "`", "$$"].into_iter().all(even) && !comment_open;
    if closed && text.trim_end().ends_with(';') { Input::Complete } else { Input::Open }
}

/// The tokenizer's rules for a dialect of the settings.
pub(crate) fn dialect(name: &DialectName) -> Box<dyn Dialect> {
    dialect_from_str(name).unwrap_or_else(|| Box::new(GenericDialect {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Input {
        state(text, &GenericDialect {})
    }

    #[test]
    fn a_statement_ends_with_a_semicolon() {
        assert_eq!(generic("SELECT 1"), Input::Open);
        assert_eq!(generic("SELECT 1;"), Input::Complete);
        assert_eq!(generic("SELECT 1; -- done\n  "), Input::Complete);
        assert_eq!(generic("SELECT 1; SELECT"), Input::Open);
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        for text in [
            "SELECT ';",
            "SELECT ';'",
            "SELECT \"a;",
            "SELECT 1 -- ;",
            "SELECT 1 /* ;",
            "SELECT 1 /* /* ; */ ;",
            "SELECT $$;",
            "SELECT $tag$ ; $$ ;",
        ] {
            assert_eq!(generic(text), Input::Open, "{text}");
        }
        for text in ["SELECT 'it''s;' ;", "SELECT $$;$$;", "/* ; */ SELECT 1;"] {
            assert_eq!(generic(text), Input::Complete, "{text}");
        }
    }

    #[test]
    fn comments_and_stray_semicolons_are_nothing() {
        for text in ["", "  \n", "-- only a comment", ";", " ; ;"] {
            assert_eq!(generic(text), Input::Nothing, "{text:?}");
        }
    }

    #[test]
    fn our_statements_are_like_any_other() {
        assert_eq!(generic("CHECKPOINT by_day WITH (compression = 'zstd')\n AS SELECT *"), Input::Open);
        assert_eq!(generic("CHECKPOINT by_day AS SELECT ';' AS a;"), Input::Complete);
        assert_eq!(generic("SELECT * FROM checkpoint((SELECT 1), 'x');"), Input::Complete);
    }

    #[test]
    fn the_dialect_decides_what_a_quote_is() {
        let text = "SELECT 'it\\'s;'";
        assert_eq!(state(&format!("{text};"), &*dialect(&DialectName::MySQL)), Input::Complete);
        assert_eq!(state(text, &*dialect(&DialectName::MySQL)), Input::Open);
    }
}
