//! The collection of one checkpoint after the other.

use std::collections::BTreeMap;

use futures::StreamExt;
use object_store::{ObjectMeta, ObjectStore};

use super::history::{History, Pretended};
use super::judge::{Begin, Begun, Records, Standing, standings};
use super::retention::postponed;
use super::survey::Survey;
use super::{CheckpointGarbage, GcOptions, GcReport, StoreTime, UnknownObject};
use crate::error::Error;
use crate::ids::CheckpointName;
use crate::index::Hints;
use crate::local::LockState;
use crate::log::LogState;
use crate::store::{REQUESTS, Store};

/// Collects the garbage of one checkpoint.
#[derive(Clone, Copy)]
pub(super) struct Collector<'a> {
    pub(super) store: &'a Store,
    pub(super) name: &'a CheckpointName,
    pub(super) options: &'a GcOptions,
    pub(super) now: StoreTime,
    /// What was there before any log was read.
    pub(super) hints: &'a Hints,
}

impl Store {
    /// Drops versions that are too many or too old, closes attempts that are dead or whose snapshots are gone, and
    /// deletes the files that nothing can need any more.
    ///
    /// Readers, writers and other collections may be at work at the same time, and this one may stop anywhere: the
    /// next one goes on. The rules stand in `docs/format.md`.
    ///
    /// # Errors
    /// What concerns one checkpoint stops the collection there and stands in the report. Errors are given only where
    /// nothing could be begun: [`Error::MissingIdentity`], [`Error::NotWritable`], or [`Error::Storage`] if the store
    /// could not be listed, its hints among it, or did not tell its time.
    pub async fn collect_garbage(&self, options: GcOptions) -> Result<GcReport, Error> {
        let mut report = GcReport::new(options.dry_run);
        let (names, unknown) = self.collectable(&options).await?;
        report.unknown = unknown;
        if !names.is_empty() {
            self.inner.expect_identity().await?;
        } else if self.id().is_none() {
            return Ok(report);
        }
        if !options.dry_run {
            self.prepare_write().await?;
        }
        let now = self.inner.store_time().await?;
        report.now = Some(now);
        // Before any log is read, so that a log without what a hint leads to has lost it.
        let listed = self.listed_hints().await?;
        let hints = Hints::of(&self.inner.layout, &listed);
        let mut states = BTreeMap::new();
        for name in names {
            let mut garbage = CheckpointGarbage::new(name.clone());
            let collector = Collector { store: self, name: &name, options: &options, now, hints: &hints };
            match collector.collect(&mut garbage).await {
                Ok(state) => {
                    states.insert(name, state);
                }
                Err(error) => garbage.stopped = Some(error),
            }
            report.checkpoints.push(garbage);
        }
        if let Err(error) = self.collect_beside(&options, now, listed, &states, &mut report).await {
            report.stopped = Some(error);
        }
        Ok(report)
    }

    /// The checkpoints to look at, also those that have no log yet, and what lies beside them.
    async fn collectable(
        &self,
        options: &GcOptions,
    ) -> Result<(Vec<CheckpointName>, Vec<UnknownObject>), Error> {
        let directory = self.inner.layout.checkpoints();
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let (mut names, mut unknown) =
            (vec![], listed.objects.iter().map(UnknownObject::of).collect::<Vec<_>>());
        for path in listed.common_prefixes {
            match path.filename().map(CheckpointName::parse) {
                Some(Ok(name)) => names.push(name),
                _ => unknown.push(UnknownObject::directory(&path)),
            }
        }
        if let Some(wanted) = &options.checkpoints {
            names.retain(|name| wanted.contains(name));
            unknown.clear();
        }
        names.sort_unstable();
        Ok((names, unknown))
    }

    /// What lies beside the checkpoints.
    async fn collect_beside(
        &self,
        options: &GcOptions,
        now: StoreTime,
        hints: Vec<ObjectMeta>,
        states: &BTreeMap<CheckpointName, LogState>,
        report: &mut GcReport,
    ) -> Result<(), Error> {
        self.collect_hints(options, hints, states, report).await?;
        if options.checkpoints.is_none() {
            self.collect_leftovers(options, now, report).await?;
        }
        Ok(())
    }
}

impl Collector<'_> {
    /// Whether something that was freed then is to stay for whoever reads it.
    pub(super) fn in_grace(&self, freed: StoreTime) -> bool {
        self.now.since(freed) < self.options.grace
    }

    /// Everything, in order. Gives what is there of the checkpoint in the end.
    async fn collect(&self, garbage: &mut CheckpointGarbage) -> Result<LogState, Error> {
        let mut survey = Survey::take(&self.store.inner, self.name).await?;
        garbage.unknown = std::mem::take(&mut survey.unknown);
        let mut pretended = Pretended::default();
        let mut history = History::read(self, &survey, &pretended).await?;
        self.expect_all_commits(&survey, &history.state).await?;
        let records = self.records(&survey, garbage).await?;

        self.drop_versions(&history, &mut pretended, garbage).await?;
        if !garbage.dropped.is_empty() {
            history = History::read(self, &survey, &pretended).await?;
        }
        garbage.postponed = postponed(&history.state, &history.policies, self.options, self.now);
        let judged = standings(&survey, &records, &history, self.options, self.now);
        self.close_attempts(&judged, &records, &mut pretended, garbage).await?;
        let judged = if judged.values().any(|standing| matches!(standing, Standing::ToClose(_))) {
            // Others may have committed before the close, and named files of the attempt.
            history = History::read(self, &survey, &pretended).await?;
            standings(&survey, &records, &history, self.options, self.now)
        } else {
            judged
        };
        self.delete_files(&survey, &history, &judged, garbage).await?;
        Ok(history.state)
    }

    /// Fails if a hint proves that the log has lost a commit: its files look like those of an attempt that never ended.
    async fn expect_all_commits(&self, survey: &Survey, state: &LogState) -> Result<(), Error> {
        let inner = &self.store.inner;
        let Some(lost) = self.hints.lost_commits(inner, self.name, state.last_version).await?.pop() else {
            return Ok(());
        };
        Err(Error::LogCut {
            log: inner.log(self.name).directory().to_string(),
            tail: lost.hint.to_string(),
            missing: lost.slot,
            newest: survey.entries.keys().next_back().copied(),
        })
    }

    /// What each attempt set out to do. A record that is damaged is noted and keeps its own attempt alone from being judged by
    /// it; one of a newer program stops the collection, for nobody knows what it protects.
    async fn records(&self, survey: &Survey, garbage: &mut CheckpointGarbage) -> Result<Records, Error> {
        let attempts: Vec<_> =
            survey.attempts.iter().map(|(id, directory)| (*id, directory.has_record())).collect();
        let mut reads = futures::stream::iter(attempts)
            .map(|(attempt, listed)| async move {
                let record = self.store.attempt_record(self.name, attempt).await;
                let lock = match &record {
                    Ok(Some(record)) => self.owners_lock(record).await,
                    _ => LockState::Unknown,
                };
                (attempt, listed, record, lock)
            })
            .buffered(REQUESTS);
        let mut records = Records::new();
        while let Some((attempt, listed, record, lock)) = reads.next().await {
            let begin = match record {
                Ok(Some(record)) => Begin::Recorded(Begun {
                    began_at: record.began_at,
                    signature: record.spec.signature,
                    held: lock == LockState::Held,
                }),
                // One that was listed and is gone is being collected by another.
                Ok(None) if listed => continue,
                Ok(None) => Begin::Unrecorded,
                Err(error) if error.is_damage() => {
                    garbage.damaged.push(error);
                    Begin::Damaged
                }
                Err(error) => return Err(error),
            };
            records.insert(attempt, begin);
        }
        Ok(records)
    }
}
