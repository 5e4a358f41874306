//! `milepost demo`: makes a little data, runs the tour over it in two processes, and shows what the second one did not compute.
//! Then it kills a job in the middle of a step, starts it again, and shows what was kept.

mod killed;
mod process;
mod report;
mod tour;

use std::path::Path;
use std::time::Duration;

use crate::args::{Args, DemoArgs};
use crate::datagen::{self, Request};
use crate::failure::Failure;
use crate::output::Output;
use crate::run::Interrupts;
use crate::session_setup::absolute;

/// The engine waits until new files are old enough to be told from later versions of themselves. Waiting here keeps
/// that out of the times of the first run.
const SETTLE: Duration = Duration::from_millis(2_500);

/// Makes the data, runs the tour in two processes, and prints what each step did.
///
/// # Errors
/// Data that cannot be made, a step that fails, or Ctrl-C.
pub(crate) async fn run(args: &Args, demo: &DemoArgs, mut interrupts: Interrupts) -> Result<(), Failure> {
    let folder = absolute(&demo.dir);
    let store = store_of(args, &folder);
    let mut output = Output::stdout();
    if demo.only_tour {
        return output.line(&process::play(args, &folder, &store, interrupts).await?);
    }
    output.line(&format!("Data: TPC-H at scale {} in {}", demo.scale, folder.join("tpch").display()))?;
    let request = Request { scale: demo.scale, out: folder.join("tpch"), parts: None };
    if datagen::run(&request, &mut interrupts, &mut output, args.output.quiet).await? > 0 {
        interrupts.guard(tokio::time::sleep(SETTLE)).await?;
    }

    let first = process::run(&mut interrupts).await?;
    output.line(&report::table("first run", &first))?;
    let second = process::run(&mut interrupts).await?;
    output.line(&report::table("second run, in another process", &second))?;
    output.line(&report::summary(&first, &second, &store))?;

    let killed = killed::run(&folder, &mut interrupts).await?;
    output.line(&killed.told())?;
    if killed.is_same() {
        return Ok(());
    }
    let what = "the rows of the killed job are others: please report this, and keep the folder".to_string();
    Err(Failure::Unexpected { path: folder, what })
}

/// The store that the command line names, or one beside the data.
fn store_of(args: &Args, folder: &Path) -> String {
    let named = args.store.as_deref().filter(|_| !args.store_from_environment);
    named.map_or_else(|| folder.join(".milepost").to_string_lossy().into_owned(), str::to_string)
}
