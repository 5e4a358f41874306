//! One process's turn at a job.

use tokio::sync::Mutex;

use super::append::DriveOutcome;
use super::name::JobName;
use super::read::{FinishedStep, JobRun};
use super::record::{BegunStep, Epoch, JobEntry, JobRecord, RunOutcome, StepRecord};
use super::seat::Seat;
use super::state::{Holder, JobState};
use crate::error::Error;
use crate::ids::{DriverId, RunId};
use crate::log::{Draft, Entry, Log};
use crate::store::Store;

/// Drives one run of a job. [`Self::start`] makes one; dropping it frees its lock, and others may take over at once.
#[derive(Debug)]
pub struct Driver {
    pub(super) store: Store,
    pub(super) name: JobName,
    pub(super) seat: Seat,
    /// The state after the entry with which this driver began.
    pub(super) began: JobState,
    pub(super) resumed: bool,
    /// What earlier drivers have recorded of the run.
    pub(super) before: Option<JobRun>,
    pub(super) at: Mutex<Position>,
}

/// How far a driver has written.
#[derive(Debug)]
pub(super) struct Position {
    /// Its own last entry.
    pub(super) newest: Entry<JobRecord>,
    /// An entry that was sent, and of which nothing was heard.
    pub(super) unsure: Option<Draft<JobRecord>>,
    /// Who has fenced it.
    pub(super) fenced: Option<Holder>,
    /// The object that the disk did not confirm.
    pub(super) broken: Option<String>,
}

impl Driver {
    /// The job.
    #[must_use]
    pub const fn name(&self) -> &JobName {
        &self.name
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.began.run
    }

    /// What `now()` is in the run, in milliseconds since the Unix epoch: the same however often it is taken up.
    #[must_use]
    pub const fn now_ms(&self) -> i64 {
        self.began.now_ms
    }

    /// This driver's epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.began.epoch
    }

    /// This driver.
    #[must_use]
    pub const fn id(&self) -> DriverId {
        self.began.driver
    }

    /// Whether the run was begun by an earlier driver.
    #[must_use]
    pub const fn resumed(&self) -> bool {
        self.resumed
    }

    /// The steps that earlier drivers of the run have finished, by index.
    #[must_use]
    pub fn finished_steps(&self) -> &[FinishedStep] {
        self.before.as_ref().map_or(&[], |before| &before.steps)
    }

    /// What earlier drivers have recorded of the run; `None` if this one began it.
    #[must_use]
    pub const fn before(&self) -> Option<&JobRun> {
        self.before.as_ref()
    }

    /// The last step that an earlier driver began and did not finish: it may have run in part, or whole.
    #[must_use]
    pub const fn interrupted(&self) -> Option<&BegunStep> {
        self.began.begun.as_ref()
    }

    /// Every COPY and INSERT that a driver before this one began and none has finished, under whatever text of the script, and in runs
    /// that were given up since the last one that came to its end.
    #[must_use]
    pub fn open_sinks(&self) -> &[BegunStep] {
        &self.began.open_sinks
    }

    /// Records that a step that may commit a snapshot or have an effect outside of the store is about to run.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn step_begin(&self, step: BegunStep) -> Result<DriveOutcome, Error> {
        self.append(JobEntry::StepBegin(step)).await
    }

    /// Records that the script is another one from this step on. From here on the edition of those steps is this driver's epoch.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn edited(&self, from: u64) -> Result<DriveOutcome, Error> {
        self.append(JobEntry::Edit { from }).await
    }

    /// Who has taken the job over, if somebody has.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn successor(&self) -> Result<Option<Holder>, Error> {
        let newest = self.store.inner.newest_job_entry(&self.name).await?;
        let holder = newest.map(|entry| entry.body.state.holder());
        Ok(holder.filter(|holder| holder.epoch > self.epoch()))
    }

    /// Records that a step is finished.
    ///
    /// # Errors
    /// [`Error::UnknownOutcome`] if it is not known whether the entry is in the log: record the same again, or stop; the
    /// next entry of this driver settles it first. [`Error::NotWritable`], [`Error::DiskFull`] if it is certainly not.
    pub async fn step(&self, step: StepRecord) -> Result<DriveOutcome, Error> {
        self.append(JobEntry::Step(step)).await
    }

    /// Ends this driver's turn. After [`RunOutcome::Done`] the next start is a new run; after [`RunOutcome::Failed`] it
    /// goes on with this one. `error` must hold no secrets.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn finish(&self, outcome: RunOutcome, error: Option<String>) -> Result<DriveOutcome, Error> {
        let outcome = self.append(JobEntry::Finish { outcome, error }).await?;
        self.seat.clear(&self.store.inner, &self.name).await;
        Ok(outcome)
    }

    /// Gives a sign of life. The caller decides how often; 5 to 10 seconds is usual.
    ///
    /// # Errors
    /// The errors of a write. They are no reason to stop: the worst that follows is that another takes over.
    pub async fn heartbeat(&self) -> Result<(), Error> {
        self.seat.beat(&self.store.inner, &self.name).await
    }

    pub(super) fn log(&self) -> Log<JobRecord> {
        self.store.inner.job_log(&self.name)
    }
}
