//! What can go wrong above the store, named by what the reader should do next.

use datafusion::error::DataFusionError;
use milepost_store::Holder;
use thiserror::Error;

/// An error of the engine. It converts into a [`DataFusionError::External`], where [`Error::find`] sees it again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed or refused.
    #[error(transparent)]
    Store(#[from] milepost_store::Error),
    /// DataFusion failed while a session was built.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    /// A session without Milepost was asked for a checkpoint.
    #[error(
        "this session has no checkpoint store: build it with milepost::Session or SessionStateBuilder::with_milepost"
    )]
    NotInstalled,
    /// A setting or option with a value it cannot have.
    #[error("'{value}' is no value of {key}: use {expected}")]
    BadValue {
        /// The setting or option.
        key: String,
        /// What was given.
        value: String,
        /// What can be given.
        expected: String,
    },
    /// `partition_by` for a query that ends in ORDER BY.
    #[error(
        "partition_by deals the rows of {name} out by a hash, and they would lose the order that its query asks for: leave out ORDER BY or partition_by"
    )]
    PartitionedOrder {
        /// The checkpoint.
        name: String,
    },
    /// A setting or option that does not exist.
    #[error("there is no option '{key}': the options are {known}")]
    UnknownOption {
        /// What was given.
        key: String,
        /// Those that exist.
        known: String,
    },
    /// A statement of ours that does not follow its grammar.
    #[error("{found}: expected {expected}")]
    Syntax {
        /// What stands there, with its place.
        found: String,
        /// What could stand there.
        expected: String,
    },
    /// `CHECKPOINT … AS` something that gives no rows of its own.
    #[error("a checkpoint holds the rows of a query, and {what} is none: write CHECKPOINT name AS SELECT …")]
    NotAQuery {
        /// The kind of statement.
        what: String,
    },
    /// A checkpoint may not hide a table.
    #[error("'{name}' is already a {kind} of this session: choose another name for the checkpoint")]
    NameTaken {
        /// The name.
        name: String,
        /// table or view.
        kind: String,
    },
    /// No such checkpoint.
    #[error("there is no checkpoint '{name}' in {store}: SHOW CHECKPOINTS lists those that exist")]
    NoCheckpoint {
        /// The name.
        name: String,
        /// The store, without credentials.
        store: String,
    },
    /// No such version.
    #[error("checkpoint '{name}' has no version {version}: SHOW SNAPSHOTS OF {name} lists those that exist")]
    NoVersion {
        /// The name.
        name: String,
        /// The version asked for.
        version: u64,
    },
    /// A refresh of a checkpoint that a program made.
    #[error("checkpoint '{name}' has no stored SQL definition ({reason}): run the program that makes it")]
    NoDefinition {
        /// The name.
        name: String,
        /// Why there is none.
        reason: String,
    },
    /// An inline checkpoint that depends on the row around it.
    #[error(
        "a checkpoint cannot depend on the row around it, and this one uses {columns}: join to it instead"
    )]
    Correlated {
        /// The outer columns.
        columns: String,
    },
    /// An inline checkpoint inside the recursion that it reads.
    #[error(
        "a checkpoint cannot read the recursive table '{table}' of the query around it: put the checkpoint around \
         the whole WITH RECURSIVE query"
    )]
    InsideRecursion {
        /// The recursive table.
        table: String,
    },
    /// A stale snapshot under `on_stale = error`.
    #[error(
        "checkpoint '{name}' version {version} is stale: {why}; run {refresh}, or SET milepost.on_stale = 'use'"
    )]
    Stale {
        /// The name.
        name: String,
        /// The newest version.
        version: u64,
        /// What changed.
        why: String,
        /// The statements that bring it up to date.
        refresh: String,
    },
    /// A source whose version would not hold still while the plan was made.
    #[error(
        "source {source_name} keeps changing while it is read ({what}): run the statement again when its writer is done"
    )]
    Restless {
        /// The source.
        source_name: String,
        /// What changed.
        what: String,
    },
    /// A checkpoint that reads an older version of itself lost to another writer.
    #[error(
        "checkpoint '{name}' moved on to {now} while a version made from {read} was computed: run the statement again"
    )]
    MovedOn {
        /// The name.
        name: String,
        /// What it was computed from.
        read: String,
        /// What is newest.
        now: String,
    },
    /// A query without an end, which a checkpoint would wait for.
    #[error(
        "checkpoint '{name}' would never be complete, since {source_name} has no end: put a LIMIT into its query, or \
         store a part of {source_name} that ends in a table of its own first"
    )]
    Endless {
        /// The name.
        name: String,
        /// The table, or the part of the plan that reads it.
        source_name: String,
    },
    /// A file of a source whose bytes are not what its format says.
    #[error("{place} cannot be read: {}; repair it or take it away", source.strip_backtrace())]
    Unreadable {
        /// The file, or where the files are of which one it is.
        place: String,
        /// What the reader of its format says.
        source: Box<DataFusionError>,
    },
    /// The attempt was dropped or abandoned by somebody else.
    #[error(
        "checkpoint '{name}' was dropped while it was written, so nothing was committed: run the statement again"
    )]
    Closed {
        /// The name.
        name: String,
    },
    /// A table or view under the name of a checkpoint.
    #[error("'{name}' is a checkpoint of this store: choose another name, or DROP CHECKPOINT {name}")]
    IsCheckpoint {
        /// The name.
        name: String,
    },
    /// DROP TABLE or DROP VIEW of a checkpoint.
    #[error("'{name}' is a checkpoint and no table: use DROP CHECKPOINT {name}")]
    IsNoTable {
        /// The name.
        name: String,
    },
    /// INSERT, UPDATE or DELETE on a checkpoint.
    #[error(
        "'{name}' is a checkpoint, whose rows come from a query: CHECKPOINT {name} AS SELECT … FROM {name} … writes its next version"
    )]
    ReadOnly {
        /// The name.
        name: String,
    },
    /// A read by name of a snapshot that cannot be judged, where stale ones are refused.
    #[error(
        "whether checkpoint '{name}' version {version} is stale cannot be told here: {why}; \
         SET milepost.on_stale = 'use' reads it all the same"
    )]
    Unjudged {
        /// The name.
        name: String,
        /// The version.
        version: u64,
        /// Why not.
        why: String,
    },
    /// A snapshot with a file whose bytes are missing or not those that were written.
    #[error("checkpoint '{name}' version {version} is damaged: {what}; {next}")]
    DamagedSnapshot {
        /// The name.
        name: String,
        /// The version.
        version: u64,
        /// The file's path in the store, what was expected there and what was found.
        what: String,
        /// What to do about it.
        next: String,
        /// Whether the same statement, run again in the same session, computes the snapshot anew.
        again: bool,
        /// What the store says.
        source: Box<milepost_store::Error>,
    },
    /// A file of a version that is being written is not what it was when it was complete.
    #[error(
        "a file of checkpoint '{name}', which is being written, is damaged: {what}; run the statement again"
    )]
    DamagedUnit {
        /// The name.
        name: String,
        /// The file's path in the store, what was expected there and what was found.
        what: String,
        /// What the store says.
        source: Box<milepost_store::Error>,
    },
    /// A verification has found damage, and has said where.
    #[error(
        "{objects} of the store's objects are not what was written; docs/operations.md says what to do about each"
    )]
    FoundDamage {
        /// How many.
        objects: usize,
    },
    /// A job's script without a statement.
    #[error("the script has no statement: a job needs at least one")]
    EmptyJob,
    /// A variable of a script that cannot be.
    #[error("variable '{name}' cannot be set: {why}")]
    BadVariable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A script names a variable that has no value.
    #[error("line {line}: the script uses ${{{name}}}, which has no value: give it one with --var {name}=…")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The line of the script.
        line: usize,
    },
    /// A variable that the script never names.
    #[error("the script never uses ${{{name}}}: take the variable away, or look how the script spells it")]
    UnusedVariable {
        /// Its name.
        name: String,
    },
    /// A statement of a job failed.
    #[error("step {number} of {of} ({what}) failed: {source}")]
    JobStep {
        /// Its number, from 1.
        number: u64,
        /// The number of the script's steps.
        of: u64,
        /// The statement in a few words.
        what: String,
        /// The line of the script on which it begins.
        line: usize,
        /// Why.
        source: Box<DataFusionError>,
    },
    /// Another driver took the job over.
    #[error(
        "job '{job}' was taken over by process {} on {}: this one stops, and its steps up to here count",
        by.owner.pid, by.owner.host
    )]
    JobFenced {
        /// The job.
        job: String,
        /// Who has it now.
        by: Box<Holder>,
    },
    /// An edit of a job's script would repeat what cannot be taken back.
    #[error(
        "step {edited} (line {line}) was edited, or a variable has another value, and step {finished}, which writes outside of the store, is finished: running it again would write its rows twice. Undo the edit, or begin a new run with --restart"
    )]
    JobEdited {
        /// The number of the first step that differs.
        edited: u64,
        /// The line of the script on which it begins.
        line: usize,
        /// The number of the first finished COPY or INSERT from there on.
        finished: u64,
    },
    /// A step reads a version that an earlier step of the run made or found, and that is gone.
    #[error(
        "the version of checkpoint '{name}' that this run has made or read before is gone, so that it cannot go on with the same rows: begin a new run with --restart"
    )]
    JobVersionGone {
        /// The checkpoint.
        name: String,
    },
    /// A step goes on from a version that a text made which the script does not have any more.
    #[error(
        "this step goes on from checkpoint '{name}', whose version {version} this run has made under a text that was edited since: \
         take it back with DROP CHECKPOINT {name} VERSION {version}, or begin a new run with --restart"
    )]
    JobWentOn {
        /// The checkpoint.
        name: String,
        /// Its newest version.
        version: u64,
    },
}

impl Error {
    /// The engine's error inside a DataFusion error: the innermost one, through contexts, shared errors and those of Parquet.
    pub fn find(error: &DataFusionError) -> Option<&Error> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut found = None;
        while let Some(error) = next {
            found = error.downcast_ref().or(found);
            next = error.source();
        }
        found
    }

    /// Whether stored bytes are missing or wrong, so that computing again would help.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Store(store) => store.is_damage(),
            Self::DamagedSnapshot { .. } | Self::DamagedUnit { .. } | Self::FoundDamage { .. } => true,
            _ => false,
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::DataFusion(inner) => inner,
            other => DataFusionError::External(Box::new(other)),
        }
    }
}

/// Carries a store error into DataFusion's result type.
pub(crate) fn store_error(error: milepost_store::Error) -> DataFusionError {
    Error::Store(error).into()
}
