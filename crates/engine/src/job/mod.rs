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
//! 5. A name that an earlier step has made stands for what that step made, whatever others commit meanwhile, and whatever a text
//!    made that the script does not have any more.
//! 6. While a step runs, its commits carry its identity: a step commits once, whoever runs it and however often.
//!
//! Steps that make checkpoints count exactly once. COPY and INSERT into foreign tables may be repeated if their driver died
//! in the middle: at least once.
//!
//! ```
//! use datafusion::config::ConfigOptions;
//! use milepost::job::{JobName, JobOptions, JobRunner, JobScript, JobStart, JobStep, StepHost, Variables};
//! use milepost::{Session, Store, StoreOptions};
//!
//! struct Quiet;
//!
//! impl StepHost for Quiet {
//!     async fn run(&mut self, session: &Session, step: &JobStep) -> datafusion::error::Result<Option<u64>> {
//!         let rows = session.execute(&step.statement).await?.collect().await?;
//!         Ok(Some(rows.iter().map(|batch| batch.num_rows() as u64).sum()))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Store::open("memory://jobs", StoreOptions::default()).await?;
//! let text = "CHECKPOINT squares AS SELECT i * i AS square FROM range(1, 4) AS t(i); SELECT * FROM squares";
//! let script = JobScript::parse(text, &Variables::default(), &ConfigOptions::default())?;
//! let name = JobName::parse("nightly")?;
//! match JobRunner::start(&store, &name, script, JobOptions::default()).await? {
//!     JobStart::Held { by, .. } => println!("process {} has it", by.owner.pid),
//!     JobStart::Driving(job) => {
//!         let session = Session::builder().with_store(store).with_run(job.run_pin()).build().await?;
//!         let report = job.run(&session, &mut Quiet).await?;
//!         assert_eq!(report.steps[1].rows, Some(3));
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod effect;
mod plan;
mod reads;
mod report;
mod runner;
mod script;
mod turn;
mod variables;

pub use milepost_store::{Epoch, Holder, JobName, RunId, Sign, SnapshotRef, StepKind, StepOutcome};
pub(crate) use reads::{Again, AsOf, Stood};
pub(crate) use report::saved_ms;
pub use report::{JobReport, StepHost, StepPassed, StepReport};
pub use runner::{JobOptions, JobRunner, JobStart};
pub use script::{JobScript, JobStep};
pub(crate) use turn::{Found, Turn};
pub use variables::Variables;
