//! `milepost bench`: what checkpoints cost and save a script.
//!
//! 1. [`arguments`] is the command line. [`workshop`] holds the folder of the report and the stores of the runs, which are
//!    gone when it is dropped.
//! 2. [`rounds`] runs the script in each [`mode`], round after round, in an order that rotates. Every run is a process of
//!    its own: [`process`] starts it, reads what it tells in lines ([`line`]), and kills it where [`kill`] says.
//! 3. [`child`] is such a process: it runs the statements, throws their rows away, and tells time, counts and content.
//! 4. [`compare`] looks that all runs gave the same rows. [`summary`] makes figures of times ([`spread`]), and [`worth`]
//!    says what each checkpoint cost and saved.
//! 5. [`report`] is all of it as a table, as JSON, and as a page.

mod arguments;
mod child;
mod compare;
mod drive;
mod kill;
mod line;
mod machine;
mod mode;
mod process;
mod report;
mod rounds;
mod spread;
mod statements;
mod summary;
mod workshop;
mod worth;

pub(crate) use arguments::{BenchArgs, BenchRunArgs};
pub(crate) use child::run_one;
pub(crate) use drive::run;
