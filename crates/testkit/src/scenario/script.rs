//! What a process does, step by step.

use std::time::Duration;

use milepost_store::{
    Attempt, CommitDraft, CommitOutcome, Error, GcOptions, Manifest, Snapshot, Store, Version,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::expected::Expected;
use super::job::job_step;
use super::snapshot::{
    Adopts, CONTENTS, NAMES, Unchanged, checkpoint, content_rows, leave_units, newest_snapshot, read_rows,
    stage,
};
use crate::failure::Failure;

/// One statement. Names and contents are numbers of [`NAMES`] and of [`content_rows`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begins, writes units and receipts, and commits.
    Commit {
        /// The checkpoint.
        name: usize,
        /// Its rows.
        content: usize,
    },
    /// Commits with units that a dead attempt has left: one begins and dies, another adopts what it wrote.
    Resume {
        /// The checkpoint.
        name: usize,
        /// Its rows.
        content: usize,
    },
    /// Begins, writes a unit, and gives up.
    Abandon {
        /// The checkpoint.
        name: usize,
        /// What it would have held.
        content: usize,
    },
    /// Drops one version, which may not be there.
    DropVersion {
        /// The checkpoint.
        name: usize,
        /// The version.
        version: u64,
    },
    /// Drops everything.
    DropAll {
        /// The checkpoint.
        name: usize,
    },
    /// Collects all garbage that there is, without any grace.
    Collect,
    /// Takes the job over and records its next step.
    JobStep,
    /// Reads the newest snapshot, every row.
    Read {
        /// The checkpoint.
        name: usize,
    },
}

/// Steps, and what must be there before and after each of them.
#[derive(Clone, Debug)]
pub struct Script {
    steps: Vec<Step>,
    states: Vec<Expected>,
}

/// How far a process came.
#[derive(Debug)]
pub struct Progress {
    /// So many steps were reported as done.
    pub done: usize,
    /// Why it did not go on; `None` at the end.
    pub failure: Option<Failure>,
}

impl Script {
    /// A script of these steps.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        let mut states = vec![Expected::default()];
        for step in &steps {
            let last = states.last().cloned().unwrap_or_default();
            states.push(last.after(step));
        }
        Self { steps, states }
    }

    /// Everything once: two commits of one name, an abandoned attempt, drops, commits of what was dropped, a commit of
    /// what is fresh, adopted units, steps of a job, garbage, reads.
    #[must_use]
    pub fn everything_once() -> Self {
        Self::new(vec![
            Step::Commit { name: 0, content: 2 },
            Step::Commit { name: 0, content: 1 },
            Step::Abandon { name: 0, content: 3 },
            Step::DropVersion { name: 0, version: 1 },
            Step::Commit { name: 1, content: 0 },
            Step::Read { name: 0 },
            Step::Commit { name: 0, content: 2 },
            Step::DropAll { name: 1 },
            Step::Commit { name: 1, content: 0 },
            Step::Commit { name: 0, content: 2 },
            Step::JobStep,
            Step::Resume { name: 1, content: 3 },
            Step::Collect,
            Step::JobStep,
            Step::Resume { name: 0, content: 3 },
            Step::Read { name: 1 },
        ])
    }

    /// `length` steps, the same for the same seed.
    #[must_use]
    pub fn random(seed: u64, length: usize) -> Self {
        let mut numbers = StdRng::seed_from_u64(seed);
        let (mut steps, mut state) = (vec![], Expected::default());
        for _ in 0..length {
            let (name, content) = (numbers.random_range(0..NAMES.len()), numbers.random_range(0..CONTENTS));
            let step = match numbers.random_range(0..14) {
                0..=4 => Step::Commit { name, content },
                5 | 6 => Step::Resume { name, content },
                7 => Step::Abandon { name, content },
                8 | 9 => Step::DropVersion { name, version: numbers.random_range(1..=state.last(name) + 1) },
                10 => Step::DropAll { name },
                11 => Step::Collect,
                12 => Step::JobStep,
                _ => Step::Read { name },
            };
            state = state.after(&step);
            steps.push(step);
        }
        Self::new(steps)
    }

    /// How many steps it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether it has no steps.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What may be there while step `done` is under way: what was there before, or what is there after it.
    #[must_use]
    pub fn between(&self, done: usize) -> &[Expected] {
        &self.states[done..(done + 2).min(self.states.len())]
    }

    /// What must be there at the end.
    #[must_use]
    pub fn end(&self) -> &[Expected] {
        &self.states[self.steps.len()..]
    }

    /// Runs from step `from` until the first failure, and calls `told` with the count after each step.
    pub async fn run(&self, store: &Store, from: usize, told: impl Fn(usize)) -> Progress {
        for (at, step) in self.steps.iter().enumerate().skip(from) {
            if let Err(failure) = self.run_step(store, at, step).await {
                return Progress { done: at, failure: Some(failure) };
            }
            told(at + 1);
        }
        Progress { done: self.steps.len(), failure: None }
    }

    async fn run_step(&self, store: &Store, at: usize, step: &Step) -> Result<(), Failure> {
        match *step {
            Step::Commit { name, content } => commit(store, name, content, at).await.map(|_| ()),
            Step::Resume { name, content } => resume(store, name, content, at).await,
            Step::Collect => collect(store).await,
            Step::JobStep => job_step(store, self.states[at].job_steps()).await,
            Step::Abandon { name, content } => {
                let (attempt, _) = stage(store, name, content, at, Adopts::Nothing).await?;
                Ok(attempt.abandon().await?)
            }
            Step::DropVersion { name, version } => {
                let _there = store.drop_version(&checkpoint(name)?, Version(version)).await?;
                Ok(())
            }
            Step::DropAll { name } => {
                let _there = store.drop_checkpoint(&checkpoint(name)?).await?;
                Ok(())
            }
            Step::Read { name } => read(store, name, &self.states[at]).await,
        }
    }
}

/// A whole commit; gives the snapshot that is the result, whoever wrote it.
pub(crate) async fn commit(
    store: &Store,
    name: usize,
    content: usize,
    step: usize,
) -> Result<Snapshot, Failure> {
    let (attempt, manifest) = stage(store, name, content, step, Adopts::Nothing).await?;
    publish(&attempt, manifest, content).await
}

/// The same with the units of dead attempts as far as they go, one of which begins and dies first.
async fn resume(store: &Store, name: usize, content: usize, step: usize) -> Result<(), Failure> {
    leave_units(store, name, content).await?;
    let (attempt, manifest) = stage(store, name, content, step, Adopts::WhatTheDeadLeft).await?;
    match publish(&attempt, manifest, content).await {
        // What arrived late has ended an attempt whose units were adopted.
        Err(Failure::Store(Error::UnitsClosed { .. })) => {
            commit(store, name, content, step).await.map(|_| ())
        }
        done => done.map(|_| ()),
    }
}

async fn publish(attempt: &Attempt, manifest: Manifest, content: usize) -> Result<Snapshot, Failure> {
    match attempt.commit(CommitDraft { manifest, replaces: None }, &Unchanged).await? {
        CommitOutcome::Committed(snapshot)
        | CommitOutcome::Adopted(snapshot)
        | CommitOutcome::AlreadyCommitted(snapshot) => {
            let rows: u64 = content_rows(content).iter().map(|unit| unit.len() as u64).sum();
            if snapshot.manifest.rows == rows {
                return Ok(snapshot);
            }
            Failure::broken(format!("{} rows were reported for {rows}", snapshot.manifest.rows))
        }
        other => Failure::broken(format!("nothing stands in the way, and yet: {other:?}")),
    }
}

/// Nobody reads meanwhile, and whoever has begun is dead.
async fn collect(store: &Store) -> Result<(), Failure> {
    let options = GcOptions {
        grace: Duration::ZERO,
        death: Duration::ZERO,
        keep_versions: None,
        ..GcOptions::default()
    };
    store.collect_garbage(options).await?;
    Ok(())
}

async fn read(store: &Store, name: usize, expected: &Expected) -> Result<(), Failure> {
    let found = match newest_snapshot(store, name).await? {
        Some(snapshot) => Some((snapshot.version.0, read_rows(store, &snapshot).await?)),
        None => None,
    };
    let expected =
        expected.live(name).last().map(|(version, content)| (*version, content_rows(*content).concat()));
    if found == expected {
        return Ok(());
    }
    Failure::broken(format!("{} has {found:?}, and not {expected:?}", NAMES[name]))
}
