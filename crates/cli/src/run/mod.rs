//! Runs statements and scripts.
//!
//! 1. [`Source`] is text with a name. [`Script::parse`] cuts it into steps and parses all of them.
//! 2. [`Runner`] runs a step: it executes, shows progress, prints the rows, then prints what people should notice.
//! 3. [`Interrupts`] lets Ctrl-C end a statement at any moment: its future is dropped, and the session settles what
//!    the attempt left behind.

mod counter;
mod full_disk;
mod interrupt;
mod runner;
mod script;
mod source;
mod unfilled;
mod within;

pub(crate) use interrupt::Interrupts;
pub(crate) use runner::{Flow, Runner, settle};
pub(crate) use script::{Script, Step};
pub(crate) use source::Source;
pub(crate) use within::within;
