//! Removing temporary files that a dead process left behind.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime};

use super::Shared;
use super::resolve::is_temporary;
use crate::layout::TEMP_PREFIX;

/// Younger files may still be written by a living process.
const MIN_AGE: Duration = Duration::from_secs(3600);

impl Shared {
    /// Sweeps once in the life of a process, before its first write. Failures are only traced.
    pub(super) fn sweep_once(&self) {
        let mut swept = self.swept.lock();
        if std::mem::replace(&mut *swept, true) || !self.root.is_dir() {
            return;
        }
        drop(swept);
        if let Err(error) = self.sweep() {
            tracing::debug!(root = %self.root.display(), %error, "leftover files were not swept");
        }
    }

    fn sweep(&self) -> std::io::Result<()> {
        let now = self.file_system_time()?;
        let mut pending = vec![self.root.clone()];
        while let Some(directory) = pending.pop() {
            sweep_directory(&directory, now, &mut pending)?;
        }
        Ok(())
    }

    /// The file system's own time: a file's age must not be judged by another clock.
    fn file_system_time(&self) -> std::io::Result<SystemTime> {
        let path = self.root.join(format!("{TEMP_PREFIX}{}", self.clock.ulid()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let now = file.metadata().and_then(|metadata| metadata.modified());
        std::fs::remove_file(&path)?;
        now
    }
}

fn sweep_directory(directory: &FilePath, now: SystemTime, pending: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Links are not followed: what they point to is not ours to sweep.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            pending.push(entry.path());
        } else if metadata.is_file()
            && is_temporary(&entry.file_name())
            && metadata.modified().is_ok_and(|then| now.duration_since(then).is_ok_and(|age| age > MIN_AGE))
        {
            tracing::debug!(path = %entry.path().display(), "removing a leftover file");
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}
