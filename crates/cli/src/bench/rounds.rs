//! Runs the script in all its modes, round after round.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::arguments::{BenchArgs, Way};
use super::kill::KillPoint;
use super::line::LEFT_OUT;
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
    /// The time of the process without the statements that are left out without checkpoints, in milliseconds.
    pub(super) time_ms: f64,
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
    /// The statements that the first run left out.
    pub(super) fn left_out(&self) -> impl Iterator<Item = u64> {
        let left_out = self.first.statements.iter().filter(|step| step.outcome == LEFT_OUT);
        left_out.map(|step| step.number)
    }

    /// What of a run can be held against one without checkpoints, in milliseconds.
    fn comparable_ms(&self, ran: &Ran) -> f64 {
        let left_out: Vec<u64> = self.left_out().collect();
        let steps = ran.statements.iter().filter(|step| left_out.contains(&step.number));
        ran.wall_ms - steps.map(|step| step.ms).sum::<f64>()
    }

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
        self.tell("first run, not counted", first.wall_ms);
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
                Mode::Off => Some(self.plain(mode, Way::Off, &self.workshop.store("off")?, before).await?),
                Mode::Cold | Mode::Warm => Some(self.plain(mode, Way::On, &with_checkpoints, before).await?),
                Mode::Resumed => {
                    let cold = round.runs.iter().find(|run| run.mode == Mode::Cold);
                    match cold.or_else(|| before.of(Mode::Cold).last()) {
                        Some(cold) => self.resumed(cold, before).await?,
                        None => None,
                    }
                }
            };
            let of = self.bench.rounds;
            match &run {
                Some(run) => self.tell(&format!("round {number}/{of}: {}", mode.word()), run.time_ms),
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

    async fn plain(&self, mode: Mode, way: Way, store: &Path, before: &Measured) -> Result<Run, Failure> {
        let there = size(store);
        let ran = self.run(way, store).await?;
        let time_ms = before.comparable_ms(&ran);
        Ok(Run { mode, time_ms, ran, store_bytes: size(store).saturating_sub(there), killed: None })
    }

    /// Kills a run in the middle and starts it again. `cold` is one that nobody disturbed.
    async fn resumed(&self, cold: &Run, before: &Measured) -> Result<Option<Run>, Failure> {
        for tried in 0..TRIES {
            let part = 0.5_f64.powi(tried + 1);
            let Some(point) = KillPoint::at(part, &cold.ran.statements) else { return Ok(None) };
            let store = self.workshop.store("resumed")?;
            let ran = self.runs.run(Way::Job, &store, Some(point)).await?;
            if ran.killed {
                let victim = Victim { part, point, ran, store_bytes: size(&store) };
                let mut run = self.plain(Mode::Resumed, Way::Job, &store, before).await?;
                run.killed = Some(victim);
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    async fn run(&self, way: Way, store: &Path) -> Result<Ran, Failure> {
        self.runs.run(way, store, None).await
    }

    fn tell(&self, what: &str, ms: f64) {
        self.say(&format!("{what}: {}", seconds(Duration::from_secs_f64((ms / 1e3).max(0.0)))));
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            // A closed stderr leaves nobody to tell that it is closed.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}
