//! Two processes run one unit, and the first receipt counts.

use super::actions::{Action, Delivery};
use super::scenarios::Protocol;
use super::state::{Files, Phase, State, Twin};

impl Protocol {
    pub(super) fn receipt_actions(&self, state: &State, writer: usize, can: &mut Vec<Action>) {
        let twins = if self.setup.writers[writer].twins { 2 } else { 1 };
        for twin in 0..twins {
            match state.attempts[state.writers[writer].attempt].twins[twin] {
                Twin::Idle => can.push(Action::Write { writer, twin }),
                Twin::Wrote => {
                    let ways = Delivery::possible(state.left.faults);
                    can.extend(ways.iter().map(|delivery| Action::SendReceipt {
                        writer,
                        twin,
                        delivery: *delivery,
                    }));
                }
                Twin::Unknown => can.push(Action::LookAtReceipt { writer, twin }),
                Twin::Settled => {}
            }
        }
    }

    /// A unit that one process runs has its file and its receipt in one event; that of twins in two.
    pub(super) fn write(&self, state: &mut State, writer: usize, twin: usize) {
        let attempt = state.writers[writer].attempt;
        state.written = state.written.with(Files::one(attempt, twin));
        if self.setup.writers[writer].twins {
            state.attempts[attempt].twins[twin] = Twin::Wrote;
        } else {
            state.attempts[attempt].receipt = Some(twin);
            self.settle(state, writer, twin);
        }
    }

    pub(super) fn send_receipt(&self, state: &mut State, writer: usize, twin: usize, delivery: Delivery) {
        let attempt = state.writers[writer].attempt;
        match delivery {
            Delivery::Delayed => state.late_receipts.push((attempt, twin)),
            Delivery::Answered | Delivery::ReplyLost => {
                state.attempts[attempt].receipt.get_or_insert(twin);
            }
        }
        if delivery == Delivery::Answered {
            self.settle(state, writer, twin);
        } else {
            state.left.faults -= 1;
            state.attempts[attempt].twins[twin] = Twin::Unknown;
        }
    }

    /// After an unknown create: what is stored counts, and nothing stored means to send the same again. Without
    /// R10 the process takes its file for useless and tidies up.
    pub(super) fn look_at_receipt(&self, state: &mut State, writer: usize, twin: usize) {
        let attempt = state.writers[writer].attempt;
        if state.attempts[attempt].receipt.is_some() {
            self.settle(state, writer, twin);
        } else if self.rules.r10 {
            state.attempts[attempt].twins[twin] = Twin::Wrote;
        } else {
            state.deleted = state.deleted.with(Files::one(attempt, twin));
            state.attempts[attempt].twins[twin] = Twin::Settled;
        }
    }

    pub(super) fn receipt_arrives(state: &mut State, index: usize) {
        let (attempt, twin) = state.late_receipts.remove(index);
        state.attempts[attempt].receipt.get_or_insert(twin);
    }

    /// The stored receipt decides which file the unit has, whoever wrote it.
    fn settle(&self, state: &mut State, writer: usize, twin: usize) {
        let attempt = state.writers[writer].attempt;
        let Some(stored) = state.attempts[attempt].receipt else { return };
        state.attempts[attempt].twins[twin] = Twin::Settled;
        if !self.rules.r10 && stored != twin {
            state.deleted = state.deleted.with(Files::one(attempt, twin));
        }
        let me = &mut state.writers[writer];
        if me.phase == Phase::Working {
            (me.phase, me.files) = (Phase::Ready, Files::one(attempt, stored));
        }
    }
}
