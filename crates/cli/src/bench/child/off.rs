//! What a script is without checkpoints.

use datafusion::common::{TableReference, internal_err};
use datafusion::error::Result;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::resolve::resolve_table_references;
use milepost::Session;
use milepost::job::JobStep;
use milepost::sql::{Statement, StatementKind};

use super::execute::{self, Done, query_of};
use crate::bench::line::{LEFT_OUT, StepRan};

/// Runs the step at `index` with checkpoints switched off, whatever the script itself has set.
///
/// A statement that is about checkpoints has nothing to say then, and is left out. A checkpoint that no later statement reads
/// is a result of the script: its query is run, as it would have to be without checkpoints.
///
/// # Errors
/// The statement's.
pub(super) async fn run(session: &Session, steps: &[JobStep], index: usize) -> Result<Done> {
    let (before, rest) = steps.split_at(index);
    let Some((step, later)) = rest.split_first() else {
        return internal_err!("there is no step after the first {}", before.len());
    };
    if is_left_out(&step.statement) {
        let outcome = LEFT_OUT.to_string();
        let ran = StepRan { number: step.number(), outcome, ..StepRan::default() };
        return Ok(Done { ran, plan: None });
    }
    session.sql("SET milepost.enabled = false").await?;
    let mut statement = step.statement.clone();
    if let StatementKind::Drop { if_exists, .. } = &mut statement.kind {
        *if_exists = true;
    }
    let done = execute::run(session, step, &statement).await?;
    match &statement.kind {
        StatementKind::Checkpoint(create) if !is_read(create.name.as_str(), later) => {
            let mut result = execute::run(session, step, &query_of(&statement, create)).await?;
            result.ran.ms += done.ran.ms;
            result.ran.outcome = "computed".to_string();
            // What a stored checkpoint holds is not summed up either.
            result.ran.content = None;
            Ok(result)
        }
        _ => Ok(done),
    }
}

/// Whether a later step reads the table of this name.
fn is_read(name: &str, later: &[JobStep]) -> bool {
    later.iter().any(|step| {
        let query = match &step.statement.kind {
            StatementKind::DataFusion(inner) => inner,
            StatementKind::Checkpoint(create) => &create.query,
            _ => return false,
        };
        references(query).iter().any(|(_, table)| table.eq_ignore_ascii_case(name))
    })
}

fn is_left_out(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::DataFusion(_) => matches!(reads(statement), Reads::Store | Reads::Version),
        StatementKind::Checkpoint(_) | StatementKind::Drop { version: None, .. } => false,
        _ => true,
    }
}

/// What a statement reads besides tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Reads {
    /// Nothing.
    Tables,
    /// Names of tables and settings.
    Names,
    /// A version of a checkpoint by its number.
    Version,
    /// The tables about the store.
    Store,
}

/// What the statement reads besides tables.
pub(in crate::bench) fn reads(statement: &Statement) -> Reads {
    let StatementKind::DataFusion(inner) = &statement.kind else { return Reads::Tables };
    let found = references(inner);
    let schema = |name: &str, version: bool| {
        found.iter().any(|(schema, table)| schema == name && table.contains('@') == version)
    };
    if schema("milepost", false) {
        Reads::Store
    } else if schema("milepost", true) {
        Reads::Version
    } else if schema("information_schema", false) {
        Reads::Names
    } else {
        Reads::Tables
    }
}

/// Schemas and tables that the statement names. One that cannot be walked fails where it is planned.
fn references(statement: &DFStatement) -> Vec<(String, String)> {
    let (tables, _) = resolve_table_references(statement, true).unwrap_or_default();
    let named = |table: &TableReference| {
        (table.schema().unwrap_or_default().to_ascii_lowercase(), table.table().to_string())
    };
    tables.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;
    use milepost::job::{JobScript, Variables};

    use super::*;

    fn parsed(sql: &str) -> Statement {
        milepost::sql::parse(sql, &ConfigOptions::default()).unwrap().remove(0)
    }

    #[test]
    fn what_a_statement_reads_is_told_by_its_names() {
        for (sql, expected) in [
            ("SELECT * FROM t JOIN s.u ON true", Reads::Tables),
            ("SELECT * FROM t WHERE a IN (SELECT bytes FROM milepost.files)", Reads::Store),
            ("SELECT * FROM snapshot('a', 1)", Reads::Version),
            ("COPY (SELECT * FROM snapshot('a', 1)) TO 'x.csv'", Reads::Version),
            ("SELECT * FROM information_schema.tables", Reads::Names),
            ("CHECKPOINT a AS SELECT 1", Reads::Tables),
        ] {
            assert_eq!(reads(&parsed(sql)), expected, "{sql}");
        }
    }

    #[test]
    fn a_checkpoint_that_nothing_reads_is_a_result() {
        let script = "CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT b AS SELECT n FROM A; \
                      SELECT * FROM checkpoint((SELECT n FROM b)); CHECKPOINT c AS SELECT 1; REFRESH CHECKPOINT c";
        let script = JobScript::parse(script, &Variables::default(), &ConfigOptions::default()).unwrap();
        let later = |index: usize| &script.steps()[index + 1..];
        assert!(is_read("a", later(0)) && is_read("b", later(1)));
        assert!(!is_read("c", later(3)) && !is_read("a", later(1)));
    }

    #[test]
    fn statements_about_checkpoints_are_left_out() {
        for (sql, left_out) in [
            ("CHECKPOINT a AS SELECT 1", false),
            ("SELECT * FROM a", false),
            ("DROP CHECKPOINT a", false),
            ("DROP CHECKPOINT a VERSION 1", true),
            ("REFRESH CHECKPOINT a", true),
            ("SHOW CHECKPOINTS", true),
            ("EXPLAIN CHECKPOINT a AS SELECT 1", true),
            ("SELECT * FROM milepost.checkpoints", true),
            ("SELECT * FROM snapshot('a', 1)", true),
        ] {
            assert_eq!(is_left_out(&parsed(sql)), left_out, "{sql}");
        }
    }
}
