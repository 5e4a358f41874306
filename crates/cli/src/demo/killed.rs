//! A job that the demo kills in the middle of a step and starts again, beside one that nobody disturbs.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::run::Interrupts;
use crate::units::counted;

/// The script that is killed. Its big step is `fingerprints`.
const JOB: &str = include_str!("../../../../sql/jobs/demo.sql");

/// How many units are complete before the kill.
const UNITS: usize = 4;

/// How often their receipts are counted.
const LOOK: Duration = Duration::from_millis(5);

/// What a row of the last query proves: every row of both checkpoints goes into it.
const PROOF: &str = "SELECT year, lines, revenue, encode(last, 'hex') AS last, \
                     (SELECT count(DISTINCT fingerprint) FROM fingerprints) AS fingerprints \
                     FROM revenue_by_year ORDER BY year";

/// What was done and seen.
pub(super) struct Killed {
    /// What the process had done when it was killed; none if it was through before.
    left: Option<Left>,
    /// What the second start did; none if the big step was complete before.
    resumed: Option<Resumed>,
    /// Rows of the big step that the killed process had computed and the second start kept.
    rows_kept: u64,
    /// Rows of the proof.
    rows: usize,
    same: bool,
}

/// What lies in the store when the process is dead.
struct Left {
    /// Complete ones.
    units: usize,
    /// The names of the attempts that it began.
    attempts: Vec<String>,
}

/// The big step as the second start reported it.
#[derive(Debug, PartialEq, Eq)]
struct Resumed {
    outcome: String,
    units: u64,
    /// Units that were kept.
    kept: u64,
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
        let left = self.kill(&mut victim).await?;
        let again = self.finish(self.start(&self.killed)?).await?;
        let rows_kept = match &left {
            Some(left) => self.rows_of(&left.attempts).await?,
            None => 0,
        };
        let expected = self.ask(&self.undisturbed, PROOF).await?;
        let found = self.ask(&self.killed, PROOF).await?;
        let rows = expected.lines().count().saturating_sub(1);
        let same = expected == found && rows > 0;
        Ok(Killed { left, resumed: reported(&again), rows_kept, rows, same })
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
    async fn kill(&self, victim: &mut Child) -> Result<Option<Left>, Failure> {
        let attempts = self.killed.join("checkpoints/fingerprints/attempts");
        let killing = |source| Failure::System { operation: "kill the job", source };
        loop {
            if victim.try_wait().map_err(killing)?.is_some() {
                return Ok(None);
            }
            if receipts(&attempts) >= UNITS {
                victim.kill().await.map_err(killing)?;
                let name = |path: PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
                let names = entries(&attempts).into_iter().filter_map(name).collect();
                return Ok(Some(Left { units: receipts(&attempts), attempts: names }));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How many rows of the big step lie in files of these attempts.
    async fn rows_of(&self, attempts: &[String]) -> Result<u64, Failure> {
        let theirs: Vec<String> = attempts.iter().map(|name| format!("path LIKE '%{name}%'")).collect();
        let theirs = theirs.join(" OR ");
        let rows = format!(
            "SELECT sum(rows) AS kept FROM milepost.files WHERE checkpoint = 'fingerprints' AND ({theirs})"
        );
        let printed = self.ask(&self.killed, &rows).await?;
        Ok(printed.lines().last().and_then(|number| number.parse().ok()).unwrap_or_default())
    }

    async fn ask(&self, store: &Path, query: &str) -> Result<String, Failure> {
        let mut command = self.command(store);
        let child = command.args(["-c", query]).spawn();
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
    let files = entries(attempts).into_iter().flat_map(|attempt| entries(&attempt));
    let is_receipt = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("unit-") && name.ends_with(".json")
    };
    files.filter(is_receipt).count()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The row of the big step, among what the job printed. None if there was nothing to do for it.
fn reported(printed: &str) -> Option<Resumed> {
    let row = printed.lines().find(|line| line.starts_with("fingerprints,"))?;
    let cells: Vec<&str> = row.split(',').collect();
    let number = |cell: usize| cells.get(cell).and_then(|text| text.parse().ok()).unwrap_or_default();
    let resumed = Resumed { outcome: cells.get(2)?.to_string(), units: number(6), kept: number(7) };
    (resumed.units > 0).then_some(resumed)
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
        let rows = counted(self.rows_kept, "row");
        let (killed, again) = match (&self.left, &self.resumed) {
            (None, _) => (
                "was through before it could be killed".to_string(),
                "there was nothing left to compute".to_string(),
            ),
            (Some(_), None) => (
                "killed with SIGKILL when its first checkpoint was complete".to_string(),
                format!("all of that checkpoint, {rows}, was kept and not computed again"),
            ),
            (Some(left), Some(resumed)) => {
                let complete = counted(left.units as u64, "unit");
                let Resumed { outcome, units, kept } = resumed;
                let units = counted(*units, "unit");
                (
                    format!("killed with SIGKILL in its first checkpoint, with {complete} complete"),
                    format!("{outcome}, {kept} of {units}, {rows}, were kept and not computed again"),
                )
            }
        };
        let rows = if self.same { "equal those" } else { "DIFFER FROM THOSE" };
        format!(
            "\nA job (job.sql) {killed}.\nStarted again: {again}.\n\
             All {} rows of its result {rows} of a run that nobody disturbed.",
            self.rows
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumed() -> Resumed {
        Resumed { outcome: "resumed".to_string(), units: 24, kept: 7 }
    }

    #[test]
    fn the_row_of_the_big_step_is_found() {
        let head = "checkpoint,version,outcome,rows,bytes,files,units,units_reused,elapsed_ms,saved_ms\n";
        let printed = format!(
            "{head}fingerprints,1,resumed,600572,9,24,24,7,80,0\nrevenue_by_year,1,written,7,1,1,2,0,5,0\n"
        );
        assert_eq!(reported(&printed), Some(resumed()));
        assert_eq!(reported(""), None);
        assert_eq!(reported(&format!("{head}fingerprints,1,reused,600572,9,24,0,0,80,70\n")), None);
    }

    #[test]
    fn what_was_kept_is_told() {
        let told = |left: Option<usize>, resumed| {
            let left = left.map(|units| Left { units, attempts: vec![] });
            Killed { left, resumed, rows_kept: 200_190, rows: 7, same: true }.told()
        };
        let middle = told(Some(7), Some(resumed()));
        assert!(middle.contains("in its first checkpoint, with 7 units complete."), "{middle}");
        assert!(
            middle.contains("Started again: resumed, 7 of 24 units, 200,190 rows, were kept"),
            "{middle}"
        );
        let whole = told(Some(24), None);
        assert!(whole.contains("all of that checkpoint, 200,190 rows, was kept"), "{whole}");
        let through = told(None, None);
        assert!(through.contains("through before") && through.contains("nothing left"), "{through}");
        assert!(!through.contains("units") && through.contains("All 7 rows"), "{through}");
    }
}
