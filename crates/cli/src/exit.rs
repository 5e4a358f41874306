//! Exit codes: what a caller's script can tell without reading the error.

use std::process::ExitCode;

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done,
    /// A statement failed. What was committed before it stays, and the next run reuses it.
    Failed,
    /// The command line was wrong, and nothing was run.
    Usage,
    /// Another process has the job, or took it over.
    Held,
    /// The store is damaged.
    Damaged,
    /// Ctrl-C, as shells count it: 128 and the number of the signal.
    Interrupted,
    /// Nobody reads the output any more. Programs that do not catch SIGPIPE end with this number too.
    OutputClosed,
    /// What a child ended with that did the work.
    OfChild(u8),
}

impl Exit {
    /// The number that the operating system gets.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::Damaged => 4,
            Self::Interrupted => 130,
            Self::OutputClosed => 141,
            Self::OfChild(number) => number,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
