//! A job that the demo kills in the middle of a step and starts again, beside one that nobody disturbs.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::run::Interrupts;

/// The script that is killed. Its big step is `fingerprints`.
const JOB: &str = include_str!("../../../../sql/jobs/demo.sql");

/// How many units are complete before the kill.
const UNITS: usize = 5;

/// How often their receipts are counted.
const LOOK: Duration = Duration::from_millis(5);

/// What a row of the last query proves: every row of both checkpoints goes into it.
const PROOF: &str = "SELECT year, lines, revenue, encode(last, 'hex') AS last, \
                     (SELECT count(DISTINCT fingerprint) FROM fingerprints) AS fingerprints \
                     FROM revenue_by_year ORDER BY year";

/// What was done and seen.
pub(super) struct Killed {
    /// Units that were complete when the process was killed; none if it was through before.
    complete: Option<usize>,
    /// Outcome, units, and units that were kept, as the second start reported them.
    resumed: (String, u64, u64),
    /// Rows of the proof.
    rows: usize,
    same: bool,
}

/// Runs the job undisturbed in one store, and killed and started again in another, both new and below `folder`.
///
/// # Errors
/// A job that does not run to its end, or Ctrl-C, which also ends the job.
pub(super) async fn run(folder: &Path, interrupts: &mut Interrupts) -> Result<Killed, Failure> {
    let scene = Scene::new(folder)?;
    interrupts.guard(scene.play()).await?
}

struct Scene {
    program: PathBuf,
    script: PathBuf,
    data: String,
    undisturbed: PathBuf,
    killed: PathBuf,
}

impl Scene {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|source| Failure::System { operation: "find this program to start it again", source })?;
        let scene = Self {
            program,
            script: folder.join("job.sql"),
            data: format!("data={}", folder.join("tpch").display()),
            undisturbed: folder.join(".milepost-undisturbed"),
            killed: folder.join(".milepost-killed"),
        };
        std::fs::write(&scene.script, JOB).map_err(|source| file_failed("write", &scene.script, source))?;
        for store in [&scene.undisturbed, &scene.killed] {
            match std::fs::remove_dir_all(store) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(file_failed("remove", store, source));
                }
                _ => {}
            }
        }
        Ok(scene)
    }

    async fn play(&self) -> Result<Killed, Failure> {
        self.finish(self.start(&self.undisturbed)?).await?;
        let mut victim = self.start(&self.killed)?;
        let complete = self.complete_units_at_kill(&mut victim).await?;
        let again = self.finish(self.start(&self.killed)?).await?;
        let (expected, found) = (self.prove(&self.undisturbed).await?, self.prove(&self.killed).await?);
        let rows = expected.lines().count().saturating_sub(1);
        Ok(Killed { complete, resumed: reported(&again), rows, same: expected == found && rows > 0 })
    }

    fn start(&self, store: &Path) -> Result<Child, Failure> {
        let mut command = self.command(store);
        command.arg("run").arg(&self.script).args(["--var", &self.data]);
        command.spawn().map_err(|source| Failure::System { operation: "start the job", source })
    }

    fn command(&self, store: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--store").arg(store).args(["--quiet", "--format", "csv"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Kills the job as soon as some units are complete. `None` if it was faster.
    async fn complete_units_at_kill(&self, victim: &mut Child) -> Result<Option<usize>, Failure> {
        let killing = |source| Failure::System { operation: "kill the job", source };
        loop {
            if victim.try_wait().map_err(killing)?.is_some() {
                return Ok(None);
            }
            let complete = receipts(&self.killed.join("checkpoints/fingerprints/attempts"));
            if complete >= UNITS {
                victim.kill().await.map_err(killing)?;
                return Ok(Some(complete));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn prove(&self, store: &Path) -> Result<String, Failure> {
        let mut command = self.command(store);
        let child = command.args(["-c", PROOF]).spawn();
        self.finish(child.map_err(|source| Failure::System { operation: "start the program", source })?).await
    }

    /// What a process printed; it must end well.
    async fn finish(&self, child: Child) -> Result<String, Failure> {
        let ended: Output = child
            .wait_with_output()
            .await
            .map_err(|source| Failure::System { operation: "wait for the job", source })?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let what =
            format!("the job ended with {}: {}", ended.status, String::from_utf8_lossy(&ended.stderr).trim());
        Err(Failure::Unexpected { path: self.script.clone(), what })
    }
}

/// How many receipts of units lie below a checkpoint's attempts.
fn receipts(attempts: &Path) -> usize {
    let names = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let files = names(attempts).into_iter().flat_map(|attempt| names(&attempt));
    let is_receipt = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("unit-") && name.ends_with(".json")
    };
    files.filter(is_receipt).count()
}

/// The row of the big step, among what the job printed.
fn reported(printed: &str) -> (String, u64, u64) {
    let row = printed.lines().find(|line| line.starts_with("fingerprints,")).unwrap_or_default();
    let cells: Vec<&str> = row.split(',').collect();
    let number = |cell: usize| cells.get(cell).and_then(|text| text.parse().ok()).unwrap_or_default();
    (cells.get(2).unwrap_or(&"reused").to_string(), number(6), number(7))
}

fn file_failed(operation: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::File { operation, path: path.to_path_buf(), source, next: "choose another folder with --dir" }
}

impl Killed {
    /// Whether the rows are those of the undisturbed job.
    pub(super) fn is_same(&self) -> bool {
        self.same
    }

    /// What people read.
    pub(super) fn told(&self) -> String {
        let (outcome, units, kept) = &self.resumed;
        let killed = match self.complete {
            Some(complete) => {
                format!("killed with SIGKILL in its first checkpoint, with {complete} units complete")
            }
            None => "was through before it could be killed".to_string(),
        };
        let rows = if self.same { "equal those" } else { "DIFFER FROM THOSE" };
        format!(
            "\nA job (job.sql) {killed}.\nStarted again: {outcome}, {kept} of {units} units were kept and not computed again.\n\
             All {} rows of its result {rows} of a run that nobody disturbed.",
            self.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_big_step_is_found() {
        let printed = "checkpoint,version,outcome,rows,bytes,files,units,units_reused,elapsed_ms,saved_ms\n\
                       fingerprints,1,resumed,600572,9,24,24,7,80,0\nrevenue_by_year,1,written,7,1,1,2,0,5,0\n";
        assert_eq!(reported(printed), ("resumed".to_string(), 24, 7));
        assert_eq!(reported(""), ("reused".to_string(), 0, 0));
    }
}
