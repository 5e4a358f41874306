//! Takes passwords and queries out of URLs that stand where a table's name does.
//!
//! `FROM 'http://user:password@host/a.csv?sig=…'` is a name, and a name gets everywhere: into columns, plans, labels,
//! errors and definitions. DataFusion reads such a file by scheme, host, port and path alone, so the rest is cut before
//! anything is planned. [`milepost_store::redact_url`] says what is cut.
//!
//! Elsewhere in a statement a URL is needed whole, or is data. There it is cut from the text that is kept of the statement
//! ([`text_without_secrets`]).

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Select, SelectItem, SelectItemQualifiedWildcardKind, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use milepost_store::{redact, redact_url};

/// Cuts what is secret from the names of a statement. Whether there was something.
pub(super) fn rewrite(statement: &mut DFStatement) -> bool {
    let mut cut = Cut { found: false };
    match statement {
        DFStatement::Statement(inner) => {
            let _ = inner.visit(&mut cut);
        }
        DFStatement::Explain(explain) => return rewrite(&mut explain.statement),
        DFStatement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => {
                let _ = query.visit(&mut cut);
            }
            CopyToSource::Relation(name) => cut.name(name),
        },
        DFStatement::CreateExternalTable(create) => cut.name(&mut create.name),
        DFStatement::Reset(_) => {}
    }
    cut.found
}

struct Cut {
    found: bool,
}

impl Cut {
    fn name(&mut self, name: &mut ObjectName) {
        for part in &mut name.0 {
            if let ObjectNamePart::Identifier(word) = part {
                self.word(word);
            }
        }
    }

    fn word(&mut self, word: &mut Ident) {
        if let Cow::Owned(shown) = redact_url(&word.value)
            && shown != word.value
        {
            word.value = shown;
            self.found = true;
        }
    }
}

impl VisitorMut for Cut {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        self.name(relation);
        ControlFlow::Continue(())
    }

    /// A column may name its table.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundIdentifier(words) => {
                let tables = words.len().saturating_sub(1);
                words.iter_mut().take(tables).for_each(|word| self.word(word));
            }
            Expr::QualifiedWildcard(table, _) => self.name(table),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(table), _) = item
            {
                self.name(table);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The text of a statement without what is secret in the URLs of its literals and locations, and without options, whose
/// values may be secret. Nothing where there is nothing to hide.
pub(crate) fn text_without_secrets(statement: &DFStatement) -> Option<String> {
    let mut shown = statement.clone();
    match &mut shown {
        DFStatement::Statement(inner) => {
            let _ = inner.visit(&mut Literals);
        }
        DFStatement::CreateExternalTable(create) => {
            create.locations.iter_mut().for_each(|location| *location = without_secrets(location));
            create.options.clear();
        }
        DFStatement::CopyTo(_) | DFStatement::Explain(_) | DFStatement::Reset(_) => {}
    }
    let shown = redact(&shown.to_string()).into_owned();
    (shown != statement.to_string()).then_some(shown)
}

/// A text that is a URL or holds some. A URL by itself may hold spaces and quotes.
pub(crate) fn without_secrets(text: &str) -> String {
    redact(&redact_url(text)).into_owned()
}

struct Literals;

impl VisitorMut for Literals {
    type Break = ();

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Some(text) = value.value.clone().into_string() {
            let shown = without_secrets(&text);
            if shown != text {
                value.value = Value::SingleQuotedString(shown);
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;

    use super::text_without_secrets;
    use crate::sql::{StatementKind, parse};

    fn parsed(sql: &str) -> StatementKind {
        parse(sql, &ConfigOptions::default()).unwrap().swap_remove(0).kind
    }

    #[test]
    fn no_name_keeps_a_password_or_a_query() {
        for sql in [
            "SELECT \"http://u:hunter2@h/a.csv?sig=hunter2\".x FROM 'http://u:hunter2@h/a.csv?sig=hunter2'",
            "SELECT \"http://u:hunter2@h/a.csv\".* FROM 'http://u:hunter2@h/a.csv' WHERE x IN (SELECT y FROM 's3://k:hunter2@b/c')",
            "EXPLAIN SELECT * FROM 's3://hunter2@b/x.parquet'",
            "COPY 'http://h/a.csv?hunter2' TO 'x.csv'",
            "COPY (SELECT * FROM 'http://h/a.csv?hunter2') TO 'x.csv'",
            "CREATE VIEW v AS SELECT * FROM 'http://h/a.csv?hunter2'",
            "CREATE EXTERNAL TABLE \"http://h/a.csv?hunter2\" STORED AS CSV LOCATION 'x.csv'",
            "INSERT INTO t SELECT count(*) FROM 'http://h/a.csv?hunter2'",
            "DESCRIBE 'http://h/a.csv?hunter2'",
            "SELECT * FROM checkpoint((SELECT * FROM 'http://u:hunter2@h/a.csv'))",
            "WITH t AS MATERIALIZED (SELECT * FROM 'http://u:hunter2@h/a.csv') SELECT * FROM t",
        ] {
            let StatementKind::DataFusion(inner) = parsed(sql) else { panic!("{sql}") };
            assert!(!inner.to_string().contains("hunter2"), "{inner}");
        }
    }

    /// What a definition says is what runs: names without secrets.
    #[test]
    fn a_definition_says_what_runs() {
        let sql = "CHECKPOINT c AS SELECT a, 'x?y' AS b FROM 'http://u:hunter2@h/a.csv?hunter2' WHERE a > 1";
        let StatementKind::Checkpoint(create) = parsed(sql) else { panic!("{sql}") };
        assert_eq!(create.query_text, "SELECT a, 'x?y' AS b FROM 'http://***@h/a.csv?***' WHERE a > 1");
        assert!(!format!("{create:?}").contains("hunter2"));
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        let sql = "CHECKPOINT c AS SELECT  'http://h/?q=1' AS a FROM 'data/part-?.csv'";
        let StatementKind::Checkpoint(create) = parsed(sql) else { panic!("{sql}") };
        assert_eq!(create.query_text, "SELECT  'http://h/?q=1' AS a FROM 'data/part-?.csv'");
    }

    #[test]
    fn the_text_of_a_statement_is_kept_without_literal_secrets() {
        for (sql, kept) in [
            (
                "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://u:it''s hunter2@h/a.csv?hunter2' \
                 OPTIONS ('aws.secret_access_key' 'hunter2')",
                Some("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://***@h/a.csv?***'"),
            ),
            (
                "CREATE VIEW v AS SELECT 'it''s http://u:hunter2@h/?x' AS a WHERE b = 'http://u:it''s hunter2@h/'",
                Some("CREATE VIEW v AS SELECT 'it''s http://***@h/?***' AS a WHERE b = 'http://***@h/'"),
            ),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://b/part-*/'", None),
            ("CREATE VIEW v AS SELECT 'it''s' AS a", None),
        ] {
            let StatementKind::DataFusion(inner) = parsed(sql) else { panic!("{sql}") };
            assert_eq!(text_without_secrets(&inner).as_deref(), kept, "{sql}");
        }
    }
}
