//! Hosts that die where they are told to, and what one process makes of a job.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::exec_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use milepost::job::{
    JobName, JobOptions, JobReport, JobRunner, JobScript, JobStart, JobStep, StepHost, StepOutcome,
    StepPassed, StepReport, Variables,
};
use milepost::{Error, Session, SessionBuilder, Store, StoreOptions};
use tokio::sync::Notify;

use crate::support::config;

/// Where a host's process dies, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    Never,
    /// Before this step does anything.
    Before(u64),
    /// When this step has done all it does, and nothing of it is recorded.
    After(u64),
    /// This step fails.
    Failing(u64),
}

/// Runs statements, remembers what it hears, and dies where it is told to.
pub struct Host {
    pub death: Death,
    pub dying: Arc<Notify>,
    pub ran: Vec<u64>,
    pub passed: Vec<StepReport>,
    pub notices: Vec<String>,
}

impl Host {
    pub fn new(death: Death) -> Self {
        Self { death, dying: Arc::default(), ran: vec![], passed: vec![], notices: vec![] }
    }

    async fn die(&self) {
        self.dying.notify_one();
        std::future::pending().await
    }

    /// How each step was passed, in letters: skipped, played again, run.
    pub fn passed(&self) -> String {
        let letter = |report: &StepReport| match report.passed {
            StepPassed::Skipped => 's',
            StepPassed::Replayed => 'p',
            StepPassed::Ran => 'r',
        };
        self.passed.iter().map(letter).collect()
    }

    pub fn outcomes(&self) -> Vec<StepOutcome> {
        self.passed.iter().map(|report| report.outcome).collect()
    }
}

impl StepHost for Host {
    async fn run(&mut self, session: &Session, step: &JobStep) -> Result<Option<u64>> {
        match self.death {
            Death::Before(number) if number == step.number() => self.die().await,
            Death::Failing(number) if number == step.number() => return exec_err!("'hunter2' is no number"),
            _ => {}
        }
        let batches = session.execute(&step.statement).await?.collect().await?;
        self.ran.push(step.number());
        if self.death == Death::After(step.number()) {
            self.die().await;
        }
        Ok(Some(batches.iter().map(|batch| batch.num_rows() as u64).sum()))
    }

    fn passed(&mut self, report: &StepReport) {
        self.passed.push(report.clone());
    }

    fn notice(&mut self, notice: &str) {
        self.notices.push(notice.to_string());
    }
}

pub fn job() -> JobName {
    JobName::parse("nightly").unwrap()
}

pub fn script(text: &str) -> JobScript {
    JobScript::parse(text, &Variables::default(), &ConfigOptions::default()).unwrap()
}

pub async fn store(dir: &Path) -> Store {
    Store::open(&dir.join("store").display().to_string(), StoreOptions::default()).await.unwrap()
}

pub async fn start(dir: &Path, text: &str, options: JobOptions) -> Box<JobRunner> {
    start_script(dir, script(text), options).await
}

pub async fn start_script(dir: &Path, script: JobScript, options: JobOptions) -> Box<JobRunner> {
    match JobRunner::start(&store(dir).await, &job(), script, options).await.unwrap() {
        JobStart::Driving(runner) => runner,
        JobStart::Held { by, sign } => panic!("held by {by:?}: {sign:?}"),
    }
}

pub fn parts(store: Store) -> SessionBuilder {
    Session::builder().with_config(config()).with_store(store)
}

pub async fn session(dir: &Path, runner: &JobRunner) -> Session {
    parts(store(dir).await).with_run(runner.run_pin()).build().await.unwrap()
}

/// What one process makes of a job: it drives until it is through, fails or dies. Gives its session too, as a process
/// that ended well leaves it.
pub async fn process(
    dir: &Path,
    text: &str,
    death: Death,
) -> (Host, Session, Option<Result<JobReport, Error>>) {
    process_with(dir, text, death, JobOptions::default()).await
}

pub async fn process_with(
    dir: &Path,
    text: &str,
    death: Death,
    options: JobOptions,
) -> (Host, Session, Option<Result<JobReport, Error>>) {
    process_of(dir, script(text), death, options).await
}

pub async fn process_of(
    dir: &Path,
    script: JobScript,
    death: Death,
    options: JobOptions,
) -> (Host, Session, Option<Result<JobReport, Error>>) {
    let runner = start_script(dir, script, options).await;
    let session = session(dir, &runner).await;
    let mut host = Host::new(death);
    let dying = Arc::clone(&host.dying);
    let outcome = tokio::select! {
        outcome = runner.run(&session, &mut host) => Some(outcome),
        () = dying.notified() => None,
    };
    (host, session, outcome)
}

/// A process that must come to the end of the script.
pub async fn through(dir: &Path, text: &str) -> (Host, Session) {
    let (host, session, outcome) = process(dir, text, Death::Never).await;
    outcome.unwrap().unwrap();
    (host, session)
}

/// A process that must die on the way.
pub async fn dies(dir: &Path, text: &str, death: Death) -> Host {
    let (host, _, outcome) = process(dir, text, death).await;
    assert!(outcome.is_none(), "{outcome:?}");
    host
}

/// State, checkpoints that build on each other, and queries.
pub const SCRIPT: &str = "
    SET datafusion.execution.batch_size = 100;
    CREATE TABLE sales (day VARCHAR, amount INT) AS VALUES ('mon', 10), ('tue', 5);
    INSERT INTO sales VALUES ('wed', 1);
    CHECKPOINT by_day AS SELECT day, sum(amount) AS total FROM sales GROUP BY day;
    CREATE VIEW large AS SELECT * FROM by_day WHERE total > 4;
    SELECT count(*) FROM large;
    CHECKPOINT best AS SELECT max(total) AS total FROM large;
    SELECT * FROM best;";
