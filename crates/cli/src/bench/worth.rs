//! What checkpoints cost and save, and after how many reuses they have paid.

use serde::Serialize;

use super::compare::outcome;
use super::line::StepRan;
use super::mode::Mode;
use super::rounds::Measured;
use super::spread::Spread;
use super::statements::StatementInfo;
use crate::units::counted;

/// A cost that is paid once, and what it saves each time after that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Worth {
    /// Milliseconds paid once. Below zero if nothing had to be paid.
    pub(super) cost_ms: f64,
    /// Milliseconds saved by each reuse. Below zero if it is slower.
    pub(super) saved_ms: f64,
    /// Reuses after which it has paid; none if it never does.
    pub(super) break_even: Option<u64>,
}

/// More reuses than this are never.
const NEVER: f64 = 1e6;

impl Worth {
    /// Of a cost and a saving.
    pub(super) fn of(cost_ms: f64, saved_ms: f64) -> Self {
        let reuses = if cost_ms <= 0.0 { 0.0 } else { (cost_ms / saved_ms).ceil() };
        let pays = (saved_ms > 0.0 || cost_ms <= 0.0) && reuses < NEVER;
        Self { cost_ms, saved_ms, break_even: pays.then_some(reuses as u64) }
    }

    /// The number of reuses in words.
    pub(super) fn break_even_words(&self) -> String {
        match self.break_even {
            None => "never".to_string(),
            Some(0) => "at once".to_string(),
            Some(reuses) => format!("after {}", counted(reuses, "reuse")),
        }
    }
}

/// A checkpoint that a cold run writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CheckpointFigures {
    pub(super) statement: u64,
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) units: u64,
    /// Medians, in milliseconds: its step in cold and warm runs, its query alone, and reading all of it.
    pub(super) cold_ms: f64,
    pub(super) warm_ms: f64,
    pub(super) compute_ms: f64,
    pub(super) read_ms: f64,
    /// What a warm run does with it: mostly `reused`.
    pub(super) warm_outcome: String,
    #[serde(flatten)]
    pub(super) worth: Worth,
}

/// The checkpoints that cold runs write, in the order of the script.
pub(super) fn checkpoints(statements: &[StatementInfo], measured: &Measured) -> Vec<CheckpointFigures> {
    let found = statements.iter().filter_map(|statement| {
        let (name, number) = (statement.checkpoint.clone()?, statement.number);
        let cold: Vec<&StepRan> = steps(measured, Mode::Cold, number).collect();
        let written = cold.iter().find(|step| step.outcome == "written")?;
        let probes = || {
            let probes = measured.rounds.iter().filter_map(|round| round.probe.as_ref());
            probes.flat_map(|ran| &ran.statements).filter(move |step| step.number == number)
        };
        let median = |values: Vec<f64>| Spread::of(values).map(|spread| spread.median);
        let cold_ms = median(cold.iter().map(|step| step.ms).collect())?;
        let warm_ms = median(steps(measured, Mode::Warm, number).map(|step| step.ms).collect())?;
        let compute_ms = median(probes().filter_map(|step| Some(step.parts?.compute)).collect())?;
        let read_ms = median(probes().filter_map(|step| Some(step.parts?.read)).collect())?;
        let warm_outcome = outcome(measured, Mode::Warm, number);
        // What is written again each time saves nothing.
        let saved_ms = if warm_outcome == "reused" { compute_ms - warm_ms - read_ms } else { 0.0 };
        Some(CheckpointFigures {
            statement: number,
            name,
            rows: written.rows,
            bytes: written.bytes,
            units: written.units,
            cold_ms,
            warm_ms,
            compute_ms,
            read_ms,
            warm_outcome,
            worth: Worth::of(cold_ms - compute_ms, saved_ms),
        })
    });
    found.collect()
}

/// What all runs of a mode say of a statement.
pub(super) fn steps(measured: &Measured, mode: Mode, number: u64) -> impl Iterator<Item = &StepRan> {
    measured.of(mode).flat_map(|run| &run.ran.statements).filter(move |step| step.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_break_even_is_the_first_reuse_that_has_paid() {
        for (cost, saved, reuses, words) in [
            (10.0, 4.0, Some(3), "after 3 reuses"),
            (10.0, 10.0, Some(1), "after 1 reuse"),
            (-5.0, 4.0, Some(0), "at once"),
            (-5.0, -4.0, Some(0), "at once"),
            (10.0, 0.0, None, "never"),
            (10.0, -1.0, None, "never"),
            (10.0, 1e-9, None, "never"),
        ] {
            let worth = Worth::of(cost, saved);
            assert_eq!(
                (worth.break_even, worth.break_even_words().as_str()),
                (reuses, words),
                "{cost} {saved}"
            );
        }
    }
}
