//! What a session knows of the job whose steps it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use milepost_store::{
    CheckpointName, Driver, Error as StoreError, Fingerprint, Origin, SnapshotRef, StepOutcome, StepTimes,
    Version,
};
use parking_lot::{Mutex, RwLock};

use super::reads::{Again, AsOf, Reads};

/// A driver's turn at a run, as its session sees it. Empty in a session outside of any job.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Whether others may take the run up, so that what a stage has done is left for them.
    pub(crate) goes_on: bool,
    step: Mutex<Option<CurrentStep>>,
    found: Mutex<Vec<Found>>,
    reads: RwLock<Option<Arc<Reads>>>,
    /// What names of checkpoints stood for in the current step.
    read: Mutex<BTreeMap<CheckpointName, Version>>,
    driver: RwLock<Option<Weak<Driver>>>,
}

/// The step that runs now.
#[derive(Debug)]
struct CurrentStep {
    run: String,
    index: u64,
    /// How many nodes of a name and query have been met: those that differ in their sources alone are told apart.
    nodes: BTreeMap<(CheckpointName, Option<Fingerprint>), u64>,
    /// How many nodes of a name, or without one, and query that are done again have been met.
    again: BTreeMap<(Option<CheckpointName>, Fingerprint), usize>,
}

/// A snapshot that a step made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) snapshot: SnapshotRef,
    /// Whether it was asked for by its name. One without a name may be served by another's snapshot, wherever it lies: that tells
    /// nothing of what the other name stands for.
    pub(crate) named: bool,
    pub(crate) outcome: StepOutcome,
    pub(crate) rows: u64,
    pub(crate) saved_ms: u64,
    /// Where the time of its stage went, if one ran.
    pub(crate) times: Option<StepTimes>,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ended {
    /// The snapshots that it made or found, in order.
    pub(super) found: Vec<Found>,
    /// The versions that names stood for.
    pub(super) read: Vec<SnapshotRef>,
}

impl Turn {
    /// Who drives the steps from here on.
    pub(super) fn driven_by(&self, driver: &Arc<Driver>) {
        *self.driver.write() = Some(Arc::downgrade(driver));
    }

    /// The driver of the job, while a step of it runs.
    ///
    /// # Errors
    /// [`StoreError::DriverGone`]: others may have the job by now.
    pub(crate) fn driver(&self) -> Result<Option<Arc<Driver>>, StoreError> {
        let in_a_step = self.step.lock().is_some();
        match self.driver.read().as_ref().filter(|_| in_a_step) {
            Some(driver) => driver.upgrade().map(Some).ok_or(StoreError::DriverGone),
            None => Ok(None),
        }
    }

    /// Whether another driver has taken the job over.
    pub(crate) async fn is_fenced(&self) -> Result<bool, StoreError> {
        match self.driver()? {
            Some(driver) => Ok(driver.successor().await?.is_some()),
            None => Ok(false),
        }
    }

    /// From here on, commits belong to this step.
    pub(super) fn begin_step(&self, reads: Reads) {
        let (run, index) = (reads.origin_run(), reads.step);
        self.found.lock().clear();
        self.read.lock().clear();
        *self.reads.write() = Some(Arc::new(reads));
        *self.step.lock() = Some(CurrentStep { run, index, nodes: BTreeMap::new(), again: BTreeMap::new() });
    }

    /// The step's statement is run from its beginning again, by the same driver: its nodes are met in the same order.
    pub(crate) fn begin_step_again(&self) {
        self.found.lock().clear();
        if let Some(step) = self.step.lock().as_mut() {
            step.nodes.clear();
            step.again.clear();
        }
    }

    /// Ends the step.
    pub(super) fn end_step(&self) -> Ended {
        *self.step.lock() = None;
        *self.reads.write() = None;
        let found = std::mem::take(&mut *self.found.lock());
        let read = std::mem::take(&mut *self.read.lock());
        let read = read.into_iter().map(|(checkpoint, version)| SnapshotRef { checkpoint, version });
        Ended { found, read: read.collect() }
    }

    /// Notes what a name stood for.
    pub(crate) fn note_read(&self, name: &CheckpointName, version: Version) {
        if self.step.lock().is_some() {
            self.read.lock().insert(name.clone(), version);
        }
    }

    /// The origin of what a checkpoint node of the current step commits. It is the same in every driver of the run: two
    /// of them meet a step's nodes in the same order.
    ///
    /// `query` tells apart the nodes of one name within a statement. A statement's own checkpoint and one that reads itself go
    /// without: what they read, and so what their query comes to, may have other columns after their own commit.
    pub(crate) fn origin(&self, name: &CheckpointName, query: Option<Fingerprint>) -> Option<Origin> {
        let mut step = self.step.lock();
        let step = step.as_mut()?;
        let met = step.nodes.entry((name.clone(), query)).or_default();
        let mut first = [0; 8];
        if let Some(query) = query {
            first.copy_from_slice(&query.digest().as_bytes()[..8]);
        }
        let node = u64::from_be_bytes(first).wrapping_add(*met);
        *met += 1;
        Some(Origin { run: step.run.clone(), step: step.index, node })
    }

    /// Keeps what the current step made or found.
    pub(crate) fn found(&self, found: Found) {
        if self.step.lock().is_some() {
            self.found.lock().push(found);
        }
    }

    /// Which version a name stands for in the current step of a job.
    pub(crate) fn as_of(&self, name: &CheckpointName) -> Option<AsOf> {
        let reads = self.reads.read();
        Some(AsOf::new(Arc::clone(reads.as_ref()?), name.clone()))
    }

    /// How the current step, which is done again, has a checkpoint inside of its query; `asked` is the name that the query gives it.
    /// To be asked once for each node, in the order in which they are met: two of one name and query differ in their sources.
    pub(crate) fn again(
        &self,
        asked: Option<&CheckpointName>,
        name: &CheckpointName,
        query: Fingerprint,
    ) -> Option<Again> {
        let reads = Arc::clone(self.reads.read().as_ref()?);
        let mut step = self.step.lock();
        let met = step.as_mut()?.again.entry((asked.cloned(), query)).or_default();
        let place = *met;
        *met += 1;
        reads.again_of(asked, name, place)
    }

    /// The version that the current step's own comes on top of, although the step has committed before.
    pub(crate) fn over(&self, name: &CheckpointName) -> Option<Version> {
        let reads = self.reads.read();
        let reads = reads.as_ref().filter(|reads| reads.makes.as_ref() == Some(name))?;
        reads.over
    }
}

#[cfg(test)]
mod tests {
    use milepost_store::Digest;

    use super::*;

    fn name() -> CheckpointName {
        CheckpointName::parse("a").unwrap()
    }

    fn fingerprint(of: &str) -> Fingerprint {
        Fingerprint::from(Digest::of(of.as_bytes()))
    }

    fn step(text: &str) -> Reads {
        let texts = ["", "", "", text].map(str::to_string);
        Reads { run: "run".to_string(), step: 3, texts: Arc::new(texts), ..Reads::default() }
    }

    /// The origins of three nodes of a step; the last two have one query over two sources.
    fn origins(turn: &Turn, text: &str) -> Vec<Origin> {
        turn.begin_step(step(text));
        let origins = ["x", "y", "y"].map(|of| turn.origin(&name(), Some(fingerprint(of))).unwrap());
        turn.end_step();
        origins.to_vec()
    }

    #[test]
    fn origins_are_the_same_in_every_driver_and_differ_within_a_step() {
        let first = origins(&Turn::default(), "step");
        assert_eq!(first, origins(&Turn::default(), "step"));
        assert!(first[0] != first[1] && first[1] != first[2]);
    }

    #[test]
    fn an_edited_step_has_other_origins() {
        let turn = Turn::default();
        assert_ne!(origins(&turn, "step")[0], origins(&turn, "edited")[0]);
    }

    #[test]
    fn nothing_is_kept_outside_of_a_step() {
        let turn = Turn::default();
        let snapshot = SnapshotRef { checkpoint: name(), version: Version(1) };
        let outcome = StepOutcome::Written;
        turn.found(Found { snapshot, named: true, outcome, rows: 1, saved_ms: 0, times: None });
        turn.note_read(&name(), Version(1));
        assert_eq!(turn.origin(&name(), Some(fingerprint("x"))), None);
        assert_eq!(turn.end_step(), Ended::default());
    }
}
