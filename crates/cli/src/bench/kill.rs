//! Where a run is killed: in the middle of the work, as a run that nobody disturbed spent its time.

use std::time::Duration;

use serde::Serialize;

use super::line::StepRan;

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct KillPoint {
    /// The statement that runs then.
    pub(super) statement: u64,
    /// How long it has run.
    pub(super) ms: f64,
}

impl KillPoint {
    /// The moment at which `part` of the time of these steps is over; none if there are none.
    pub(super) fn at(part: f64, steps: &[StepRan]) -> Option<Self> {
        let mut left = part * steps.iter().map(|step| step.ms).sum::<f64>();
        for step in steps {
            if left <= step.ms {
                return Some(Self { statement: step.number, ms: left });
            }
            left -= step.ms;
        }
        steps.last().map(|last| Self { statement: last.number, ms: last.ms })
    }

    /// How long its statement is let run.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs_f64((self.ms / 1e3).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_time_is_in_the_step_that_runs_then() {
        let step = |number, ms| StepRan { number, ms, ..StepRan::default() };
        let steps = [step(1, 10.0), step(2, 50.0), step(3, 20.0)];
        assert_eq!(KillPoint::at(0.5, &steps), Some(KillPoint { statement: 2, ms: 30.0 }));
        assert_eq!(KillPoint::at(0.125, &steps), Some(KillPoint { statement: 1, ms: 10.0 }));
        assert_eq!(KillPoint::at(0.5, &[]), None);
    }
}
