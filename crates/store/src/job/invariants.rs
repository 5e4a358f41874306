//! Named rules that hold for everything in a job's log. They run before each publish: what breaks one stays out.

use super::record::{JobEntry, JobRecord};
use super::state::{JobState, RunStatus};
use crate::error::Error;
use crate::ids::Slot;

/// Rules about an entry that follows `before` in `slot`.
pub(super) fn check_entry(before: Option<&JobState>, record: &JobRecord, slot: Slot) -> Result<(), Error> {
    epochs_rise_with_drivers(before, &record.state)?;
    runs_begin_where_they_say(before, record, slot)?;
    only_a_running_run_goes_on(before, &record.entry)
}

fn epochs_rise_with_drivers(before: Option<&JobState>, after: &JobState) -> Result<(), Error> {
    let Some(before) = before else { return Ok(()) };
    let holds = if before.driver == after.driver {
        before.epoch == after.epoch && before.run == after.run
    } else {
        before.epoch.next() == after.epoch
    };
    let detail = || format!("epoch {} of {} after {}", after.epoch, after.driver, before.epoch);
    if holds { Ok(()) } else { Err(Error::invariant("every driver has the next epoch", detail())) }
}

fn runs_begin_where_they_say(before: Option<&JobState>, record: &JobRecord, slot: Slot) -> Result<(), Error> {
    let (entry, after) = (&record.entry, &record.state);
    let begins = before.is_none_or(|before| before.run != after.run);
    let holds = begins == (*entry == JobEntry::Run)
        && if begins { after.run_slot == slot } else { after.run_slot < slot };
    let detail = || format!("run {} in slot {slot}, from slot {}", after.run, after.run_slot);
    if holds { Ok(()) } else { Err(Error::invariant("a run begins with its first entry", detail())) }
}

fn only_a_running_run_goes_on(before: Option<&JobState>, entry: &JobEntry) -> Result<(), Error> {
    let running = before.is_some_and(|before| before.status == RunStatus::Running);
    let holds = match entry {
        JobEntry::Run => true,
        JobEntry::Takeover { .. } => before.is_some_and(|before| before.status != RunStatus::Done),
        JobEntry::StepBegin(_) | JobEntry::Step(_) | JobEntry::Finish { .. } => running,
    };
    let detail = || format!("{entry:?} after {:?}", before.map(|before| before.status));
    if holds { Ok(()) } else { Err(Error::invariant("nothing follows the end of a run", detail())) }
}
