//! What goes wrong, where, and how often.

use std::time::Duration;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A whole object is written.
    Put,
    /// One part of an upload is written.
    PutPart,
    /// An upload in parts is completed.
    Complete,
    /// An object, a range of it, or its metadata is read.
    Get,
    /// Objects are listed.
    List,
    /// An object is deleted.
    Delete,
    /// An object is copied.
    Copy,
}

impl Operation {
    /// Whether the request changes the store.
    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List)
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing is done, and the caller gets an error that could mean anything.
    Refuse,
    /// It is done, but the caller gets an error that could mean anything.
    LoseReply,
    /// Nothing is done, but the caller hears that the object already exists.
    ClaimExists,
    /// Nothing is done yet: the caller gets an error, and the request arrives when the test says so.
    ArriveLate,
    /// Nothing is done: the caller may not.
    Forbid,
    /// Nothing is done: the disk is full.
    FillDisk,
    /// A put that should only create overwrites instead.
    IgnoreCondition,
    /// It is done after this time.
    Delay(Duration),
}

/// A fault, and the requests that it happens to.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) operation: Operation,
    pub(crate) path: String,
    pub(crate) fault: Fault,
    pub(crate) skip: usize,
    pub(crate) times: usize,
}

impl Rule {
    /// `fault` happens to every request of this kind.
    #[must_use]
    pub const fn on(operation: Operation, fault: Fault) -> Self {
        Self { operation, path: String::new(), fault, skip: 0, times: usize::MAX }
    }

    /// Only to paths that contain `text`.
    #[must_use]
    pub fn path(mut self, text: &str) -> Self {
        text.clone_into(&mut self.path);
        self
    }

    /// Not to the first `count` of them.
    #[must_use]
    pub const fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// To no more than `count` of them.
    #[must_use]
    pub const fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// Whether the rule strikes this request; counts it.
    pub(crate) fn strikes(&mut self, operation: Operation, path: &str) -> bool {
        if self.operation != operation || !path.contains(&self.path) || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}
