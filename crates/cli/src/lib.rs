//! The `milepost` program: SQL on DataFusion that remembers how far it got.
//!
//! 1. `program` goes from the command line to the exit code. `memory` says first how memory is laid out; `args` reads the command
//!    line, where a mistake ends the program before anything runs.
//! 2. `session_setup` builds one session: limits, settings (`environment`), object stores (`registry`), functions, and the
//!    checkpoint store.
//! 3. `run` runs scripts from `-c`, `-f` or standard input; `shell` reads from a terminal and hands each input
//!    to the same runner. `commands` are the backslash commands of both, `input` knows where a statement ends.
//! 4. `object_stores` makes ready what a statement's locations need; `progress` shows stages while they run;
//!    `print` and `output` write rows to stdout, `notices` write what people should know to stderr. `units` reads and shows
//!    sizes, counts and times.
//! 5. `failure` turns the first error into one line on stderr, in the words of `oneline`, and a number of `exit`.
//!
//! `job` runs scripts that survive their process. `bench` measures what checkpoints cost and save a script. `datagen`, `demo` and
//! `maintenance` (verify, gc) are commands of their own. All planning, storing and reusing is the engine's part: this crate decides
//! nothing about checkpoints.

mod args;
mod bench;
mod commands;
mod datagen;
mod demo;
mod environment;
mod exit;
mod failure;
mod input;
mod job;
mod maintenance;
mod memory;
mod notices;
mod object_stores;
mod oneline;
mod output;
mod print;
mod program;
mod progress;
mod registry;
mod run;
mod session_setup;
mod shell;
mod units;

pub use program::main;
