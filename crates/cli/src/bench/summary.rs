//! From measurements to figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::outcome;
use super::line::LEFT_OUT;
use super::mode::Mode;
use super::rounds::{Measured, Run};
use super::spread::Spread;
use super::statements::StatementInfo;
use super::worth::{CheckpointFigures, Worth, checkpoints, steps};

/// The figures of a benchmark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    /// The modes that were measured.
    pub(super) modes: Vec<ModeFigures>,
    pub(super) statements: Vec<StatementFigures>,
    pub(super) checkpoints: Vec<CheckpointFigures>,
    /// The script as a whole: a cold run against one without checkpoints, and what a warm one saves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) script: Option<Worth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kill: Option<KillFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<LeftOut>,
}

/// Statements that have nothing to say without checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct LeftOut {
    pub(super) statements: u64,
    /// What they take in a warm run, in milliseconds: the sum of their medians.
    pub(super) warm_ms: f64,
}

/// A mode's runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ModeFigures {
    pub(super) mode: Mode,
    pub(super) runs: usize,
    /// Milliseconds from the start of the process to its end, without the statements that are left out without checkpoints.
    pub(super) time_ms: Spread,
    /// The median against that without checkpoints.
    pub(super) ratio: f64,
    /// The median of what was written to the store.
    pub(super) store_bytes: u64,
    /// The most memory that any run had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peak_memory_bytes: Option<u64>,
}

/// A statement's median times and outcomes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct StatementFigures {
    pub(super) number: u64,
    pub(super) times_ms: BTreeMap<Mode, f64>,
    pub(super) outcomes: BTreeMap<Mode, String>,
}

/// Where runs were killed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct KillFigures {
    /// The part of a cold run's time after which the run was to be killed, as it went in the last round.
    pub(super) part: f64,
    /// The statement that ran then, in the last round.
    pub(super) statement: u64,
    /// The median time of a killed run, in milliseconds.
    pub(super) killed_ms: f64,
    /// Units of that statement's checkpoint, and how many of them were there when it was started again.
    pub(super) units: u64,
    pub(super) units_kept: u64,
    /// Finished statements that were not run again.
    pub(super) skipped: usize,
    /// Rounds in which the script was through before it could be killed.
    pub(super) missed: usize,
}

impl Summary {
    /// Of these measurements.
    pub(super) fn of(statements: &[StatementInfo], measured: &Measured) -> Self {
        let off = Spread::of(measured.of(Mode::Off).map(|run| run.time_ms));
        let off = off.map_or(f64::NAN, |spread| spread.median);
        let modes: Vec<ModeFigures> =
            Mode::ALL.into_iter().filter_map(|mode| ModeFigures::of(mode, measured, off)).collect();
        let checkpoints = checkpoints(statements, measured);
        let median = |mode| modes.iter().find(|of| of.mode == mode).map(|of| of.time_ms.median);
        let script = match (median(Mode::Cold), median(Mode::Warm)) {
            (Some(cold), Some(warm)) => Some(Worth::of(cold - off, off - warm)),
            _ => None,
        };
        let statements: Vec<StatementFigures> =
            statements.iter().map(|info| StatementFigures::of(info.number, measured)).collect();
        let left_out = LeftOut::of(&statements, measured);
        Self { modes, statements, checkpoints, script, kill: KillFigures::of(measured), left_out }
    }

    /// A mode's figures, if it was measured.
    pub(super) fn mode(&self, mode: Mode) -> Option<&ModeFigures> {
        self.modes.iter().find(|of| of.mode == mode)
    }
}

impl ModeFigures {
    fn of(mode: Mode, measured: &Measured, off: f64) -> Option<Self> {
        let runs: Vec<&Run> = measured.of(mode).collect();
        let time_ms = Spread::of(runs.iter().map(|run| run.time_ms))?;
        let store = Spread::of(runs.iter().map(|run| run.store_bytes as f64))?;
        Some(Self {
            mode,
            runs: runs.len(),
            time_ms,
            ratio: time_ms.median / off,
            store_bytes: store.median as u64,
            peak_memory_bytes: runs.iter().filter_map(|run| run.ran.peak_memory_bytes).max(),
        })
    }
}

impl StatementFigures {
    fn of(number: u64, measured: &Measured) -> Self {
        let mut of = Self { number, times_ms: BTreeMap::new(), outcomes: BTreeMap::new() };
        for mode in Mode::ALL {
            let outcome = outcome(measured, mode, number);
            let ran = steps(measured, mode, number).filter(|step| step.outcome != LEFT_OUT);
            if let Some(time) = Spread::of(ran.map(|step| step.ms)) {
                of.times_ms.insert(mode, time.median);
            }
            if !outcome.is_empty() {
                of.outcomes.insert(mode, outcome);
            }
        }
        of
    }
}

impl LeftOut {
    fn of(statements: &[StatementFigures], measured: &Measured) -> Option<Self> {
        let numbers: Vec<u64> = measured.left_out().collect();
        let left_out = statements.iter().filter(|of| numbers.contains(&of.number));
        let warm_ms = left_out.filter_map(|of| of.times_ms.get(&Mode::Warm)).sum();
        (!numbers.is_empty()).then_some(Self { statements: numbers.len() as u64, warm_ms })
    }
}

impl KillFigures {
    fn of(measured: &Measured) -> Option<Self> {
        let runs: Vec<&Run> = measured.of(Mode::Resumed).collect();
        let last = *runs.last()?;
        let victim = last.killed.as_ref()?;
        let killed = runs.iter().filter_map(|run| run.killed.as_ref()).map(|victim| victim.ran.wall_ms);
        let statement = victim.point.statement;
        let step = last.ran.statements.iter().find(|step| step.number == statement);
        Some(Self {
            part: victim.part,
            statement,
            killed_ms: Spread::of(killed)?.median,
            units: step.map_or(0, |step| step.units),
            units_kept: step.map_or(0, |step| step.units_reused),
            skipped: last.ran.skipped.len(),
            missed: measured.rounds.len() - runs.len(),
        })
    }
}
