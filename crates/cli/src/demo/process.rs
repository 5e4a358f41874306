//! A run of the tour in a process of its own, which shares nothing with another one but the store.
//!
//! The demo starts itself again with one option more ([`run`]). That process plays the tour and tells in JSON what it did
//! ([`play`]); what goes wrong it says itself.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;

use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreMode;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::tour::{self, RunOf};
use crate::args::Args;
use crate::failure::Failure;
use crate::job::{end_with_supervisor, ended, pass_on, supervised};
use crate::run::{Interrupts, settle};
use crate::session_setup::{Setup, enter};

/// The script that the demo runs. Its tables lie in `tpch/`, beside the checkpoints.
const TOUR: &str = include_str!("../../../../sql/tour.sql");

/// Plays the tour in another process.
///
/// # Errors
/// A step that fails, which that process has reported; Ctrl-C, which ends it in order.
pub(super) async fn run(interrupts: &mut Interrupts) -> Result<RunOf, Failure> {
    let failed = |source| Failure::System { operation: "run the tour", source };
    let mut child = start().map_err(failed)?;
    let mut told = String::new();
    let stdout = child.stdout.take();
    let listened = async {
        match stdout {
            Some(mut stdout) => stdout.read_to_string(&mut told).await.map(|_| ()),
            None => Ok(()),
        }
    };
    match interrupts.guard(listened).await {
        Ok(listened) => listened.map_err(failed)?,
        Err(_) => pass_on(&mut child, "INT").await.map_err(failed)?,
    }
    ended(child.wait().await.map_err(failed)?)?;
    serde_json::from_str(&told).map_err(|error| failed(error.into()))
}

fn start() -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    supervised(command.as_std_mut());
    // A group of its own: a terminal sends Ctrl-C to the whole group, and the child is to get it once, from us.
    command.args(std::env::args_os().skip(1)).arg("--only-tour").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

/// Plays the tour in this process, over the data in `folder`, and gives what it did as JSON.
///
/// # Errors
/// A step that fails, or Ctrl-C.
pub(super) async fn play(
    args: &Args,
    folder: &Path,
    store: &str,
    mut interrupts: Interrupts,
) -> Result<String, Failure> {
    end_with_supervisor(&interrupts);
    // A path in --store begins where the program was started, so it is settled before the folder changes.
    let setup = Setup::new(&args.limits, Some(store), false, InstrumentedObjectStoreMode::Disabled);
    enter(folder)?;
    let session = setup.open().await?;
    let quiet = args.output.quiet || !std::io::stderr().is_terminal();
    let guarded = interrupts.guard(tour::run(&session, TOUR, quiet)).await;
    let done = match guarded {
        Ok(outcome) => outcome?,
        Err(interrupted) => {
            settle(&session).await;
            return Err(interrupted);
        }
    };
    serde_json::to_string(&done)
        .map_err(|error| Failure::System { operation: "tell about the tour", source: error.into() })
}
