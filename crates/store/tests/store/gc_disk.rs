//! Garbage on a local disk: hidden files, empty directories, lock files, and the file system's own time.

use std::fs::File;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime};

use milepost_store::gc::KeptReason;
use milepost_store::{
    Attempt, AttemptSpec, CommitOutcome, Durability, DurableFileSystem, GcOptions, Owner, Store,
    VerifyOptions, Version,
};
use milepost_testkit::{FaultStore, Operation};

use crate::aged::{beside_slow, no_grace};
use crate::support::*;

const HOUR: u64 = 3600;

fn all(directory: &FilePath, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all(&path, found);
        }
        found.push(path);
    }
}

/// Makes every file in a directory look older.
fn age(directory: &FilePath, hours: u64) {
    let mut files = vec![];
    all(directory, &mut files);
    for path in files.into_iter().filter(|path| path.is_file()) {
        let file = File::options().write(true).open(&path).unwrap();
        let then = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(hours * HOUR);
        file.set_modified(then).unwrap();
    }
}

fn names(root: &FilePath) -> Vec<String> {
    let mut found = vec![];
    all(root, &mut found);
    let mut names: Vec<_> =
        found.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn open(root: &FilePath) -> Store {
    Store::open(root.to_str().unwrap(), options()).await.unwrap()
}

#[tokio::test]
async fn a_dead_attempt_leaves_no_file_and_no_directory() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    commit(&store, "1", &[1]).await;
    let (attempt, _) = staged(&store, "2", &[2]).await.unwrap();
    let directory = root.path().join(format!("checkpoints/trips/attempts/{}", attempt.id()));
    std::fs::write(directory.join("lock"), "").unwrap();
    assert!(store.collect_garbage(no_grace()).await.unwrap().of(&name()).unwrap().abandoned.is_empty());
    age(&directory, 1);
    let report = store.collect_garbage(no_grace()).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.of(&name()).unwrap().unknown, [], "the lock is ours");
    assert!(!directory.exists());
    let newest = store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&store, &newest).await, [1]);
    assert!(store.verify(VerifyOptions::default()).await.unwrap().is_sound());
}

#[tokio::test]
async fn the_grace_period_is_by_the_file_systems_time() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let held = commit(&store, "1", &[1]).await;
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    age(&root.path().join("checkpoints"), 23);
    store.collect_garbage(GcOptions::default()).await.unwrap();
    assert_eq!(read_ids(&store, &held).await, [1]);
    age(&root.path().join("checkpoints"), 1);
    store.collect_garbage(GcOptions::default()).await.unwrap();
    // The signs of life of the attempt were freed by its close.
    age(&root.path().join("checkpoints"), 24);
    store.collect_garbage(GcOptions::default()).await.unwrap();
    let left: Vec<_> = names(root.path()).into_iter().filter(|name| name.contains("attempts/")).collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(commit(&store, "2", &[2]).await.version, Version(2));
}

#[tokio::test]
async fn hidden_temporary_files_go_when_they_are_old() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    commit(&store, "1", &[1]).await;
    let (old, young) = (".milepost-tmp-OLD", "checkpoints/.milepost-tmp-YOUNG");
    for path in [old, young] {
        std::fs::write(root.path().join(path), "half").unwrap();
    }
    let file = File::options().write(true).open(root.path().join(old)).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - Duration::from_secs(25 * HOUR)).unwrap();

    let before = (names(root.path()), times(root.path()));
    let dry = open(root.path()).await.collect_garbage(GcOptions::dry()).await.unwrap();
    assert_eq!((names(root.path()), times(root.path())), before, "a dry run does not even sweep");
    let told: Vec<_> = dry.leftovers.iter().map(|gone| (gone.object.as_str(), gone.bytes)).collect();
    assert_eq!(told, [(old, 4)]);

    // This process has swept before its first write, so that the collection is what removes it.
    let report = store.collect_garbage(GcOptions::default()).await.unwrap();
    assert_eq!(report.leftovers, dry.leftovers);
    assert!(!root.path().join(old).exists() && root.path().join(young).exists());
    store.collect_garbage(no_grace()).await.unwrap();
    assert!(root.path().join(young).exists(), "someone may be writing it, whatever the grace period");
}

/// Two collectors delete the same file: on a disk the second one hears that it is not there.
#[tokio::test]
async fn deleting_what_is_gone_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(clock());
    let disk = DurableFileSystem::new(root.path().to_owned(), Durability::Fsync, clock);
    let faults = FaultStore::new(std::sync::Arc::new(disk));
    let store = on(&faults).await;
    let (attempt, _) = staged(&store, "1", &[1]).await.unwrap();
    attempt.abandon().await.unwrap();
    let collecting = beside_slow(&faults, Operation::Delete, "/unit-00000-", |store| async move {
        store.collect_garbage(no_grace()).await
    })
    .await;
    let rows = names(root.path()).into_iter().find(|name| name.ends_with(".parquet")).unwrap();
    std::fs::remove_file(root.path().join(rows)).unwrap();
    let report = collecting.await.unwrap().unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.deleted().count(), 2, "the receipt and the record: the rows were deleted by another");
}

fn times(root: &FilePath) -> Vec<SystemTime> {
    let mut found = vec![];
    all(root, &mut found);
    found.sort();
    found.retain(|path| path.is_file());
    found.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect()
}

/// Begins an attempt of this process and leaves half a file in its directory.
async fn half_written(store: &Store, text: &str) -> (Attempt, PathBuf) {
    let mut spec = spec(signature(text));
    spec.owner = Owner::here("run");
    let attempt = store.begin(&name(), spec).await.unwrap();
    let half = format!("checkpoints/trips/attempts/{}/.milepost-tmp-HALF", attempt.id());
    std::fs::write(store_root(store).join(&half), "half").unwrap();
    (attempt, half.into())
}

fn store_root(store: &Store) -> PathBuf {
    PathBuf::from(store.url().strip_prefix("file://").unwrap())
}

fn gone(report: &milepost_store::GcReport) -> Vec<(PathBuf, u64)> {
    let temporary = report.deleted().filter(|gone| gone.object.contains(".milepost-tmp-"));
    temporary.map(|gone| (PathBuf::from(&gone.object), gone.bytes)).collect()
}

/// What a writer left half-written goes with its attempt, and is told of with its bytes.
#[tokio::test]
async fn the_half_written_files_of_a_closed_attempt_go_with_it() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    commit(&store, "1", &[1]).await;
    let (attempt, half) = half_written(&store, "2").await;
    attempt.abandon().await.unwrap();
    let dry = GcOptions { dry_run: true, ..no_grace() };
    assert_eq!(gone(&store.collect_garbage(dry).await.unwrap()), [(half.clone(), 4)]);
    let waiting = store.collect_garbage(GcOptions::default()).await.unwrap();
    assert!(gone(&waiting).is_empty() && root.path().join(&half).exists(), "{waiting:?}");
    let kept = &waiting.of(&name()).unwrap().kept;
    assert!(kept.iter().any(|kept| half.as_os_str() == kept.object.as_str()), "{kept:?}");

    let report = store.collect_garbage(no_grace()).await.unwrap();
    assert_eq!(gone(&report), [(half.clone(), 4)]);
    assert!(!root.path().join(half.parent().unwrap()).exists(), "the record goes when nothing is beside it");
}

/// An attempt that nobody has closed: its owner's lock tells whether somebody may still be writing.
#[tokio::test]
async fn the_half_written_files_of_a_dead_owner_go_and_those_of_a_living_one_stay() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (attempt, half) = half_written(&store, "1").await;
    assert!(gone(&store.collect_garbage(no_grace()).await.unwrap()).is_empty(), "it is being written");
    // The lock goes with the attempt, as it goes with its process.
    drop(attempt);
    assert!(gone(&store.collect_garbage(GcOptions::default()).await.unwrap()).is_empty(), "it is young");
    let report = store.collect_garbage(no_grace()).await.unwrap();
    assert_eq!(gone(&report), [(half.clone(), 4)]);
    let directory = root.path().join(half.parent().unwrap());
    assert!(directory.join("attempt.json").exists(), "the attempt itself is not taken for dead so soon");
}

/// A collection of an older version has left the file alone in its directory.
#[tokio::test]
async fn a_half_written_file_without_a_record_goes_too() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let (attempt, half) = half_written(&store, "1").await;
    attempt.abandon().await.unwrap();
    let directory = root.path().join(half.parent().unwrap());
    for name in ["attempt.json", "lock"] {
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    let report = store.collect_garbage(no_grace()).await.unwrap();
    assert_eq!(gone(&report), [(half, 4)]);
    assert!(!directory.exists());
}

/// A writer whose threads are all busy gives no heartbeat for hours. Its process lives, and holds its lock.
#[tokio::test]
async fn a_silent_writer_that_lives_on_this_host_keeps_its_attempt() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path()).await;
    let busy = AttemptSpec { owner: Owner::here("run"), ..spec(signature("1")) };
    let attempt = store.begin(&name(), busy.clone()).await.unwrap();
    let receipt = write_unit(&attempt, 0, &[1]).await.unwrap();
    let directory =
        |attempt: &Attempt| root.path().join(format!("checkpoints/trips/attempts/{}", attempt.id()));
    age(&directory(&attempt), 2);
    for dry_run in [true, false] {
        let options = GcOptions { dry_run, ..no_grace() };
        let report = open(root.path()).await.collect_garbage(options.clone()).await.unwrap();
        assert!(report.is_complete(), "{report:?}");
        let garbage = report.of(&name()).unwrap();
        assert_eq!((&garbage.abandoned[..], &garbage.deleted[..]), (&[][..], &[][..]));
        let until = report.now.unwrap().after(options.death);
        assert_eq!(garbage.kept.len(), 4, "record, lock, rows and receipt: {garbage:?}");
        assert!(garbage.kept.iter().all(|kept| kept.reason == KeptReason::Alive { until }), "{garbage:?}");
    }
    let outcome = attempt.commit(draft(manifest(signature("1"), receipt.files)), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");

    // What nobody holds any more is dead, and so is what another host's process may or may not hold.
    let elsewhere = Owner { host: "another host".to_owned(), ..Owner::here("run") };
    for (owner, gone) in [(Owner::here("run"), true), (elsewhere, false)] {
        let spec = AttemptSpec { owner, ..busy.clone() };
        let attempt = store.begin(&name(), spec).await.unwrap();
        age(&directory(&attempt), 2);
        let (id, held) = (attempt.id(), (!gone).then_some(attempt));
        let report = store.collect_garbage(no_grace()).await.unwrap();
        let closed: Vec<_> =
            report.of(&name()).unwrap().abandoned.iter().map(|closed| closed.attempt).collect();
        assert_eq!(closed, [id]);
        drop(held);
    }
}
