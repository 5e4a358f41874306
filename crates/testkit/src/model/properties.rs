//! What must never be seen.

use std::fmt;

use super::state::{Files, JobEntry, Phase, Setup, State, Told};

/// Something that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accident {
    /// A snapshot that is there names a file that was deleted.
    LostFile,
    /// One commit stands in two slots of the log.
    TwoSlots,
    /// A commit that began before everything was dropped is there after it.
    DroppedCameBack,
    /// Two snapshots were given one version.
    VersionTwice,
    /// One step of one run is there twice.
    StepTwice,
    /// A snapshot holds rows of two versions of its source.
    Mixture,
    /// One job has two open runs.
    TwoRuns,
    /// The newest snapshot counts fewer steps than were reported.
    LostStep,
    /// Who asked for a damaged snapshot to be computed again was given the damage.
    DamagedAnswer,
    /// A commit that was reported is not in the log.
    ToldAndMissing,
    /// A commit is in the log whose writer had given it up.
    GivenUpAndThere,
}

impl Accident {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::LostFile,
        Self::TwoSlots,
        Self::DroppedCameBack,
        Self::VersionTwice,
        Self::StepTwice,
        Self::Mixture,
        Self::TwoRuns,
        Self::LostStep,
        Self::DamagedAnswer,
        Self::ToldAndMissing,
        Self::GivenUpAndThere,
    ];

    /// Whether it can be seen in a state.
    pub(super) fn is_in(self, setup: &Setup, state: &State) -> bool {
        match self {
            Self::LostFile => state.live().iter().any(|commit| commit.files.meets(state.deleted)),
            Self::TwoSlots => two_commits(state, |a, b| a.attempt == b.attempt),
            Self::DroppedCameBack => state.came_back,
            Self::VersionTwice => two_commits(state, |a, b| a.version == b.version && a.attempt != b.attempt),
            Self::StepTwice => state.live().iter().filter(|commit| commit.of_step).count() > 1,
            Self::Mixture => state.commits().any(|commit| commit.mixed),
            Self::TwoRuns => state.job.iter().filter(|entry| **entry == JobEntry::Run).count() > 1,
            Self::LostStep => lost_step(setup, state),
            Self::DamagedAnswer => damaged_answer(setup, state),
            Self::ToldAndMissing => told(state, Told::Committed).any(|attempt| !state.has_committed(attempt)),
            Self::GivenUpAndThere => told(state, Told::GaveUp).any(|attempt| state.has_committed(attempt)),
        }
    }
}

fn two_commits(state: &State, alike: impl Fn(&super::state::Commit, &super::state::Commit) -> bool) -> bool {
    state.commits().enumerate().any(|(at, a)| state.commits().skip(at + 1).any(|b| alike(a, b)))
}

/// The attempts whose writers told this.
fn told(state: &State, what: Told) -> impl Iterator<Item = usize> {
    let told = state.writers.iter().filter(move |writer| writer.phase == Phase::Done(what));
    told.map(|writer| writer.attempt)
}

/// For scenarios that drop nothing and do not begin anew: both set the count back.
fn lost_step(setup: &Setup, state: &State) -> bool {
    let counting = setup.writers.iter().zip(&state.writers).filter(|(plan, _)| plan.counts);
    let reported = counting
        .filter(|(_, writer)| matches!(writer.phase, Phase::Done(Told::Committed | Told::Adopted(_))));
    reported.count() > state.live().last().map_or(0, |newest| newest.count)
}

fn damaged_answer(setup: &Setup, state: &State) -> bool {
    setup.writers.iter().zip(&state.writers).filter(|(plan, _)| plan.recomputes).any(|(_, writer)| {
        let files = match writer.phase {
            Phase::Done(Told::Committed) => writer.files,
            Phase::Done(Told::Adopted(version)) => {
                state.commit(version).map_or(Files::NONE, |commit| commit.files)
            }
            _ => Files::NONE,
        };
        files.meets(state.damaged)
    })
}

impl fmt::Display for Accident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostFile => "a snapshot that is there names a file that was deleted",
            Self::TwoSlots => "one commit stands in two slots",
            Self::DroppedCameBack => "a commit from before a drop of all is there after it",
            Self::VersionTwice => "two snapshots have one version",
            Self::StepTwice => "one step is there twice",
            Self::Mixture => "a snapshot holds rows of two versions of its source",
            Self::TwoRuns => "one job has two open runs",
            Self::LostStep => "the newest snapshot counts fewer steps than were reported",
            Self::DamagedAnswer => "a recompute answers with the damage",
            Self::ToldAndMissing => "a commit that was reported is not in the log",
            Self::GivenUpAndThere => "a commit is in the log whose writer had given it up",
        })
    }
}
