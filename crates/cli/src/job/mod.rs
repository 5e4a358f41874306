//! `milepost run` and `milepost jobs`.
//!
//! 1. [`arguments`]: what the command line can say. [`script`] reads the file, fills in its variables and parses all of it:
//!    a mistake in the last statement is found before the first one runs.
//! 2. [`drive`] takes the job, builds the session of its run, and lets the engine run the script; [`host`] runs and
//!    prints each statement as `-f` does, and says on stderr what became of it.
//! 3. [`supervise`] runs the same command as a child, again and again until it is through.
//!    [`orphan`] ends that child when nobody watches over it any more.
//! 4. [`listing`] shows runs and steps from the system tables.

mod arguments;
mod drive;
mod host;
mod listing;
mod orphan;
mod script;
mod supervise;

pub(crate) use arguments::{JobsArgs, RunArgs};
pub(crate) use drive::run;
pub(crate) use listing::list;
pub(crate) use orphan::{end_with_supervisor, supervised};
pub(crate) use script::Ready;
pub(crate) use supervise::{ended, pass_on};
