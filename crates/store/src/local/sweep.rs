//! Removing what a dead process left behind: temporary files, and directories that became empty.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime};

use object_store::Result;
use object_store::path::Path;

use super::error::at;
use super::resolve::is_temporary;
use super::{DurableFileSystem, Shared};
use crate::layout::TEMP_PREFIX;

/// Younger files may still be written by a living process.
pub(crate) const MIN_AGE: Duration = Duration::from_secs(3600);

/// A temporary file.
#[derive(Clone, Debug)]
pub(crate) struct Leftover {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// When it was last written to, by the file system's time.
    pub(crate) written: SystemTime,
}

impl DurableFileSystem {
    /// The file system's own time.
    pub(crate) async fn time(&self) -> Result<SystemTime> {
        self.blocking(|shared| shared.file_system_time().map_err(at("write to", &shared.root))).await
    }

    /// The temporary files that nobody has written to for `age`, or for an hour if that is longer.
    pub(crate) async fn leftovers(&self, age: Duration) -> Result<Vec<Leftover>> {
        self.blocking(move |shared| shared.leftovers(age.max(MIN_AGE)).map_err(at("list", &shared.root)))
            .await
    }

    /// All temporary files below a directory, also those that are being written.
    pub(crate) async fn temporaries(&self, directory: &Path) -> Result<Vec<Leftover>> {
        let target = directory.clone();
        self.blocking(move |shared| {
            let top = shared.resolve(&target)?;
            temporaries(&top).map_err(at("list", &top))
        })
        .await
    }

    /// A temporary file's path as reports show it: from the root on.
    pub(crate) fn shown(&self, leftover: &Leftover) -> String {
        leftover.path.strip_prefix(self.root()).unwrap_or(&leftover.path).display().to_string()
    }

    /// Removes a temporary file. One that is gone already is no error.
    pub(crate) async fn remove_leftover(&self, leftover: Leftover) -> Result<()> {
        self.blocking(move |_| match std::fs::remove_file(&leftover.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &leftover.path)(error)),
            _ => Ok(()),
        })
        .await
    }

    /// Removes a directory if nothing is in it, hidden files included. Object stores have no directories to leave
    /// behind; writers make a directory that vanished anew. Best effort.
    pub(crate) async fn remove_if_empty(&self, directory: &Path) {
        let target = directory.clone();
        let removed = self.blocking(move |shared| {
            let directory = shared.resolve(&target)?;
            std::fs::remove_dir(&directory).map_err(at("remove", &directory))
        });
        if let Err(error) = removed.await {
            tracing::debug!(%directory, %error, "a directory was not removed");
        }
    }
}

impl Shared {
    /// Sweeps once in the life of a process, before its first write. Failures are only traced.
    pub(super) fn sweep_once(&self) {
        let mut swept = self.known.swept.lock();
        if std::mem::replace(&mut *swept, true) || !self.root.is_dir() {
            return;
        }
        drop(swept);
        if let Err(error) = self.sweep() {
            tracing::debug!(root = %self.root.display(), %error, "leftover files were not swept");
        }
    }

    fn sweep(&self) -> io::Result<()> {
        for leftover in self.leftovers(MIN_AGE)? {
            tracing::debug!(path = %leftover.path.display(), "removing a leftover file");
            let _ = std::fs::remove_file(leftover.path);
        }
        Ok(())
    }

    fn leftovers(&self, age: Duration) -> io::Result<Vec<Leftover>> {
        let now = self.file_system_time()?;
        let mut found = temporaries(&self.root)?;
        found.retain(|leftover| now.duration_since(leftover.written).is_ok_and(|lain| lain > age));
        Ok(found)
    }

    /// The file system's own time: a file's age must not be judged by another clock.
    fn file_system_time(&self) -> io::Result<SystemTime> {
        let path = self.root.join(format!("{TEMP_PREFIX}{}", self.clock.ulid()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let now = file.metadata().and_then(|metadata| metadata.modified());
        std::fs::remove_file(&path)?;
        now
    }
}

/// The temporary files below `top`; none where there is no such directory.
fn temporaries(top: &FilePath) -> io::Result<Vec<Leftover>> {
    let (mut found, mut pending) = (vec![], vec![top.to_owned()]);
    while let Some(directory) = pending.pop() {
        match search(&directory, &mut pending, &mut found) {
            // Another process may have removed a directory that became empty.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(found)
}

fn search(directory: &FilePath, pending: &mut Vec<PathBuf>, found: &mut Vec<Leftover>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: what they point to is not ours to sweep.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            pending.push(entry.path());
        } else if metadata.is_file() && is_temporary(&entry.file_name()) {
            let Ok(written) = metadata.modified() else { continue };
            found.push(Leftover { path: entry.path(), bytes: metadata.len(), written });
        }
    }
    Ok(())
}
