//! A driver's appends: each on top of its own last entry, or it is fenced.

use tokio::sync::MutexGuard;

use super::driver::{Driver, Position};
use super::invariants;
use super::record::{JobEntry, JobRecord};
use super::state::{Holder, JobState};
use crate::error::{Error, has_failed_sync};
use crate::log::{AppendOutcome, Draft};

/// What became of a driver's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a fenced driver must stop"]
pub enum DriveOutcome {
    /// It is in the log.
    Recorded,
    /// It is not, and nothing of this driver will ever be again: another one has the job.
    Fenced(Holder),
}

impl Driver {
    /// Appends one entry, after what is left of the last one.
    pub(super) async fn append(&self, entry: JobEntry) -> Result<DriveOutcome, Error> {
        let mut at = self.at.lock().await;
        if let Some(unsure) = at.unsure.take() {
            let same = unsure.entry().body.entry == entry;
            let outcome = self.publish(&mut at, unsure, true).await?;
            if same || outcome != DriveOutcome::Recorded {
                return Ok(outcome);
            }
        }
        if let Some(holder) = &at.fenced {
            return Ok(DriveOutcome::Fenced(holder.clone()));
        }
        let before = &at.newest.body.state;
        let record = JobRecord { state: after(before, &entry), entry };
        invariants::check_entry(Some(before), &record, at.newest.slot.next())?;
        let draft = self.log().draft_needing(record.entry.features(), Some(&at.newest), record)?;
        self.publish(&mut at, draft, false).await
    }

    /// `resent`: it was sent before, and what became of that is not known.
    async fn publish(
        &self,
        at: &mut MutexGuard<'_, Position>,
        draft: Draft<JobRecord>,
        resent: bool,
    ) -> Result<DriveOutcome, Error> {
        let log = self.log();
        // Kept before the first try: the caller may drop this future, and what was sent may arrive all the same.
        at.unsure = Some(draft.clone());
        if let Some(object) = &at.broken {
            let source = "the disk did not confirm it before".into();
            return Err(Error::UnknownOutcome { object: object.clone(), source });
        }
        match log.append(&draft).await {
            Ok(AppendOutcome::Appended(_)) => {
                at.newest = draft.entry().clone();
                at.unsure = None;
                log.write_tail(&at.newest).await;
                Ok(DriveOutcome::Recorded)
            }
            Ok(AppendOutcome::Conflict(_)) => {
                at.unsure = None;
                let holder = self.successor().await?.ok_or_else(|| self.foreign())?;
                at.fenced = Some(holder.clone());
                Ok(DriveOutcome::Fenced(holder))
            }
            Err(error @ Error::UnknownOutcome { .. }) => {
                // The same bytes go to the same slot before anything else does, unless reading proves nothing.
                at.broken = has_failed_sync(&error).then(|| log.path(draft.entry().slot).to_string());
                Err(error)
            }
            // This try wrote nothing, which says nothing of the earlier one.
            Err(error) if resent => {
                let object = log.path(draft.entry().slot).to_string();
                Err(Error::UnknownOutcome { object, source: Box::new(error) })
            }
            Err(error) => {
                at.unsure = None;
                Err(error)
            }
        }
    }

    /// This driver's slot is another's, and nobody has taken over.
    fn foreign(&self) -> Error {
        let detail = format!("an entry of epoch {} is not of its driver", self.epoch());
        Error::ForeignObject { object: self.log().directory().to_string(), detail }
    }
}

fn after(before: &JobState, entry: &JobEntry) -> JobState {
    match entry {
        JobEntry::StepBegin(begun) => before.with_begun(begun),
        JobEntry::Step(step) => before.with_step(step),
        JobEntry::Edit { from } => before.with_edit(*from),
        JobEntry::Finish { outcome, .. } => before.finished(*outcome),
        JobEntry::Run | JobEntry::Takeover { .. } => before.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::job::{JobName, RunOutcome, StartOptions, StartOutcome};
    use crate::owner::Owner;
    use crate::store::{Store, StoreOptions};

    async fn drive(store: &Store, name: &JobName) -> Driver {
        let options = StartOptions::new(Owner::here(""), Digest::of(b"script"), Digest::of(b"variables"));
        match Driver::start(store, name, options).await.unwrap() {
            StartOutcome::Driving(driver) => *driver,
            StartOutcome::Held { by, .. } => panic!("held by {by:?}"),
        }
    }

    /// What the disk did not confirm may be gone after a power cut, whatever a later try seems to show.
    #[tokio::test]
    async fn a_driver_whose_disk_did_not_confirm_an_entry_writes_no_more() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().to_str().unwrap(), StoreOptions::default()).await.unwrap();
        let disk = store.inner.local.clone().unwrap();
        let name = JobName::parse("nightly").unwrap();
        let driver = drive(&store, &name).await;
        disk.fail_directory_syncs(true);
        let told = driver.finish(RunOutcome::Failed, None).await;
        assert!(matches!(told, Err(Error::UnknownOutcome { .. })), "{told:?}");
        disk.fail_directory_syncs(false);
        for _ in 0..2 {
            let told = driver.finish(RunOutcome::Failed, None).await;
            assert!(matches!(told, Err(Error::UnknownOutcome { .. })), "{told:?}");
        }
        drop(driver);
        assert!(
            drive(&store, &name).await.resumed(),
            "the next one reads what is there, once the disk confirms it"
        );
    }
}
