//! What was asked of the disk, and what was reported in between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use milepost_store::layout::TEMP_PREFIX;
use milepost_store::{DiskStep, DiskWatcher, Durability, Store, StoreOptions};
use parking_lot::Mutex;

use crate::clock::ManualClock;
use crate::crash::runtime;
use crate::failure::Failure;
use crate::scenario::Script;

/// Which syncs reach the disk. A store that left some out must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// All.
    All,
    /// None of files' contents.
    NotOfFiles,
    /// None of directories.
    NotOfDirectories,
    /// None of directories that hold directories.
    NotOfParents,
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Disk(DiskStep),
    /// So many steps of the script were reported as done.
    Told(usize),
}

#[derive(Debug, Default)]
struct Recorder {
    events: Mutex<Vec<Event>>,
}

impl DiskWatcher for Recorder {
    fn saw(&self, step: DiskStep) {
        self.events.lock().push(Event::Disk(step));
    }
}

/// A script's run on a directory.
pub(super) struct Record {
    pub(super) script: Script,
    pub(super) events: Vec<Event>,
    /// The directory that was there before.
    pub(super) base: PathBuf,
}

/// Where the store lies below the directory that was there before: its parents are new, too.
pub(super) const ROOT: &str = "new/store";

impl Record {
    /// Runs the script of a seed on a temporary directory.
    pub(super) fn of(seed: u64) -> Result<Self, Failure> {
        let directory = temporary()?;
        let script = if seed == 0 { Script::everything_once() } else { Script::random(seed, 8) };
        let recorder = Arc::new(Recorder::default());
        runtime()?.block_on(async {
            let store = open(&directory.path().join(ROOT), Durability::Fsync, 0).await?;
            store.watch_disk(Arc::clone(&recorder) as Arc<dyn DiskWatcher>);
            let told = |done| recorder.events.lock().push(Event::Told(done));
            script.run(&store, 0, told).await.failure.map_or(Ok(()), Err)
        })?;
        let events = std::mem::take(&mut *recorder.events.lock());
        Ok(Self { script, events, base: directory.path().to_owned() })
    }

    /// The same run on a disk that some syncs do not reach.
    pub(super) fn with(mut self, syncs: Syncs) -> Self {
        self.events.retain(|event| match event {
            Event::Disk(DiskStep::SyncBegins(path) | DiskStep::SyncEnds(path)) => reaches(syncs, path),
            _ => true,
        });
        self
    }
}

fn reaches(syncs: Syncs, path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let of_file = name.starts_with(TEMP_PREFIX);
    // Logs and attempts hold files only.
    let holds_files = path.ends_with("log") || path.parent().is_some_and(|above| above.ends_with("attempts"));
    match syncs {
        Syncs::All => true,
        Syncs::NotOfFiles => !of_file,
        Syncs::NotOfDirectories => of_file,
        Syncs::NotOfParents => of_file || holds_files,
    }
}

pub(super) async fn open(root: &Path, durability: Durability, process: u64) -> Result<Store, Failure> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000, process));
    Ok(Store::open(&root.display().to_string(), StoreOptions { durability, clock }).await?)
}

pub(super) fn temporary() -> Result<tempfile::TempDir, Failure> {
    tempfile::tempdir().map_err(Failure::io(std::env::temp_dir()))
}
