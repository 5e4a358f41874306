//! Drivers of one job: a run with one step, which is a checkpoint. Any driver may take over at any time.

use super::actions::Action;
use super::scenarios::Protocol;
use super::state::{Duty, JobEntry, Phase, State};

impl Protocol {
    pub(super) fn driver_actions(&self, state: &State, writer: usize, can: &mut Vec<Action>) {
        let me = &state.writers[writer];
        if !self.setup.writers[writer].drives || me.phase == Phase::Dead {
            return;
        }
        match (me.duty, me.phase) {
            (Duty::None, _) => can.push(Action::LookAtJob { writer }),
            (Duty::Looked { .. }, _) => can.push(Action::TakeJob { writer }),
            (Duty::Holds(_), Phase::Done(_)) => can.push(Action::FinishStep { writer }),
            _ => {}
        }
    }

    pub(super) fn look_at_job(&self, state: &mut State, writer: usize) {
        let finished = state.job.contains(&JobEntry::Step);
        let open = self.rules.r9 && !state.job.is_empty();
        let entries = state.job.len();
        state.writers[writer].duty = if finished { Duty::Finished } else { Duty::Looked { entries, open } };
    }

    /// Begins a run, or takes the open one over. Whoever finds that the log has grown looks again (R9: one log).
    pub(super) fn take_job(&self, state: &mut State, writer: usize) {
        let Duty::Looked { entries, open } = state.writers[writer].duty else { return };
        if self.rules.r9 && entries != state.job.len() {
            state.writers[writer].duty = Duty::None;
            return;
        }
        state.writers[writer].duty = Duty::Holds(state.job.len());
        state.job.push(if open { JobEntry::Takeover } else { JobEntry::Run });
    }

    /// The step's entry follows the driver's own, or the driver is fenced.
    pub(super) fn finish_step(state: &mut State, writer: usize) {
        let Duty::Holds(slot) = state.writers[writer].duty else { return };
        let fenced = state.job.len() != slot + 1;
        state.writers[writer].duty = if fenced { Duty::Fenced } else { Duty::Finished };
        if !fenced {
            state.job.push(JobEntry::Step);
        }
    }
}
