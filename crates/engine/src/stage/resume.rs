//! What other attempts at the same result have left: complete units of dead ones, or a living writer to wait for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::Result;
use milepost_store::{
    Attempt, AttemptRecord, AttemptWatch, Ending, Life, Owner, Receipt, Snapshot, UnitNumber, UnsoundUnit,
};

use super::guard::is_gone;
use super::progress::StageCounters;
use super::runner::Stage;
use super::work::Work;
use crate::config::OnConcurrent;
use crate::error::store_error;

/// How often a writer looks at the one that it waits for.
const LOOK: Duration = Duration::from_millis(250);

impl Stage<'_> {
    /// Whether the units or the snapshot of another attempt may stand in for what this stage computes. A forced run and one
    /// that repairs damage set out to compute anew; without an identity nobody knows what another attempt computed.
    fn may_share(&self) -> bool {
        self.replaces.is_none() && self.identity.reusable
    }

    /// The work in the slices of the open attempt that got furthest with the same work, so that its units fit.
    pub(super) async fn as_begun_before(&self, work: Work) -> Result<Work> {
        if !self.may_share() || !work.unit_plan.pure {
            return Ok(work);
        }
        let store = &self.home.store;
        let open = store.open_attempts(&self.name).await.map_err(store_error)?;
        let mut furthest = (0, None);
        for record in open.into_iter().filter(|record| record.spec.signature == self.identity.signature) {
            let Some(like) = work.in_slices_of(&record.spec.unit_plan)? else { continue };
            let watch = AttemptWatch::new(store, record, &self.owner());
            let (complete, _) = watch.progress().await.map_err(store_error)?;
            if complete > furthest.0 {
                furthest = (complete, Some(like));
            }
        }
        Ok(furthest.1.unwrap_or(work))
    }

    /// Waits until no earlier attempt at the same result is alive. Gives the snapshot that one of them committed.
    pub(super) async fn wait_for_others(
        &self,
        attempt: &Arc<Attempt>,
        counters: &StageCounters,
    ) -> Result<Option<Snapshot>> {
        if !self.may_share() || self.config.on_concurrent == OnConcurrent::Race {
            return Ok(None);
        }
        for record in attempt.earlier().await.map_err(store_error)? {
            let committed = self.wait_for(record, counters).await?;
            counters.waits_for(None);
            if committed && let Some(snapshot) = self.result_of_others().await? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    }

    /// Waits for one attempt to end or die; whether it committed.
    async fn wait_for(&self, record: AttemptRecord, counters: &StageCounters) -> Result<bool> {
        let owner = record.spec.owner.clone();
        let gone = is_gone(&record, self.milepost);
        let mut watch = AttemptWatch::new(&self.home.store, record, &self.owner());
        loop {
            match watch.look().await.map_err(store_error)? {
                Life::Ended(Ending::Committed(_)) => return Ok(true),
                Life::Ended(Ending::Closed) | Life::Dead { .. } => return Ok(false),
                Life::Alive { .. } if gone => return Ok(false),
                Life::Alive { .. } => {}
            }
            if let Ok((complete, all)) = watch.progress().await {
                let who = format!("process {} on {}, {complete} of {all} units", owner.pid, owner.host);
                counters.waits_for(Some(who));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The newest snapshot, if it is what this stage sets out to compute.
    ///
    /// # Errors
    /// This stage reads its own checkpoint, which another step has moved on: nothing computed here could be committed.
    async fn result_of_others(&self) -> Result<Option<Snapshot>> {
        let newest = self.home.store.newest(&self.name).await.map_err(store_error)?;
        let now = newest.as_ref().map(|newest| newest.version);
        if self.read_version.is_some_and(|read| now != Some(read)) {
            let same_step = |newest: &Snapshot| Some(&newest.manifest.origin) == self.origin.as_ref();
            return if newest.as_ref().is_some_and(same_step) { Ok(newest) } else { Err(self.moved_on(now)) };
        }
        Ok(newest.filter(|newest| {
            let identity = &newest.manifest.identity;
            identity.signature == self.identity.signature
                && identity.reusable
                && crate::scan::same_names(self.plan.schema(), newest)
        }))
    }

    /// The complete units of dead attempts at the same work, as far as every byte of them is right. Two living writers never
    /// share units.
    pub(super) async fn units_of_the_dead(&self, attempt: &Attempt) -> Result<BTreeMap<UnitNumber, Receipt>> {
        if !self.may_share() {
            return Ok(BTreeMap::new());
        }
        let mut dead = Vec::new();
        for found in attempt.adoptable().await.map_err(store_error)? {
            let waited_for =
                self.config.on_concurrent == OnConcurrent::Wait && found.record.attempt < attempt.id();
            let mut watch = AttemptWatch::new(&self.home.store, found.record.clone(), &self.owner());
            let is_dead = waited_for
                || is_gone(&found.record, self.milepost)
                || matches!(watch.look().await.map_err(store_error)?, Life::Dead { .. });
            if is_dead {
                dead.push(found);
            }
        }
        if dead.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (sound, unsound) = self.home.store.choose_sound_units(&self.name, dead).await;
        for UnsoundUnit { unit, error, .. } in unsound {
            self.milepost.notify(format!("{}: unit {unit} is computed again: {error}", self.name));
        }
        Ok(sound)
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::here(&self.milepost.run.id)
    }
}
