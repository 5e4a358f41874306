//! What must be there, told without a store.

use super::script::Step;
use super::snapshot::NAMES;

/// The live snapshots of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    names: [History; NAMES.len()],
    /// How many steps of the job are finished.
    job_steps: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct History {
    /// Version and content, oldest first.
    live: Vec<(u64, usize)>,
    /// The last version ever.
    last: u64,
}

impl Expected {
    /// What must be there after a step.
    #[must_use]
    pub fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match *step {
            Step::Commit { name, content } | Step::Resume { name, content } => {
                next.names[name].commit(content)
            }
            Step::DropVersion { name, version } => next.names[name].live.retain(|live| live.0 != version),
            Step::DropAll { name } => next.names[name].live.clear(),
            Step::JobStep => next.job_steps += 1,
            Step::Abandon { .. } | Step::Collect | Step::Read { .. } => {}
        }
        next
    }

    /// Version and content of the live snapshots of a checkpoint, oldest first.
    #[must_use]
    pub fn live(&self, name: usize) -> &[(u64, usize)] {
        &self.names[name].live
    }

    /// How many steps of the job are finished.
    #[must_use]
    pub const fn job_steps(&self) -> u64 {
        self.job_steps
    }

    /// The last version that a checkpoint ever had.
    #[must_use]
    pub const fn last(&self, name: usize) -> u64 {
        self.names[name].last
    }
}

impl History {
    /// The newest snapshot of the same content is adopted.
    fn commit(&mut self, content: usize) {
        if self.live.last().is_none_or(|newest| newest.1 != content) {
            self.last += 1;
            self.live.push((self.last, content));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rise_and_equal_content_is_adopted() {
        let steps = [
            Step::Commit { name: 0, content: 1 },
            Step::Commit { name: 0, content: 1 },
            Step::Commit { name: 0, content: 2 },
            Step::DropVersion { name: 0, version: 2 },
            Step::Commit { name: 0, content: 2 },
            Step::Commit { name: 1, content: 1 },
            Step::DropAll { name: 1 },
            Step::Commit { name: 1, content: 1 },
        ];
        let end = steps.iter().fold(Expected::default(), |state, step| state.after(step));
        assert_eq!(end.live(0), [(1, 1), (3, 2)]);
        assert_eq!(end.live(1), [(2, 1)]);
    }
}
