//! The process ends at one request.

use object_store::path::Path;

use crate::fault::{Verdict, failure};
use crate::rule::Operation;

/// How a process ends at a request, or nearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The request is never made, and nothing after it.
    Before,
    /// A write is done, nobody hears of it, and nothing after it is done.
    After,
    /// The request is done, but its caller hears of a failure and goes on. A read fails.
    ReplyLost,
    /// Half of the bytes of a put are there under its name, and nothing after it is done. Other requests are not done.
    Torn,
}

impl Stop {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::ReplyLost, Self::Torn];
}

/// Counts requests up to the one.
#[derive(Debug)]
pub(crate) struct Stopping {
    left: usize,
    how: Stop,
    /// Whether reads pass uncounted.
    writes_only: bool,
    pub(crate) torn: Option<Path>,
}

impl Stopping {
    pub(crate) const fn new(request: usize, how: Stop) -> Self {
        Self { left: request, how, writes_only: false, torn: None }
    }

    /// As [`Self::new`], but at a write, and only writes are counted.
    pub(crate) const fn after_writes(writes: usize, how: Stop) -> Self {
        Self { left: writes, how, writes_only: true, torn: None }
    }

    /// `None`: the request is not concerned.
    pub(crate) fn judge(&mut self, operation: Operation, path: &str) -> Option<Verdict> {
        let gone = || Some(Verdict::Fail(failure("the process is gone")));
        match self.left {
            usize::MAX if self.how == Stop::ReplyLost => None,
            usize::MAX => gone(),
            _ if self.reads_on(operation) => None,
            0 => {
                self.left = usize::MAX;
                match self.how {
                    Stop::After | Stop::ReplyLost if operation.writes() => Some(Verdict::Lose),
                    Stop::Torn if operation == Operation::Put => {
                        self.torn = Some(Path::from(path));
                        Some(Verdict::Tear)
                    }
                    Stop::Before | Stop::After | Stop::ReplyLost | Stop::Torn => gone(),
                }
            }
            _ => {
                self.left -= 1;
                None
            }
        }
    }

    /// What is read before a write that is done is read, too. Before one that is not, the process goes as soon as the
    /// last write is done.
    fn reads_on(&self, operation: Operation) -> bool {
        self.writes_only && !operation.writes() && (self.left > 0 || self.how != Stop::Before)
    }
}
