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
        JobEntry::StepBegin(_) | JobEntry::Step(_) | JobEntry::Edit { .. } | JobEntry::Finish { .. } => {
            running
        }
    };
    let detail = || format!("{entry:?} after {:?}", before.map(|before| before.status));
    if holds { Ok(()) } else { Err(Error::invariant("nothing follows the end of a run", detail())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, DriverId, RunId};
    use crate::job::record::{Epoch, RunOutcome};
    use crate::job::state::Newcomer;
    use crate::owner::Owner;

    fn newcomer(id: u128) -> Newcomer {
        let owner = Owner { host: "host".to_owned(), pid: 1, run: String::new() };
        Newcomer { driver: DriverId(id.into()), owner, script: Digest::of(b"s"), variables: Digest::of(b"v") }
    }

    fn begun() -> JobState {
        JobState::new_run(None, RunId(9.into()), 0, Slot(4), &newcomer(1))
    }

    fn broken(before: &JobState, entry: JobEntry, state: JobState, slot: u64) -> Option<&'static str> {
        match check_entry(Some(before), &JobRecord { entry, state }, Slot(slot)) {
            Err(Error::Invariant { name, .. }) => Some(name),
            _ => None,
        }
    }

    const FINISH: JobEntry = JobEntry::Finish { outcome: RunOutcome::Done, error: None };

    #[test]
    fn two_drivers_never_have_one_epoch() {
        let before = begun();
        let taken = before.taken_over(&newcomer(2));
        let takeover = || JobEntry::Takeover { from: before.epoch };
        assert_eq!(broken(&before, takeover(), taken.clone(), 5), None);
        for epoch in [before.epoch, Epoch(9)] {
            let state = JobState { epoch, ..taken.clone() };
            assert_eq!(broken(&before, takeover(), state, 5), Some("every driver has the next epoch"));
        }
        let other_run = JobState { run: RunId(8.into()), ..before.clone() };
        assert_eq!(broken(&before, FINISH, other_run, 5), Some("every driver has the next epoch"));
    }

    #[test]
    fn a_run_is_found_from_any_of_its_entries() {
        const NAME: Option<&str> = Some("a run begins with its first entry");
        let before = begun();
        let next = JobState::new_run(Some(&before), RunId(10.into()), 0, Slot(5), &newcomer(2));
        assert_eq!(broken(&before, JobEntry::Run, next.clone(), 5), None);
        assert_eq!(broken(&before, JobEntry::Run, next.clone(), 6), NAME);
        assert_eq!(broken(&before, JobEntry::Takeover { from: before.epoch }, next, 5), NAME);
        let astray = JobState { run_slot: Slot(5), ..before.clone() };
        assert_eq!(broken(&before, FINISH, astray, 5), NAME);
    }

    #[test]
    fn a_finished_run_is_not_taken_up() {
        const NAME: Option<&str> = Some("nothing follows the end of a run");
        let takeover = |before: &JobState| {
            broken(before, JobEntry::Takeover { from: before.epoch }, before.taken_over(&newcomer(2)), 5)
        };
        assert_eq!(takeover(&begun().finished(RunOutcome::Failed)), None);
        assert_eq!(takeover(&begun().finished(RunOutcome::Done)), NAME);
        let failed = begun().finished(RunOutcome::Failed);
        assert_eq!(broken(&failed, FINISH, failed.finished(RunOutcome::Done), 5), NAME);
    }
}
