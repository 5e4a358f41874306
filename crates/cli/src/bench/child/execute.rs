//! Runs one statement to its end and throws its rows away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use datafusion::common::plan_err;
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream};
use futures::StreamExt;
use milepost::Session;
use milepost::job::{JobStep, StepKind};
use milepost::sql::{CreateCheckpoint, Statement, StatementKind};

use super::content::Summing;
use super::makes_snapshot;
use crate::bench::line::{Parts, StepRan};
use crate::object_stores;

/// A statement that has run.
pub(super) struct Done {
    pub(super) ran: StepRan,
    /// Its plan, if it is a query.
    pub(super) plan: Option<LogicalPlan>,
}

/// Runs `statement`, which is that of `step`, or what stands for it.
///
/// # Errors
/// The statement's.
pub(super) async fn run(session: &Session, step: &JobStep, statement: &Statement) -> Result<Done> {
    let started = Instant::now();
    let frame = object_stores::execute(session, statement).await?;
    let plan = statement.is_query().then(|| frame.logical_plan().clone());
    let drained = drain(frame, statement.is_query()).await?;
    let ms = milliseconds(started.elapsed());
    // What people would be told once is told in the real runs of the script.
    session.take_notices();
    let mut ran = StepRan {
        number: step.number(),
        ms,
        rows: drained.rows,
        outcome: "done".to_string(),
        content: drained.content,
        ..StepRan::default()
    };
    if let Some(first) = drained.first {
        if makes_snapshot(statement) {
            read_outcome(&mut ran, &first);
        } else if step.kind() == StepKind::Sink {
            ran.rows = number(&first, "count").unwrap_or(ran.rows);
        }
    }
    Ok(Done { ran, plan })
}

/// What the time of a checkpoint is made of: its query alone, and reading what is stored.
///
/// # Errors
/// Those of either.
pub(super) async fn parts(
    session: &Session,
    statement: &Statement,
    create: &CreateCheckpoint,
) -> Result<Parts> {
    let started = Instant::now();
    drain(session.execute(&query_of(statement, create)).await?, false).await?;
    let compute = milliseconds(started.elapsed());
    let started = Instant::now();
    drain(session.sql(&format!("SELECT * FROM {}", create.name)).await?, false).await?;
    Ok(Parts { compute, read: milliseconds(started.elapsed()) })
}

/// The query of a CHECKPOINT statement.
pub(super) fn query_of(statement: &Statement, create: &CreateCheckpoint) -> Statement {
    Statement {
        text: create.query_text.clone(),
        line: statement.line,
        kind: StatementKind::DataFusion(create.query.clone()),
    }
}

struct Drained {
    rows: u64,
    content: Option<crate::bench::line::Content>,
    first: Option<RecordBatch>,
}

async fn drain(frame: DataFrame, sum_up: bool) -> Result<Drained> {
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    if plan.boundedness().is_unbounded() {
        return plan_err!("this statement has no end, so that its time cannot be measured");
    }
    let mut stream = execute_stream(plan, task)?;
    let mut sum = if sum_up { Some(Summing::of(&stream.schema())?) } else { None };
    let (mut rows, mut first) = (0, None);
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        if let Some(sum) = &mut sum {
            sum.add(&batch)?;
        }
        if first.is_none() && batch.num_rows() > 0 {
            first = Some(batch);
        }
    }
    Ok(Drained { rows, content: sum.map(Summing::finish), first })
}

/// The row of a CHECKPOINT or REFRESH.
fn read_outcome(ran: &mut StepRan, row: &RecordBatch) {
    let outcome = row.column_by_name("outcome").and_then(|column| column.as_string_opt::<i32>());
    if let Some(outcome) = outcome {
        ran.outcome = outcome.value(0).to_string();
    }
    let of = |name: &str| number(row, name).unwrap_or_default();
    ran.rows = of("rows");
    ran.units = of("units");
    ran.units_reused = of("units_reused");
    // What was reused was stored by somebody else.
    ran.bytes = if matches!(ran.outcome.as_str(), "written" | "resumed") { of("bytes") } else { 0 };
}

fn number(row: &RecordBatch, name: &str) -> Option<u64> {
    let numbers = row.column_by_name(name)?.as_primitive_opt::<UInt64Type>()?;
    numbers.is_valid(0).then(|| numbers.value(0))
}

fn milliseconds(time: Duration) -> f64 {
    // Microseconds are as fine as it makes sense.
    (time.as_secs_f64() * 1e6).round() / 1e3
}
