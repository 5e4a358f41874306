//! How the program runs a job's statements, and what it says about them.

use std::io::{self, Write};
use std::time::Duration;

use datafusion::error::Result as DataFusionResult;
use milepost::Session;
use milepost::job::{JobReport, JobStep, StepHost, StepKind, StepOutcome, StepPassed, StepReport};

use crate::failure::Failure;
use crate::notices;
use crate::run::Runner;
use crate::units::{counted, seconds};

/// Runs statements as `-f` does, and reports on stderr.
pub(super) struct Host {
    pub(super) runner: Runner,
    /// What went wrong with the output rather than with a statement.
    pub(super) failure: Option<Failure>,
}

impl StepHost for Host {
    async fn run(&mut self, _session: &Session, step: &JobStep) -> DataFusionResult<Option<u64>> {
        let shown = self.runner.execute_and_print(&step.statement).await;
        self.runner.tell_notices();
        match shown {
            // A COPY or INSERT gives one row, which says how many it wrote.
            Ok(shown) if step.kind() == StepKind::Sink => Ok(shown.counts.or(Some(shown.rows))),
            Ok(shown) => Ok(Some(shown.rows)),
            Err(error) => {
                self.failure = self.runner.printer.output.take_failure();
                Err(error)
            }
        }
    }

    fn passed(&mut self, report: &StepReport) {
        self.say(&line(report));
    }

    fn notice(&mut self, notice: &str) {
        if !self.runner.printer.quiet {
            notices::tell(&[notice.to_string()]);
        }
    }
}

impl Host {
    /// Prints a line for people on stderr, unless they asked for quiet.
    pub(super) fn say(&self, text: &str) {
        if !self.runner.printer.quiet {
            // A closed stderr leaves nobody to tell that it is closed.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// The line of one step.
fn line(report: &StepReport) -> String {
    let StepReport { number, of, what, .. } = report;
    let version = report.checkpoint.as_ref().map(|made| format!(" version {}", made.version.0));
    let what = format!("{what}{}", version.unwrap_or_default());
    let how = match report.passed {
        StepPassed::Skipped => "skipped, done before".to_string(),
        StepPassed::Replayed => "done again for this session".to_string(),
        StepPassed::Ran => {
            let rows = report.rows.map(|rows| format!(", {}", counted(rows, "row"))).unwrap_or_default();
            let time = seconds(Duration::from_millis(report.elapsed_ms));
            format!("{} in {time}{rows}", report.outcome.as_str())
        }
    };
    format!("step {number}/{of}: {how} ({what})")
}

/// The last line of a job.
pub(super) fn summary(job: &str, report: &JobReport) -> String {
    let steps = counted(report.steps.len() as u64, "step");
    let time = seconds(Duration::from_millis(report.elapsed_ms()));
    let mut text = format!("job {job}: {steps} in {time}");
    for (passed, word) in [(StepPassed::Skipped, "skipped"), (StepPassed::Replayed, "done again")] {
        let count = report.count(passed);
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    let reused = report.steps.iter().filter(|step| {
        step.passed == StepPassed::Ran && matches!(step.outcome, StepOutcome::Reused | StepOutcome::Resumed)
    });
    match reused.count() {
        0 => {}
        count => text.push_str(&format!(", {} reused", counted(count as u64, "checkpoint"))),
    }
    match report.saved_ms() {
        0 => text,
        saved => format!("{text}; saved {}", seconds(Duration::from_millis(saved))),
    }
}
