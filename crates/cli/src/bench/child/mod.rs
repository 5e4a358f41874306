//! One measured run: a process that runs the script, throws the rows away, and tells what it took.
//!
//! [`execute`] runs a statement and drains it, [`content`] sums up its rows, [`look`] finds out whether two runs may give
//! different ones, [`off`] knows what is left out without checkpoints, and [`host`] does all that inside of a job.

mod content;
mod execute;
mod host;
mod look;
mod off;

use milepost::Session;
use milepost::job::{JobName, JobOptions, JobRunner, JobStart};
use milepost::sql::{Statement, StatementKind};
use tokio::runtime::Runtime;

pub(super) use off::{Reads, reads};

use super::arguments::{BenchRunArgs, Way};
use super::line::{Begin, End, Line, tell};
use super::machine::peak_memory;
use crate::args::Args;
use crate::failure::Failure;
use crate::job::Ready;
use crate::session_setup::{Setup, enter};
use host::Host;
use look::Look;

/// Runs the script once and tells about it on standard output.
///
/// # Errors
/// A script that cannot be, a statement that fails, nobody who listens.
pub(crate) fn run_one(runtime: &Runtime, args: &Args, run: &BenchRunArgs) -> Result<(), Failure> {
    let profiling = args.output.object_store_profiling;
    let setup = Setup::new(&args.limits, args.store.as_deref(), false, profiling);
    let name = JobName::parse("bench").map_err(|error| Failure::Refused(error.to_string()))?;
    let ready = Ready::of(name, &run.file, &run.variables, &setup.options()?)?;
    if let Some(folder) = &args.limits.data_path {
        enter(folder)?;
    }
    runtime.block_on(async {
        match run.way {
            Way::Job => as_job(&setup, &ready).await,
            way => as_script(&setup, &ready, way).await,
        }
    })?;
    told(&Line::End(End { peak_memory: peak_memory() }))
}

async fn as_script(setup: &Setup, ready: &Ready, way: Way) -> Result<(), Failure> {
    let session = setup.open().await?;
    begin(ready, session.store().clock().now_ms())?;
    let mut look = Look::default();
    let steps = ready.script.steps();
    for (index, step) in steps.iter().enumerate() {
        let failed =
            |error| Failure::Statement { place: ready.place(step.statement.line), source: Box::new(error) };
        let mut done = if way.is_off() {
            off::run(&session, steps, index).await.map_err(failed)?
        } else {
            execute::run(&session, step, &step.statement).await.map_err(failed)?
        };
        match &step.statement.kind {
            StatementKind::Checkpoint(create) if way == Way::Probe => {
                done.ran.parts =
                    Some(execute::parts(&session, &step.statement, create).await.map_err(failed)?);
            }
            _ if way == Way::Look => {
                done.ran.differs = look.at(&session, &step.statement, done.plan.as_ref()).await
            }
            _ => {}
        }
        told(&Line::Step(done.ran))?;
    }
    Ok(())
}

async fn as_job(setup: &Setup, ready: &Ready) -> Result<(), Failure> {
    let store = setup.store().await?;
    let started = JobRunner::start(&store, &ready.name, ready.script.clone(), JobOptions::default()).await;
    let job = match started.map_err(Failure::job)? {
        JobStart::Driving(job) => job,
        JobStart::Held { by, .. } => {
            let (job, pid, host) = (ready.name.to_string(), by.owner.pid, by.owner.host);
            return Err(Failure::Held { job, pid, host });
        }
    };
    let at_ms = store.clock().now_ms();
    let session = setup.session(Session::builder().with_store(store).with_run(job.run_pin())).await?;
    begin(ready, at_ms)?;
    match job.run(&session, &mut Host).await {
        Ok(_) => Ok(()),
        Err(milepost::Error::JobStep { line, source, .. }) => {
            Err(Failure::Statement { place: ready.place(line), source })
        }
        Err(other) => Err(Failure::job(other)),
    }
}

fn begin(ready: &Ready, at_ms: i64) -> Result<(), Failure> {
    told(&Line::Begin(Begin { script: ready.script.digest().to_string(), at_ms }))
}

fn told(line: &Line) -> Result<(), Failure> {
    tell(line).map_err(Failure::Output)
}

/// Whether a statement is one of ours that makes a snapshot and says so in a row.
fn makes_snapshot(statement: &Statement) -> bool {
    matches!(statement.kind, StatementKind::Checkpoint(_) | StatementKind::Refresh { .. })
}
