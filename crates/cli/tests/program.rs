//! The program as its users meet it: a process, its output, and its exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "program/bench.rs"]
mod bench;
#[path = "program/checkpoints.rs"]
mod checkpoints;
#[path = "program/command_line.rs"]
mod command_line;
#[path = "program/crowds.rs"]
mod crowds;
#[path = "program/data.rs"]
mod data;
#[path = "program/interrupts.rs"]
mod interrupts;
#[path = "program/job_deaths.rs"]
mod job_deaths;
#[path = "program/jobs.rs"]
mod jobs;
#[path = "program/leftovers.rs"]
mod leftovers;
#[path = "program/scripts.rs"]
mod scripts;
#[path = "program/shell.rs"]
mod shell;
#[path = "program/support.rs"]
mod support;
#[path = "program/urls.rs"]
mod urls;
