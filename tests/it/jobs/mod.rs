//! Jobs: what a driver makes of what the drivers before it have done.

mod editions;
mod edits;
mod names;
mod once;
mod replays;
mod resuming;
mod support;
