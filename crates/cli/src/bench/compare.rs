//! Whether all runs gave the same rows.
//!
//! Each statement is held against one run: a query and a COPY or INSERT against the first one, without checkpoints; a
//! checkpoint, which stores nothing then, against the first run that stored it.

use serde::Serialize;

use super::line::{Content, Floats, LEFT_OUT, MayDiffer, StepRan};
use super::mode::Mode;
use super::rounds::{Measured, Run};
use super::statements::{Compared, StatementInfo};
use crate::units::counted;

/// What the comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Comparison {
    /// How many statements were compared and gave the same in every run.
    pub(super) equal: u64,
    /// Statements that ought to have given the same and did not.
    pub(super) different: Vec<Difference>,
    /// Statements whose rows differ, as SQL allows.
    pub(super) open: Vec<Difference>,
    /// Statements whose rows were not compared, and why.
    pub(super) exempt: Vec<Exempt>,
}

/// A statement whose rows differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) statement: u64,
    /// What differs, and in which run.
    pub(super) what: String,
}

/// A statement that is not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Exempt {
    pub(super) statement: u64,
    pub(super) why: String,
}

/// What one run gave for a statement, and which run that was.
type Given<'a> = (String, &'a StepRan);

/// Compares all runs, statement by statement.
pub(super) fn compare(statements: &[StatementInfo], measured: &Measured) -> Comparison {
    let mut found = Comparison::default();
    for statement in statements.iter().filter(|statement| statement.compared != Compared::Nothing) {
        let given = given(statement, measured);
        let looked = step(&measured.first.statements, statement.number).and_then(|step| step.differs.clone());
        let differs = statement.differs.clone().or(looked);
        if let Some(MayDiffer::Always(why)) = differs {
            found.exempt.push(Exempt { statement: statement.number, why });
            continue;
        }
        match (first_difference(statement.compared, &given), differs) {
            // One run alone says nothing.
            (None, _) if given.len() < 2 => {}
            (None, _) => found.equal += 1,
            (Some(what), Some(MayDiffer::Open(why))) => {
                found.open.push(Difference { statement: statement.number, what: format!("{what}: {why}") });
            }
            (Some(what), _) => found.different.push(Difference { statement: statement.number, what }),
        }
    }
    found
}

/// What all runs gave for a statement, where it ran.
fn given<'a>(statement: &StatementInfo, measured: &'a Measured) -> Vec<Given<'a>> {
    let mut given: Vec<Given<'_>> = Vec::new();
    given.extend(
        step(&measured.first.statements, statement.number).map(|ran| ("the first run".to_string(), ran)),
    );
    for round in &measured.rounds {
        for run in &round.runs {
            let name = format!("the {} run of round {}", run.mode.word(), round.number);
            given.extend(given_by(run, statement.number).map(|ran| (name, ran)));
        }
    }
    let counts = |(_, ran): &Given<'_>| match statement.compared {
        Compared::Stored => ran.outcome != "view" && ran.outcome != LEFT_OUT,
        _ => ran.outcome != LEFT_OUT,
    };
    given.retain(counts);
    given
}

/// What a run gave. What a resumed one skipped, the killed one before it gave.
fn given_by(run: &Run, number: u64) -> Option<&StepRan> {
    step(&run.ran.statements, number)
        .or_else(|| run.killed.as_ref().and_then(|victim| step(&victim.ran.statements, number)))
}

fn step(steps: &[StepRan], number: u64) -> Option<&StepRan> {
    steps.iter().find(|step| step.number == number)
}

fn first_difference(compared: Compared, given: &[Given<'_>]) -> Option<String> {
    let ((reference, expected), others) = given.split_first()?;
    others.iter().find_map(|(name, found)| {
        if found.rows != expected.rows {
            return Some(format!("{} in {reference}, {} in {name}", rows(expected), rows(found)));
        }
        let close = match (&expected.content, &found.content) {
            (Some(expected), Some(found)) if compared == Compared::Rows => expected.is_close(found),
            _ => true,
        };
        (!close).then(|| format!("{} in {reference}, as many but others in {name}", rows(expected)))
    })
}

fn rows(ran: &StepRan) -> String {
    counted(ran.rows, "row")
}

impl Content {
    /// Whether these are the same rows, but for the last digits of floating-point numbers.
    pub(super) fn is_close(&self, other: &Self) -> bool {
        self.exact == other.exact
            && self.floats.len() == other.floats.len()
            && self.floats.iter().zip(&other.floats).all(|(one, other)| one.is_close(other))
    }
}

impl Floats {
    fn is_close(&self, other: &Self) -> bool {
        let [_, _, magnitude] = self.sums;
        // Adding up numbers of different signs loses digits of the largest, not of the sum.
        let apart = self.tolerance * magnitude.max(f64::MIN_POSITIVE);
        self.odd == other.odd
            && self
                .sums
                .iter()
                .zip(&other.sums)
                .all(|(one, other)| (one - other).abs() <= apart || one == other)
    }
}

/// What the runs of a mode say a statement did, in one word; several, if they do not agree.
pub(super) fn outcome(measured: &Measured, mode: Mode, number: u64) -> String {
    let mut words: Vec<&str> = Vec::new();
    for run in measured.of(mode) {
        let word = if run.ran.skipped.contains(&number) {
            "skipped"
        } else {
            step(&run.ran.statements, number).map_or("", |step| step.outcome.as_str())
        };
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::process::Ran;
    use crate::bench::rounds::Round;

    fn statement(compared: Compared) -> StatementInfo {
        let text = "SELECT 1".to_string();
        StatementInfo { number: 1, line: 1, kind: "query", text, checkpoint: None, compared, differs: None }
    }

    fn ran(rows: u64, exact: &str) -> Ran {
        let content = Some(Content { exact: exact.to_string(), floats: Vec::new() });
        let outcome = "done".to_string();
        Ran {
            statements: vec![StepRan { number: 1, rows, content, outcome, ..StepRan::default() }],
            ..Ran::default()
        }
    }

    fn measured(first: Ran, warm: Ran) -> Measured {
        let run = Run { mode: Mode::Warm, time_ms: 1.0, ran: warm, store_bytes: 0, killed: None };
        Measured { first, rounds: vec![Round { number: 1, runs: vec![run], probe: None }] }
    }

    #[test]
    fn other_rows_are_found() {
        let found = |first, warm| compare(&[statement(Compared::Rows)], &measured(first, warm));
        assert_eq!(found(ran(2, "a"), ran(2, "a")).equal, 1);
        let fewer = found(ran(2, "a"), ran(1, "b"));
        assert_eq!(fewer.different[0].what, "2 rows in the first run, 1 row in the warm run of round 1");
        let others = found(ran(2, "a"), ran(2, "b"));
        assert_eq!(
            others.different[0].what,
            "2 rows in the first run, as many but others in the warm run of round 1"
        );
    }

    #[test]
    fn what_may_differ_is_no_difference() {
        let mut first = ran(2, "a");
        first.statements[0].differs = Some(MayDiffer::Open("LIMIT".to_string()));
        let open = compare(&[statement(Compared::Rows)], &measured(first.clone(), ran(2, "b")));
        assert_eq!((open.different.len(), open.open.len()), (0, 1));
        first.statements[0].differs = Some(MayDiffer::Always("random()".to_string()));
        let exempt = compare(&[statement(Compared::Rows)], &measured(first, ran(2, "b")));
        assert_eq!((exempt.equal, exempt.exempt[0].why.as_str()), (0, "random()"));
    }

    #[test]
    fn a_view_is_not_held_against_what_was_stored() {
        let (mut first, mut warm) = (ran(0, "a"), ran(7, "a"));
        first.statements[0].outcome = "view".to_string();
        warm.statements[0].outcome = "reused".to_string();
        let found = compare(&[statement(Compared::Stored)], &measured(first, warm));
        assert_eq!(found, Comparison::default());
    }
}
