//! From the command line to the exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use datafusion_cli::object_storage::is_stdin_location;
use milepost::Session;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, OutputArgs, Subcommands, Work};
use crate::bench;
use crate::datagen::{self, Request};
use crate::demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::job::{self, JobsArgs};
use crate::maintenance;
use crate::memory;
use crate::output::Output;
use crate::print::Printer;
use crate::run::{Flow, Interrupts, Runner, Script, Source};
use crate::session_setup::{Setup, absolute, enter};
use crate::shell;

/// How long the program waits for its threads at its end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs the program: reads the process' arguments, does what they say, reports the first failure on stderr as one
/// line, and returns the exit code: 0 done, 1 a statement failed, 2 the command line is wrong, 3 another process has
/// the job, 4 the store is damaged, 130 Ctrl-C, 141 the output was closed.
pub fn main() -> ExitCode {
    match Args::read().and_then(|args| args.map_or(Ok(()), start)) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            failure.report();
            failure.exit().into()
        }
    }
}

fn start(args: Args) -> Result<(), Failure> {
    memory::lay_out();
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System { operation: "start threads", source })?;
    let outcome = dispatch(&runtime, args);
    // Writes that are under way end, and leave nothing half-written. A thread that still reads from a slow source must not
    // keep the program alive.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

/// Logs go to stderr when `RUST_LOG` asks for them, for example `RUST_LOG=milepost=debug`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    // Fails only where a subscriber is set already, and then that one serves.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
}

fn dispatch(runtime: &Runtime, args: Args) -> Result<(), Failure> {
    let interrupts = runtime.block_on(async { Interrupts::listen() });
    match &args.subcommand {
        Some(Subcommands::Datagen(datagen)) => {
            let (mut interrupts, mut output) = (interrupts, Output::stdout());
            let request = Request::from(datagen);
            runtime
                .block_on(datagen::run(&request, &mut interrupts, &mut output, args.output.quiet))
                .map(|_| ())
        }
        Some(Subcommands::Run(run)) => job::run(runtime, &args, run, interrupts),
        Some(Subcommands::Jobs(jobs)) => runtime.block_on(list_jobs(&args, jobs, interrupts)),
        Some(Subcommands::Demo(demo)) => runtime.block_on(demo::run(&args, demo, interrupts)),
        Some(Subcommands::Bench(arguments)) => bench::run(runtime, &args, arguments, interrupts),
        Some(Subcommands::BenchRun(arguments)) => bench::run_one(runtime, &args, arguments),
        Some(Subcommands::Verify(verify)) => {
            let setup = setup(&args);
            let session = runtime.block_on(setup.open_to_verify())?;
            let mut runner = runner(&args, &setup, session, interrupts);
            runtime.block_on(async {
                maintenance::must_be_there(&runner.session).await?;
                maintenance::verify(&mut runner, verify).await
            })
        }
        Some(Subcommands::Gc(gc)) => {
            let setup = setup(&args);
            let session = runtime.block_on(setup.open())?;
            let mut runner = runner(&args, &setup, session, interrupts);
            runtime.block_on(async {
                maintenance::must_be_there(&runner.session).await?;
                maintenance::gc(&mut runner, gc).await
            })
        }
        None => sql(runtime, args, interrupts),
    }
}

/// What a session over the store that the command line names is made of.
fn setup(args: &Args) -> Setup {
    Setup::new(&args.limits, args.store.as_deref(), false, args.output.object_store_profiling)
}

fn runner(args: &Args, setup: &Setup, session: Session, interrupts: Interrupts) -> Runner {
    Runner { session, printer: printer(&args.output), interrupts, stores: setup.stores.clone() }
}

fn sql(runtime: &Runtime, args: Args, interrupts: Interrupts) -> Result<(), Failure> {
    let interactive = args.work.is_empty() && io::stdin().is_terminal();
    let setup = Setup::new(
        &args.limits,
        args.store.as_deref(),
        stdin_is_sql(&args),
        args.output.object_store_profiling,
    );
    let sources = if interactive { Vec::new() } else { sources(&args)? };
    let mut shell_args = args.shell;
    for path in &mut shell_args.rc {
        *path = absolute(path);
    }
    if let Some(folder) = &args.limits.data_path {
        enter(folder)?;
    }
    let session = runtime.block_on(setup.open())?;
    let printer = printer(&args.output);
    let mut runner = Runner { session, printer, interrupts, stores: setup.stores.clone() };
    let outcome = if interactive {
        shell::run(runtime.handle(), &mut runner, &shell_args)
    } else {
        runtime.block_on(scripts(&mut runner, &sources))
    };
    runtime.block_on(runner.settle());
    outcome
}

async fn list_jobs(args: &Args, jobs: &JobsArgs, interrupts: Interrupts) -> Result<(), Failure> {
    let setup = setup(args);
    let session = setup.open().await?;
    maintenance::must_be_there(&session).await?;
    let mut runner = runner(args, &setup, session, interrupts);
    runner.printer.format = jobs.format.unwrap_or(runner.printer.format);
    job::list(&mut runner, jobs).await
}

/// Parses all scripts before the first statement of any of them runs.
async fn scripts(runner: &mut Runner, sources: &[Source]) -> Result<(), Failure> {
    let config = runner.session.copied_config();
    let options = config.options();
    let scripts: Vec<Script> =
        sources.iter().map(|source| Script::parse(options, source)).collect::<Result<_, _>>()?;
    for script in &scripts {
        if runner.script(script).await? == Flow::Quit {
            break;
        }
    }
    Ok(())
}

fn sources(args: &Args) -> Result<Vec<Source>, Failure> {
    if args.work.is_empty() {
        return Ok(vec![Source::stdin()?]);
    }
    Source::of_all(&args.work)
}

/// Whether statements come from standard input, so that no table can.
fn stdin_is_sql(args: &Args) -> bool {
    args.work.is_empty()
        || args.work.iter().any(|work| match work {
            Work::File(path) => path.as_os_str() == "-" || path.to_str().is_some_and(is_stdin_location),
            Work::Command(_) => false,
        })
}

fn printer(args: &OutputArgs) -> Printer {
    Printer { format: args.format, quiet: args.quiet, maxrows: args.maxrows, output: Output::stdout() }
}
