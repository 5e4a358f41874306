//! What a statement does, and so what becomes of it when its job is taken up again.

use std::collections::BTreeMap;

use datafusion::datasource::MemTable;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::planner::{IdentNormalizer, object_name_to_table_reference};
use datafusion::sql::sqlparser::ast::{
    FromTable, Ident, ObjectName, ObjectNamePart, ObjectType, SetExpr, Statement as SqlStatement,
    TableFactor, TableObject, TableWithJoins,
};
use milepost_store::{CheckpointName, StepKind, Version};

use crate::context::settings;
use crate::session::Session;
use crate::sql::StatementKind;

/// What a statement does, as far as its text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// This, in every session.
    Always(StepKind),
    /// It changes a table's rows: the session's own where the table is in memory.
    Changes(ObjectName),
    /// It makes a checkpoint, or a view while checkpoints are switched off.
    Makes,
    /// It drops a checkpoint, or the view that stands for one, or one version.
    Drops(CheckpointName, Option<Version>),
}

/// The effects of statements that were prepared under a name.
pub(super) type Prepared = BTreeMap<String, Effect>;

impl Effect {
    /// The effect of a statement that follows those that prepared `prepared`.
    pub(super) fn of(statement: &StatementKind, prepared: &mut Prepared) -> Self {
        match statement {
            StatementKind::DataFusion(inner) => of_datafusion(inner, prepared),
            StatementKind::Checkpoint(_) => Self::Makes,
            StatementKind::Refresh { .. } => Self::Always(StepKind::Checkpoint),
            StatementKind::Drop { name, version, .. } => Self::Drops(name.clone(), *version),
            StatementKind::ShowCheckpoints { .. }
            | StatementKind::ShowSnapshots { .. }
            | StatementKind::Describe { .. }
            | StatementKind::Verify { .. }
            | StatementKind::Vacuum { dry_run: true }
            | StatementKind::Explain { analyze: false, .. } => Self::Always(StepKind::Query),
            StatementKind::Vacuum { dry_run: false } | StatementKind::Explain { analyze: true, .. } => {
                Self::Always(StepKind::OtherEffect)
            }
        }
    }

    /// What the text alone tells.
    pub(super) const fn expected(&self) -> StepKind {
        match self {
            Self::Always(kind) => *kind,
            Self::Changes(_) => StepKind::Sink,
            Self::Makes => StepKind::Checkpoint,
            Self::Drops(..) => StepKind::OtherEffect,
        }
    }

    /// What it is in a session that has come as far as this statement.
    pub(super) async fn kind_in(&self, session: &Session) -> StepKind {
        let of_the_session = match self {
            Self::Always(_) => false,
            Self::Changes(table) => is_in_memory(session, table).await,
            Self::Makes => !settings(&session.context().state()).enabled,
            Self::Drops(name, version) => {
                version.is_none() && session.milepost().view(name.as_str()).is_some()
            }
        };
        if of_the_session { StepKind::State } else { self.expected() }
    }
}

async fn is_in_memory(session: &Session, table: &ObjectName) -> bool {
    let normalise =
        session.context().state_ref().read().config_options().sql_parser.enable_ident_normalization;
    let Ok(table) = object_name_to_table_reference(table.clone(), normalise) else { return false };
    // A table that is not there is the statement's own error to tell.
    let found = session.context().table_provider(table).await;
    found.is_ok_and(|table| table.downcast_ref::<MemTable>().is_some())
}

fn of_datafusion(statement: &DFStatement, prepared: &mut Prepared) -> Effect {
    match statement {
        DFStatement::CreateExternalTable(_) | DFStatement::Reset(_) => Effect::Always(StepKind::State),
        DFStatement::CopyTo(_) => Effect::Always(StepKind::Sink),
        DFStatement::Explain(explain) if explain.options.analyze => {
            of_datafusion(&explain.statement, prepared)
        }
        DFStatement::Explain(_) => Effect::Always(StepKind::Query),
        DFStatement::Statement(inner) => of_sql(inner, prepared),
    }
}

/// Statements that DataFusion refuses are not told apart: they fail before they have an effect.
fn of_sql(statement: &SqlStatement, prepared: &mut Prepared) -> Effect {
    use SqlStatement as S;
    match statement {
        S::Query(query) => match query.body.as_ref() {
            SetExpr::Select(select) if select.into.is_some() => Effect::Always(StepKind::State),
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) => {
                of_sql(inner, prepared)
            }
            _ => Effect::Always(StepKind::Query),
        },
        S::Explain { analyze: true, statement, .. } => of_sql(statement, prepared),
        S::Prepare { name, statement, .. } => {
            let effect = of_sql(statement, prepared);
            prepared.insert(prepared_name(name), effect);
            Effect::Always(StepKind::State)
        }
        S::Execute { name: Some(name), .. } => {
            let name = name.0.iter().filter_map(ObjectNamePart::as_ident).map(prepared_name);
            let known = prepared.get(&name.collect::<Vec<_>>().join("."));
            known.cloned().unwrap_or(Effect::Always(StepKind::OtherEffect))
        }
        statement if shows(statement) => Effect::Always(StepKind::Query),
        statement if changes_the_session(statement) => Effect::Always(StepKind::State),
        statement => match changed_table(statement) {
            Some(table) => Effect::Changes(table),
            None => Effect::Always(StepKind::OtherEffect),
        },
    }
}

/// The name of a prepared statement, as DataFusion keeps it.
fn prepared_name(name: &Ident) -> String {
    IdentNormalizer::default().normalize(name.clone())
}

fn shows(statement: &SqlStatement) -> bool {
    use SqlStatement as S;
    matches!(
        statement,
        S::ShowFunctions { .. }
            | S::ShowVariable { .. }
            | S::ShowVariables { .. }
            | S::ShowCreate { .. }
            | S::ShowColumns { .. }
            | S::ShowDatabases { .. }
            | S::ShowSchemas { .. }
            | S::ShowTables { .. }
            | S::ShowViews { .. }
            | S::ExplainTable { .. }
            | S::Explain { .. }
    )
}

fn changes_the_session(statement: &SqlStatement) -> bool {
    use SqlStatement as S;
    matches!(
        statement,
        S::Set(_)
            | S::Use(_)
            | S::CreateView(_)
            | S::CreateTable(_)
            | S::CreateSchema { .. }
            | S::CreateDatabase { .. }
            | S::CreateFunction(_)
            | S::DropFunction(_)
            | S::Deallocate { .. }
            | S::StartTransaction { .. }
            | S::Commit { .. }
            | S::Rollback { .. }
            | S::Drop { object_type: ObjectType::Table | ObjectType::View | ObjectType::Schema, .. }
    )
}

/// The table whose rows a statement changes.
fn changed_table(statement: &SqlStatement) -> Option<ObjectName> {
    let named = |table: &TableWithJoins| match &table.relation {
        TableFactor::Table { name, .. } => Some(name.clone()),
        _ => None,
    };
    match statement {
        SqlStatement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => Some(name.clone()),
            _ => None,
        },
        SqlStatement::Update(update) => named(&update.table),
        SqlStatement::Delete(delete) => match &delete.from {
            FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables) => {
                tables.first().and_then(named)
            }
        },
        SqlStatement::Truncate(truncate) => truncate.table_names.first().map(|target| target.name.clone()),
        _ => None,
    }
}

/// Whether a statement that changes the session alone reads other tables for it.
pub(super) fn reads_tables(statement: &StatementKind) -> bool {
    let StatementKind::DataFusion(inner) = statement else { return false };
    !matches!(
        sql_of(inner),
        None | Some(SqlStatement::Set(_) | SqlStatement::Drop { .. } | SqlStatement::Deallocate { .. })
    )
}

/// The statement of SQL, also one that EXPLAIN ANALYZE runs; none of DataFusion's own.
fn sql_of(statement: &DFStatement) -> Option<&SqlStatement> {
    match statement {
        DFStatement::Statement(inner) => Some(inner),
        DFStatement::Explain(explain) => sql_of(&explain.statement),
        DFStatement::CreateExternalTable(_) | DFStatement::CopyTo(_) | DFStatement::Reset(_) => None,
    }
}

/// Whether a statement keeps a plan for later and reads nothing now.
pub(super) fn keeps_names(statement: &StatementKind) -> bool {
    let StatementKind::DataFusion(inner) = statement else { return false };
    let DFStatement::Statement(inner) = inner.as_ref() else { return false };
    matches!(inner.as_ref(), SqlStatement::CreateView(_) | SqlStatement::Prepare { .. })
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;

    use super::*;

    fn kind(sql: &str) -> StepKind {
        let mut prepared = Prepared::new();
        let script = crate::sql::parse(sql, &ConfigOptions::default()).unwrap();
        let effects = script.iter().map(|statement| Effect::of(&statement.kind, &mut prepared));
        effects.last().unwrap().expected()
    }

    #[test]
    fn what_changes_the_session_is_state() {
        for sql in [
            "SET datafusion.execution.batch_size = 10",
            "SET milepost.reuse = 'off'",
            "RESET milepost.reuse",
            "SET TIME ZONE = '+01:00'",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 't.csv'",
            "CREATE TABLE t (a INT)",
            "CREATE TABLE t AS SELECT 1",
            "SELECT 1 AS a INTO t",
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "CREATE FUNCTION f(DOUBLE) RETURNS DOUBLE RETURN $1 * 2",
            "DROP FUNCTION f",
            "DROP TABLE IF EXISTS t",
            "DROP VIEW v",
            "PREPARE p AS SELECT 1",
            "PREPARE p AS SELECT 1; DEALLOCATE p",
            "CREATE SCHEMA s",
            "CREATE DATABASE d",
            "USE d",
        ] {
            assert_eq!(kind(sql), StepKind::State, "{sql}");
        }
    }

    #[test]
    fn what_gives_rows_and_no_more_is_a_query() {
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1)",
            "SHOW TABLES",
            "SHOW milepost.reuse",
            "SHOW FUNCTIONS",
            "DESCRIBE t",
            "EXPLAIN SELECT 1",
            "EXPLAIN COPY t TO 'x.csv'",
            "EXPLAIN ANALYZE SELECT 1",
            "PREPARE p AS SELECT $1; EXECUTE p(1)",
            "SHOW CHECKPOINTS",
            "SHOW SNAPSHOTS OF a",
            "DESCRIBE CHECKPOINT a",
            "EXPLAIN CHECKPOINT a AS SELECT 1",
        ] {
            assert_eq!(kind(sql), StepKind::Query, "{sql}");
        }
    }

    #[test]
    fn what_lasts_is_told_apart() {
        for sql in ["CHECKPOINT a AS SELECT 1", "REFRESH CHECKPOINT a FORCE"] {
            assert_eq!(kind(sql), StepKind::Checkpoint, "{sql}");
        }
        for sql in [
            "COPY t TO 'x.csv'",
            "INSERT INTO t VALUES (1)",
            "INSERT OVERWRITE t SELECT 1",
            "UPDATE t SET a = 1",
            "DELETE FROM t WHERE a = 1",
            "TRUNCATE TABLE t",
            "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
            "EXPLAIN ANALYZE COPY t TO 'x.csv'",
            "PREPARE p AS INSERT INTO t VALUES ($1); EXECUTE p(1)",
            "PREPARE \"P\" AS INSERT INTO t VALUES (1); PREPARE p AS SELECT 1; EXECUTE \"P\"",
        ] {
            assert_eq!(kind(sql), StepKind::Sink, "{sql}");
        }
        for sql in ["DROP CHECKPOINT a", "EXPLAIN ANALYZE CHECKPOINT a AS SELECT 1", "EXECUTE unknown(1)"] {
            assert_eq!(kind(sql), StepKind::OtherEffect, "{sql}");
        }
    }

    #[test]
    fn what_explain_analyze_runs_reads_tables_too() {
        let reads = |sql: &str| {
            let script = crate::sql::parse(sql, &ConfigOptions::default()).unwrap();
            reads_tables(&script[0].kind)
        };
        for sql in ["INSERT INTO t SELECT * FROM a", "CREATE TABLE t AS SELECT * FROM a"] {
            assert!(reads(sql), "{sql}");
            assert!(reads(&format!("EXPLAIN ANALYZE {sql}")), "{sql}");
        }
        for sql in ["SET datafusion.execution.batch_size = 10", "DROP TABLE t", "RESET milepost.reuse"] {
            assert!(!reads(sql), "{sql}");
        }
    }

    #[tokio::test]
    async fn the_session_decides_about_tables_and_views() {
        let session = Session::open("memory://effects").await.unwrap();
        session.sql("CREATE TABLE m (a INT)").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        session
            .sql(&format!("CREATE EXTERNAL TABLE f (a INT) STORED AS CSV LOCATION '{place}/'"))
            .await
            .unwrap();
        let effect = |sql: &str| {
            let script = crate::sql::parse(sql, &ConfigOptions::default()).unwrap();
            Effect::of(&script[0].kind, &mut Prepared::new())
        };
        assert_eq!(effect("INSERT INTO M VALUES (1)").kind_in(&session).await, StepKind::State);
        assert_eq!(effect("INSERT INTO f VALUES (1)").kind_in(&session).await, StepKind::Sink);
        assert_eq!(effect("INSERT INTO nowhere VALUES (1)").kind_in(&session).await, StepKind::Sink);
        let checkpoint = "CHECKPOINT c AS SELECT 1 AS a";
        assert_eq!(effect(checkpoint).kind_in(&session).await, StepKind::Checkpoint);
        session.sql("SET milepost.enabled = false").await.unwrap();
        assert_eq!(effect(checkpoint).kind_in(&session).await, StepKind::State);
        assert_eq!(effect("DROP CHECKPOINT c").kind_in(&session).await, StepKind::OtherEffect);
        session.sql(checkpoint).await.unwrap();
        assert_eq!(effect("DROP CHECKPOINT c").kind_in(&session).await, StepKind::State);
    }
}
