//! The statements that a session runs.

use datafusion::logical_expr::ExplainFormat;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use milepost_store::{CheckpointName, Version};

/// One statement of a script, with its text and place.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its source text, without the semicolon.
    pub text: String,
    /// The line of the script on which it begins, from 1.
    pub line: usize,
    /// What it is.
    pub kind: StatementKind,
}

impl Statement {
    /// Whether this statement is Milepost's own.
    pub fn is_ours(&self) -> bool {
        !matches!(self.kind, StatementKind::DataFusion(_))
    }

    /// Whether this is a plain query.
    pub fn is_query(&self) -> bool {
        matches!(&self.kind, StatementKind::DataFusion(inner) if is_query(inner))
    }
}

/// What a statement does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StatementKind {
    /// Any statement of DataFusion.
    DataFusion(Box<DFStatement>),
    /// `CHECKPOINT name [WITH (…)] AS query`
    Checkpoint(CreateCheckpoint),
    /// `REFRESH CHECKPOINT name [FORCE]`
    Refresh {
        /// Whose definition runs.
        name: CheckpointName,
        /// Whether it runs although nothing changed.
        force: bool,
    },
    /// `DROP CHECKPOINT [IF EXISTS] name [VERSION n]`
    Drop {
        /// What is dropped.
        name: CheckpointName,
        /// Whether a missing one is no error.
        if_exists: bool,
        /// One version, or all of them.
        version: Option<Version>,
    },
    /// `SHOW CHECKPOINTS [LIKE 'pattern']`
    ShowCheckpoints {
        /// SQL pattern over the names.
        like: Option<String>,
    },
    /// `SHOW SNAPSHOTS OF name`
    ShowSnapshots {
        /// Whose snapshots.
        name: CheckpointName,
    },
    /// `DESCRIBE CHECKPOINT name [VERSION n]`
    Describe {
        /// What is described.
        name: CheckpointName,
        /// Its newest version, if none is given.
        version: Option<Version>,
    },
    /// `VERIFY CHECKPOINT name [VERSION n]` or `VERIFY CHECKPOINTS`
    Verify {
        /// Whose files are read; all of them, if none is given.
        name: Option<CheckpointName>,
        /// All its versions, if none is given.
        version: Option<Version>,
    },
    /// `VACUUM CHECKPOINTS [DRY RUN]`
    Vacuum {
        /// Whether it only says what it would do.
        dry_run: bool,
    },
    /// `EXPLAIN [ANALYZE] [VERBOSE] [FORMAT format] CHECKPOINT …`
    Explain {
        /// Whether it is run.
        analyze: bool,
        /// Whether all plans are shown.
        verbose: bool,
        /// How the plan is shown; as lines with indents, if none is given.
        format: Option<ExplainFormat>,
        /// The checkpoint in question.
        create: CreateCheckpoint,
    },
}

/// `CHECKPOINT name [WITH (…)] AS query`
#[derive(Debug, Clone)]
pub struct CreateCheckpoint {
    /// Its name.
    pub name: CheckpointName,
    /// Options of the `WITH` list, keys in lower case.
    pub options: Vec<(String, String)>,
    /// The query's source text, without what is secret in URLs that it reads: the definition that REFRESH runs.
    pub query_text: String,
    /// The parsed query.
    pub query: Box<DFStatement>,
}

/// Whether a statement of DataFusion is a query, with rows of its own.
pub(crate) fn is_query(statement: &DFStatement) -> bool {
    matches!(statement, DFStatement::Statement(inner) if matches!(**inner, SqlStatement::Query(_)))
}

/// The kind of a statement that is no query, for error text: its first word or two, never its options.
pub(crate) fn describe(statement: &DFStatement) -> String {
    match statement {
        DFStatement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE".to_string(),
        DFStatement::CopyTo(_) => "COPY".to_string(),
        DFStatement::Explain(_) => "EXPLAIN".to_string(),
        DFStatement::Reset(_) => "RESET".to_string(),
        DFStatement::Statement(inner) => first_words(&inner.to_string()),
    }
}

/// The first word of a statement, and what it makes or drops: always the first word of these, for names come after it.
fn first_words(text: &str) -> String {
    const OBJECTS: [&str; 7] = ["TABLE", "VIEW", "FUNCTION", "SCHEMA", "DATABASE", "CATALOG", "INDEX"];
    let mut words = text.split_whitespace().map(str::to_ascii_uppercase);
    let Some(first) = words.next() else { return "this statement".to_string() };
    let object = match first.as_str() {
        "CREATE" | "DROP" | "ALTER" => words.take(5).find(|word| OBJECTS.contains(&word.as_str())),
        _ => None,
    };
    match object {
        Some(object) => format!("{first} {object}"),
        None => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_with_what_it_makes() {
        for (text, named) in [
            ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
            ("CREATE OR REPLACE VIEW \"table\" AS SELECT 1", "CREATE VIEW"),
            ("CREATE TABLE IF NOT EXISTS view (a INT)", "CREATE TABLE"),
            ("DROP TABLE t", "DROP TABLE"),
            ("CREATE SCHEMA s", "CREATE SCHEMA"),
            ("SELECT * FROM t JOIN view", "SELECT"),
            ("INSERT INTO table VALUES (1)", "INSERT"),
        ] {
            assert_eq!(first_words(text), named);
        }
    }
}
