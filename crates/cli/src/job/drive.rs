//! `milepost run`: takes the job, builds its session, and runs its script.

use std::time::Duration;

use milepost::Session;
use milepost::job::{JobOptions, JobRunner, JobStart};
use tokio::runtime::Runtime;

use super::arguments::RunArgs;
use super::host::{Host, summary};
use super::orphan::end_with_supervisor;
use super::script::Ready;
use super::supervise;
use crate::args::Args;
use crate::failure::Failure;
use crate::notices;
use crate::output::Output;
use crate::print::Printer;
use crate::run::{Interrupts, Runner, within};
use crate::session_setup::{Setup, enter};

/// How long a start may take before people are told what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the log may take to hear that the driver stops.
const LAST_WORD: Duration = Duration::from_secs(10);

/// Runs a script as a job, or watches over a child that does.
///
/// # Errors
/// A command line or script that cannot be, a job that another process has, the first statement that fails, Ctrl-C.
pub(crate) fn run(
    runtime: &Runtime,
    args: &Args,
    run: &RunArgs,
    mut interrupts: Interrupts,
) -> Result<(), Failure> {
    let profiling = args.output.object_store_profiling;
    let setup = Setup::new(&args.limits, args.store.as_deref(), false, profiling);
    let ready = Ready::read(run, &setup.options()?)?;
    if let Some(times) = run.supervise {
        let quiet = args.output.quiet;
        return runtime.block_on(async {
            let store = setup.store().await?;
            // A log that cannot be read is the child's to tell.
            let epoch = async || Some(store.open_job(&ready.name).await.ok()??.state.epoch);
            supervise::supervise(times, quiet, &mut interrupts, epoch).await
        });
    }
    end_with_supervisor(&interrupts);
    if let Some(folder) = &args.limits.data_path {
        enter(folder)?;
    }
    let printer = Printer {
        format: run.format.unwrap_or(args.output.format),
        quiet: args.output.quiet,
        maxrows: args.output.maxrows,
        output: Output::stdout(),
    };
    runtime.block_on(drive(&setup, run, ready, printer, interrupts))
}

async fn drive(
    setup: &Setup,
    run: &RunArgs,
    ready: Ready,
    printer: Printer,
    mut interrupts: Interrupts,
) -> Result<(), Failure> {
    let store = setup.store().await?;
    let options = JobOptions { takeover: run.takeover, restart: run.restart, ..JobOptions::default() };
    let start = JobRunner::start(&store, &ready.name, ready.script.clone(), options);
    let start = told_if_slow(start, printer.quiet);
    let job = match interrupts.guard(start).await?.map_err(Failure::job)? {
        JobStart::Driving(job) => job,
        JobStart::Held { by, .. } => {
            let (job, pid, host) = (ready.name.to_string(), by.owner.pid, by.owner.host);
            return Err(Failure::Held { job, pid, host });
        }
    };
    let session = setup.session(Session::builder().with_store(store).with_run(job.run_pin())).await?;
    let runner = Runner {
        session: session.clone(),
        printer,
        interrupts: interrupts.clone(),
        stores: setup.stores.clone(),
    };
    let mut host = Host { runner, failure: None };
    if job.resumed() {
        host.say(&format!("job {}: goes on with run {}", ready.name, job.run_id()));
    }
    let ended = interrupts.guard(job.run(&session, &mut host)).await;
    host.runner.settle().await;
    match ended {
        Ok(Ok(report)) => {
            host.say(&summary(ready.name.as_str(), &report));
            Ok(())
        }
        Ok(Err(error)) => Err(failure(&ready, error, host.failure)),
        Err(interrupted) => {
            match within(LAST_WORD, job.stop("interrupted")).await {
                Some(Err(fenced @ milepost::Error::JobFenced { .. })) => Err(Failure::job(fenced)),
                // The next driver takes the run up all the same, as after a crash.
                _ => Err(interrupted),
            }
        }
    }
}

/// A start that has to find out whether an earlier driver lives may take a while.
async fn told_if_slow<T>(start: impl Future<Output = T>, quiet: bool) -> T {
    let mut start = std::pin::pin!(start);
    tokio::select! {
        started = &mut start => return started,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    if !quiet {
        notices::tell(&[
            "looking whether the process that had this job before still lives, up to half a minute"
                .to_string(),
        ]);
    }
    start.await
}

fn failure(ready: &Ready, error: milepost::Error, output: Option<Failure>) -> Failure {
    match error {
        milepost::Error::JobStep { line, source, .. } => {
            output.unwrap_or(Failure::Statement { place: ready.place(line), source })
        }
        other => Failure::job(other),
    }
}
