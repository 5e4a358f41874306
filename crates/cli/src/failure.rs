//! Why the program ends early. Each failure is one line on stderr and one exit code.

use std::fmt;
use std::io;
use std::path::PathBuf;

use datafusion::error::DataFusionError;

use crate::exit::Exit;
use crate::oneline;

/// Where a statement stands: the name of its script and a line of it, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// A file's path as it was given, `-c` (`-c#2` is the second of several), `stdin`, or nothing in the shell.
    pub(crate) script: String,
    /// The line on which the statement begins, or the one that is wrong.
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.script.as_str(), self.line) {
            // What was typed at the prompt needs no name, and mostly is one line.
            ("", 0 | 1) => Ok(()),
            ("", line) => write!(f, "line {line}: "),
            (script, line) => write!(f, "{script}:{line}: "),
        }
    }
}

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line asks for something that cannot be.
    #[error("{0}; milepost --help lists what can be given")]
    Usage(String),
    /// What the command line names cannot be done like this, and nothing was run.
    #[error("{}", oneline::flatten(.0))]
    Refused(String),
    /// What the command line names is not there.
    #[error("{}", oneline::flatten(.0))]
    Missing(String),
    /// Another process has the job.
    #[error(
        "process {pid} on {host} has job '{job}' and lives: wait for its end, or take it over with --takeover"
    )]
    Held {
        /// The job.
        job: String,
        /// The other process.
        pid: u32,
        /// Its host.
        host: String,
    },
    /// A job stopped, and not because of one of its statements.
    #[error("{}", oneline::flatten(&.0.to_string()))]
    Job(#[source] Box<milepost::Error>),
    /// A child that did the work ended like this, and has said why.
    #[error("the job ended with {0}")]
    Child(u8),
    /// A statement did not parse or did not run.
    #[error("{place}{}", oneline::describe(source))]
    Statement {
        /// Where it stands.
        place: Place,
        /// What DataFusion or the engine said.
        source: Box<DataFusionError>,
    },
    /// A statement failed that holds a variable of a job's script.
    #[error(
        "{failure}; ${{{name}}} stands there as it is written, for only milepost run FILE.sql --var {name}=VALUE fills it in"
    )]
    Unfilled {
        /// What went wrong.
        failure: Box<Failure>,
        /// The variable.
        name: String,
    },
    /// A job's script is none, and nothing of it was run: only another script helps.
    #[error(transparent)]
    Script(Box<Failure>),
    /// A backslash command that cannot be run.
    #[error("{place}{what}")]
    Command {
        /// Where it stands.
        place: Place,
        /// What is wrong and what to write instead.
        what: String,
    },
    /// The session could not be set up.
    #[error("cannot start: {}", oneline::describe(.0))]
    Setup(#[source] Box<DataFusionError>),
    /// The store could not be opened.
    #[error("cannot open the checkpoint store: {}", oneline::flatten(&.0.to_string()))]
    Store(#[source] Box<milepost::Error>),
    /// A file that the command line names cannot be read or written.
    #[error("cannot {operation} {}: {source}; {next}", path.display())]
    File {
        /// read, write, create, …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
        /// What to do about it.
        next: &'static str,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    Unexpected {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do next.
        what: String,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}; free some space or write elsewhere, then run again")]
    Output(io::Error),
    /// Whoever read the output stopped reading.
    #[error("the output was closed")]
    OutputClosed,
    /// `milepost gc` could not look at everything.
    #[error(
        "garbage collection stopped at {places}; what it did before stays, run it again when that is repaired"
    )]
    GarbageLeft {
        /// The checkpoints, or the store.
        places: String,
        /// Whether damage was what stopped it.
        damaged: bool,
    },
    /// A benchmark could not go on, or the rows of its runs differ.
    #[error("{}", oneline::flatten(.0))]
    Bench(String),
    /// Ctrl-C.
    #[error("interrupted: what was not complete is abandoned, what was committed before stays")]
    Interrupted,
    /// The system refused something that the program cannot do without.
    #[error("cannot {operation}: {source}; run again when the system allows it")]
    System {
        /// What was tried.
        operation: &'static str,
        /// The operating system's words.
        source: io::Error,
    },
}

impl Failure {
    /// A job that stopped, and not because of one of its statements.
    pub(crate) fn job(error: milepost::Error) -> Self {
        Self::Job(Box::new(error))
    }

    /// The code to end with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Refused(_) | Self::Script(_) => Exit::Usage,
            Self::Held { .. } => Exit::Held,
            Self::Job(source) => exit_of_job(source),
            Self::Unfilled { failure, .. } => failure.exit(),
            Self::Child(number) => Exit::OfChild(*number),
            Self::Interrupted => Exit::Interrupted,
            Self::OutputClosed => Exit::OutputClosed,
            Self::Statement { source, .. } if is_damage(source) => Exit::Damaged,
            Self::Setup(source) if is_damage(source) => Exit::Damaged,
            Self::Store(source) if source.is_damage() => Exit::Damaged,
            Self::GarbageLeft { damaged: true, .. } => Exit::Damaged,
            _ => Exit::Failed,
        }
    }

    /// Prints the line without the secrets of URLs, unless there is nobody to tell.
    pub(crate) fn report(&self) {
        use std::io::Write;
        if !matches!(self, Self::OutputClosed | Self::Child(_)) {
            // A closed stderr leaves nobody to tell that it is closed.
            let line = self.to_string();
            let _ = writeln!(io::stderr(), "milepost: {}", milepost::redact(&line));
        }
    }
}

fn exit_of_job(error: &milepost::Error) -> Exit {
    match error {
        milepost::Error::JobFenced { .. } => Exit::Held,
        // Only another script or command line helps.
        milepost::Error::JobEdited { .. } => Exit::Usage,
        error if error.is_damage() => Exit::Damaged,
        _ => Exit::Failed,
    }
}

fn is_damage(error: &DataFusionError) -> bool {
    milepost::Error::find(error).is_some_and(milepost::Error::is_damage)
}
