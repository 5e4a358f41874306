//! Starting: a new run, or an unfinished one taken up, unless a living driver has it.

use std::time::Duration;

use tokio::sync::Mutex;

use super::driver::{Driver, Position};
use super::invariants;
use super::name::JobName;
use super::read::{JobRun, run_so_far};
use super::record::{JobEntry, JobRecord};
use super::seat::Seat;
use super::state::{Holder, JobState, Newcomer, RunStatus};
use crate::error::Error;
use crate::ids::{Digest, DriverId, RunId, Slot};
use crate::liveness::{Pulse, SILENCE, Sign};
use crate::local::LockState;
use crate::log::{AppendOutcome, Draft, Entry};
use crate::owner::Owner;
use crate::store::Store;

/// How a driver starts.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// This process. Its run is filled in.
    pub owner: Owner,
    /// The hash of the script.
    pub script: Digest,
    /// The hash of the script's variables.
    pub variables: Digest,
    /// Whether to take over also from a driver that lives. Default: no.
    pub takeover: bool,
    /// Whether to begin a new run also where one is unfinished. Default: no.
    pub restart: bool,
    /// After how long without a changed heartbeat a driver counts as dead. Default: [`SILENCE`].
    pub silence: Duration,
    /// How often to look meanwhile. Default: once a second.
    pub poll: Duration,
}

impl StartOptions {
    /// The defaults, for this process and script.
    #[must_use]
    pub const fn new(owner: Owner, script: Digest, variables: Digest) -> Self {
        let (silence, poll) = (SILENCE, Duration::from_secs(1));
        Self { owner, script, variables, takeover: false, restart: false, silence, poll }
    }
}

/// Who has the job.
#[derive(Debug)]
#[must_use = "another driver may have the job"]
pub enum StartOutcome {
    /// This one.
    Driving(Box<Driver>),
    /// Another one, which lives.
    Held {
        /// That driver.
        by: Holder,
        /// What shows that it lives.
        sign: Sign,
    },
}

/// What stands in the way of a start.
enum Way {
    /// Nothing: append after this entry.
    Free(Option<Box<Entry<JobRecord>>>, Option<Fenceable>),
    Held(Holder, Sign),
}

/// A driver that may be fenced even if an entry of it turns up meanwhile: its lock is free, or a takeover is asked for.
type Fenceable = DriverId;

impl Driver {
    /// Begins a new run, or takes up the unfinished or failed one with the same run id and `now()`.
    ///
    /// An unfinished run may be held by a living driver. Where its lock tells (same host, local disk), that is known at
    /// once; else its heartbeat is watched: this may take [`StartOptions::silence`]. Then begin to give heartbeats.
    ///
    /// # Errors
    /// [`Error::is_damage`] errors, [`Error::NewerFormat`] or [`Error::UnknownFeature`] if the log cannot be relied on;
    /// [`Error::NotWritable`], [`Error::DiskFull`]; [`Error::UnknownOutcome`] if it is not known whether this driver has
    /// the job: start again.
    pub async fn start(store: &Store, name: &JobName, options: StartOptions) -> Result<StartOutcome, Error> {
        store.prepare_write().await?;
        let (mut newest, fenceable) = match way(store, name, &options).await? {
            Way::Held(by, sign) => return Ok(StartOutcome::Held { by, sign }),
            Way::Free(newest, fenceable) => (newest.map(|newest| *newest), fenceable),
        };
        let log = store.inner.job_log(name);
        let seat = Seat::take(&store.inner, name).await;
        loop {
            let draft = first_entry(store, name, &options, newest.as_ref(), seat.driver)?;
            // Read before the append: a run that cannot be read is not taken over.
            let resumed = newest.as_ref().filter(|_| draft.entry().body.entry != JobEntry::Run);
            let before = match resumed {
                Some(newest) => run_so_far(&store.inner, name, newest).await?,
                None => None,
            };
            if let AppendOutcome::Appended(_) = log.append(&draft).await? {
                log.write_tail(draft.entry()).await;
                let driver = take_place(store, name, seat, draft.entry().clone(), before).await;
                return Ok(StartOutcome::Driving(Box::new(driver)));
            }
            newest = store.inner.newest_job_entry(name).await?;
            if let Some(by) = living(newest.as_ref(), fenceable) {
                seat.clear(&store.inner, name).await;
                return Ok(StartOutcome::Held { by, sign: Sign::Entry });
            }
        }
    }

    /// The living driver that a start would find in its way, and what shows that it lives. It takes as long as a start to tell, and
    /// changes nothing.
    ///
    /// # Errors
    /// The log cannot be relied on, as for [`Self::start`].
    pub async fn holder(
        store: &Store,
        name: &JobName,
        options: &StartOptions,
    ) -> Result<Option<(Holder, Sign)>, Error> {
        Ok(match way(store, name, options).await? {
            Way::Held(by, sign) => Some((by, sign)),
            Way::Free(..) => None,
        })
    }
}

/// The driver that wrote since we looked, unless it has ended its turn or may be fenced all the same.
fn living(newest: Option<&Entry<JobRecord>>, fenceable: Option<Fenceable>) -> Option<Holder> {
    let state = &newest?.body.state;
    let lives = state.status == RunStatus::Running && Some(state.driver) != fenceable;
    lives.then(|| state.holder())
}

/// Looks whether a living driver has the job, for as long as it takes to tell.
async fn way(store: &Store, name: &JobName, options: &StartOptions) -> Result<Way, Error> {
    let inner = &store.inner;
    let Some(entry) = inner.newest_job_entry(name).await? else { return Ok(Way::Free(None, None)) };
    let state = &entry.body.state;
    let driver = state.driver;
    if state.status != RunStatus::Running {
        return Ok(Way::Free(Some(Box::new(entry)), None));
    }
    if options.takeover {
        return Ok(Way::Free(Some(Box::new(entry)), Some(driver)));
    }
    let lock = state.owner.same_host(&options.owner).then(|| inner.layout.driver_lock(name, driver));
    let mut pulse = Pulse::new(inner.layout.driver_heartbeat(name, driver), lock);
    loop {
        let signs = pulse.look(inner).await?;
        match signs.lock {
            LockState::Free => return Ok(Way::Free(Some(Box::new(entry)), Some(driver))),
            LockState::Held => return Ok(Way::Held(state.holder(), Sign::Lock)),
            LockState::Unknown if signs.moved => return Ok(Way::Held(state.holder(), Sign::Heartbeat)),
            // What this driver may still append shows that it lives after all.
            LockState::Unknown if signs.quiet >= options.silence => {
                return Ok(Way::Free(Some(Box::new(entry)), None));
            }
            LockState::Unknown => {}
        }
        tokio::time::sleep(options.poll).await;
        let now = inner.newest_job_entry(name).await?;
        if let Some(now) = now.filter(|now| now.id != entry.id) {
            return Ok(match now.body.state.status {
                RunStatus::Running => Way::Held(now.body.state.holder(), Sign::Entry),
                RunStatus::Done | RunStatus::Failed => Way::Free(Some(Box::new(now)), None),
            });
        }
    }
}

/// The entry with which a driver begins after `newest`.
fn first_entry(
    store: &Store,
    name: &JobName,
    options: &StartOptions,
    newest: Option<&Entry<JobRecord>>,
    driver: DriverId,
) -> Result<Draft<JobRecord>, Error> {
    let StartOptions { owner, script, variables, .. } = options.clone();
    let newcomer = Newcomer { driver, owner, script, variables };
    let before = newest.map(|entry| &entry.body.state);
    let slot = newest.map_or(Slot(0), |entry| entry.slot.next());
    let unfinished = before.filter(|state| state.status != RunStatus::Done && !options.restart);
    let record = match unfinished {
        Some(state) => {
            JobRecord { entry: JobEntry::Takeover { from: state.epoch }, state: state.taken_over(&newcomer) }
        }
        None => {
            let clock = &store.inner.clock;
            let state = JobState::new_run(before, RunId(clock.ulid()), clock.now_ms(), slot, &newcomer);
            JobRecord { entry: JobEntry::Run, state }
        }
    };
    invariants::check_entry(before, &record, slot)?;
    store.inner.job_log(name).draft(newest, record)
}

/// The driver whose first entry is in the log.
async fn take_place(
    store: &Store,
    name: &JobName,
    seat: Seat,
    newest: Entry<JobRecord>,
    before: Option<JobRun>,
) -> Driver {
    if let Err(error) = seat.beat(&store.inner, name).await {
        tracing::debug!(job = %name, %error, "the first heartbeat was not written");
    }
    seat.clear_others(&store.inner, name).await;
    let began = newest.body.state.clone();
    let resumed = newest.body.entry != JobEntry::Run;
    let at = Mutex::new(Position { newest, unsure: None, fenced: None, broken: None });
    Driver { store: store.clone(), name: name.clone(), seat, began, resumed, before, at }
}
