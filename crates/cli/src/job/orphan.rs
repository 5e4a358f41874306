//! A supervised job does not outlive its supervisor: whoever ends that, by SIGKILL too, means the job, and a child that went
//! on unseen would keep the next start out.

use std::os::unix::process::parent_id;
use std::process::Command;
use std::time::Duration;

use crate::exit::Exit;
use crate::run::Interrupts;

/// Tells a child the process id of its supervisor.
const SUPERVISOR: &str = "MILEPOST_SUPERVISOR_PID";

/// How often a child looks whether its supervisor is there.
const LOOK: Duration = Duration::from_millis(250);

/// How long an orphan may take to end in order.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the command's process one that this process supervises.
pub(crate) fn supervised(command: &mut Command) -> &mut Command {
    command.env(SUPERVISOR, std::process::id().to_string())
}

/// In a supervised process: ends it as Ctrl-C does when its supervisor is gone. A process without a supervisor is left alone.
pub(crate) fn end_with_supervisor(interrupts: &Interrupts) {
    let told = std::env::var(SUPERVISOR).ok();
    let Some(supervisor) = told.and_then(|pid| pid.parse::<u32>().ok()) else { return };
    let press = interrupts.presser();
    // A thread of its own: a busy runtime must not be what keeps an orphan alive.
    // Where no thread can be had the job is driven all the same.
    let _ = std::thread::Builder::new().name("supervisor".to_string()).spawn(move || {
        // A process whose parent dies gets another one.
        while parent_id() == supervisor {
            std::thread::sleep(LOOK);
        }
        press();
        std::thread::sleep(PATIENCE);
        // As safe as a crash: the next driver takes the job up all the same.
        std::process::exit(Exit::Interrupted.number().into());
    });
}
