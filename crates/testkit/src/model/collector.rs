//! Those who take away: collectors of garbage, and one who drops.

use super::actions::Action;
use super::scenarios::Protocol;
use super::state::{Dropping, Entry, Files, State, Task};

impl Protocol {
    pub(super) fn collector_actions(&self, state: &State, collector: usize, can: &mut Vec<Action>) {
        let me = state.collectors[collector];
        match me.task {
            Task::None if me.rounds > 0 => {
                let targets = (0..state.attempts.len()).filter(|attempt| self.may_collect(state, *attempt));
                can.extend(targets.map(|attempt| Action::Collect { collector, attempt }));
            }
            Task::None => {}
            Task::Close { .. } => can.push(Action::CloseForDead { collector }),
            Task::Choose { .. } => can.push(Action::ChooseFiles { collector }),
            Task::Delete { .. } => can.push(Action::DeleteFiles { collector }),
        }
    }

    /// Any attempt that has files, living ones too: proof of death is for peace and not for safety. Without R1
    /// those whose every commit was dropped.
    fn may_collect(&self, state: &State, attempt: usize) -> bool {
        let files = Files::of(attempt);
        let named = state.live().iter().any(|commit| commit.files.meets(files));
        let left = files.and(state.written).without(state.deleted);
        !left.is_empty() && (self.rules.r1 || (state.has_committed(attempt) && !named))
    }

    pub(super) fn collect(&self, state: &mut State, collector: usize, attempt: usize) {
        let entries = state.log.len();
        let ready = !self.rules.r1 || state.is_closed(attempt);
        let me = &mut state.collectors[collector];
        me.rounds -= 1;
        me.task = if ready { Task::Choose { attempt } } else { Task::Close { attempt, entries } };
    }

    /// Appends the close, or turns away if the log has grown meanwhile.
    pub(super) fn close_for_dead(state: &mut State, collector: usize) {
        let Task::Close { attempt, entries } = state.collectors[collector].task else { return };
        let appended = entries == state.log.len() && state.create(entries, Entry::Abandon(attempt));
        state.collectors[collector].task = if appended { Task::Choose { attempt } } else { Task::None };
    }

    pub(super) fn choose_files(state: &mut State, collector: usize) {
        let Task::Choose { attempt } = state.collectors[collector].task else { return };
        let named = state.live().iter().fold(Files::NONE, |named, commit| named.with(commit.files));
        let files = Files::of(attempt).and(state.written).without(named);
        state.collectors[collector].task = Task::Delete { files };
    }

    pub(super) fn delete_files(state: &mut State, collector: usize) {
        let Task::Delete { files } = state.collectors[collector].task else { return };
        state.deleted = state.deleted.with(files);
        state.collectors[collector].task = Task::None;
    }

    pub(super) fn drop_actions(state: &State, can: &mut Vec<Action>) {
        if state.dropping.is_some() {
            can.push(Action::Drop);
        } else if !state.live().is_empty() {
            if state.left.drops > 0 {
                can.push(Action::LookBeforeDrop { all: false });
            }
            if state.left.drops_of_all > 0 {
                can.push(Action::LookBeforeDrop { all: true });
            }
        }
    }

    pub(super) fn look_before_drop(state: &mut State, all: bool) {
        let version = state.live().last().filter(|_| !all).map(|newest| newest.version);
        state.dropping = Some(Dropping { entries: state.log.len(), version });
    }

    /// Appends the drop, or starts over if the log has grown meanwhile. Without R5 everything is deleted, log and all.
    pub(super) fn drop_now(&self, state: &mut State) {
        let Some(Dropping { entries, version }) = state.dropping.take() else { return };
        if entries != state.log.len() {
            return;
        }
        match version {
            Some(version) => {
                state.create(entries, Entry::Drop(version));
                state.left.drops -= 1;
            }
            None => {
                state.left.drops_of_all -= 1;
                state.create(entries, Entry::DropAll);
                if !self.rules.r5 {
                    state.log.clear();
                }
            }
        }
    }
}
