//! What a job tells while it runs, and at its end.

use datafusion::common::Result;
use milepost_store::{Epoch, FinishedStep, RunId, SnapshotRef, StepKind, StepOutcome, StepRecord};

use super::script::JobStep;
use crate::session::Session;

/// Runs the statements of a job and hears of its steps.
///
/// A job can be spawned if the futures of its host can.
pub trait StepHost {
    /// Runs a step's statement to its end and does with its rows what is to be done. Gives the number of rows that it
    /// returned or wrote, if they were counted.
    ///
    /// # Errors
    /// The statement's. The job stops there, and can be taken up again.
    fn run(&mut self, session: &Session, step: &JobStep) -> impl Future<Output = Result<Option<u64>>>;

    /// Hears that a step is done, or was not to be done.
    fn passed(&mut self, _report: &StepReport) {}

    /// Hears of something that people should know.
    fn notice(&mut self, _notice: &str) {}
}

/// How a step was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepPassed {
    /// Not run: an earlier driver of the run has finished it.
    Skipped,
    /// Run again, because it changes the session alone.
    Replayed,
    /// Run.
    Ran,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// Its number, from 1.
    pub number: u64,
    /// The number of the script's steps.
    pub of: u64,
    /// The statement in a few words that hold nothing secret.
    pub what: String,
    /// What it does.
    pub kind: StepKind,
    /// How it was passed.
    pub passed: StepPassed,
    /// What came of it.
    pub outcome: StepOutcome,
    /// The snapshot that it made or found.
    pub checkpoint: Option<SnapshotRef>,
    /// Rows that it wrote or returned, if they were counted.
    pub rows: Option<u64>,
    /// How long it took now, in milliseconds.
    pub elapsed_ms: u64,
    /// How much longer it would have taken without what was there before, in milliseconds: what `milepost.steps` says.
    pub saved_ms: u64,
}

/// How much longer a finished step would have taken the run's last driver without what was there before, in milliseconds. Where an
/// earlier driver has finished the step, all of it was there; only what changes the session alone was done again all the same.
pub(crate) fn saved_ms(done: &FinishedStep, last: Epoch) -> u64 {
    let step = &done.step;
    let skipped = done.epoch < last && step.kind != StepKind::State;
    step.saved_ms.saturating_add(if skipped { step.elapsed_ms } else { 0 })
}

impl StepReport {
    /// Of a step that was run now.
    pub(super) fn of_run(step: &JobStep, of: u64, passed: StepPassed, record: &StepRecord) -> Self {
        Self {
            number: step.number(),
            of,
            what: step.what(),
            kind: record.kind,
            passed,
            outcome: record.outcome,
            checkpoint: record.checkpoint.clone(),
            rows: record.rows,
            elapsed_ms: record.elapsed_ms,
            saved_ms: record.saved_ms,
        }
    }

    /// Of a step that was finished before, and was not run now.
    pub(super) fn of_skipped(step: &JobStep, of: u64, record: &StepRecord) -> Self {
        Self { elapsed_ms: 0, ..Self::of_run(step, of, StepPassed::Skipped, record) }
    }
}

/// A job that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReport {
    /// The run.
    pub run: RunId,
    /// Whether an earlier driver had begun it.
    pub resumed: bool,
    /// Its steps, in order.
    pub steps: Vec<StepReport>,
}

impl JobReport {
    /// How many steps were passed in this way.
    #[must_use]
    pub fn count(&self, passed: StepPassed) -> usize {
        self.steps.iter().filter(|step| step.passed == passed).count()
    }

    /// How much longer the job would have taken without what was there before, in milliseconds.
    #[must_use]
    pub fn saved_ms(&self) -> u64 {
        self.steps.iter().map(|step| step.saved_ms).sum()
    }

    /// How long its steps took now, in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.steps.iter().map(|step| step.elapsed_ms).sum()
    }
}
