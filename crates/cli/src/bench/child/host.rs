//! How a job's statements are measured.

use datafusion::error::{DataFusionError, Result};
use milepost::Session;
use milepost::job::{JobStep, StepHost, StepPassed, StepReport};

use super::execute;
use crate::bench::line::{Line, tell};

/// Runs each statement as a script's, and tells of it before it counts as finished: a process that is killed in between
/// has told all that the next one will skip.
pub(super) struct Host;

impl StepHost for Host {
    async fn run(&mut self, session: &Session, step: &JobStep) -> Result<Option<u64>> {
        let done = execute::run(session, step, &step.statement).await?;
        let rows = done.ran.rows;
        tell(&Line::Step(done.ran)).map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(Some(rows))
    }

    fn passed(&mut self, report: &StepReport) {
        if report.passed == StepPassed::Skipped {
            // If nobody listens any more, the next statement fails for it.
            let _ = tell(&Line::Skipped(report.number));
        }
    }
}
