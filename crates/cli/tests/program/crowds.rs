//! Several processes on one store at once: the loops of the test kit over this build of the program.

use milepost_testkit::processes::{Program, run_crowds, run_kills};

fn program() -> Program {
    Program::at(env!("CARGO_BIN_EXE_milepost"))
}

/// Two to eight writers, readers and collectors of one name; some are stopped for a while.
#[test]
fn crowds_of_processes_on_one_name() {
    if let Err(failure) = run_crowds(&program(), 0..20) {
        panic!("{failure}");
    }
}

/// A job whose rows are compared to the byte; `job_deaths` kills one of another kind.
#[test]
fn a_killed_job_writes_what_it_would_have_written() {
    if let Err(failure) = run_kills(&program(), 0..5) {
        panic!("{failure}");
    }
}
