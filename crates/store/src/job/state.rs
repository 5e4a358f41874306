//! Where a job stands: the part of every entry that lets the newest one tell alone.

use serde::{Deserialize, Serialize};

use super::record::{BegunStep, Epoch, RunOutcome, StepKind, StepRecord};
use crate::ids::{Digest, DriverId, RunId, Slot};
use crate::owner::Owner;

/// Where a job stands after an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// The current run.
    pub run: RunId,
    /// The slot of its first entry.
    pub run_slot: Slot,
    /// What `now()` is in it, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Whether it goes on.
    pub status: RunStatus,
    /// The epoch of the driver that wrote the entry.
    pub epoch: Epoch,
    /// That driver.
    pub driver: DriverId,
    /// Its process.
    pub owner: Owner,
    /// The hash of the script that it runs.
    pub script: Digest,
    /// The hash of the script's variables.
    pub variables: Digest,
    /// The last step that was finished.
    pub last_step: Option<u64>,
    /// The last step that was begun and is not finished: it may have run in part.
    pub begun: Option<BegunStep>,
    /// Every COPY and INSERT that was begun and is not finished, under whatever text of the script, and in runs that were given up
    /// since the last one that came to its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_sinks: Vec<BegunStep>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A driver has it, or died with it.
    Running,
    /// It came to its end.
    Done,
    /// Its driver gave up: it can be taken up again.
    Failed,
}

/// The driver that has a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The driver.
    pub driver: DriverId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its process.
    pub owner: Owner,
    /// The run that it drives.
    pub run: RunId,
}

/// Who begins a run or takes it up, and with which script.
#[derive(Clone, Debug)]
pub(super) struct Newcomer {
    pub(super) driver: DriverId,
    pub(super) owner: Owner,
    pub(super) script: Digest,
    pub(super) variables: Digest,
}

impl Newcomer {
    fn owner_in(&self, run: RunId) -> Owner {
        Owner { run: run.to_string(), ..self.owner.clone() }
    }
}

impl JobState {
    /// The driver that wrote the entry.
    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder { driver: self.driver, epoch: self.epoch, owner: self.owner.clone(), run: self.run }
    }

    /// The state after a new run's first entry, in `slot`.
    pub(super) fn new_run(
        before: Option<&Self>,
        run: RunId,
        now_ms: i64,
        slot: Slot,
        newcomer: &Newcomer,
    ) -> Self {
        Self {
            run,
            run_slot: slot,
            now_ms,
            status: RunStatus::Running,
            epoch: before.map(|state| state.epoch).unwrap_or_default().next(),
            driver: newcomer.driver,
            owner: newcomer.owner_in(run),
            script: newcomer.script,
            variables: newcomer.variables,
            last_step: None,
            begun: None,
            open_sinks: before
                .filter(|before| before.status != RunStatus::Done)
                .map_or_else(Vec::new, Self::left_open),
        }
    }

    /// The state after another driver took the run up.
    pub(super) fn taken_over(&self, newcomer: &Newcomer) -> Self {
        Self {
            status: RunStatus::Running,
            epoch: self.epoch.next(),
            driver: newcomer.driver,
            owner: newcomer.owner_in(self.run),
            script: newcomer.script,
            variables: newcomer.variables,
            open_sinks: self.left_open(),
            ..self.clone()
        }
    }

    /// The open sinks that a driver leaves to the next one. Earlier programs name the last one alone.
    fn left_open(&self) -> Vec<BegunStep> {
        let is_known = |begun: &BegunStep| self.open_sinks.iter().any(|open| open.identity == begun.identity);
        let last = self.begun.iter().filter(|begun| begun.kind == StepKind::Sink && !is_known(begun));
        self.open_sinks.iter().chain(last).cloned().collect()
    }

    pub(super) fn with_begun(&self, begun: &BegunStep) -> Self {
        let begun = Self { begun: Some(begun.clone()), ..self.clone() };
        Self { open_sinks: begun.left_open(), ..begun }
    }

    pub(super) fn with_step(&self, step: &StepRecord) -> Self {
        let begun = self.begun.clone().filter(|begun| begun.index != step.index);
        let is_open = |open: &&BegunStep| open.identity != step.identity;
        let open_sinks = self.open_sinks.iter().filter(is_open).cloned().collect();
        Self { last_step: Some(step.index), begun, open_sinks, ..self.clone() }
    }

    pub(super) fn with_edit(&self, from: u64) -> Self {
        let last_step = self.last_step.filter(|last| *last < from).or_else(|| from.checked_sub(1));
        Self { last_step, ..self.clone() }
    }

    pub(super) fn finished(&self, outcome: RunOutcome) -> Self {
        let status = match outcome {
            RunOutcome::Done => RunStatus::Done,
            RunOutcome::Failed => RunStatus::Failed,
        };
        Self { status, ..self.clone() }
    }
}
