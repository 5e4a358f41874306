//! What tests of garbage collection need: a store whose clock the test owns, and looks at everything in it.
//!
//! The clocks of the processes stand still, years away from the store's: whatever goes by them goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use milepost_store::gc::{CheckpointGarbage, KeptReason};
use milepost_store::{
    Attempt, CommitOutcome, DataFile, GcOptions, GcReport, MAX_INLINE, Manifest, SourceObject, SourceVersion,
    Store,
};
use milepost_testkit::{Fault, FaultStore, ManualClock, Operation, Rule, StampedStore};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::task::JoinHandle;

use crate::support::*;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// A store that can fail, and its own clock.
pub struct Aged {
    pub store: Store,
    pub faults: FaultStore,
    pub clock: ManualClock,
}

pub async fn aged() -> Aged {
    let clock = ManualClock::new(1_800_000_000_000, 0);
    let stamped = StampedStore::new(Arc::new(InMemory::new()), clock.clone());
    let faults = FaultStore::new(Arc::new(stamped));
    Aged { store: on(&faults).await, faults, clock }
}

impl Aged {
    /// A collection with the defaults.
    pub async fn collect(&self) -> GcReport {
        self.collect_with(GcOptions::default()).await
    }

    pub async fn collect_with(&self, options: GcOptions) -> GcReport {
        beside(&self.faults).await.collect_garbage(options).await.unwrap()
    }

    /// Every object and its bytes.
    pub async fn contents(&self) -> BTreeMap<String, Bytes> {
        let objects = self.faults.inner();
        let listed: Vec<_> = objects.list(None).try_collect().await.unwrap();
        let mut contents = BTreeMap::new();
        for meta in listed {
            let bytes = objects.get(&meta.location).await.unwrap().bytes().await.unwrap();
            contents.insert(meta.location.to_string(), bytes);
        }
        contents
    }

    /// The names in an attempt's directory.
    pub async fn left(&self, attempt: &Attempt) -> Vec<String> {
        let directory = format!("root/checkpoints/trips/attempts/{}", attempt.id());
        let found = objects(self.faults.inner().as_ref(), &directory).await;
        found.iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    pub async fn has(&self, file: &DataFile) -> bool {
        self.faults.inner().head(&self.store.path_of(&name(), file)).await.is_ok()
    }

    pub async fn put(&self, path: &str, text: &str) {
        self.faults.inner().put(&Path::from(path), text.to_owned().into()).await.unwrap();
    }

    /// Flips one byte of the first object whose path contains `text`.
    pub async fn flip(&self, text: &str) -> String {
        let (path, bytes) = self.contents().await.into_iter().find(|(path, _)| path.contains(text)).unwrap();
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.faults.inner().put(&Path::from(path.as_str()), bytes.into()).await.unwrap();
        path
    }
}

/// Without a grace period: what is deletable goes at once.
pub fn no_grace() -> GcOptions {
    GcOptions { grace: Duration::ZERO, ..GcOptions::default() }
}

/// What was done at the one checkpoint of these tests, which was not stopped.
pub fn garbage(report: &GcReport) -> &CheckpointGarbage {
    assert!(report.is_complete(), "{report:?}");
    report.of(&name()).unwrap()
}

/// Why an object stays, by a part of its path.
pub fn why_kept(report: &GcReport, text: &str) -> Option<KeptReason> {
    garbage(report).kept.iter().find(|kept| kept.object.contains(text)).map(|kept| kept.reason)
}

/// A dead attempt with unit 0, and another at the same result that takes this unit over and adds unit 1.
pub async fn adopted(store: &Store) -> (Attempt, Attempt, Manifest) {
    let (dead, dead_manifest) = staged(store, "a", &[1]).await.unwrap();
    let resumer = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&resumer, 1, &[2]).await.unwrap();
    let files = [dead_manifest.files, own.files].concat();
    (dead, resumer, manifest(signature("a"), files))
}

/// A commit whose list of source objects is so long that it lies in a side file.
pub async fn commit_long(store: &Store) -> Attempt {
    let (attempt, mut manifest) = staged(store, "long", &[1]).await.unwrap();
    manifest.identity.sources = vec![long_source()];
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    attempt
}

/// A source whose list of objects needs a side file.
pub fn long_source() -> SourceVersion {
    let object = |index: u64| SourceObject {
        path: format!("raw/{index}.csv"),
        size: index,
        e_tag: None,
        version: None,
        inode: None,
        mtime_ns: None,
        ctime_ns: None,
    };
    SourceVersion {
        name: "raw".to_owned(),
        kind: "files".to_owned(),
        digest: None,
        objects: (0..=MAX_INLINE as u64).map(object).collect(),
        note: None,
    }
}

/// Waits until a request of this kind was made for a path with `text` in it.
pub async fn until_asked(faults: &FaultStore, operation: Operation, text: &str) {
    while faults.count(operation, text) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Begins something on a store of its own, whose first request of this kind for such a path is slow. Comes back once that
/// request is on its way, so that what the caller does next comes before it.
pub async fn beside_slow<F>(
    faults: &FaultStore,
    operation: Operation,
    text: &str,
    work: impl FnOnce(Store) -> F,
) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    faults.add(Rule::on(operation, Fault::Delay(Duration::from_millis(300))).path(text).times(1));
    let store = on(faults).await;
    // Earlier ones do not count.
    faults.forget_calls();
    let working = tokio::spawn(work(store));
    until_asked(faults, operation, text).await;
    working
}

/// A commit with options, as `CHECKPOINT … WITH (…)` records them.
pub async fn commit_with(store: &Store, text: &str, options: &[(&str, &str)]) {
    let (attempt, mut manifest) = staged(store, text, &[1]).await.unwrap();
    manifest.options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
}
