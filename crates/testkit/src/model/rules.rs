//! The rules as switches.

use std::fmt;

use super::properties::Accident;

/// Which rules are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// A file is deleted only when its attempt is closed.
    pub r1: bool,
    /// A commit judges the attempts that own its files: none may be closed.
    pub r2: bool,
    /// Nor may any other than its own have committed.
    pub r2_ended: bool,
    /// After an unknown append the same bytes go to the same slot.
    pub r3: bool,
    /// Who gives up abandons itself from that slot on, and deletes nothing.
    pub r4: bool,
    /// Logs are never deleted.
    pub r5: bool,
    /// A version is the last one ever plus one.
    pub r6: bool,
    /// A commit of the same run, step and node is the result.
    pub r7: bool,
    /// A commit looks at its sources once more.
    pub r8: bool,
    /// A job has one log.
    pub r9: bool,
    /// A file whose receipt was sent is not deleted.
    pub r10: bool,
    /// A step that reads its own checkpoint commits only on top of the version that it read.
    pub read_version: bool,
    /// That is judged before the result of an equal step is adopted.
    pub read_first: bool,
    /// A recompute accepts only commits later than the one that it replaces.
    pub later: bool,
    /// A recompute accepts no commit that names a file of the one that it replaces.
    pub other_files: bool,
}

impl Rules {
    /// The protocol.
    pub const ALL: Self = Self {
        r1: true,
        r2: true,
        r2_ended: true,
        r3: true,
        r4: true,
        r5: true,
        r6: true,
        r7: true,
        r8: true,
        r9: true,
        r10: true,
        read_version: true,
        read_first: true,
        later: true,
        other_files: true,
    };

    /// All rules but one, and but the one that would make up for it. What is later by its files is later by its version.
    /// An attempt whose snapshot was dropped has committed: a commit that asks for that needs no close.
    #[must_use]
    pub fn without(rule: Rule) -> Self {
        let mut rules = Self::ALL;
        *rules.switch(rule) = false;
        rules.r2_ended &= rule != Rule::R1;
        rules.read_first &= rule != Rule::ReadVersion;
        rules.other_files &= rule != Rule::Later;
        rules
    }

    fn switch(&mut self, rule: Rule) -> &mut bool {
        match rule {
            Rule::R1 => &mut self.r1,
            Rule::R2 => &mut self.r2,
            Rule::R3 => &mut self.r3,
            Rule::R4 => &mut self.r4,
            Rule::R5 => &mut self.r5,
            Rule::R6 => &mut self.r6,
            Rule::R7 => &mut self.r7,
            Rule::R8 => &mut self.r8,
            Rule::R9 => &mut self.r9,
            Rule::R10 => &mut self.r10,
            Rule::ReadVersion => &mut self.read_version,
            Rule::ReadFirst => &mut self.read_first,
            Rule::Later => &mut self.later,
            Rule::OtherFiles => &mut self.other_files,
        }
    }
}

/// One rule.
#[expect(missing_docs, reason = "each stands with its words in `Rules`")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    ReadVersion,
    ReadFirst,
    Later,
    OtherFiles,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::R5,
        Self::R6,
        Self::R7,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::ReadVersion,
        Self::ReadFirst,
        Self::Later,
        Self::OtherFiles,
    ];

    /// What happens without it.
    #[must_use]
    pub const fn accident(self) -> Accident {
        match self {
            Self::R1 | Self::R2 | Self::R4 | Self::R10 => Accident::LostFile,
            Self::R3 => Accident::TwoSlots,
            Self::R5 => Accident::DroppedCameBack,
            Self::R6 => Accident::VersionTwice,
            Self::R7 => Accident::StepTwice,
            Self::R8 => Accident::Mixture,
            Self::R9 => Accident::TwoRuns,
            Self::ReadVersion | Self::ReadFirst => Accident::LostStep,
            Self::Later | Self::OtherFiles => Accident::DamagedAnswer,
        }
    }

    /// What a store without it does.
    #[must_use]
    pub const fn broken(self) -> &'static str {
        match self {
            Self::R1 => "a drop alone lets files be deleted",
            Self::R2 => "a commit does not ask whether the owners of its files are closed",
            Self::R3 => "after an unknown append the writer moves on to another slot",
            Self::R4 => "who gives up deletes its files and abandons nothing",
            Self::R5 => "a drop deletes the log",
            Self::R6 => "a version is the last one that is there plus one",
            Self::R7 => "a commit does not ask whether its step has committed",
            Self::R8 => "a commit does not look at its sources again",
            Self::R9 => "every run of a job has a log of its own",
            Self::R10 => "a twin that is not told that its receipt counts deletes its file",
            Self::ReadVersion => "a step commits on top of another version than it read",
            Self::ReadFirst => "a step takes the snapshot of an equal step for its result",
            Self::Later => "a recompute takes any snapshot of the same signature for its result",
            Self::OtherFiles => "a recompute takes any later snapshot of the same signature for its result",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadVersion => f.write_str("rule 5"),
            Self::ReadFirst => f.write_str("rule 5 (before rule 6)"),
            Self::Later => f.write_str("rule 6 (later)"),
            Self::OtherFiles => f.write_str("rule 6 (other files)"),
            other => write!(f, "{other:?}"),
        }
    }
}
