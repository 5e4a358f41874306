//! The life of a commit: begin, produce a unit, judge, append, and find out what became of it.

use super::actions::{Action, Delivery};
use super::scenarios::Protocol;
use super::state::{Attempt, Commit, Duty, Entry, Files, Late, Phase, Signature, State, Told, Twin};

impl Protocol {
    pub(super) fn writer_actions(&self, state: &State, writer: usize, can: &mut Vec<Action>) {
        let plan = self.setup.writers[writer];
        let me = &state.writers[writer];
        match me.phase {
            Phase::Idle if self.may_begin(state, writer) => can.push(Action::Begin { writer }),
            Phase::Idle | Phase::Done(_) | Phase::Dead => {}
            Phase::Working => {
                if plan.reads && me.parts < 2 {
                    can.push(Action::Read { writer });
                } else {
                    self.receipt_actions(state, writer, can);
                }
                if plan.adopts && me.parts == 0 && state.attempts[me.attempt].twins == [Twin::Idle; 2] {
                    let from = (0..state.attempts.len()).filter(|from| adoptable(state, me.attempt, *from));
                    can.extend(from.map(|attempt| Action::Adopt { writer, attempt }));
                }
            }
            Phase::Ready => can.push(Action::Judge { writer }),
            Phase::Judged { .. } => {
                let ways = Delivery::possible(state.left.faults);
                can.extend(ways.iter().map(|delivery| Action::Send { writer, delivery: *delivery }));
            }
            Phase::Unknown { .. } => can.extend([Action::Look { writer }, Action::GiveUp { writer }]),
            Phase::Closing { .. } => can.push(Action::Close { writer }),
        }
        let alive = !matches!(me.phase, Phase::Idle | Phase::Done(_) | Phase::Dead);
        if alive && state.left.faults > 0 {
            can.push(Action::Crash { writer });
        }
    }

    fn may_begin(&self, state: &State, writer: usize) -> bool {
        let plan = self.setup.writers[writer];
        let holds = !plan.drives || matches!(state.writers[writer].duty, Duty::Holds(_));
        let newest = state.live().last().copied();
        let damaged = newest.is_some_and(|newest| newest.files.meets(state.damaged));
        holds && (!plan.recomputes || damaged) && (!plan.counts || newest.is_some())
    }

    pub(super) fn begin(&self, state: &mut State, writer: usize) {
        let attempt = state.attempts.len();
        let plan = self.setup.writers[writer];
        let found = state.live().last().map_or(0, |newest| newest.version);
        state.attempts.push(Attempt {
            signature: Signature { of: plan.signature, over: if plan.counts { found } else { 0 } },
            began_at: state.log.len(),
            drops_before: state.drops_of_all,
            source: state.source,
            receipt: None,
            twins: [Twin::Idle; 2],
        });
        let me = &mut state.writers[writer];
        (me.phase, me.attempt, me.found) = (Phase::Working, attempt, found);
    }

    pub(super) fn read(state: &mut State, writer: usize) {
        let source = state.source;
        let me = &mut state.writers[writer];
        me.mixed |= me.read.is_some_and(|first| first != source);
        me.read.get_or_insert(source);
        me.parts += 1;
    }

    pub(super) fn adopt(state: &mut State, writer: usize, from: usize) {
        let Some(twin) = state.attempts[from].receipt else { return };
        let me = &mut state.writers[writer];
        (me.phase, me.files) = (Phase::Ready, Files::one(from, twin));
    }

    /// The rules, in the store's order, over the log as it is now.
    pub(super) fn judge(&self, state: &mut State, writer: usize) {
        let verdict = self.verdict(state, writer);
        let me = &mut state.writers[writer];
        if verdict == Phase::Working {
            me.files = Files::NONE;
            // What was adopted is gone; what its own twins have done is still there.
            let own = state.attempts[me.attempt].receipt;
            me.phase = own.map_or(Phase::Working, |_| Phase::Ready);
            me.files = own.map_or(Files::NONE, |twin| Files::one(me.attempt, twin));
        } else {
            me.phase = verdict;
        }
    }

    fn verdict(&self, state: &State, writer: usize) -> Phase {
        let (plan, me, rules) = (self.setup.writers[writer], &state.writers[writer], &self.rules);
        let slot = state.log.len();
        if state.has_committed(me.attempt) {
            return Phase::Done(Told::Committed);
        }
        if state.is_closed(me.attempt) {
            return Phase::Done(Told::GaveUp);
        }
        let live = state.live();
        if rules.r7
            && plan.drives
            && let Some(done) = live.iter().find(|commit| commit.of_step)
        {
            return Phase::Done(Told::Adopted(done.version));
        }
        if rules.r8 && plan.reads && state.source != state.attempts[me.attempt].source {
            return Phase::Closing { slot };
        }
        let moved = plan.counts && live.last().is_none_or(|newest| newest.version != me.found);
        if rules.read_first && moved {
            return Phase::Done(Told::GaveUp);
        }
        let signature = state.attempts[me.attempt].signature;
        let newest = live.last().filter(|commit| commit.signature == signature);
        if let Some(theirs) = newest.filter(|commit| self.accepts(state, writer, commit)) {
            return Phase::Done(Told::Adopted(theirs.version));
        }
        // For the switch: who does not judge it first judges it here.
        if rules.read_version && moved {
            return Phase::Done(Told::GaveUp);
        }
        if state.owners(me.files).any(|owner| self.turns_away(state, owner)) {
            return Phase::Working;
        }
        let last = |commits: &mut dyn Iterator<Item = &Commit>| commits.map(|commit| commit.version).max();
        let version = if rules.r6 { last(&mut state.commits()) } else { last(&mut live.iter()) };
        Phase::Judged { slot, version: version.unwrap_or(0) + 1 }
    }

    /// Rule 2: whether no commit may name files of this attempt any more. Its own writer's commit was judged before.
    fn turns_away(&self, state: &State, owner: usize) -> bool {
        (self.rules.r2 && state.is_closed(owner)) || (self.rules.r2_ended && state.has_committed(owner))
    }

    /// Whether another's commit of the same signature may be the result: for a recompute, not what it replaces.
    fn accepts(&self, state: &State, writer: usize, theirs: &Commit) -> bool {
        if !self.setup.writers[writer].recomputes {
            return true;
        }
        let replaced = state.writers[writer].found;
        let shares = state.commit(replaced).is_some_and(|commit| commit.files.meets(theirs.files));
        (!self.rules.later || theirs.version > replaced) && !(self.rules.other_files && shares)
    }

    fn commit_of(&self, state: &State, writer: usize, version: usize) -> Commit {
        let (plan, me) = (self.setup.writers[writer], &state.writers[writer]);
        let counted = state.commit(me.found).map_or(0, |read| read.count);
        Commit {
            attempt: me.attempt,
            version,
            files: me.files,
            signature: state.attempts[me.attempt].signature,
            count: if plan.counts { counted + 1 } else { 0 },
            of_step: plan.drives,
            mixed: me.mixed,
        }
    }

    pub(super) fn send(&self, state: &mut State, writer: usize, delivery: Delivery) {
        let Phase::Judged { slot, version } = state.writers[writer].phase else { return };
        let commit = self.commit_of(state, writer, version);
        state.writers[writer].phase = match delivery {
            Delivery::Answered => {
                state.create(slot, Entry::Commit(commit));
                found(state, writer, slot).unwrap_or(Phase::Ready)
            }
            Delivery::ReplyLost => {
                state.create(slot, Entry::Commit(commit));
                state.left.faults -= 1;
                Phase::Unknown { slot, version }
            }
            Delivery::Delayed => {
                state.late.push(Late { slot, commit });
                state.left.faults -= 1;
                Phase::Unknown { slot, version }
            }
        };
    }

    /// Reads the slot after an unknown append. An empty one gets the same entry again (R3).
    pub(super) fn look(&self, state: &mut State, writer: usize) {
        let Phase::Unknown { slot, version } = state.writers[writer].phase else { return };
        let again = if self.rules.r3 { slot } else { slot + 1 };
        let found = found(state, writer, slot);
        state.writers[writer].phase = found.unwrap_or(Phase::Judged { slot: again, version });
    }

    /// Gives an unknown append up. What the user is told waits until the attempt is closed (R4).
    pub(super) fn give_up(&self, state: &mut State, writer: usize) {
        let Phase::Unknown { slot, .. } = state.writers[writer].phase else { return };
        if self.rules.r4 {
            state.writers[writer].phase = Phase::Closing { slot };
            return;
        }
        let own = Files::of(state.writers[writer].attempt).and(state.written);
        state.deleted = state.deleted.with(own);
        state.writers[writer].phase = Phase::Done(Told::GaveUp);
    }

    pub(super) fn close(state: &mut State, writer: usize) {
        let Phase::Closing { slot } = state.writers[writer].phase else { return };
        let attempt = state.writers[writer].attempt;
        state.writers[writer].phase = if state.create(slot, Entry::Abandon(attempt)) {
            Phase::Done(Told::GaveUp)
        } else {
            match found(state, writer, slot) {
                Some(Phase::Done(told)) => Phase::Done(told),
                _ => Phase::Closing { slot: slot + 1 },
            }
        };
    }

    pub(super) fn commit_arrives(state: &mut State, index: usize) {
        let late = state.late.remove(index);
        state.create(late.slot, Entry::Commit(late.commit));
    }
}

/// What a writer makes of its slot: its own entry, another's, or `None` for nothing.
fn found(state: &State, writer: usize, slot: usize) -> Option<Phase> {
    match state.slot(slot)? {
        Entry::Commit(commit) if commit.attempt == state.writers[writer].attempt => {
            Some(Phase::Done(Told::Committed))
        }
        _ => Some(Phase::Ready),
    }
}

/// A unit is adopted only by its receipt, from another attempt of the same signature that never committed.
fn adoptable(state: &State, own: usize, from: usize) -> bool {
    let other = state.attempts[from];
    own != from
        && other.receipt.is_some()
        && other.signature == state.attempts[own].signature
        && !state.has_committed(from)
        && !state.is_closed(from)
}
