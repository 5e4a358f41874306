//! The folder of the report, and the stores of the runs below it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::Failure;

/// How often a folder is tried to be removed whose last writer has only just been killed.
const TRIES: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(20);

/// The folders of one benchmark. The stores are removed when it is dropped, unless they are kept.
pub(super) struct Workshop {
    out: PathBuf,
    stores: PathBuf,
    keep: bool,
}

impl Workshop {
    /// Makes the folder of the report, if it is not there, and an empty one for the stores.
    ///
    /// # Errors
    /// A path that is no folder or cannot be written to.
    pub(super) fn open(out: &Path) -> Result<Self, Failure> {
        let refused = |source: std::io::Error| {
            Failure::Refused(format!(
                "cannot write to {}: {source}; give another folder with --out",
                out.display()
            ))
        };
        fs::create_dir_all(out).map_err(refused)?;
        let stores = out.join(format!("stores-{}", std::process::id()));
        clear(&stores).map_err(refused)?;
        fs::create_dir(&stores).map_err(refused)?;
        Ok(Self { out: out.to_path_buf(), stores, keep: false })
    }

    /// An empty place for a store.
    ///
    /// # Errors
    /// What was there before cannot be removed.
    pub(super) fn store(&self, name: &str) -> Result<PathBuf, Failure> {
        let store = self.stores.join(name);
        clear(&store).map_err(|source| Failure::File {
            operation: "empty",
            path: store.clone(),
            source,
            next: "give another folder with --out",
        })?;
        Ok(store)
    }

    /// Keeps the stores. Gives their folder.
    pub(super) fn keep(&mut self) -> &Path {
        self.keep = true;
        &self.stores
    }

    /// Writes a file of the report. Gives its path.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.out.join(name);
        let written = fs::write(&path, text);
        written.map_err(|source| Failure::File {
            operation: "write",
            path: path.clone(),
            source,
            next: "give another folder with --out",
        })?;
        Ok(path)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if !self.keep && clear(&self.stores).is_err() {
            let left = format!("{} could not be removed: it can be deleted", self.stores.display());
            crate::notices::tell(&[left]);
        }
    }
}

/// Removes a folder and all that is in it.
fn clear(folder: &Path) -> std::io::Result<()> {
    let mut tried = 0;
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // A run that was killed may have made one more file meanwhile.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && tried < TRIES => {
                std::thread::sleep(BETWEEN);
                tried += 1;
            }
            other => return other,
        }
    }
}

/// The bytes of all files below a folder.
pub(super) fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
