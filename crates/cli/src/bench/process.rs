//! Starts runs, listens to what they tell, and kills those that are to be killed.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::arguments::{BenchArgs, Way};
use super::kill::KillPoint;
use super::line::{Line, StepRan};
use crate::args::Args;
use crate::failure::Failure;

/// How runs are started.
pub(super) struct Runs {
    program: PathBuf,
    /// The limits of the session.
    limits: Vec<OsString>,
    file: PathBuf,
    variables: Vec<String>,
    /// The hash of the script that is measured.
    script: String,
}

/// A run that came to its end, or was killed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Ran {
    /// From the start of the process to its end, in milliseconds.
    pub(super) wall_ms: f64,
    /// When its first statement began, in milliseconds since the Unix epoch.
    pub(super) began_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) peak_memory_bytes: Option<u64>,
    /// The statements that ran to their end.
    pub(super) statements: Vec<StepRan>,
    /// The numbers of those that an earlier process had finished.
    pub(super) skipped: Vec<u64>,
    /// Whether it was killed.
    pub(super) killed: bool,
}

impl Runs {
    /// Of the script that the command line names.
    ///
    /// # Errors
    /// The program does not find itself.
    pub(super) fn new(args: &Args, bench: &BenchArgs, script: String) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|source| Failure::System { operation: "find this program to start it again", source })?;
        let limits = &args.limits;
        let mut words: Vec<OsString> = Vec::new();
        let mut give = |option: &str, value: Option<OsString>| {
            if let Some(value) = value {
                words.extend([OsString::from(option), value]);
            }
        };
        let number = |value: Option<usize>| value.map(|value| OsString::from(value.to_string()));
        give("--memory-limit", number(bench.memory_limit.or(limits.memory_limit)));
        give("--mem-pool-type", Some(limits.mem_pool_type.to_string().into()));
        give("--top-memory-consumers", number(Some(limits.top_memory_consumers)));
        give("--disk-limit", number(limits.disk_limit));
        give("--batch-size", number(limits.batch_size));
        give("--data-path", limits.data_path.as_ref().map(|path| path.clone().into_os_string()));
        let (file, variables) = (bench.file.clone(), bench.variables.clone());
        Ok(Self { program, limits: words, file, variables, script })
    }

    /// Runs the script once over a store, to its end or to the moment at which it is killed.
    ///
    /// # Errors
    /// A statement that fails; a script that is another one by now.
    pub(super) async fn run(&self, way: Way, store: &Path, kill: Option<KillPoint>) -> Result<Ran, Failure> {
        let watching = |source| Failure::System { operation: "watch over a run", source };
        let started = Instant::now();
        let mut child =
            self.start(way, store).map_err(|source| Failure::System { operation: "start a run", source })?;
        let errors = child.stderr.take().map(|stderr| tokio::spawn(text(stderr)));
        let mut ran = Ran::default();
        self.listen(&mut child, &mut ran, kill).await?;
        let status = child.wait().await.map_err(watching)?;
        ran.wall_ms = started.elapsed().as_secs_f64() * 1e3;
        ran.killed = kill.is_some() && status.signal() == Some(KILLED);
        let errors = match errors {
            Some(errors) => errors.await.unwrap_or_default(),
            None => String::new(),
        };
        if ran.killed || status.success() { Ok(ran) } else { Err(failed(way, status, &errors)) }
    }

    fn start(&self, way: Way, store: &Path) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.limits).arg("--store").arg(store).arg("bench-run").arg(&self.file);
        command.args(["--way", way.word()]);
        for variable in &self.variables {
            command.arg("--var").arg(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A group of its own: a terminal sends Ctrl-C to the whole group, and the runs are ended by us.
        command.process_group(0).spawn()
    }

    /// Takes in what the run tells, until it has told everything or is dead.
    async fn listen(&self, child: &mut Child, ran: &mut Ran, kill: Option<KillPoint>) -> Result<(), Failure> {
        let watching = |source| Failure::System { operation: "watch over a run", source };
        let Some(stdout) = child.stdout.take() else { return Ok(()) };
        let mut lines = BufReader::new(stdout).lines();
        let mut moment = None;
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.map_err(watching)?,
                () = reached(moment) => {
                    moment = None;
                    child.start_kill().map_err(watching)?;
                    continue;
                }
            };
            let Some(line) = line else { return Ok(()) };
            let Ok(line) = serde_json::from_str::<Line>(&line) else {
                return Err(Failure::Bench(format!("a run told what nobody understands: {line}")));
            };
            let finished = self.take(line, ran)?;
            if let Some(point) = kill {
                if finished + 1 == point.statement {
                    moment = Some(tokio::time::Instant::now() + point.wait());
                } else if finished >= point.statement {
                    // It was faster than expected: this is as near to the middle as it can be.
                    moment = Some(tokio::time::Instant::now());
                }
            }
        }
    }

    /// Takes a line in. Gives the number of the statement that is finished.
    fn take(&self, line: Line, ran: &mut Ran) -> Result<u64, Failure> {
        match line {
            Line::Begin(begin) if begin.script != self.script => {
                let what = "was changed while the benchmark ran: run it again, and leave the script alone";
                return Err(Failure::Bench(format!("{} {what}", self.file.display())));
            }
            Line::Begin(begin) => ran.began_at_ms = begin.at_ms,
            Line::Step(step) => ran.statements.push(step),
            Line::Skipped(number) => ran.skipped.push(number),
            Line::End(end) => ran.peak_memory_bytes = end.peak_memory,
        }
        let skipped = ran.skipped.last().copied().unwrap_or_default();
        Ok(ran.statements.last().map_or(0, |step| step.number).max(skipped))
    }
}

/// The signal that cannot be caught.
const KILLED: i32 = 9;

async fn reached(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn text(mut stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    // What could be read before an error is all that can be told.
    let _ = stderr.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a run ended: how it was run, and its own last words, which name the statement.
fn failed(way: Way, status: ExitStatus, errors: &str) -> Failure {
    let how = match way {
        Way::Look | Way::Off => "without checkpoints",
        Way::On | Way::Probe => "with checkpoints",
        Way::Job => "as a job",
    };
    let last = errors.lines().rev().find(|line| !line.trim().is_empty());
    Failure::Bench(match last {
        Some(line) => format!("{how}: {}", line.strip_prefix("milepost: ").unwrap_or(line)),
        None => format!(
            "{how}: a run ended with {status} and said nothing: the system may have been out of memory"
        ),
    })
}
