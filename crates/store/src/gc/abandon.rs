//! The entries that a collection appends: drops of versions, and closes of attempts.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::collect::Collector;
use super::history::{History, Pretended};
use super::judge::{Records, Standing};
use super::retention::next_drop;
use super::{AbandonReason, Abandoned, CheckpointGarbage, DropReason, DroppedVersion};
use crate::commit::view::View;
use crate::error::Error;
use crate::ids::{AttemptId, Version};
use crate::log::{LogState, StoredEntry};
use crate::store::DropOutcome;

impl Collector<'_> {
    /// Drops what is too much or too old. It is judged again before every append, also after a lost slot.
    pub(super) async fn drop_versions(
        &self,
        history: &History,
        pretended: &mut Pretended,
        garbage: &mut CheckpointGarbage,
    ) -> Result<(), Error> {
        let next = |state: &LogState| next_drop(state, &history.policies, self.options, self.now);
        if self.options.dry_run {
            let mut state = history.state.clone();
            while let Some((version, reason)) = next(&state) {
                state = state.without(version);
                pretended.drops.push(version);
                garbage.dropped.push(DroppedVersion { version, reason });
            }
            return Ok(());
        }
        if next(&history.state).is_none() {
            return Ok(());
        }
        loop {
            let chosen: Mutex<Option<(Version, DropReason)>> = Mutex::new(None);
            let judge = |state: &LogState| {
                let (version, reason) = next(state)?;
                let live = state.find(version)?.clone();
                *chosen.lock() = Some((version, reason));
                Some((StoredEntry::Drop { version }, state.without(version), vec![live]))
            };
            let outcome = self.store.append_drop(None, self.name, judge).await?;
            let Some((version, reason)) = chosen.into_inner().filter(|_| outcome != DropOutcome::NotFound)
            else {
                return Ok(());
            };
            garbage.dropped.push(DroppedVersion { version, reason });
        }
    }

    /// Closes the attempts that are to be closed. One that committed meanwhile is left alone. The log is read once for all
    /// of them, from the first begin on.
    pub(super) async fn close_attempts(
        &self,
        judged: &BTreeMap<AttemptId, Standing>,
        records: &Records,
        pretended: &mut Pretended,
        garbage: &mut CheckpointGarbage,
    ) -> Result<(), Error> {
        let doomed: Vec<Abandoned> = judged
            .iter()
            .filter_map(|(attempt, standing)| match standing {
                Standing::ToClose(reason) => Some(Abandoned { attempt: *attempt, reason: *reason }),
                _ => None,
            })
            .collect();
        if self.options.dry_run {
            pretended.abandons.extend(doomed.iter().map(|closed| closed.attempt));
            garbage.abandoned.extend(doomed);
            return Ok(());
        }
        let began_at =
            |closed: &Abandoned| records.get(&closed.attempt)?.recorded().map(|begun| begun.began_at);
        // Of an attempt without a record the close may stand anywhere.
        let Some(from) = doomed.iter().map(|closed| began_at(closed).unwrap_or(0)).min() else {
            return Ok(());
        };
        let mut view = View::open(&self.store.inner, self.name, from).await?;
        for closed in doomed {
            let live_too = matches!(closed.reason, AbandonReason::Surplus(_));
            let began_at = began_at(&closed);
            if self.store.close_for_collection(&mut view, closed.attempt, began_at, live_too).await? {
                garbage.abandoned.push(closed);
            }
        }
        Ok(())
    }
}
