//! One driver's way through a script.

use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use milepost_store::{
    BegunStep, DriveOutcome, Driver, DropOutcome, Holder, Job, JobName, Owner, RunId, RunOutcome, RunStatus,
    SILENCE, Sign, SnapshotRef, StartOptions, StartOutcome, StepKind, StepOutcome, StepRecord, StepTimes,
    Store,
};

use super::effect::Effect;
use super::plan::{Plan, Todo, refuse_repeated_sinks, snapshots_of};
use super::report::{JobReport, StepHost, StepPassed, StepReport, saved_ms};
use super::script::{JobScript, JobStep};
use super::turn::Ended;
use crate::error::Error;
use crate::heartbeat::Heartbeat;
use crate::identity::RunPin;
use crate::session::Session;
use crate::sql::StatementKind;

/// How a job starts.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Whether to take the job from a driver that lives. Default: no.
    pub takeover: bool,
    /// Whether to begin a new run also where one is unfinished. Default: no.
    pub restart: bool,
    /// After how long without a sign of life a driver counts as dead, where no lock tells. Default: [`SILENCE`].
    pub silence: Duration,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self { takeover: false, restart: false, silence: SILENCE }
    }
}

/// Who has the job.
#[derive(Debug)]
#[must_use = "another driver may have the job"]
pub enum JobStart {
    /// This process.
    Driving(Box<JobRunner>),
    /// Another one, which lives.
    Held {
        /// That driver.
        by: Holder,
        /// What shows that it lives.
        sign: Sign,
    },
}

async fn beat(driver: Arc<Driver>) {
    if let Err(error) = driver.heartbeat().await {
        tracing::debug!(job = %driver.name(), %error, "a heartbeat was not written");
    }
}

/// Drives one run of a job. Dropping it frees the job for others.
#[derive(Debug)]
pub struct JobRunner {
    driver: Arc<Driver>,
    script: JobScript,
    /// What the run that was given up for this one has begun and not finished.
    left: Option<BegunStep>,
    _heartbeat: Heartbeat,
}

impl JobRunner {
    /// Takes the job: a new run, or the unfinished or failed one if that had the same variables.
    ///
    /// Where no lock tells whether another driver lives, its heartbeat is watched for up to [`JobOptions::silence`].
    ///
    /// # Errors
    /// The store's: see [`Driver::start`].
    pub async fn start(
        store: &Store,
        name: &JobName,
        script: JobScript,
        options: JobOptions,
    ) -> Result<JobStart, Error> {
        let JobOptions { takeover, restart, silence } = options;
        let start = StartOptions::new(Owner::here(""), script.digest(), script.variables());
        let start = StartOptions { takeover, restart, silence, ..start };
        let given_up = if restart { Ok(None) } else { of_other_variables(store, name, &script).await };
        let given_up = match given_up {
            // While another driver has the run, what it has finished is its own matter.
            Err(edited @ Error::JobEdited { .. }) => {
                let holder = Driver::holder(store, name, &start).await?;
                return holder.map_or(Err(edited), |(by, sign)| Ok(JobStart::Held { by, sign }));
            }
            given_up => given_up?,
        };
        let start = StartOptions { restart: restart || given_up.is_some(), ..start };
        Ok(match Driver::start(store, name, start).await? {
            StartOutcome::Held { by, sign } => JobStart::Held { by, sign },
            StartOutcome::Driving(driver) => {
                let driver: Arc<Driver> = Arc::from(driver);
                let heartbeat = Heartbeat::of(&driver, beat);
                let left = given_up.and_then(|run| run.state.begun);
                JobStart::Driving(Box::new(Self { driver, script, left, _heartbeat: heartbeat }))
            }
        })
    }

    /// What [`SessionBuilder::with_run`](crate::SessionBuilder::with_run) needs, so that the session is this run's.
    #[must_use]
    pub fn run_pin(&self) -> RunPin {
        RunPin { id: self.driver.run().to_string(), now_ns: self.driver.now_ms().saturating_mul(1_000_000) }
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.driver.run()
    }

    /// Whether an earlier driver had begun it.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.driver.resumed()
    }

    /// Runs the script to its end, without what is finished. `session` is of this run, and fresh.
    ///
    /// Dropping the future stops the step that runs; call [`Self::stop`] then.
    ///
    /// # Errors
    /// [`Error::JobStep`] of the statement that failed; [`Error::JobEdited`], and nothing was run; [`Error::JobFenced`],
    /// and nothing more is recorded; the store's errors. Unless fenced, the run can be taken up again.
    pub async fn run<H: StepHost>(&self, session: &Session, host: &mut H) -> Result<JobReport, Error> {
        let outcome = match self.steps(session, host).await {
            Ok(steps) => Ok(JobReport { run: self.run_id(), resumed: self.resumed(), steps }),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(report) => {
                self.recorded(self.driver.finish(RunOutcome::Done, None).await?)?;
                Ok(report)
            }
            Err(fenced @ Error::JobFenced { .. }) => Err(fenced),
            Err(error) => match self.stop(&reason(&error)).await {
                Err(fenced @ Error::JobFenced { .. }) => Err(fenced),
                // What went wrong first says more.
                Ok(()) | Err(_) => Err(error),
            },
        }
    }

    /// Ends this driver's turn before the end of the script; the next one goes on. `reason` must hold no secrets.
    ///
    /// # Errors
    /// [`Error::JobFenced`]; the store's errors.
    pub async fn stop(&self, reason: &str) -> Result<(), Error> {
        self.recorded(self.driver.finish(RunOutcome::Failed, Some(reason.to_string())).await?)
    }

    async fn steps<H: StepHost>(&self, session: &Session, host: &mut H) -> Result<Vec<StepReport>, Error> {
        let steps = self.script.steps();
        let of = steps.len() as u64;
        let mut plan = Plan::of(session.store(), &self.script, &self.driver).await?;
        self.tell_of_interrupted(host);
        session.milepost().turn.driven_by(&self.driver);
        if let Some(from) = plan.edited {
            self.recorded(self.driver.edited(from).await?)?;
        }
        self.undo(session, host, &plan.undone).await?;
        let mut reports = Vec::with_capacity(steps.len());
        for (step, todo) in steps.iter().zip(plan.todo.clone()) {
            let report = match todo {
                Todo::Skip(record) => {
                    skip(session, step, &record);
                    let report = StepReport::of_skipped(step, of, &record);
                    StepReport { saved_ms: self.saved_before(step), ..report }
                }
                Todo::Replay => {
                    let record = self.step(session, host, step, of, &plan, true).await?;
                    let report = StepReport::of_run(step, of, StepPassed::Replayed, &record);
                    StepReport { saved_ms: self.saved_before(step), ..report }
                }
                Todo::Run => {
                    let record = self.step(session, host, step, of, &plan, false).await?;
                    plan.ran(&record);
                    self.recorded(self.driver.step(record.clone()).await?)?;
                    StepReport::of_run(step, of, StepPassed::Ran, &record)
                }
            };
            host.passed(&report);
            reports.push(report);
        }
        Ok(reports)
    }

    /// Drops what a text that was edited away has put on top of what the script has made.
    async fn undo<H: StepHost>(
        &self,
        session: &Session,
        host: &mut H,
        undone: &[SnapshotRef],
    ) -> Result<(), Error> {
        for SnapshotRef { checkpoint, version } in undone {
            let dropped = session.store().drop_version_in(Some(&self.driver), checkpoint, *version).await?;
            if let DropOutcome::Dropped(_) = dropped {
                host.notice(&format!(
                    "checkpoint {checkpoint} version {version} is dropped: a statement made it that the script does not have \
                     any more, on top of what the script has left of the name"
                ));
            }
        }
        Ok(())
    }

    /// What a step of which the log gets no new entry saves by the entry that is there.
    fn saved_before(&self, step: &JobStep) -> u64 {
        let finished = self.driver.finished_steps();
        let before = finished.binary_search_by_key(&step.index, |done| done.step.index);
        before.ok().and_then(|at| finished.get(at)).map_or(0, |done| saved_ms(done, self.driver.epoch()))
    }

    /// Runs one statement. Gives what the log keeps of it.
    async fn step<H: StepHost>(
        &self,
        session: &Session,
        host: &mut H,
        step: &JobStep,
        of: u64,
        plan: &Plan,
        replayed: bool,
    ) -> Result<StepRecord, Error> {
        let kind = step.effect.kind_in(session).await;
        // Whatever may commit is recorded first: another text in its place is an edit then.
        if !replayed && (kind != StepKind::State || step.reads_tables()) {
            let begun = BegunStep { index: step.index, identity: step.identity, kind };
            self.recorded(self.driver.step_begin(begun).await?)?;
        }
        let (clock, turn) = (session.store().clock(), &session.milepost().turn);
        let began = clock.ticks();
        turn.begin_step(plan.reads(&self.script, step));
        let ran = host.run(session, &self.as_it_can_run(step)).await;
        let ended = turn.end_step();
        let rows = ran.map_err(|source| Error::JobStep {
            number: step.number(),
            of,
            what: step.what(),
            line: step.statement.line,
            source: Box::new(source),
        })?;
        let elapsed = clock.ticks().saturating_sub(began);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Ok(record(step, kind, rows, elapsed_ms, &ended))
    }

    /// A DROP that an earlier driver began may have dropped already.
    fn as_it_can_run(&self, step: &JobStep) -> JobStep {
        let mut step = step.clone();
        let begun = self.driver.interrupted().is_some_and(|begun| begun.identity == step.identity);
        if begun && let StatementKind::Drop { if_exists, .. } = &mut step.statement.kind {
            *if_exists = true;
        }
        step
    }

    /// Names each COPY and INSERT of which nobody knows how far it came: those that are run again at every start until they are finished,
    /// one that is not in the script any more at the start that comes after it.
    fn tell_of_interrupted<H: StepHost>(&self, host: &mut H) {
        let step_of =
            |begun: &BegunStep| self.script.steps().iter().find(|step| step.identity == begun.identity);
        for step in self.driver.open_sinks().iter().filter_map(step_of) {
            host.notice(&format!(
                "step {} ({}) was begun before and did not finish: it may have written some of its rows, and is run again",
                step.number(),
                step.what()
            ));
        }
        let last = self.driver.interrupted().or(self.left.as_ref());
        let is_out = |begun: &&BegunStep| begun.kind == StepKind::Sink && step_of(begun).is_none();
        if let Some(begun) = last.filter(is_out) {
            host.notice(&format!(
                "step {} wrote outside of the store, did not finish, and is no part of the script any more: it may have written \
                 some of its rows",
                begun.index + 1
            ));
        }
    }

    fn recorded(&self, outcome: DriveOutcome) -> Result<(), Error> {
        match outcome {
            DriveOutcome::Recorded => Ok(()),
            DriveOutcome::Fenced(by) => {
                Err(Error::JobFenced { job: self.driver.name().to_string(), by: Box::new(by) })
            }
        }
    }
}

/// The unfinished run, if it was one of other variables. Every statement of it is another one then, so that nothing of it
/// would be skipped, and its `now()` would be the wrong day's: it is given up.
///
/// # Errors
/// [`Error::JobEdited`] where a finished COPY or INSERT of it may be repeated: nothing of it is taken over.
async fn of_other_variables(store: &Store, name: &JobName, script: &JobScript) -> Result<Option<Job>, Error> {
    let is_other =
        |job: &Job| job.state.status != RunStatus::Done && job.state.variables != script.variables();
    let Some(job) = store.open_job(name).await?.filter(is_other) else { return Ok(None) };
    refuse_repeated_sinks(script, &job.run.sinks, &[])?;
    Ok(Some(job))
}

/// Leaves the session as a step left it that an earlier driver has finished: a view that stood for a checkpoint ends where the checkpoint
/// was made.
fn skip(session: &Session, step: &JobStep, record: &StepRecord) {
    for found in snapshots_of(record) {
        session.milepost().means_checkpoint(found.checkpoint.as_str());
    }
    if let Some(dropped) = step.drops_all_of() {
        session.milepost().forget(dropped.as_str());
    }
}

/// What the log keeps of a step.
fn record(step: &JobStep, kind: StepKind, rows: Option<u64>, elapsed_ms: u64, ended: &Ended) -> StepRecord {
    let found = &ended.found;
    // A checkpoint is the last that its statement comes to: those that it reads come before it.
    let made = found.last().filter(|_| kind == StepKind::Checkpoint || matches!(step.effect, Effect::Makes));
    let snapshots = |named: bool| {
        let those = found.iter().filter(move |found| found.named == named);
        those.map(|found| found.snapshot.clone()).collect()
    };
    StepRecord {
        index: step.index,
        identity: step.identity,
        kind,
        outcome: made.map_or(StepOutcome::Done, |made| made.outcome),
        checkpoint: made.map(|made| made.snapshot.clone()),
        snapshots: snapshots(true),
        unnamed: snapshots(false),
        reads: ended.read.clone(),
        rows: made.map_or(rows, |made| Some(made.rows)).filter(|_| kind != StepKind::State),
        elapsed_ms,
        saved_ms: found.iter().map(|found| found.saved_ms).sum(),
        times: found.iter().filter_map(|found| found.times).reduce(together),
    }
}

/// The times of two snapshots of one step.
fn together(a: StepTimes, b: StepTimes) -> StepTimes {
    StepTimes {
        compute_ms: a.compute_ms + b.compute_ms,
        encode_ms: a.encode_ms + b.encode_ms,
        write_ms: a.write_ms + b.write_ms,
        sync_ms: a.sync_ms + b.sync_ms,
        commit_ms: a.commit_ms + b.commit_ms,
    }
}

/// Why a job stopped, for its log: a statement's error may repeat its text, and so what is secret in it. Our own errors
/// hold nothing secret.
fn reason(error: &Error) -> String {
    let Error::JobStep { number, of, what, source, .. } = error else { return error.to_string() };
    let why = match Error::find(source) {
        Some(Error::DataFusion(_)) | None => class(source.find_root()).to_string(),
        Some(ours) => ours.to_string(),
    };
    format!("step {number} of {of} ({what}): {why}")
}

fn class(error: &DataFusionError) -> &'static str {
    match error {
        DataFusionError::SQL(..) | DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => {
            "it could not be planned"
        }
        DataFusionError::ResourcesExhausted(_) => "out of memory or disk",
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            "storage could not be read or written"
        }
        _ => "it failed while it ran",
    }
}
