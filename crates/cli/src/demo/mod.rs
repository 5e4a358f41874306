//! `milepost demo`: makes a little data, runs the tour over it twice, and shows what the second run did not compute. Then it
//! kills a job in the middle of a step, starts it again, and shows what was kept.

mod killed;
mod report;
mod tour;

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreMode;

use crate::args::{Args, DemoArgs};
use crate::datagen::{self, Request};
use crate::failure::Failure;
use crate::output::Output;
use crate::run::Interrupts;
use crate::session_setup::{Setup, absolute};
use tour::RunOf;

/// The script that the demo runs. Its tables lie in `tpch/`, beside the checkpoints.
const TOUR: &str = include_str!("../../../../sql/tour.sql");

/// The engine waits until new files are old enough to be told from later versions of themselves. Waiting here keeps
/// that out of the times of the first run.
const SETTLE: Duration = Duration::from_millis(2_500);

/// Makes the data, runs the tour in two sessions of their own, and prints what each step did.
///
/// # Errors
/// Data that cannot be made, a step that fails, or Ctrl-C.
pub(crate) async fn run(args: &Args, demo: &DemoArgs, mut interrupts: Interrupts) -> Result<(), Failure> {
    let mut output = Output::stdout();
    let folder = absolute(&demo.dir);
    let named = args.store.as_deref().filter(|_| !args.store_from_environment);
    let store = named.map_or_else(|| folder.join(".milepost").to_string_lossy().into_owned(), str::to_string);
    // A path in --store begins where the program was started, so it is settled before the folder changes.
    let setup = Setup::new(&args.limits, Some(&store), false, InstrumentedObjectStoreMode::Disabled);

    output.line(&format!("Data: TPC-H at scale {} in {}", demo.scale, folder.join("tpch").display()))?;
    let request = Request { scale: demo.scale, out: folder.join("tpch"), parts: None };
    if datagen::run(&request, &mut interrupts, &mut output, args.output.quiet).await? > 0 {
        interrupts.guard(tokio::time::sleep(SETTLE)).await?;
    }
    enter(&folder)?;

    let first = tour(&setup, "first run", args, &mut interrupts, &mut output).await?;
    let second = tour(&setup, "second run", args, &mut interrupts, &mut output).await?;
    output.line(&report::summary(&first, &second, &store))?;

    let killed = killed::run(&folder, &mut interrupts).await?;
    output.line(&killed.told())?;
    if killed.is_same() {
        return Ok(());
    }
    let what = "the rows of the killed job are others: please report this, and keep the folder".to_string();
    Err(Failure::Unexpected { path: folder, what })
}

async fn tour(
    setup: &Setup,
    title: &'static str,
    args: &Args,
    interrupts: &mut Interrupts,
    output: &mut Output,
) -> Result<RunOf, Failure> {
    // A session of its own, as another process would have: nothing is shared but the store.
    let session = setup.open().await?;
    let quiet = args.output.quiet || !std::io::stderr().is_terminal();
    let guarded = interrupts.guard(tour::run(&session, TOUR, quiet)).await;
    let steps = match guarded {
        Ok(outcome) => outcome?,
        Err(interrupted) => {
            session.settle().await;
            return Err(interrupted);
        }
    };
    output.line(&report::table(title, &steps))?;
    Ok(steps)
}

fn enter(folder: &Path) -> Result<(), Failure> {
    std::env::set_current_dir(folder).map_err(|source| Failure::File {
        operation: "work in",
        path: folder.to_path_buf(),
        source,
        next: "choose another folder with --dir",
    })
}
