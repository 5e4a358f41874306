//! The program under test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::failure::Failure;

/// A built `milepost` program.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The program at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The program beside this one, as a build of the workspace leaves it.
    ///
    /// # Errors
    /// There is none.
    pub fn beside() -> Result<Self, Failure> {
        let here = std::env::current_exe().map_err(Failure::io("this program"))?;
        let found =
            here.ancestors().skip(1).take(2).map(|folder| folder.join("milepost")).find(|path| path.exists());
        found.map(Self).ok_or_else(|| {
            Failure::Broken(
                "there is no milepost program here: cargo build --release --workspace --bins makes it"
                    .to_owned(),
            )
        })
    }

    /// Starts it on the store in `folder`, with its output kept.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn start(&self, folder: &Path, arguments: &[&str]) -> Result<Child, Failure> {
        let mut command = Command::new(&self.0);
        command.arg("--store").arg(folder.join("store")).args(["--quiet", "--format", "csv"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(Failure::io(&self.0))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It does not start.
    pub(super) fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Output, Failure> {
        finish(self.start(folder, arguments)?)
    }

    /// Runs it to its end, which must be a good one; gives what it printed.
    ///
    /// # Errors
    /// [`Failure::Broken`] with its last words.
    pub(super) fn must(&self, folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.run(folder, arguments)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Failure::broken(format!(
            "milepost {}: {}: {}",
            arguments.join(" "),
            output.status,
            last_words(&output)
        ))
    }
}

/// Waits for a process and takes its output.
pub(super) fn finish(child: Child) -> Result<Output, Failure> {
    child.wait_with_output().map_err(Failure::io("the output of milepost"))
}

/// What a process said on stderr.
pub(super) fn last_words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Sends a signal by its name.
pub(super) fn signal(child: &Child, name: &str) -> Result<(), Failure> {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    // A process that has ended meanwhile needs no signal.
    sent.map(|_| ()).map_err(Failure::io("kill"))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(Failure::io(path))
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::io(path))
}
