//! Which statements ask the catalog for all names: `SHOW TABLES`, `SHOW COLUMNS`, and whatever reads `information_schema`.

use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement as DFStatement};
use datafusion::sql::sqlparser::ast::{ObjectName, Statement as SqlStatement, visit_relations};

/// Whether checkpoints are to be listed before a statement is planned.
pub(crate) fn lists_tables(statement: &DFStatement) -> bool {
    match statement {
        DFStatement::Statement(inner) => {
            matches!(**inner, SqlStatement::ShowTables { .. } | SqlStatement::ShowColumns { .. })
                || visit_relations(inner, found).is_break()
        }
        DFStatement::Explain(explain) => lists_tables(&explain.statement),
        DFStatement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => visit_relations(query, found).is_break(),
            CopyToSource::Relation(name) => in_information_schema(name),
        },
        DFStatement::CreateExternalTable(_) | DFStatement::Reset(_) => false,
    }
}

fn found(name: &ObjectName) -> ControlFlow<()> {
    if in_information_schema(name) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn in_information_schema(name: &ObjectName) -> bool {
    let schema = name.0.iter().rev().nth(1).and_then(|part| part.as_ident());
    schema.is_some_and(|schema| schema.value.eq_ignore_ascii_case("information_schema"))
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;

    use super::*;
    use crate::sql::{StatementKind, parse};

    fn asks(sql: &str) -> bool {
        let statements = parse(sql, &ConfigOptions::default()).unwrap();
        let StatementKind::DataFusion(inner) = &statements[0].kind else { panic!("{sql}") };
        lists_tables(inner)
    }

    #[test]
    fn statements_that_read_the_catalog_ask_for_all_names() {
        for sql in [
            "SHOW TABLES",
            "SHOW COLUMNS FROM t",
            "SELECT * FROM information_schema.tables",
            "SELECT * FROM datafusion.Information_Schema.columns",
            "SELECT 1 WHERE EXISTS (SELECT * FROM information_schema.tables)",
            "WITH t AS (SELECT * FROM information_schema.tables) SELECT * FROM t",
            "CREATE TABLE t AS SELECT * FROM information_schema.tables",
            "EXPLAIN SELECT * FROM information_schema.tables",
            "COPY (SELECT * FROM information_schema.tables) TO 'x.csv'",
            "COPY information_schema.tables TO 'x.csv'",
        ] {
            assert!(asks(sql), "{sql}");
        }
    }

    #[test]
    fn a_word_in_a_text_or_a_setting_asks_for_nothing() {
        for sql in [
            "SELECT 'information_schema'",
            "SELECT information_schema FROM t -- information_schema.tables",
            "SELECT * FROM information_schema",
            "SHOW datafusion.execution.batch_size",
            "COPY t TO 'information_schema.csv'",
        ] {
            assert!(!asks(sql), "{sql}");
        }
    }
}
