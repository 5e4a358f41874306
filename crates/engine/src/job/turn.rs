//! What a session knows of the job whose steps it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use milepost_store::{
    CheckpointName, Digest, Fingerprint, LiveVersion, Origin, SnapshotRef, StepOutcome, StepTimes, Version,
};
use parking_lot::{Mutex, RwLock};

/// A driver's turn at a run, as its session sees it. Empty in a session outside of any job.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Whether others may take the run up, so that what a stage has done is left for them.
    pub(crate) goes_on: bool,
    step: Mutex<Option<CurrentStep>>,
    found: Mutex<Vec<Found>>,
    again: RwLock<Option<Again>>,
    keeps_names: AtomicBool,
}

/// The step that runs now.
#[derive(Debug)]
struct CurrentStep {
    run: String,
    index: u64,
    /// How many nodes of a name and query have been met: those that differ in their sources alone are told apart.
    nodes: BTreeMap<(CheckpointName, Option<Fingerprint>), u64>,
}

/// A snapshot that a step made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) snapshot: SnapshotRef,
    pub(crate) outcome: StepOutcome,
    pub(crate) rows: u64,
    pub(crate) saved_ms: u64,
    /// Where the time of its stage went, if one ran.
    pub(crate) times: Option<StepTimes>,
}

/// What is known of the versions that names stood for when a step ran first that is done again now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// The version that the last finished step before it made or found.
    pub(super) made: BTreeMap<CheckpointName, Version>,
    /// The version that the first finished step from it on made or found.
    pub(super) later: BTreeMap<CheckpointName, Version>,
    /// The run, and the step's place in it.
    pub(super) run: String,
    pub(super) step: u64,
}

/// Which version a name stood for when a step ran first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AsOf {
    made: Option<Version>,
    later: Option<Version>,
    run: String,
    step: u64,
}

impl AsOf {
    /// The version among those that are there, oldest first: the newest that an earlier step of the run made; else the newest
    /// that stood there before the run came to make its own.
    pub(crate) fn among(&self, live: &[LiveVersion]) -> Option<Version> {
        let of_the_run = |live: &LiveVersion| {
            live.origin.run.strip_prefix(&self.run).is_some_and(|rest| rest.starts_with('/'))
        };
        let earlier = |live: &LiveVersion| of_the_run(live) && live.origin.step < self.step;
        let stood = |live: &&LiveVersion| match self.made {
            Some(made) => live.version == made || (live.version > made && earlier(live)),
            None => {
                let is_later = of_the_run(live) && !earlier(live);
                !is_later && self.later.is_none_or(|later| live.version <= later)
            }
        };
        live.iter().rfind(stood).map(|live| live.version)
    }

    /// Whether the name was a checkpoint's then, as far as the run's own steps tell.
    pub(crate) fn existed(&self) -> bool {
        self.made.is_some() || self.later.is_some_and(|later| later > Version(1))
    }
}

impl Turn {
    /// From here on, commits belong to this step.
    pub(super) fn begin_step(
        &self,
        run: &str,
        index: u64,
        identity: Digest,
        again: Option<Again>,
        keeps_names: bool,
    ) {
        let identity = identity.hex();
        let run = format!("{run}/{}", identity.get(..16).unwrap_or(&identity));
        self.found.lock().clear();
        *self.again.write() = again;
        self.keeps_names.store(keeps_names, Ordering::Relaxed);
        *self.step.lock() = Some(CurrentStep { run, index, nodes: BTreeMap::new() });
    }

    /// The step's statement is run from its beginning again, by the same driver: its nodes are met in the same order.
    pub(crate) fn begin_step_again(&self) {
        self.found.lock().clear();
        if let Some(step) = self.step.lock().as_mut() {
            step.nodes.clear();
        }
    }

    /// Ends the step. Gives the snapshots that it made or found, in order.
    pub(super) fn end_step(&self) -> Vec<Found> {
        *self.step.lock() = None;
        *self.again.write() = None;
        std::mem::take(&mut self.found.lock())
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

    /// Whether the current step reads no rows but keeps a plan, in which names go on to mean the newest version.
    pub(crate) fn keeps_names(&self) -> bool {
        self.keeps_names.load(Ordering::Relaxed)
    }

    /// Which version a name stands for, where the current step is done again.
    pub(crate) fn as_of(&self, name: &CheckpointName) -> Option<AsOf> {
        let again = self.again.read();
        let Again { made, later, run, step } = again.as_ref()?;
        let (made, later) = (made.get(name).copied(), later.get(name).copied());
        Some(AsOf { made, later, run: run.clone(), step: *step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> CheckpointName {
        CheckpointName::parse("a").unwrap()
    }

    fn fingerprint(of: &str) -> Fingerprint {
        Fingerprint::from(Digest::of(of.as_bytes()))
    }

    /// The origins of three nodes of a step; the last two have one query over two sources.
    fn origins(turn: &Turn, step: &str) -> Vec<Origin> {
        turn.begin_step("run", 3, Digest::of(step.as_bytes()), None, false);
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
        turn.found(Found { snapshot, outcome: StepOutcome::Written, rows: 1, saved_ms: 0, times: None });
        assert_eq!(turn.origin(&name(), Some(fingerprint("x"))), None);
        assert_eq!(turn.end_step(), []);
    }
}
