//! Stores, files and sources that fail: one clear error, nothing half-made to be seen, nothing lost that was there.

mod damage;
mod sources;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};

use milepost::Session;

use crate::support::{checkpoint, number, open, run};

/// A store with one committed checkpoint, `kept`, whose rows are 1, 2 and 3.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let session = open(folder.path()).await;
        run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
        checkpoint(&session, "CHECKPOINT kept AS SELECT column1 AS x FROM n").await.unwrap();
        Self { folder }
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> PathBuf {
        self.dir().join("store")
    }

    async fn session(&self) -> Session {
        open(self.dir()).await
    }

    /// A new session finds what was there before, and nothing else.
    async fn is_untouched(&self) {
        let session = self.session().await;
        assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 1);
        assert_eq!(session.checkpoint_names().await, ["kept"]);
        assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
    }

    /// The files of the store whose path has `part` in it.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.store()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().contains(part) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    fn data_file(&self) -> PathBuf {
        let files: Vec<_> =
            self.files(".parquet").into_iter().filter(|f| fs::metadata(f).unwrap().len() > 0).collect();
        files[0].clone()
    }

    fn log_entry(&self, slot: usize) -> PathBuf {
        self.files("/log/")[slot].clone()
    }
}

async fn fails(session: &Session, sql: &str) -> String {
    match run(session, sql).await {
        Ok(_) => panic!("{sql} succeeded"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn says(error: &str, words: &[&str]) {
    let missing: Vec<_> = words.iter().filter(|word| !error.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} not in: {error}");
}
