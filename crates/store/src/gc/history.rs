//! What a checkpoint's log proves: which attempts are closed, and which files are named.

use std::collections::{BTreeMap, HashMap};

use object_store::ObjectStoreExt;

use super::StoreTime;
use super::collect::Collector;
use super::retention::Policy;
use super::survey::Survey;
use crate::error::Error;
use crate::ids::{AttemptId, Slot, UnitNumber, Version};
use crate::layout;
use crate::log::{Entry, LogState, StoredEntry, StoredRecord};
use crate::manifest::{FileList, Manifest, StoredManifest};
use crate::sidefile::SideFile;

/// How many entries are held in memory at once.
const CHUNK: u64 = 64;

/// What a dry run takes for done.
#[derive(Debug, Default)]
pub(super) struct Pretended {
    pub(super) drops: Vec<Version>,
    pub(super) abandons: Vec<AttemptId>,
}

/// A whole log, in short.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) state: LogState,
    /// How long the snapshots that are there stay.
    pub(super) policies: BTreeMap<Version, Policy>,
    committed: HashMap<AttemptId, Version>,
    /// Which versions were dropped, and when.
    dropped: HashMap<Version, StoreTime>,
    /// The first abandon of each attempt. One that is only pretended comes after all entries.
    abandons: HashMap<AttemptId, (Slot, StoreTime)>,
    /// Every drop of all, latest first.
    drop_alls: Vec<(Slot, StoreTime)>,
    files: HashMap<String, Claim>,
    units: HashMap<(AttemptId, UnitNumber), Claim>,
    owners: HashMap<AttemptId, Claim>,
}

/// Who named something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A snapshot that is there.
    Live(Version),
    /// Snapshots that were dropped, the last of them then.
    Freed(StoreTime),
}

impl Claim {
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Freed(a), Self::Freed(b)) => Self::Freed(a.max(b)),
            (live @ Self::Live(_), _) | (_, live) => live,
        }
    }
}

impl History {
    /// Reads the log from its end to its beginning, so that drops are known before what they dropped.
    ///
    /// # Errors
    /// Those of an entry or a side file that cannot be read.
    pub(super) async fn read(
        collector: &Collector<'_>,
        survey: &Survey,
        pretended: &Pretended,
    ) -> Result<Self, Error> {
        let inner = &collector.store.inner;
        let newest = inner.newest_entry(collector.name).await?;
        let (slot, state) = newest.map(|entry| (entry.slot, entry.body.state)).unzip();
        let mut history = Self::default();
        history.pretend(state.unwrap_or_default(), pretended, collector.now);
        let log = inner.log(collector.name);
        let (mut end, mut following) = (slot.map_or(0, |slot| slot.next().0), None);
        while end > 0 {
            let start = end.saturating_sub(CHUNK);
            let mut entries = log.read_range(start..end).await?;
            if let (Some(last), Some(next)) = (entries.last(), &following) {
                log.check_follows(last, next)?;
            }
            following = entries.first().cloned();
            while let Some(entry) = entries.pop() {
                history.take(collector, survey, entry).await?;
            }
            end = start;
        }
        Ok(history)
    }

    /// The state, less what a dry run takes for dropped.
    fn pretend(&mut self, state: LogState, pretended: &Pretended, now: StoreTime) {
        self.state = pretended.drops.iter().fold(state, |state, version| state.without(*version));
        self.dropped.extend(pretended.drops.iter().map(|version| (*version, now)));
        let last = Slot(u64::MAX);
        self.abandons.extend(pretended.abandons.iter().map(|attempt| (*attempt, (last, now))));
    }

    async fn take(
        &mut self,
        collector: &Collector<'_>,
        survey: &Survey,
        entry: Entry<StoredRecord>,
    ) -> Result<(), Error> {
        // An entry that came after the listing is as young as can be.
        let at = survey.entries.get(&entry.slot).copied().unwrap_or(collector.now);
        match entry.body.entry {
            StoredEntry::Drop { version } => {
                self.dropped.insert(version, at);
            }
            StoredEntry::DropAll => self.drop_alls.push((entry.slot, at)),
            StoredEntry::Abandon { attempt } => {
                self.abandons.insert(attempt, (entry.slot, at));
            }
            StoredEntry::Commit { version, attempt, manifest } => {
                self.committed.insert(attempt, version);
                let claim = self.claim_of(collector, version, entry.slot)?;
                if matches!(claim, Claim::Live(_)) {
                    self.policies.insert(version, Policy::new(at, manifest.options()));
                }
                self.take_manifest(collector, survey, claim, *manifest).await?;
            }
        }
        Ok(())
    }

    /// Whether a commit's snapshot is there, or when it was dropped. Later entries are known already.
    fn claim_of(&self, collector: &Collector<'_>, version: Version, slot: Slot) -> Result<Claim, Error> {
        if self.state.find(version).is_some() {
            return Ok(Claim::Live(version));
        }
        // Going backwards, the last one seen is the first one after the commit.
        let dropped = self.dropped.get(&version).or_else(|| self.drop_alls.last().map(|(_, at)| at));
        dropped.map(|at| Claim::Freed(*at)).ok_or_else(|| {
            let path = collector.store.inner.log(collector.name).path(slot);
            Error::damaged(path, format!("a later entry that dropped version {version}"), "none")
        })
    }

    /// Notes everything that a commit names, as far as it matters.
    async fn take_manifest(
        &mut self,
        collector: &Collector<'_>,
        survey: &Survey,
        claim: Claim,
        stored: StoredManifest,
    ) -> Result<(), Error> {
        let sides = stored.side_files();
        let needed = match claim {
            Claim::Live(_) => true,
            Claim::Freed(at) => collector.in_grace(at),
        };
        if !needed && !may_be_there(&stored, &sides, survey) {
            return Ok(());
        }
        let loaded = collector.store.inner.side_files(collector.name).load(stored).await;
        match loaded {
            Ok(manifest) => self.claim_all(claim, &manifest, &sides),
            // Another collector was faster.
            Err(_) if !needed && collector.any_missing(&sides).await? => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn claim_all(&mut self, claim: Claim, manifest: &Manifest, sides: &[SideFile]) {
        let data = manifest.files.iter().map(|file| (&file.path, Some(file.unit)));
        let sides = sides.iter().map(|side| (&side.path, None));
        for (path, unit) in data.chain(sides) {
            note(&mut self.files, path.clone(), claim);
            let Some(owner) = layout::owner_of(path) else { continue };
            note(&mut self.owners, owner, claim);
            if let Some(unit) = unit {
                note(&mut self.units, (owner, unit), claim);
            }
        }
    }

    /// When an attempt was closed; `None` if it is open. `began_at` is `None` if it has no record.
    pub(super) fn closed(&self, attempt: AttemptId, began_at: Option<u64>) -> Option<StoreTime> {
        let abandoned = self.abandons.get(&attempt).copied();
        let dropped = began_at.and_then(|began_at| {
            self.drop_alls
                .iter()
                .filter(|(slot, _)| slot.0 >= began_at)
                .min_by_key(|(slot, _)| *slot)
                .copied()
        });
        abandoned.into_iter().chain(dropped).min_by_key(|(slot, _)| *slot).map(|(_, at)| at)
    }

    /// The version that an attempt committed, and whether it is still there.
    pub(super) fn committed(&self, attempt: AttemptId) -> Option<(Version, bool)> {
        let version = *self.committed.get(&attempt)?;
        Some((version, self.state.find(version).is_some()))
    }

    /// Who named a file, by its path relative to the checkpoint's directory.
    pub(super) fn file(&self, relative: &str) -> Option<Claim> {
        self.files.get(relative).copied()
    }

    /// Who named a file of a unit.
    pub(super) fn unit(&self, attempt: AttemptId, unit: UnitNumber) -> Option<Claim> {
        self.units.get(&(attempt, unit)).copied()
    }

    /// Who named any file of an attempt.
    pub(super) fn owner(&self, attempt: AttemptId) -> Option<Claim> {
        self.owners.get(&attempt).copied()
    }
}

impl Collector<'_> {
    async fn any_missing(&self, sides: &[SideFile]) -> Result<bool, Error> {
        let inner = &self.store.inner;
        for side in sides {
            let path = inner.layout.relative(self.name, &side.path);
            match inner.objects.head(&path).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(true),
                Err(source) => return Err(Error::storage("read", path, source)),
                Ok(_) => {}
            }
        }
        Ok(false)
    }
}

fn note<K: std::hash::Hash + Eq>(claims: &mut HashMap<K, Claim>, key: K, claim: Claim) {
    claims.entry(key).and_modify(|known| *known = known.merge(claim)).or_insert(claim);
}

/// Whether files of a snapshot that was dropped long ago may still be there, and can be told.
fn may_be_there(stored: &StoredManifest, sides: &[SideFile], survey: &Survey) -> bool {
    let inline = match stored.files() {
        FileList::Inline(files) => files.iter().any(|file| survey.has(&file.path)),
        FileList::Side(_) => !sides.is_empty(),
    };
    inline && sides.iter().all(|side| survey.has(&side.path))
}
