//! Runs the script in all its modes, round after round.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::arguments::{BenchArgs, Way};
use super::kill::KillPoint;
use super::mode::{Mode, order};
use super::process::{Ran, Runs};
use super::workshop::{Workshop, size};
use crate::failure::Failure;
use crate::units::seconds;

/// How often a run that was through before it could be killed is tried again, each time with an earlier kill.
const TRIES: i32 = 4;

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measured {
    /// The first run, without checkpoints. It warms the system's caches and is in no figure.
    pub(super) first: Ran,
    pub(super) rounds: Vec<Round>,
}

/// One round: each mode once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Round {
    /// Its number, from 1.
    pub(super) number: u32,
    /// In the order in which they were made.
    pub(super) runs: Vec<Run>,
    /// A run that takes each checkpoint's time apart. It is in no figure but those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) probe: Option<Ran>,
}

/// A measured run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) mode: Mode,
    #[serde(flatten)]
    pub(super) ran: Ran,
    /// By how much the store grew.
    pub(super) store_bytes: u64,
    /// The run before it, which was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) killed: Option<Victim>,
}

/// A run that was killed in the middle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Victim {
    /// The part of a cold run's time after which it was to die.
    pub(super) part: f64,
    /// Where it was meant to die.
    pub(super) point: KillPoint,
    #[serde(flatten)]
    pub(super) ran: Ran,
    /// What it left in the store.
    pub(super) store_bytes: u64,
}

impl Measured {
    /// All measured runs of a mode.
    pub(super) fn of(&self, mode: Mode) -> impl Iterator<Item = &Run> {
        self.rounds.iter().flat_map(|round| &round.runs).filter(move |run| run.mode == mode)
    }
}

/// The benchmark while it runs.
pub(super) struct Rounds<'a> {
    pub(super) runs: &'a Runs,
    pub(super) workshop: &'a Workshop,
    pub(super) bench: &'a BenchArgs,
    /// Whether the script makes checkpoints.
    pub(super) has_checkpoints: bool,
    pub(super) quiet: bool,
}

impl Rounds<'_> {
    /// Runs all of it.
    ///
    /// # Errors
    /// The first run that fails.
    pub(super) async fn measure(&self) -> Result<Measured, Failure> {
        let first = self.run(Way::Look, &self.workshop.store("first")?).await?;
        self.tell("first run, not counted", &first);
        let mut measured = Measured { first, rounds: Vec::new() };
        for number in 1..=self.bench.rounds {
            let round = self.round(number, &measured).await?;
            measured.rounds.push(round);
        }
        Ok(measured)
    }

    async fn round(&self, number: u32, before: &Measured) -> Result<Round, Failure> {
        let mut round = Round { number, runs: Vec::new(), probe: None };
        let with_checkpoints = self.workshop.store("checkpoints")?;
        for mode in order(number, !self.bench.no_resume) {
            let run = match mode {
                Mode::Off => Some(self.plain(mode, Way::Off, &self.workshop.store("off")?).await?),
                Mode::Cold | Mode::Warm => Some(self.plain(mode, Way::On, &with_checkpoints).await?),
                Mode::Resumed => {
                    let cold = round.runs.iter().find(|run| run.mode == Mode::Cold);
                    match cold.or_else(|| before.of(Mode::Cold).last()) {
                        Some(cold) => self.resumed(cold).await?,
                        None => None,
                    }
                }
            };
            let of = self.bench.rounds;
            match &run {
                Some(run) => self.tell(&format!("round {number}/{of}: {}", mode.word()), &run.ran),
                None => self
                    .say(&format!("round {number}/{of}: the script was through before it could be killed")),
            }
            round.runs.extend(run);
            if mode == Mode::Warm && self.has_checkpoints {
                round.probe = Some(self.run(Way::Probe, &with_checkpoints).await?);
            }
        }
        Ok(round)
    }

    async fn plain(&self, mode: Mode, way: Way, store: &Path) -> Result<Run, Failure> {
        let before = size(store);
        let ran = self.run(way, store).await?;
        Ok(Run { mode, ran, store_bytes: size(store).saturating_sub(before), killed: None })
    }

    /// Kills a run in the middle and starts it again. `cold` is one that nobody disturbed.
    async fn resumed(&self, cold: &Run) -> Result<Option<Run>, Failure> {
        for tried in 0..TRIES {
            let part = 0.5_f64.powi(tried + 1);
            let Some(point) = KillPoint::at(part, &cold.ran.statements) else { return Ok(None) };
            let store = self.workshop.store("resumed")?;
            let ran = self.runs.run(Way::Job, &store, Some(point)).await?;
            if ran.killed {
                let victim = Victim { part, point, ran, store_bytes: size(&store) };
                let mut run = self.plain(Mode::Resumed, Way::Job, &store).await?;
                run.killed = Some(victim);
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    async fn run(&self, way: Way, store: &Path) -> Result<Ran, Failure> {
        self.runs.run(way, store, None).await
    }

    fn tell(&self, what: &str, ran: &Ran) {
        self.say(&format!("{what}: {}", seconds(Duration::from_secs_f64(ran.wall_ms / 1e3))));
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            // A closed stderr leaves nobody to tell that it is closed.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}
