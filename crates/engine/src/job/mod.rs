//! Jobs: scripts that are run to their end, however often their process dies on the way.
//!
//! ```text
//! text ─▶ variables ─▶ sql ─▶ JobScript: each statement with its identity and its effect
//!                               │
//!      the job's log ─▶ plan ─▶ skip | replay | run   ─▶ runner ─▶ one entry a step
//! ```
//!
//! 1. [`Variables`] fills in `${name}`. [`JobScript`] gives every statement an *identity*: the hash of all statements up
//!    to it, and of the variables. An edit changes the identity of its step and of all steps after it.
//! 2. [`JobRunner::start`] takes the job, unless another driver has it.
//! 3. The session is built with [`JobRunner::run_pin`]: `now()` and what holds within the run are the same for every driver.
//! 4. [`JobRunner::run`] goes through the steps. What changes the session alone is done again by every driver. What is
//!    finished is skipped. A checkpoint that was dropped meanwhile is made again. The first edited statement ends the
//!    skipping; where it would repeat a finished COPY or INSERT, nothing is run.
//! 5. While a step runs, its commits carry its identity: a step commits once, whoever runs it and however often.
//!
//! Steps that make checkpoints count exactly once. COPY and INSERT into foreign tables may be repeated if their driver died
//! in the middle: at least once.

mod effect;
mod heartbeat;
mod plan;
mod report;
mod runner;
mod script;
mod turn;
mod variables;

pub use milepost_store::{JobName, StepKind, StepOutcome};
pub use report::{JobReport, StepHost, StepPassed, StepReport};
pub use runner::{JobOptions, JobRunner, JobStart};
pub use script::{JobScript, JobStep};
pub(crate) use turn::{AsOf, Found, Turn};
pub use variables::Variables;
