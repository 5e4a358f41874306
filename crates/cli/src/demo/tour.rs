//! One run of the tour: every statement, timed, and what the steps among them did.

use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use datafusion::error::Result as DataFusionResult;
use milepost::Session;
use milepost::sql::{Statement, StatementKind};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Place};
use crate::object_stores;
use crate::progress::Progress;

/// A CHECKPOINT or REFRESH and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StepDone {
    /// The checkpoint.
    pub(super) name: String,
    /// written, reused, …
    pub(super) outcome: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) time: Duration,
    /// What the work took when it was done, if it was not done now.
    pub(super) saved: Duration,
}

impl StepDone {
    /// Whether the step did not have to compute.
    pub(super) fn is_reused(&self) -> bool {
        self.outcome == "reused"
    }
}

/// A whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunOf {
    pub(super) steps: Vec<StepDone>,
    /// Statements that are no steps, and the time they took.
    pub(super) others: u64,
    pub(super) others_time: Duration,
}

impl RunOf {
    /// The time of the steps.
    pub(super) fn steps_time(&self) -> Duration {
        self.steps.iter().map(|step| step.time).sum()
    }
}

/// Runs a script and throws its rows away, all but what its steps say about themselves.
pub(super) async fn run(session: &Session, script: &str, quiet: bool) -> Result<RunOf, Failure> {
    let place = |line| Place { script: "sql/tour.sql".to_string(), line };
    let failed = |line, error| Failure::Statement { place: place(line), source: Box::new(error) };
    let statements = session.statements(script).map_err(|error| failed(1, error))?;
    let mut done = RunOf::default();
    for statement in &statements {
        let started = Instant::now();
        let progress = Progress::watch(session, quiet);
        let batches = execute(session, statement).await.map_err(|error| failed(statement.line, error))?;
        progress.finish();
        let time = started.elapsed();
        match step(statement, &batches, time) {
            Some(step) => done.steps.push(step),
            None => {
                done.others += 1;
                done.others_time += time;
            }
        }
    }
    Ok(done)
}

async fn execute(session: &Session, statement: &Statement) -> DataFusionResult<Vec<RecordBatch>> {
    object_stores::execute(session, statement).await?.collect().await
}

/// What the row of a CHECKPOINT or REFRESH says.
fn step(statement: &Statement, batches: &[RecordBatch], time: Duration) -> Option<StepDone> {
    if !matches!(statement.kind, StatementKind::Checkpoint(_) | StatementKind::Refresh { .. }) {
        return None;
    }
    let row = batches.iter().find(|batch| batch.num_rows() > 0)?;
    let text = |name: &str| Some(row.column_by_name(name)?.as_string_opt::<i32>()?.value(0).to_string());
    Some(StepDone {
        name: text("checkpoint")?,
        outcome: text("outcome")?,
        rows: number(row.column_by_name("rows")?),
        bytes: number(row.column_by_name("bytes")?),
        time,
        saved: Duration::from_millis(number(row.column_by_name("saved_ms")?)),
    })
}

fn number(column: &ArrayRef) -> u64 {
    column
        .as_primitive_opt::<UInt64Type>()
        .filter(|numbers| !numbers.is_null(0))
        .map_or(0, |numbers| numbers.value(0))
}
