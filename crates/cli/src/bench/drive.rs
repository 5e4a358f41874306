//! `milepost bench`, from its command line to its report.

use milepost::job::{JobName, StepKind};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::BenchArgs;
use super::process::Runs;
use super::report::{Report, page, table};
use super::rounds::{Measured, Rounds};
use super::statements::StatementInfo;
use super::workshop::Workshop;
use crate::args::Args;
use crate::failure::Failure;
use crate::job::Ready;
use crate::output::Output;
use crate::run::Interrupts;
use crate::session_setup::{Setup, absolute};

/// Measures a script and reports.
///
/// # Errors
/// A command line or script that cannot be; a run that fails; rows that differ between the runs, after everything is
/// reported; Ctrl-C, which ends the runs and removes their stores.
pub(crate) fn run(
    runtime: &Runtime,
    args: &Args,
    bench: &BenchArgs,
    interrupts: Interrupts,
) -> Result<(), Failure> {
    if args.store.is_some() && !args.store_from_environment {
        let what = "a benchmark makes stores of its own, below the folder of --out: leave --store out";
        return Err(Failure::Usage(what.to_string()));
    }
    let ready = script(args, bench)?;
    let statements: Vec<StatementInfo> = ready.script.steps().iter().map(StatementInfo::of).collect();
    let runs = Runs::new(args, bench, ready.script.digest().to_string())?;
    let mut workshop = Workshop::open(&absolute(&bench.out))?;
    let has_checkpoints = ready.script.steps().iter().any(|step| step.kind() == StepKind::Checkpoint);
    let quiet = args.output.quiet;
    let rounds = Rounds { runs: &runs, workshop: &workshop, bench, has_checkpoints, quiet };
    let measured = runtime.block_on(until_told_to_end(&rounds, interrupts))?;
    let report = Report::of(args, bench, &ready, statements, measured);
    let mut output = Output::stdout();
    output.line(&table(&report))?;
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| Failure::Bench(format!("the report cannot be written as JSON: {error}")))?;
    for (name, text) in [("report.json", json), ("report.html", page(&report))] {
        let path = workshop.write(name, &text)?;
        output.line(&format!("{}", path.display()))?;
    }
    if bench.keep_store {
        output.line(&format!("{}", workshop.keep().display()))?;
    }
    if report.comparison.different.is_empty() {
        return Ok(());
    }
    let many = crate::units::counted(report.comparison.different.len() as u64, "statement");
    Err(Failure::Bench(format!(
        "{many} gave other rows in some run: the figures compare different things, and docs/bench.md says what may be the cause"
    )))
}

/// Reads and parses the script. Whatever is wrong with it, nothing was run.
fn script(args: &Args, bench: &BenchArgs) -> Result<Ready, Failure> {
    let setup = Setup::new(&args.limits, None, false, args.output.object_store_profiling);
    let name = JobName::parse("bench").map_err(|error| Failure::Refused(error.to_string()))?;
    let ready = Ready::of(name, &bench.file, &bench.variables, &setup.options()?);
    ready.map_err(|failure| match failure {
        wrong @ (Failure::Statement { .. } | Failure::Command { .. }) => Failure::Refused(wrong.to_string()),
        other => other,
    })
}

/// The measurements, unless somebody wants the end: then the run of the moment is killed.
async fn until_told_to_end(rounds: &Rounds<'_>, mut interrupts: Interrupts) -> Result<Measured, Failure> {
    let mut terminate = signal(SignalKind::terminate())
        .map_err(|source| Failure::System { operation: "listen for signals", source })?;
    tokio::select! {
        measured = interrupts.guard(rounds.measure()) => measured?,
        _ = terminate.recv() => Err(Failure::Interrupted),
    }
}
