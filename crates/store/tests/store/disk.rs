//! The durable local file system.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use milepost_store::{
    DataFileWriter, DiskStep, DiskWatcher, Durability, DurableFileSystem, Store, StoreOptions, UnitNumber,
    Version,
};
use milepost_testkit::Syncs;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use parquet::file::properties::WriterProperties;

use crate::support::*;

const TEMP: &str = ".milepost-tmp-";

fn disk(root: &FilePath) -> DurableFileSystem {
    DurableFileSystem::new(root.to_owned(), Durability::Fsync, Arc::new(clock()))
}

async fn create(store: &DurableFileSystem, path: &str, text: &str) -> Result<(), Error> {
    let options = PutOptions::from(PutMode::Create);
    store.put_opts(&Path::from(path), text.to_owned().into(), options).await.map(|_| ())
}

async fn read(store: &DurableFileSystem, path: &str) -> Result<Bytes, Error> {
    store.get(&Path::from(path)).await?.bytes().await
}

async fn listed(store: &DurableFileSystem, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(Path::from);
    store.list(prefix.as_ref()).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

/// All names below a directory, temporary ones included.
fn names(root: &FilePath) -> Vec<String> {
    let mut found = vec![];
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() && !path.is_symlink() {
                pending.push(path);
            }
        }
    }
    found.sort();
    found
}

fn mode(path: &FilePath) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn an_object_is_created_once() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    create(&store, "a/b/c", "one").await.unwrap();
    assert!(matches!(create(&store, "a/b/c", "two").await, Err(Error::AlreadyExists { .. })));
    assert_eq!(read(&store, "a/b/c").await.unwrap(), "one");
    assert_eq!(names(root.path()), ["a", "a/b", "a/b/c"], "nothing is left aside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creators_wins() {
    let root = tempfile::tempdir().unwrap();
    let mut tasks = vec![];
    for writer in 0..32 {
        let store = disk(root.path());
        tasks.push(tokio::spawn(async move {
            let text = format!("{writer}").repeat(5_000);
            (create(&store, "a/slot", &text).await.is_ok(), text)
        }));
    }
    let mut winners = vec![];
    for task in tasks {
        let (won, text) = task.await.unwrap();
        winners.extend(won.then_some(text));
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(read(&disk(root.path()), "a/slot").await.unwrap(), winners[0]);
}

#[tokio::test]
async fn objects_can_be_overwritten_copied_and_deleted() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let (a, b) = (Path::from("x/a"), Path::from("y/b"));
    for text in ["one", "two"] {
        store.put(&a, text.into()).await.unwrap();
        assert_eq!(read(&store, "x/a").await.unwrap(), text);
    }
    store.copy(&a, &b).await.unwrap();
    assert!(matches!(store.copy_if_not_exists(&a, &b).await, Err(Error::AlreadyExists { .. })));
    store.delete(&a).await.unwrap();
    assert!(matches!(store.delete(&a).await, Err(Error::NotFound { .. })));
    assert!(matches!(read(&store, "x/a").await, Err(Error::NotFound { .. })));
    assert_eq!(read(&store, "y/b").await.unwrap(), "two");
    let update =
        PutOptions::from(PutMode::Update(object_store::UpdateVersion { e_tag: None, version: None }));
    assert!(matches!(store.put_opts(&b, "x".into(), update).await, Err(Error::NotSupported { .. })));
}

#[tokio::test]
async fn ranges_heads_and_conditions() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let path = Path::from("a/file");
    let put = store.put(&path, "0123456789".into()).await.unwrap();
    let head = store.head(&path).await.unwrap();
    assert_eq!((head.size, &head.e_tag), (10, &put.e_tag));
    assert_eq!(store.get_range(&path, 2..5).await.unwrap(), "234");
    assert_eq!(store.get_ranges(&path, &[0..1, 8..10]).await.unwrap(), ["0", "89"]);
    assert!(
        store.get_ranges(&path, std::slice::from_ref(&(8..11))).await.is_err(),
        "a range past the end is an error, not fewer bytes"
    );
    let wrong = GetOptions { if_match: Some("other".to_owned()), ..GetOptions::default() };
    assert!(matches!(store.get_opts(&path, wrong).await, Err(Error::Precondition { .. })));
    let right = GetOptions { if_match: put.e_tag.clone(), ..GetOptions::default() };
    assert!(store.get_opts(&path, right).await.is_ok());
    store.put(&path, "9876543210".into()).await.unwrap();
    assert_ne!(store.head(&path).await.unwrap().e_tag, put.e_tag, "another file has another tag");
    for missing in ["a", "a/none", "none/x", "a/file/x"] {
        assert!(matches!(read(&store, missing).await, Err(Error::NotFound { .. })), "{missing}");
    }
}

#[tokio::test]
async fn listings_are_sorted_complete_and_without_temporary_files() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    assert_eq!(listed(&store, None).await, [""; 0]);
    for path in ["b/2", "a/1", "b/10", "b/c/3", "top"] {
        create(&store, path, "x").await.unwrap();
    }
    std::fs::write(root.path().join(format!("b/{TEMP}x")), "half").unwrap();
    assert_eq!(listed(&store, None).await, ["a/1", "b/10", "b/2", "b/c/3", "top"]);
    assert_eq!(listed(&store, Some("b")).await, ["b/10", "b/2", "b/c/3"]);
    assert_eq!(listed(&store, Some("none")).await, [""; 0]);
    let level = store.list_with_delimiter(Some(&Path::from("b"))).await.unwrap();
    assert_eq!(level.common_prefixes, [Path::from("b/c")]);
    assert_eq!(level.objects.len(), 2);
    let after = store.list_with_offset(Some(&Path::from("b")), &Path::from("b/10"));
    let after: Vec<_> = after.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(after, ["b/2", "b/c/3"]);
    let hidden = read(&store, &format!("b/{TEMP}x")).await;
    assert!(hidden.is_err(), "a temporary file is no object");
}

#[tokio::test]
async fn an_upload_in_parts_appears_whole_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    let path = Path::from("a/big");
    let mut upload = store.put_multipart(&path).await.unwrap();
    let parts: Vec<_> = (0..5_u8).map(|n| upload.put_part(vec![n; 100_000].into())).collect();
    assert!(matches!(store.head(&path).await, Err(Error::NotFound { .. })));
    futures::future::try_join_all(parts).await.unwrap();
    upload.complete().await.unwrap();
    let bytes = read(&store, "a/big").await.unwrap();
    assert_eq!(bytes.len(), 500_000);
    assert!(bytes.chunks(100_000).zip(0..5_u8).all(|(part, n)| part.iter().all(|byte| *byte == n)));
    assert_eq!(mode(&root.path().join("a/big")), 0o600);

    for abort in [true, false] {
        let mut upload = store.put_multipart(&Path::from("a/other")).await.unwrap();
        upload.put_part("x".into()).await.unwrap();
        if abort {
            upload.abort().await.unwrap();
        }
        drop(upload);
        assert_eq!(names(root.path()), ["a", "a/big"], "aborted: {abort}");
    }
}

#[tokio::test]
async fn only_the_owner_may_look() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("deep/store");
    let store = Store::open(path.to_str().unwrap(), options()).await.unwrap();
    let snapshot = commit(&store, "1", &[1]).await;
    let file = path.join("checkpoints/trips").join(&snapshot.manifest.files[0].path);
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&path.join("milepost.json")), 0o600);
    for directory in
        file.ancestors().skip(1).take_while(|directory| directory.starts_with(root.path().join("deep")))
    {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    assert!(names(&path).iter().all(|name| !name.contains(TEMP)));
}

#[tokio::test]
async fn links_that_leave_the_store_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = disk(&root.path().join("store"));
    create(&store, "in/file", "mine").await.unwrap();
    let base = root.path().join("store");
    symlink(outside.path(), base.join("out")).unwrap();
    symlink(outside.path().join("secret"), base.join("in/leak")).unwrap();
    symlink(base.join("in/file"), base.join("in/alias")).unwrap();
    symlink("nowhere", base.join("in/dangling")).unwrap();

    for path in ["out/secret", "in/leak"] {
        assert!(matches!(read(&store, path).await, Err(Error::PermissionDenied { .. })), "{path}");
        assert!(matches!(store.head(&Path::from(path)).await, Err(Error::PermissionDenied { .. })), "{path}");
    }
    for path in ["out/new", "out/deep/new", "in/leak"] {
        assert!(matches!(create(&store, path, "x").await, Err(Error::PermissionDenied { .. })), "{path}");
        assert!(store.put(&Path::from(path), "x".into()).await.is_err(), "{path}");
    }
    assert!(store.delete(&Path::from("out/secret")).await.is_err());
    assert!(store.list_with_delimiter(Some(&Path::from("out"))).await.is_err());
    assert_eq!(listed(&store, None).await, ["in/alias", "in/file"], "what leaves is not listed");
    assert_eq!(read(&store, "in/alias").await.unwrap(), "mine", "a link within the store is followed");
    assert_eq!(names(outside.path()), ["secret"]);
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn leftover_files_are_swept_after_an_hour() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("deep/er")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the age of a leftover is told by the disk's own clock")]
    let leftover = |name: &str, age: Duration| {
        let path = root.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    };
    let hour = Duration::from_secs(3600);
    let old = leftover(&format!("deep/er/{TEMP}old"), hour + Duration::from_secs(60));
    let young = leftover(&format!("deep/{TEMP}young"), hour - Duration::from_secs(60));
    let other = leftover("deep/old-but-not-ours", 100 * hour);
    let store = disk(root.path());
    listed(&store, None).await;
    assert!(old.exists(), "reading sweeps nothing");
    create(&store, "a", "x").await.unwrap();
    assert!(!old.exists() && young.exists() && other.exists());
    let late = leftover(&format!("{TEMP}late"), 2 * hour);
    create(&store, "b", "x").await.unwrap();
    assert!(late.exists(), "once in the life of a process");
}

#[tokio::test]
async fn a_directory_that_was_removed_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    create(&store, "a/b/1", "x").await.unwrap();
    std::fs::remove_dir_all(root.path().join("a")).unwrap();
    create(&store, "a/b/2", "x").await.unwrap();
    assert_eq!(listed(&store, None).await, ["a/b/2"]);
}

#[tokio::test]
async fn a_file_where_a_directory_belongs_is_an_error_that_says_so() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    create(&store, "a", "x").await.unwrap();
    let error = create(&store, "a/b", "x").await.unwrap_err();
    assert!(!matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert!(error.to_string().contains("a file stands where a directory belongs"), "{error}");
}

#[tokio::test]
async fn without_durability_everything_still_works() {
    let root = tempfile::tempdir().unwrap();
    let options = StoreOptions { durability: Durability::None, ..options() };
    let store = Store::open(root.path().to_str().unwrap(), options).await.unwrap();
    let snapshot = commit(&store, "1", &[1, 2]).await;
    let store = store.with_durability(Durability::Fsync);
    commit(&store, "2", &[3]).await;
    assert_eq!(read_ids(&store, &snapshot).await, [1, 2]);
    assert_eq!(versions(&store).await, [1, 2]);
}

/// A collector that removes a directory as soon as it is empty: an attempt's that was just made, once, and any whose
/// last file goes.
#[derive(Debug, Default)]
struct Rival {
    done: AtomicBool,
}

impl DiskWatcher for Rival {
    fn saw(&self, step: DiskStep) {
        let directory = match &step {
            DiskStep::Remove(path) => path.parent(),
            DiskStep::MakeDirectory(path) if !self.done.swap(true, Ordering::SeqCst) => Some(path.as_path()),
            _ => None,
        };
        if let Some(directory) = directory {
            let _ = std::fs::remove_dir(directory);
        }
    }
}

#[tokio::test]
async fn a_deletion_may_lose_its_directory_to_another_collector() {
    let root = tempfile::tempdir().unwrap();
    let store = disk(root.path());
    create(&store, "a/b/1", "x").await.unwrap();
    store.watch(Arc::new(Rival::default()));
    store.delete(&Path::from("a/b/1")).await.unwrap();
    assert!(!root.path().join("a/b").exists());
}

/// Without its lock an owner that died would be waited for.
#[tokio::test]
async fn an_attempt_has_its_lock_although_a_collector_removed_its_directory() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    commit(&store, "1", &[1]).await;
    store.watch_disk(Arc::new(Rival::default()));
    let attempt = store.begin(&name(), spec(signature("2"))).await.unwrap();
    let lock = root.path().join(format!("checkpoints/trips/attempts/{}/lock", attempt.id()));
    assert!(lock.exists());
}

/// A statement that asks for no durability, between others of the same process that rely on it.
#[tokio::test]
async fn a_handle_without_durability_takes_none_from_others() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    commit(&store, "1", &[1]).await;
    let syncs = Arc::new(Syncs::default());
    store.watch_disk(Arc::clone(&syncs) as Arc<dyn DiskWatcher>);
    let quick = store.with_durability(Durability::None);
    commit(&quick, "2", &[2]).await;
    assert_eq!(syncs.count(), 0);
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    assert!(syncs.count() > 0, "the drop is on disk");
}

/// Every later handle relies on it.
#[tokio::test]
async fn the_identity_is_synced_also_without_durability() {
    let root = tempfile::tempdir().unwrap();
    let options = StoreOptions { durability: Durability::None, ..options() };
    let store = Store::open(root.path().to_str().unwrap(), options).await.unwrap();
    let syncs = Arc::new(Syncs::default());
    store.watch_disk(Arc::clone(&syncs) as Arc<dyn DiskWatcher>);
    store.prepare_write().await.unwrap();
    assert!(syncs.count() > 0);
}

#[tokio::test]
async fn a_store_on_disk_is_plain_files() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    let snapshot = commit(&store, "1", &[1]).await;
    let (attempt, file) = (snapshot.attempt, &snapshot.manifest.files[0].path);
    let mut expected = vec![
        "milepost.json".to_owned(),
        "checkpoints/trips/log/00000000000000000000.json".to_owned(),
        "checkpoints/trips/tail".to_owned(),
        format!("checkpoints/trips/attempts/{attempt}/attempt.json"),
        format!("checkpoints/trips/attempts/{attempt}/lock"),
        format!("checkpoints/trips/attempts/{attempt}/unit-00000.json"),
        format!("checkpoints/trips/{file}"),
        format!("index/{}/trips@1", signature("1")),
    ];
    expected.sort();
    let files: Vec<_> =
        names(root.path()).into_iter().filter(|name| root.path().join(name).is_file()).collect();
    assert_eq!(files, expected);
    let text =
        std::fs::read_to_string(root.path().join("checkpoints/trips/log/00000000000000000000.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["body"]["entry"]["commit"]["manifest"]["schema"]["columns"][0]["name"], "id");
    assert_eq!(json["body"]["state"]["last_version"], 1);
}

/// A file whose writer was given up: on the disk nothing is left of it as soon as the writer is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_given_up_leaves_no_file() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), schema(), properties).unwrap();
    let temporary = || names(root.path()).into_iter().filter(|name| name.contains(TEMP)).count();
    let mut numbers = Numbers(7);
    // A part is sent when eight megabytes are together.
    for _ in 0..12 {
        let ids: Vec<i64> = (0..131_072).map(|_| numbers.next().cast_signed()).collect();
        writer.write(&rows(&ids)).await.unwrap();
        writer.flush_row_group().await.unwrap();
    }
    assert_eq!(temporary(), 1, "it is being written");
    drop(writer);
    assert_eq!(temporary(), 0);
}
