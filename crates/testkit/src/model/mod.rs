//! The store's protocol as a model: every order of events within a bound, looked at one by one.
//!
//! The model knows what PROTOCOL's rules speak of and nothing else: log entries, creates that arrive late, attempts
//! with their files and receipts, writers, collectors, one who drops, drivers of a job, a source that changes.
//! A [`Setup`] says who takes part and how much may go wrong; [`Rules`] are switches. With all of them on no
//! [`Accident`] is found; with one of them off its accident is, and [`check()`] gives the shortest way there in words.
//!
//! Read `state` first (what there is), then `writer` (the life of a commit), `properties` (what must never be seen),
//! and `scenarios` (who meets whom).

mod actions;
mod checker;
mod collector;
mod driver;
mod log;
mod properties;
mod receipts;
mod rules;
mod scenarios;
mod state;
mod writer;

pub use actions::{Action, Delivery};
pub use checker::{Model, Outcome, Report, check};
pub use properties::Accident;
pub use rules::{Rule, Rules};
pub use scenarios::{Protocol, Scenario, scenarios};
pub use state::{Plan, Setup, State};
