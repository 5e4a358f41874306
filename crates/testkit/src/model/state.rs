//! Everything that there is at one moment.

/// Who takes part, and how much may go wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The writers, each with what it sets out to do.
    pub writers: Vec<Plan>,
    /// How many collectors of garbage, and how many attempts each may collect.
    pub collectors: usize,
    /// Rounds of each collector.
    pub rounds: usize,
    /// How many times the newest version is dropped.
    pub drops: usize,
    /// How many times everything is dropped.
    pub drops_of_all: usize,
    /// How many crashes, lost replies and delays, together.
    pub faults: usize,
    /// How many times the source changes.
    pub changes: usize,
    /// How many files are damaged.
    pub damages: usize,
}

/// What a writer sets out to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writers with equal signatures compute the same result, if they begin with the same.
    pub signature: usize,
    /// It may take over the unit of another attempt.
    pub adopts: bool,
    /// Two processes run its unit.
    pub twins: bool,
    /// It reads its source in two parts.
    pub reads: bool,
    /// It computes a damaged snapshot again.
    pub recomputes: bool,
    /// It raises the number in its own checkpoint's newest version by one.
    pub counts: bool,
    /// It is a driver: it commits step 1 of a job's run.
    pub drives: bool,
}

/// Equal ones promise equal rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    pub(super) of: usize,
    /// The version of its own checkpoint that is read; 0 for none.
    pub(super) over: usize,
}

/// A set of files. Attempt `a` has the files `2a` and `2a + 1`, one of each twin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Files(u32);

impl Files {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn one(attempt: usize, twin: usize) -> Self {
        Self(1 << (2 * attempt + twin))
    }

    pub(super) const fn of(attempt: usize) -> Self {
        Self(0b11 << (2 * attempt))
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The whole world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) log: Vec<Entry>,
    /// Creates of log entries that are under way.
    pub(super) late: Vec<Late>,
    /// Receipts that are under way: attempt and twin.
    pub(super) late_receipts: Vec<(usize, usize)>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) written: Files,
    pub(super) deleted: Files,
    pub(super) damaged: Files,
    pub(super) writers: Vec<Writer>,
    pub(super) collectors: Vec<Collector>,
    pub(super) dropping: Option<Dropping>,
    pub(super) job: Vec<JobEntry>,
    /// The source's version. Versions never come back: a restored file has a new identity.
    pub(super) source: usize,
    /// How many drops of all have been told.
    pub(super) drops_of_all: usize,
    /// A commit landed that began before a drop of all.
    pub(super) came_back: bool,
    pub(super) left: Left,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) faults: usize,
    pub(super) drops: usize,
    pub(super) drops_of_all: usize,
    pub(super) changes: usize,
    pub(super) damages: usize,
}

/// One slot of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Entry {
    /// Nothing, but a later slot has something.
    Empty,
    Commit(Commit),
    Drop(usize),
    DropAll,
    Abandon(usize),
}

/// A commit. Its attempt is its id: an attempt commits once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Commit {
    pub(super) attempt: usize,
    pub(super) version: usize,
    pub(super) files: Files,
    pub(super) signature: Signature,
    /// The number in it, for those that count.
    pub(super) count: usize,
    pub(super) of_step: bool,
    pub(super) mixed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Late {
    pub(super) slot: usize,
    pub(super) commit: Commit,
}

/// An attempt as the store knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    pub(super) signature: Signature,
    /// How many entries the log had when it began.
    pub(super) began_at: usize,
    /// How many drops of all there had been.
    pub(super) drops_before: usize,
    /// The source's version then.
    pub(super) source: usize,
    /// The twin whose receipt is stored.
    pub(super) receipt: Option<usize>,
    pub(super) twins: [Twin; 2],
}

/// How far one of the two processes is that run a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Twin {
    Idle,
    Wrote,
    /// It has sent its receipt and knows no more.
    Unknown,
    Settled,
}

/// A writer's own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Writer {
    pub(super) phase: Phase,
    pub(super) attempt: usize,
    /// What it is going to name.
    pub(super) files: Files,
    /// The version of the source that it read first, and how many parts it has read.
    pub(super) read: Option<usize>,
    pub(super) parts: usize,
    pub(super) mixed: bool,
    /// The newest version when it began: a recompute replaces it, and who counts reads it. 0 if there was none.
    pub(super) found: usize,
    pub(super) duty: Duty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    /// It has begun, and has no complete unit yet.
    Working,
    /// Its unit is complete.
    Ready,
    /// It may append this version to this slot.
    Judged {
        slot: usize,
        version: usize,
    },
    /// It has sent the entry and knows no more.
    Unknown {
        slot: usize,
        version: usize,
    },
    /// It abandons its attempt, from this slot on.
    Closing {
        slot: usize,
    },
    Done(Told),
    Dead,
}

/// What a writer tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Told {
    Committed,
    /// Another's version is the result.
    Adopted(usize),
    GaveUp,
}

/// What a driver knows of its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Duty {
    None,
    /// It has read this many entries of the job's log, and whether a run is open.
    Looked {
        entries: usize,
        open: bool,
    },
    /// Its own run or takeover is in this slot.
    Holds(usize),
    /// Its step is written down.
    Finished,
    /// Another has taken the run over, or finished it.
    Fenced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum JobEntry {
    Run,
    Takeover,
    Step,
}

/// A collector's own memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Collector {
    pub(super) rounds: usize,
    pub(super) task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    None,
    /// It has read this many entries, and wants to close the attempt.
    Close {
        attempt: usize,
        entries: usize,
    },
    /// The attempt is closed as far as it knows.
    Choose {
        attempt: usize,
    },
    /// It has looked which files nobody names.
    Delete {
        files: Files,
    },
}

/// A drop that has read this many entries: of one version, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dropping {
    pub(super) entries: usize,
    pub(super) version: Option<usize>,
}

impl State {
    /// The beginning: nothing is there.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        let writer = Writer {
            phase: Phase::Idle,
            attempt: usize::MAX,
            files: Files::NONE,
            read: None,
            parts: 0,
            mixed: false,
            found: 0,
            duty: Duty::None,
        };
        Self {
            writers: vec![writer; setup.writers.len()],
            collectors: vec![Collector { rounds: setup.rounds, task: Task::None }; setup.collectors],
            left: Left {
                faults: setup.faults,
                drops: setup.drops,
                drops_of_all: setup.drops_of_all,
                changes: setup.changes,
                damages: setup.damages,
            },
            ..Self::default()
        }
    }
}
