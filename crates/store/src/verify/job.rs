//! The logs of jobs: every entry, and whether they tell of whole runs.

use super::finding::Problem;
use super::log::Walk;
use super::report::Damage;
use super::run::Verifier;
use crate::error::Error;
use crate::ids::Slot;
use crate::job::JobName;
use crate::job::read::fold;

impl Verifier<'_> {
    /// Looks at the logs of all jobs; nothing else of a job outlasts its run.
    pub(super) async fn verify_jobs(&self) {
        let names = match self.store.listed_jobs().await {
            Ok(names) => names,
            Err(error) => {
                let jobs = self.store.inner.layout.jobs();
                let problem = self.problem_of(&jobs, error).await;
                return self.note(&jobs, problem, None, &[]);
            }
        };
        for name in names {
            self.verify_job(&name).await;
        }
    }

    async fn verify_job(&self, name: &JobName) {
        let log = self.store.inner.job_log(name);
        let mut entries = vec![];
        let walk = self.walk(&log, None, |entry| entries.push(entry)).await;
        let Some(walk) = walk.filter(Walk::is_started) else { return };
        self.count(|checked| checked.jobs += 1);
        // Of a log with holes the rest tells of no whole runs.
        if walk.problems.is_empty()
            && let Err(error) = fold(&log, &entries)
        {
            let slot = entries.first().map_or(Slot(0), |entry| entry.slot);
            let problem = match error {
                Error::Damaged { object, expected, found } => {
                    return self.note(object, Problem::new(Damage::Disagrees, expected, found), None, &[]);
                }
                other => Problem::new(Damage::Disagrees, "runs from their beginnings", other.to_string()),
            };
            return self.note(log.path(slot), problem, None, &[]);
        }
        for (slot, problem) in walk.problems {
            self.note(log.path(slot), problem, None, &[]);
        }
    }
}
