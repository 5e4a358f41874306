//! Who meets whom. One world with everybody in it would never be seen whole; each of these is.

use super::actions::Action;
use super::checker::{Model, Report, check};
use super::properties::Accident;
use super::rules::{Rule, Rules};
use super::state::{Files, Phase, Plan, Setup, State};

/// The protocol under some rules, among these participants.
#[derive(Clone, Debug)]
pub struct Protocol {
    pub(super) setup: Setup,
    pub(super) rules: Rules,
    /// What is looked for.
    looked_for: Vec<Accident>,
}

/// Participants, and the rules that protect them from each other.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// Who takes part.
    pub setup: Setup,
    /// The rules that are needed here.
    pub needs: &'static [Rule],
}

impl Scenario {
    /// Looks for any accident with all rules on.
    #[must_use]
    pub fn check(&self, limit: usize) -> Report<Accident> {
        let looked_for = Accident::ALL.to_vec();
        check(&Protocol { setup: self.setup.clone(), rules: Rules::ALL, looked_for }, limit)
    }

    /// Looks for the accident of a rule with that rule off.
    #[must_use]
    pub fn check_without(&self, rule: Rule, limit: usize) -> Report<Accident> {
        let (rules, looked_for) = (Rules::without(rule), vec![rule.accident()]);
        check(&Protocol { setup: self.setup.clone(), rules, looked_for }, limit)
    }

    /// The same with one more fault, one more round for each collector, and a third driver.
    #[must_use]
    pub fn larger(mut self) -> Self {
        self.setup.faults += 1;
        self.setup.rounds += 1;
        if self.setup.writers.iter().all(|plan| plan.drives) {
            self.setup.writers.push(Plan { signature: 3, ..DRIVES });
        }
        self
    }
}

const WRITES: Plan = Plan {
    signature: 1,
    adopts: false,
    twins: false,
    reads: false,
    recomputes: false,
    counts: false,
    drives: false,
};
const ADOPTS: Plan = Plan { adopts: true, ..WRITES };
const OTHER: Plan = Plan { signature: 2, ..WRITES };
const DRIVES: Plan = Plan { drives: true, ..WRITES };
const DRIVES_LATER: Plan = Plan { drives: true, ..OTHER };
const READS: Plan = Plan { reads: true, ..WRITES };
const TWINS: Plan = Plan { twins: true, ..WRITES };
const RECOMPUTES: Plan = Plan { recomputes: true, ..WRITES };
const COUNTS: Plan = Plan { counts: true, ..WRITES };
const COUNTS_ELSE: Plan = Plan { counts: true, ..OTHER };

/// All scenarios, each small enough to be seen whole.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let setup = |writers: &[Plan], faults| Setup { writers: writers.to_vec(), faults, ..Setup::default() };
    vec![
        Scenario {
            name: "a writer adopts, a version is dropped, one collects",
            setup: Setup { collectors: 1, rounds: 2, drops: 1, ..setup(&[WRITES, ADOPTS], 1) },
            needs: &[Rule::R1, Rule::R2],
        },
        Scenario {
            name: "replies of two writers are lost or late",
            setup: setup(&[WRITES, OTHER], 4),
            needs: &[Rule::R3, Rule::R4],
        },
        Scenario {
            name: "everything is dropped while two write",
            setup: Setup { drops_of_all: 1, ..setup(&[WRITES, OTHER], 3) },
            needs: &[Rule::R5],
        },
        Scenario {
            name: "versions are dropped between commits",
            setup: Setup { drops: 2, ..setup(&[WRITES, OTHER, WRITES], 2) },
            needs: &[Rule::R6],
        },
        Scenario {
            name: "two drivers have one job",
            setup: setup(&[DRIVES, DRIVES_LATER], 3),
            needs: &[Rule::R7, Rule::R9],
        },
        Scenario {
            name: "a source changes while it is read",
            setup: Setup { changes: 1, ..setup(&[READS, READS], 2) },
            needs: &[Rule::R8],
        },
        Scenario {
            name: "twins run one unit, and another adopts it",
            setup: setup(&[TWINS, ADOPTS], 3),
            needs: &[Rule::R10],
        },
        Scenario {
            name: "two collect at once",
            setup: Setup { collectors: 2, rounds: 1, drops: 1, ..setup(&[WRITES, ADOPTS], 1) },
            needs: &[Rule::R1, Rule::R2],
        },
        Scenario {
            name: "everything is dropped while one adopts and one collects",
            setup: Setup { collectors: 1, rounds: 2, drops_of_all: 1, ..setup(&[WRITES, ADOPTS], 1) },
            needs: &[Rule::R2],
        },
        Scenario {
            name: "damage is computed again beside another writer",
            setup: Setup { damages: 1, drops: 1, ..setup(&[WRITES, RECOMPUTES, ADOPTS], 2) },
            needs: &[Rule::Later, Rule::OtherFiles],
        },
        Scenario {
            name: "two steps build on one version",
            setup: setup(&[WRITES, COUNTS, COUNTS_ELSE], 3),
            needs: &[Rule::ReadVersion],
        },
        Scenario {
            name: "equal steps and another build on one version",
            setup: setup(&[WRITES, COUNTS, COUNTS, COUNTS_ELSE], 2),
            needs: &[Rule::ReadVersion, Rule::ReadFirst],
        },
    ]
}

impl Model for Protocol {
    type State = State;
    type Action = Action;
    type Accident = Accident;

    fn start(&self) -> State {
        State::new(&self.setup)
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let mut can = vec![];
        for writer in 0..state.writers.len() {
            self.driver_actions(state, writer, &mut can);
            self.writer_actions(state, writer, &mut can);
        }
        for collector in 0..state.collectors.len() {
            self.collector_actions(state, collector, &mut can);
        }
        Self::drop_actions(state, &mut can);
        can.extend((0..state.late.len()).map(|index| Action::CommitArrives { index }));
        can.extend((0..state.late_receipts.len()).map(|index| Action::ReceiptArrives { index }));
        Self::world_actions(state, &mut can);
        can
    }

    fn after(&self, state: &State, action: &Action) -> State {
        let mut next = state.clone();
        let state = &mut next;
        match *action {
            Action::Begin { writer } => self.begin(state, writer),
            Action::Read { writer } => Self::read(state, writer),
            Action::Write { writer, twin } => self.write(state, writer, twin),
            Action::SendReceipt { writer, twin, delivery } => {
                self.send_receipt(state, writer, twin, delivery)
            }
            Action::LookAtReceipt { writer, twin } => self.look_at_receipt(state, writer, twin),
            Action::ReceiptArrives { index } => Self::receipt_arrives(state, index),
            Action::Adopt { writer, attempt } => Self::adopt(state, writer, attempt),
            Action::Judge { writer } => self.judge(state, writer),
            Action::Send { writer, delivery } => self.send(state, writer, delivery),
            Action::Look { writer } => self.look(state, writer),
            Action::GiveUp { writer } => self.give_up(state, writer),
            Action::Close { writer } => Self::close(state, writer),
            Action::Crash { writer } => {
                state.writers[writer].phase = Phase::Dead;
                state.left.faults -= 1;
            }
            Action::CommitArrives { index } => Self::commit_arrives(state, index),
            Action::LookAtJob { writer } => self.look_at_job(state, writer),
            Action::TakeJob { writer } => self.take_job(state, writer),
            Action::FinishStep { writer } => Self::finish_step(state, writer),
            Action::Collect { collector, attempt } => self.collect(state, collector, attempt),
            Action::CloseForDead { collector } => Self::close_for_dead(state, collector),
            Action::ChooseFiles { collector } => Self::choose_files(state, collector),
            Action::DeleteFiles { collector } => Self::delete_files(state, collector),
            Action::LookBeforeDrop { all } => Self::look_before_drop(state, all),
            Action::Drop => self.drop_now(state),
            Action::SourceChanges => {
                state.source += 1;
                state.left.changes -= 1;
            }
            Action::Damage { file } => {
                state.damaged = state.damaged.with(Files::one(file / 2, file % 2));
                state.left.damages -= 1;
            }
        }
        next
    }

    fn accident(&self, state: &State) -> Option<Accident> {
        self.looked_for.iter().copied().find(|accident| accident.is_in(&self.setup, state))
    }
}

impl Protocol {
    /// What happens outside: the source changes, a file rots.
    fn world_actions(state: &State, can: &mut Vec<Action>) {
        if state.left.changes > 0 {
            can.push(Action::SourceChanges);
        }
        if state.left.damages > 0
            && let Some(newest) = state.live().last()
        {
            let files = 0..2 * state.attempts.len();
            let named = files.filter(|file| newest.files.meets(Files::one(file / 2, file % 2)));
            can.extend(named.map(|file| Action::Damage { file }));
        }
    }
}
