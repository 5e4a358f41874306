//! `--supervise`: the same command as a child, started again for as long as that can help.
//!
//! What the child has done is in the store, so a child that dies of a bad machine, of too little memory or of a passing
//! failure goes on where it stopped. One that says that the command line, the store or another process is in its way would
//! say it again.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use milepost::job::Epoch;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::orphan::supervised;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::notices;
use crate::run::Interrupts;

/// The wait before the first new start; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The exit code of a Rust program that panics.
const PANIC: i32 = 101;

/// Runs the child until it is through, at most `times` times more than once. `epoch` looks how often the job was taken.
///
/// # Errors
/// [`Failure::Child`] with the child's last exit code; Ctrl-C between two children.
pub(super) async fn supervise(
    times: u32,
    quiet: bool,
    interrupts: &mut Interrupts,
    epoch: impl AsyncFn() -> Option<Epoch>,
) -> Result<(), Failure> {
    let before = epoch().await;
    let failed = |source| Failure::System { operation: "watch over the job", source };
    let mut ends = Ends {
        terminate: signal(SignalKind::terminate()).map_err(failed)?,
        hangup: signal(SignalKind::hangup()).map_err(failed)?,
    };
    let mut wait = FIRST_WAIT;
    for again in 0.. {
        // Once a child has had the job, the next one is to go on with it, and to leave it to whoever took it since.
        let first = again == 0 || epoch().await == before;
        let mut child = start(first).map_err(failed)?;
        let (status, told_to_end) = watch(&mut child, interrupts, &mut ends).await.map_err(failed)?;
        let Some(why) = worth_another(status).filter(|_| !told_to_end && again < times) else {
            return ended(status);
        };
        if !quiet {
            let wait = wait.as_secs();
            notices::tell(&[format!("the job {why}; start {} of {times} in {wait} s", again + 1)]);
        }
        interrupts.guard(tokio::time::sleep(wait)).await?;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Ok(())
}

/// Signals that ask the supervisor to end.
struct Ends {
    terminate: Signal,
    hangup: Signal,
}

fn start(first: bool) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    supervised(command.as_std_mut());
    // A group of its own: a terminal sends Ctrl-C to the whole group, and the child is to get it once, from us.
    command.args(child_arguments(std::env::args_os().skip(1), first)).stdin(Stdio::null()).process_group(0);
    command.spawn()
}

/// The own command line without what is not for the child. What takes the job by force is for the `first` one only.
fn child_arguments(own: impl Iterator<Item = OsString>, first: bool) -> Vec<OsString> {
    let kept = |word: &OsString| match &*word.to_string_lossy() {
        "--supervise" => false,
        "--restart" | "--takeover" => first,
        word => !word.starts_with("--supervise="),
    };
    own.filter(kept).collect()
}

/// Waits for the child's end and passes signals on meanwhile. Also tells whether one of them asked for the end.
async fn watch(
    child: &mut Child,
    interrupts: &mut Interrupts,
    ends: &mut Ends,
) -> std::io::Result<(ExitStatus, bool)> {
    let mut told = false;
    loop {
        let passed_on = tokio::select! {
            status = child.wait() => return Ok((status?, told)),
            _ = interrupts.guard(std::future::pending::<()>()) => {
                interrupts.forget();
                "INT"
            }
            _ = ends.terminate.recv() => "TERM",
            _ = ends.hangup.recv() => "HUP",
        };
        told = true;
        pass_on(child, passed_on).await?;
    }
}

/// Sends a signal, such as `INT`, to a child.
///
/// # Errors
/// The child cannot be ended in another way either.
pub(crate) async fn pass_on(child: &mut Child, signal: &str) -> std::io::Result<()> {
    let Some(id) = child.id() else { return Ok(()) };
    // The shell's own kill: there is no safe call for it in std, and a program of that name may be missing.
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().await;
    if sent.is_ok_and(|status| status.success()) { Ok(()) } else { child.start_kill() }
}

/// Why a child that ended like this is started again; none if it is not.
fn worth_another(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(Exit::Failed.number()) => Some("failed".to_string()),
        (Some(PANIC), _) => Some("broke off".to_string()),
        (None, Some(signal)) => Some(format!("was ended by signal {signal}")),
        _ => None,
    }
}

/// Ends as a child has ended, which has said why.
///
/// # Errors
/// [`Failure::Child`], unless the child is through.
pub(crate) fn ended(status: ExitStatus) -> Result<(), Failure> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(Failure::Child(u8::try_from(code).unwrap_or(Exit::Failed.number()))),
        // As shells count it.
        (None, signal) => Err(Failure::Child(u8::try_from(128 + signal.unwrap_or(0)).unwrap_or(u8::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_gets_the_same_words_but_one() {
        let words = ["--store", "s", "run", "a.sql", "--supervise=3", "--var", "a=--supervise", "--restart"];
        let child = |first| child_arguments(words.iter().map(OsString::from), first);
        assert_eq!(child(true), ["--store", "s", "run", "a.sql", "--var", "a=--supervise", "--restart"]);
        assert_eq!(child(false), ["--store", "s", "run", "a.sql", "--var", "a=--supervise"]);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let exit = |code: i32| ExitStatus::from_raw(code << 8);
        for code in [1, PANIC] {
            assert!(worth_another(exit(code)).is_some(), "{code}");
        }
        for code in [0, 2, 3, 4, 130, 141] {
            assert_eq!(worth_another(exit(code)), None, "{code}");
        }
        assert!(worth_another(ExitStatus::from_raw(9)).is_some());
    }

    #[test]
    fn the_childs_end_is_ours() {
        assert!(ended(ExitStatus::from_raw(0)).is_ok());
        assert!(matches!(ended(ExitStatus::from_raw(3 << 8)), Err(Failure::Child(3))));
        assert!(matches!(ended(ExitStatus::from_raw(9)), Err(Failure::Child(137))));
    }
}
