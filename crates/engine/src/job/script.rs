//! A script, statement by statement, with what tells each one from another.

use datafusion::config::ConfigOptions;
use milepost_store::{CheckpointName, Digest, SnapshotRef, StepKind};

use super::effect::{Effect, Prepared, reads_tables};
use super::variables::Variables;
use crate::error::Error;
use crate::sql::{Statement, StatementKind, normal_form, parse};

/// What every chain of identities begins with. Another way to form them gets another number.
const SCHEME: &[u8] = b"milepost job steps 1";

/// A script that parses.
#[derive(Debug, Clone)]
pub struct JobScript {
    steps: Vec<JobStep>,
    variables: Digest,
}

/// One statement of a script.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// Its place in the script, from 0.
    pub index: u64,
    /// The statement.
    pub statement: Statement,
    /// The hash of all statements up to it, and of the variables. Spaces and comments do not count.
    pub identity: Digest,
    pub(super) effect: Effect,
}

impl JobScript {
    /// Parses a script whose variables are filled in.
    ///
    /// # Errors
    /// The first statement that does not parse, with its line; [`Error::EmptyJob`].
    pub fn parse(text: &str, variables: &Variables, options: &ConfigOptions) -> Result<Self, Error> {
        Self::new(parse(text, options)?, variables, options)
    }

    /// The script of these statements, parsed under `options`.
    ///
    /// # Errors
    /// [`Error::EmptyJob`].
    pub fn new(
        statements: Vec<Statement>,
        variables: &Variables,
        options: &ConfigOptions,
    ) -> Result<Self, Error> {
        if statements.is_empty() {
            return Err(Error::EmptyJob);
        }
        let variables = variables.digest();
        let mut prepared = Prepared::new();
        let mut before = Digest::of(&[SCHEME, variables.as_bytes()].concat());
        let mut steps = Vec::with_capacity(statements.len());
        for (index, statement) in (0..).zip(statements) {
            let mut hash = blake3::Hasher::new();
            hash.update(before.as_bytes());
            for token in normal_form(&statement.text, options)? {
                hash.update(&(token.len() as u64).to_le_bytes());
                hash.update(token.as_bytes());
            }
            before = hash.finalize().into();
            let effect = Effect::of(&statement.kind, &mut prepared);
            steps.push(JobStep { index, statement, identity: before, effect });
        }
        Ok(Self { steps, variables })
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[JobStep] {
        &self.steps
    }

    /// The hash of the whole script.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.steps.last().map_or(self.variables, |step| step.identity)
    }

    /// The hash of its variables.
    #[must_use]
    pub const fn variables(&self) -> Digest {
        self.variables
    }
}

impl JobStep {
    /// Its number for people, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.index + 1
    }

    /// What it does, as far as its text tells: an INSERT counts as a sink until its table is known to be in memory.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        self.effect.expected()
    }

    /// The statement in a few words that hold nothing secret: `CHECKPOINT by_day`, `COPY`, `SELECT`.
    #[must_use]
    pub fn what(&self) -> String {
        match &self.statement.kind {
            StatementKind::DataFusion(inner) => crate::sql::describe(inner),
            StatementKind::Checkpoint(create) => format!("CHECKPOINT {}", create.name),
            StatementKind::Refresh { name, .. } => format!("REFRESH CHECKPOINT {name}"),
            StatementKind::Drop { name, version: None, .. } => format!("DROP CHECKPOINT {name}"),
            StatementKind::Drop { name, version: Some(version), .. } => {
                format!("DROP CHECKPOINT {name} VERSION {version}")
            }
            StatementKind::ShowCheckpoints { .. } => "SHOW CHECKPOINTS".to_string(),
            StatementKind::ShowSnapshots { name } => format!("SHOW SNAPSHOTS OF {name}"),
            StatementKind::Describe { name, .. } => format!("DESCRIBE CHECKPOINT {name}"),
            StatementKind::Verify { .. } => "VERIFY CHECKPOINTS".to_string(),
            StatementKind::Vacuum { .. } => "VACUUM CHECKPOINTS".to_string(),
            StatementKind::Explain { create, .. } => format!("EXPLAIN CHECKPOINT {}", create.name),
        }
    }

    /// The checkpoint that it makes, as far as its text tells.
    pub(super) fn makes(&self) -> Option<&CheckpointName> {
        match &self.statement.kind {
            StatementKind::Checkpoint(create) => Some(&create.name),
            StatementKind::Refresh { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The checkpoint that it drops, or a version of it.
    pub(super) const fn drops_of(&self) -> Option<&CheckpointName> {
        match &self.effect {
            Effect::Drops(name, _) => Some(name),
            _ => None,
        }
    }

    /// The checkpoint all of whose versions it drops.
    pub(super) const fn drops_all_of(&self) -> Option<&CheckpointName> {
        match &self.effect {
            Effect::Drops(name, None) => Some(name),
            _ => None,
        }
    }

    /// Whether it drops a version, alone or with all others.
    pub(super) fn drops(&self, made: &SnapshotRef) -> bool {
        matches!(&self.effect, Effect::Drops(name, version)
            if *name == made.checkpoint && version.is_none_or(|version| version == made.version))
    }

    /// Whether doing it again for a new session reads tables, and so perhaps checkpoints.
    pub(super) fn reads_tables(&self) -> bool {
        reads_tables(&self.statement.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identities(text: &str, variables: &[(&str, &str)]) -> Vec<Digest> {
        let mut given = Variables::default();
        for (name, value) in variables {
            given.set(name, value).unwrap();
        }
        let script = JobScript::parse(text, &given, &ConfigOptions::default()).unwrap();
        script.steps().iter().map(|step| step.identity).collect()
    }

    #[test]
    fn spaces_and_comments_do_not_count() {
        let plain = identities("SELECT 1 AS a; SELECT 'x y'", &[]);
        let other = identities("-- first\nSELECT  1\n AS /* b */ a;\n\n SELECT 'x y' ;; -- end", &[]);
        assert_eq!(plain, other);
        assert_ne!(plain[1], identities("SELECT 1 AS a; SELECT 'x  y'", &[])[1], "inside a quote they do");
        assert_ne!(identities("SELECT a b", &[]), identities("SELECT ab", &[]));
    }

    #[test]
    fn an_edit_changes_its_step_and_all_after_it() {
        let before = identities("SELECT 1; SELECT 2; SELECT 3", &[]);
        let after = identities("SELECT 1; SELECT 20; SELECT 3", &[]);
        assert_eq!(before[0], after[0]);
        assert!(before[1] != after[1] && before[2] != after[2]);
    }

    #[test]
    fn equal_statements_and_other_variables_are_told_apart() {
        let twice = identities("SELECT 1; SELECT 1", &[]);
        assert_ne!(twice[0], twice[1]);
        assert_ne!(twice[0], identities("SELECT 1", &[("a", "1")])[0]);
    }

    #[test]
    fn nothing_is_no_job() {
        let empty = JobScript::parse("-- nothing\n;", &Variables::default(), &ConfigOptions::default());
        assert!(matches!(empty, Err(Error::EmptyJob)));
    }

    #[test]
    fn a_step_is_named_without_its_secrets() {
        let text = "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://b/' OPTIONS ('aws.secret' 'hunter2'); \
                    COPY t TO 'x' OPTIONS ('k' 'hunter2'); SELECT 'hunter2'; CHECKPOINT a AS SELECT 'hunter2'; \
                    DROP CHECKPOINT a VERSION 2; DROP CHECKPOINT IF EXISTS a";
        let script = JobScript::parse(text, &Variables::default(), &ConfigOptions::default()).unwrap();
        let named: Vec<_> = script.steps().iter().map(JobStep::what).collect();
        let expected = [
            "CREATE EXTERNAL TABLE",
            "COPY",
            "SELECT",
            "CHECKPOINT a",
            "DROP CHECKPOINT a VERSION 2",
            "DROP CHECKPOINT a",
        ];
        assert_eq!(named, expected);
    }
}
