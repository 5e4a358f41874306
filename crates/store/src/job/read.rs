//! Looking up jobs, their runs and steps.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::name::JobName;
use super::record::{Epoch, JobEntry, JobRecord, StepKind, StepRecord};
use super::state::{JobState, RunStatus};
use crate::error::Error;
use crate::ids::{Digest, DriverId, RunId};
use crate::log::{Entry, Log};
use crate::owner::Owner;
use crate::store::{Inner, REQUESTS, Store};

/// Where a job stands, with what is finished of its current run.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The job.
    pub name: JobName,
    /// Where it stands.
    pub state: JobState,
    /// When that was written by its driver's clock, in milliseconds since the Unix epoch.
    pub written_ms: i64,
    /// Its current run.
    pub run: JobRun,
}

/// A finished step, as the log has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedStep {
    /// The step.
    pub step: StepRecord,
    /// The epoch of the driver that finished it.
    pub epoch: Epoch,
    /// When it was recorded by that driver's clock, in milliseconds since the Unix epoch.
    pub written_ms: i64,
}

/// A driver's turn at a run.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDriver {
    /// The driver.
    pub driver: DriverId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its process.
    pub owner: Owner,
    /// The hash of the script that it ran.
    pub script: Digest,
    /// The hash of the script's variables.
    pub variables: Digest,
    /// When it began by its clock, in milliseconds since the Unix epoch.
    pub began_ms: i64,
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRun {
    /// The run.
    pub run: RunId,
    /// What `now()` is in it, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// How it stands. A run that is still `Running` and not the job's last was given up for a new one.
    pub status: RunStatus,
    /// Those who drove it, in order.
    pub drivers: Vec<JobDriver>,
    /// Its finished steps, by index, without those of texts that were edited away.
    pub steps: Vec<FinishedStep>,
    /// Steps that were begun and are not finished: what identifies them, by index.
    pub begun: BTreeMap<u64, Digest>,
    /// Every COPY and INSERT that it has finished, those of texts that were edited away among them.
    pub sinks: Vec<StepRecord>,
    /// Where its script was edited: from which step on, and the epoch of the driver that met the edit.
    pub editions: BTreeMap<u64, Epoch>,
    /// When its last driver ended it, by that driver's clock, in milliseconds since the Unix epoch.
    pub ended_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The runs of all jobs.
#[derive(Debug, Default)]
pub struct Histories {
    /// Every job that was ever started, by name, with its runs, oldest first.
    pub jobs: Vec<(JobName, Vec<JobRun>)>,
    /// Those whose log cannot be read, and why.
    pub unreadable: Vec<(JobName, Error)>,
}

impl JobRun {
    /// The epoch of the driver that met the last edit of the script at or before this step; none if there was none.
    #[must_use]
    pub fn edition(&self, step: u64) -> Option<Epoch> {
        self.editions.range(..=step).next_back().map(|(_, epoch)| *epoch)
    }
}

impl Inner {
    pub(crate) fn job_log(&self, name: &JobName) -> Log<JobRecord> {
        let (directory, tail) = (self.layout.job_log(name), self.layout.job_tail(name));
        Log::new(self.objects.clone(), directory, tail, self.clock.clone()).on_disk(self.local.clone())
    }

    /// The newest entry of a job's log.
    pub(crate) async fn newest_job_entry(&self, name: &JobName) -> Result<Option<Entry<JobRecord>>, Error> {
        let newest = self.job_log(name).newest().await?;
        if newest.is_some() {
            self.expect_identity().await?;
        }
        Ok(newest)
    }
}

impl Store {
    /// All jobs that were ever started, by name. One whose log cannot be read is among them.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed; [`Error::MissingIdentity`] if there are jobs in what is no store.
    pub async fn jobs(&self) -> Result<Vec<JobName>, Error> {
        let started: Vec<_> = futures::stream::iter(self.listed_jobs().await?)
            .map(|name| async move {
                match self.inner.job_log(&name).is_started().await {
                    Ok(started) => Ok(started.then_some(name)),
                    Err(error) if error.is_of_one_object() => Ok(Some(name)),
                    Err(error) => Err(error),
                }
            })
            .buffered(REQUESTS)
            .try_filter_map(|name| async move { Ok(name) })
            .try_collect()
            .await?;
        if !started.is_empty() {
            self.inner.expect_identity().await?;
        }
        Ok(started)
    }

    /// The jobs that have a folder, by name, whether or not there is a log in it.
    pub(crate) async fn listed_jobs(&self) -> Result<Vec<JobName>, Error> {
        let directory = self.inner.layout.jobs();
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let names = listed.common_prefixes.iter();
        let mut names: Vec<_> = names.filter_map(|path| JobName::parse(path.filename()?).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// All runs of all jobs. A log that cannot be read hides its own job alone.
    ///
    /// # Errors
    /// As [`Self::jobs`]; or the object store fails.
    pub async fn job_histories(&self) -> Result<Histories, Error> {
        let mut reads = futures::stream::iter(self.listed_jobs().await?)
            .map(|name| async move {
                let history = self.job_history(&name).await;
                (name, history)
            })
            .buffered(REQUESTS);
        let mut found = Histories::default();
        while let Some((name, history)) = reads.next().await {
            match history {
                Ok(runs) if runs.is_empty() => {}
                Ok(runs) => found.jobs.push((name, runs)),
                Err(error) if error.is_of_one_object() => found.unreadable.push((name, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Where a job stands; `None` if it was never started. Reads the current run alone.
    ///
    /// # Errors
    /// [`Error::is_damage`] errors, [`Error::NewerFormat`] or [`Error::UnknownFeature`] if the log cannot be relied on.
    pub async fn open_job(&self, name: &JobName) -> Result<Option<Job>, Error> {
        let Some(newest) = self.inner.newest_job_entry(name).await? else { return Ok(None) };
        let run = run_so_far(&self.inner, name, &newest).await?;
        let (state, written_ms) = (newest.body.state, newest.written_ms);
        Ok(run.map(|run| Job { name: name.clone(), state, written_ms, run }))
    }

    /// All runs of a job with their steps, oldest first.
    ///
    /// # Errors
    /// As [`Self::open_job`].
    pub async fn job_history(&self, name: &JobName) -> Result<Vec<JobRun>, Error> {
        let log = self.inner.job_log(name);
        let entries = log.all_entries().await?;
        if !entries.is_empty() {
            self.inner.expect_identity().await?;
        }
        fold(&log, &entries)
    }
}

/// The run that `newest` belongs to, up to there; its entries are read many at once.
///
/// # Errors
/// [`Error::RunDamaged`]: a new run can be begun after `newest` all the same.
pub(super) async fn run_so_far(
    inner: &Inner,
    name: &JobName,
    newest: &Entry<JobRecord>,
) -> Result<Option<JobRun>, Error> {
    run_up_to(inner, name, newest).await.map_err(|error| {
        if error.is_damage() {
            Error::RunDamaged { job: name.clone(), source: Box::new(error) }
        } else {
            error
        }
    })
}

async fn run_up_to(
    inner: &Inner,
    name: &JobName,
    newest: &Entry<JobRecord>,
) -> Result<Option<JobRun>, Error> {
    let log = inner.job_log(name);
    let mut entries = log.read_range(newest.body.state.run_slot.0..newest.slot.0).await?;
    if let Some(last) = entries.last() {
        log.check_follows(last, newest)?;
    }
    entries.push(newest.clone());
    Ok(fold(&log, &entries)?.pop())
}

/// The runs that a stretch of a log tells of. It must begin with the first entry of a run.
pub(crate) fn fold(log: &Log<JobRecord>, entries: &[Entry<JobRecord>]) -> Result<Vec<JobRun>, Error> {
    let mut runs = vec![];
    for entries in entries.chunk_by(|a, b| a.body.state.run == b.body.state.run) {
        if let Some(first) = entries.first()
            && (first.body.entry != JobEntry::Run || first.body.state.run_slot != first.slot)
        {
            let expected = format!("the first entry of run {}", first.body.state.run);
            return Err(Error::damaged(log.path(first.slot), expected, "another entry"));
        }
        runs.extend(fold_run(entries));
    }
    Ok(runs)
}

fn fold_run(entries: &[Entry<JobRecord>]) -> Option<JobRun> {
    let last = entries.last()?;
    let state = &last.body.state;
    let (mut drivers, mut steps, mut end) = (vec![], BTreeMap::new(), None);
    let (mut begun, mut sinks, mut editions) = (BTreeMap::new(), Vec::<StepRecord>::new(), BTreeMap::new());
    for entry in entries {
        match &entry.body.entry {
            JobEntry::Run | JobEntry::Takeover { .. } => {
                drivers.push(driver_of(entry));
                end = None;
            }
            // A step that was done again, because its checkpoint had been dropped, counts as it was done last.
            JobEntry::Step(step) => {
                let epoch = entry.body.state.epoch;
                begun.remove(&step.index);
                if step.kind == StepKind::Sink {
                    sinks.retain(|sink| sink.identity != step.identity);
                    sinks.push(step.clone());
                }
                let step = FinishedStep { step: step.clone(), epoch, written_ms: entry.written_ms };
                steps.insert(step.step.index, step);
            }
            JobEntry::StepBegin(step) => {
                begun.insert(step.index, step.identity);
            }
            JobEntry::Edit { from } => {
                steps.retain(|index, _| index < from);
                begun.retain(|index, _| index < from);
                editions.retain(|index, _| index < from);
                editions.insert(*from, entry.body.state.epoch);
            }
            JobEntry::Finish { error, .. } => end = Some((entry.written_ms, error.clone())),
        }
    }
    let (ended_ms, error) = end.map_or((None, None), |(at, error)| (Some(at), error));
    Some(JobRun {
        run: state.run,
        now_ms: state.now_ms,
        status: state.status,
        drivers,
        steps: steps.into_values().collect(),
        begun,
        sinks,
        editions,
        ended_ms,
        error,
    })
}

fn driver_of(entry: &Entry<JobRecord>) -> JobDriver {
    let JobState { driver, epoch, owner, script, variables, .. } = entry.body.state.clone();
    JobDriver { driver, epoch, owner, script, variables, began_ms: entry.written_ms }
}
