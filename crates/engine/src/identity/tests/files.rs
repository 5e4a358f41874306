//! Tables over files: what is noticed, and how soon.
#![expect(clippy::disallowed_methods, reason = "these files are sources, which anybody may rename")]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant, SystemTime};

use datafusion::prelude::{CsvReadOptions, ParquetReadOptions};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tempfile::TempDir;

use super::*;
use crate::identity::{SourceChange, source_changes};

const QUERY: &str = "SELECT x FROM files";

async fn csv_session(directory: &TempDir) -> SessionContext {
    let context = SessionContext::new();
    let sql = format!(
        "CREATE EXTERNAL TABLE files (x BIGINT) STORED AS CSV LOCATION '{}/'",
        directory.path().display()
    );
    context.sql(&sql).await.unwrap();
    context
}

fn write(directory: &TempDir, name: &str, text: &str) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Kernels stamp files with a clock that moves a few milliseconds at a time; with no waiting, tests leave it the time.
fn let_the_clock_move() {
    std::thread::sleep(Duration::from_millis(30));
}

fn texts(changes: &[SourceChange]) -> Vec<&str> {
    changes.iter().map(SourceChange::text).collect()
}

#[tokio::test]
async fn every_change_of_files_changes_the_signature() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let context = csv_session(&directory).await;
    let mut signatures = vec![of(&context, QUERY).await];
    let mut step = async |what: &str, change: &dyn Fn()| {
        let_the_clock_move();
        change();
        let next = of(&context, QUERY).await;
        let last = signatures.last().unwrap();
        assert!(next.reusable, "{what}");
        assert_eq!(next.fingerprint, last.fingerprint, "{what}");
        assert!(signatures.iter().all(|earlier| earlier.signature != next.signature), "{what}");
        signatures.push(next);
    };
    step("appended", &|| write(&directory, "a.csv", "x\n1\n2\n")).await;
    step("rewritten in the same size", &|| write(&directory, "a.csv", "x\n1\n3\n")).await;
    step("added", &|| write(&directory, "b.csv", "x\n1\n")).await;
    let path = |name: &str| directory.path().join(name);
    step("renamed", &|| fs::rename(path("b.csv"), path("c.csv")).unwrap()).await;

    // Without the added file, what is there is what was there before.
    fs::remove_file(path("c.csv")).unwrap();
    assert_eq!(of(&context, QUERY).await.signature, signatures[2].signature);
}

#[tokio::test]
async fn what_is_no_part_of_the_table_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let context = SessionContext::new();
    context.register_csv("files", directory.path().to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    let before = of(&context, QUERY).await;
    write(&directory, "b.txt", "notes");
    write(&directory, "below/c.csv", "x\n1\n");
    assert_eq!(before.signature, of(&context, QUERY).await.signature);
}

/// Someone writes other rows of the same length in place and sets the modification time back. Size, inode and mtime
/// are as they were; the change time is not, and nobody can set that back.
#[tokio::test]
async fn a_file_changed_in_secret_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let path = directory.path().join("a.csv");
    let context = csv_session(&directory).await;
    let before = of(&context, QUERY).await;
    let (was, inode) = (fs::metadata(&path).unwrap().modified().unwrap(), fs::metadata(&path).unwrap().ino());
    let_the_clock_move();
    fs::write(&path, "x\n2\n").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(was).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), was);
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);

    let after = of(&context, QUERY).await;
    assert_ne!(before.signature, after.signature);
    let changes = source_changes(&before.sources, &after.sources);
    assert!(texts(&changes)[0].contains("with its old size and time"), "{changes:?}");
}

/// The same, by moving another file of the same size and time into place.
#[tokio::test]
async fn a_file_replaced_in_secret_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    write(&directory, "other", "x\n2\n");
    let (path, other) = (directory.path().join("a.csv"), directory.path().join("other"));
    let was = fs::metadata(&path).unwrap().modified().unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(was).unwrap();
    let context = csv_session(&directory).await;
    let before = of(&context, QUERY).await;
    fs::rename(&other, &path).unwrap();
    assert_ne!(before.signature, of(&context, QUERY).await.signature);
}

#[tokio::test]
async fn a_link_that_points_elsewhere_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let targets = tempfile::tempdir().unwrap();
    write(&targets, "one", "x\n1\n");
    write(&targets, "two", "x\n2\n");
    let link = directory.path().join("a.csv");
    symlink(targets.path().join("one"), &link).unwrap();
    let context = csv_session(&directory).await;
    let before = of(&context, QUERY).await;
    fs::remove_file(&link).unwrap();
    symlink(targets.path().join("two"), &link).unwrap();
    let after = of(&context, QUERY).await;
    assert_eq!(after.sources[0].objects.len(), 1);
    assert_ne!(before.signature, after.signature);
}

/// What is identified is what DataFusion lists, whatever the names of the files.
#[tokio::test]
async fn the_files_are_those_that_datafusion_reads() {
    let directory = tempfile::tempdir().unwrap();
    let names = [
        "a.csv",
        "b c.csv",
        "ü.csv",
        "d%20e.csv",
        "f#1.csv",
        "g#2",
        "h.csv#3",
        ".i.csv",
        "k=1/l.csv",
        "m/n.csv",
    ];
    for name in names {
        write(&directory, name, "x\n1\n");
    }
    for recursive in [false, true] {
        let context = csv_session(&directory).await;
        let set = format!("SET datafusion.execution.listing_table_ignore_subdirectory = {}", !recursive);
        context.sql(&set).await.unwrap();
        let identity = of(&context, QUERY).await;
        let identified: Vec<_> =
            identity.sources[0].objects.iter().map(|object| object.path.clone()).collect();

        let provider = context.table_provider("files").await.unwrap();
        let table = provider.downcast_ref::<datafusion::datasource::listing::ListingTable>().unwrap();
        let state = context.state();
        let read = table.list_files_for_scan(&state, &[], None).await.unwrap();
        let mut read: Vec<_> = read
            .file_groups
            .iter()
            .flat_map(|group| group.iter().map(|file| file.object_meta.location.to_string()))
            .collect();
        read.sort_unstable();
        assert_eq!(identified, read, "recursive: {recursive}");
        assert_eq!(identified.iter().any(|path| path.ends_with("/m/n.csv")), recursive);
    }
}

/// DataFusion's listing of a table never expires by itself. A scan after an identification reads what was identified.
#[tokio::test]
async fn a_scan_reads_what_was_identified() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let context = csv_session(&directory).await;
    let rows = async || context.sql(QUERY).await.unwrap().count().await.unwrap();
    assert_eq!(rows().await, 1);
    write(&directory, "b.csv", "x\n1\n");
    assert!(of(&context, QUERY).await.reusable);
    assert_eq!(rows().await, 2);
}

/// The same for footers and statistics, whose caches compare sizes and modification times only.
#[tokio::test]
async fn cached_footers_and_statistics_do_not_outlive_a_secret_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let write_parquet = async |values: &str| {
        let writer = SessionContext::new();
        let sql = format!("COPY (SELECT * FROM (VALUES {values}) AS v (x)) TO '{}'", path.display());
        writer.sql(&sql).await.unwrap().collect().await.unwrap();
    };
    write_parquet("(1), (2)").await;
    let context = SessionContext::new();
    let options = ParquetReadOptions::default();
    context.register_parquet("files", path.to_str().unwrap(), options).await.unwrap();
    let largest = async || {
        let batches = context.sql("SELECT max(x) AS x FROM files").await.unwrap().collect().await.unwrap();
        datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
    };
    assert!(of(&context, QUERY).await.reusable);
    let first = largest().await;
    let (was, size) = (fs::metadata(&path).unwrap().modified().unwrap(), fs::metadata(&path).unwrap().len());
    let_the_clock_move();
    write_parquet("(3), (4)").await;
    File::options().write(true).open(&path).unwrap().set_modified(was).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), size);
    assert!(of(&context, QUERY).await.reusable);
    assert_ne!(first, largest().await);
}

#[tokio::test]
async fn how_files_are_read_counts() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let path = directory.path().to_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for (what, options) in [
        ("plain", CsvReadOptions::new()),
        ("no header", CsvReadOptions::new().has_header(false)),
        ("delimiter", CsvReadOptions::new().delimiter(b';')),
        ("quote", CsvReadOptions::new().quote(b'\'')),
        ("escape", CsvReadOptions::new().escape(b'\\')),
        ("comment", CsvReadOptions::new().comment(b'#')),
        ("null", CsvReadOptions::new().null_regex(Some("NULL".to_owned()))),
        ("truncated", CsvReadOptions::new().truncated_rows(true)),
    ] {
        let context = SessionContext::new();
        context.register_csv("files", &path, options).await.unwrap();
        let identity = of(&context, "SELECT * FROM files").await;
        assert!(!seen.contains(&identity.fingerprint), "{what}");
        seen.push(identity.fingerprint);
    }
}

#[tokio::test]
async fn tuning_of_a_parquet_table_does_not_count() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let context = SessionContext::new();
    let sql = format!("COPY (SELECT 1 AS x) TO '{}'", path.display());
    context.sql(&sql).await.unwrap().collect().await.unwrap();
    let with = async |setting: &str| {
        let context = SessionContext::new();
        context.sql(&format!("SET datafusion.execution.parquet.{setting}")).await.unwrap();
        let options = ParquetReadOptions::default();
        context.register_parquet("files", path.to_str().unwrap(), options).await.unwrap();
        of(&context, QUERY).await.fingerprint
    };
    let plain = with("pruning = true").await;
    assert_eq!(plain, with("pushdown_filters = true").await);
    assert_eq!(plain, with("max_row_group_size = 100").await);
    assert_ne!(plain, with("binary_as_string = true").await);
}

/// The name of a table is no part of what is read; where its files are is.
#[tokio::test]
async fn tables_are_known_by_their_files() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&one, "a.csv", "x\n1\n");
    write(&two, "a.csv", "x\n1\n");
    let context = SessionContext::new();
    for (name, directory) in [("p", &one), ("q", &one), ("r", &two)] {
        let path = directory.path().to_str().unwrap();
        context.register_csv(name, path, CsvReadOptions::new()).await.unwrap();
    }
    let (p, q, r) = (
        of(&context, "SELECT x FROM p").await,
        of(&context, "SELECT x FROM q").await,
        of(&context, "SELECT x FROM r").await,
    );
    assert_eq!(p.signature, q.signature);
    assert_ne!(p.fingerprint, r.fingerprint);
}

/// A file of this very moment could be written again without a trace, so it is looked at again later.
#[tokio::test]
async fn a_young_file_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let context = csv_session(&directory).await;
    let state = context.state();
    let plan = analysed(&state, QUERY).await;
    let policy = FilePolicy { settle: Duration::from_millis(400), looks: 3 };
    let registries =
        Registries { sources: SourceRegistry::with_file_policy(policy), ..Registries::default() };
    let started = Instant::now();
    let identity = identify(&plan, &state, &registries, &run()).await.unwrap();
    assert!(identity.reusable);
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    let started = Instant::now();
    assert_eq!(identify(&plan, &state, &registries, &run()).await.unwrap().signature, identity.signature);
    assert!(started.elapsed() < Duration::from_millis(300), "an old file was waited for");
}

#[tokio::test]
async fn a_file_that_keeps_changing_has_no_version() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let path = directory.path().join("a.csv");
    let context = csv_session(&directory).await;
    let state = context.state();
    let plan = analysed(&state, QUERY).await;
    let policy = FilePolicy { settle: Duration::from_millis(200), looks: 2 };
    let registries =
        Registries { sources: SourceRegistry::with_file_policy(policy), ..Registries::default() };
    let writer = tokio::spawn(async move {
        loop {
            fs::write(&path, "x\n1\n").unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let identity = identify(&plan, &state, &registries, &run()).await.unwrap();
    writer.abort();
    assert!(!identity.reusable);
    assert!(identity.why_not_reusable.unwrap().contains("is being written"));
}

/// A modification time in the future says nothing about when a file was written.
#[tokio::test]
async fn a_time_set_in_the_future_does_not_hold_up() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let path = directory.path().join("a.csv");
    let future = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
    let_the_clock_move();
    assert!(of(&csv_session(&directory).await, QUERY).await.reusable);
}

/// A store around the local one gives the e-tags of the local one, which a secret change leaves as they are. As long as
/// it shows what is on the disk, the disk is asked.
#[tokio::test]
#[expect(clippy::disallowed_types, reason = "the store that DataFusion reads local files through")]
async fn a_store_around_the_local_one_hides_nothing() {
    use object_store::limit::LimitStore;
    use object_store::local::LocalFileSystem;

    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.csv", "x\n1\n");
    let path = directory.path().join("a.csv");
    let context = csv_session(&directory).await;
    let url = "file://".parse().unwrap();
    context.register_object_store(&url, Arc::new(LimitStore::new(LocalFileSystem::new(), 4)));
    let before = of(&context, QUERY).await;
    assert!(before.reusable);
    let was = fs::metadata(&path).unwrap().modified().unwrap();
    let_the_clock_move();
    fs::write(&path, "x\n2\n").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(was).unwrap();
    assert_ne!(before.signature, of(&context, QUERY).await.signature);
}

async fn remote(store: &Arc<InMemory>) -> SessionContext {
    let context = SessionContext::new();
    let url = "mem://user:hunter2@bucket".parse().unwrap();
    context.register_object_store(&url, Arc::clone(store) as Arc<dyn ObjectStore>);
    let sql =
        "CREATE EXTERNAL TABLE files (x BIGINT) STORED AS CSV LOCATION 'mem://user:hunter2@bucket/data/'";
    context.sql(sql).await.unwrap();
    context
}

async fn put(store: &InMemory, path: &str, text: &'static str) {
    store.put(&path.into(), PutPayload::from_static(text.as_bytes())).await.unwrap();
}

#[tokio::test]
async fn objects_are_known_by_their_e_tags() {
    let store = Arc::new(InMemory::new());
    put(&store, "data/a.csv", "x\n1\n").await;
    let context = remote(&store).await;
    let before = of(&context, QUERY).await;
    assert_eq!(before.signature, of(&context, QUERY).await.signature);
    assert!(before.sources[0].objects[0].e_tag.is_some());
    put(&store, "data/a.csv", "x\n2\n").await;
    let after = of(&context, QUERY).await;
    assert_ne!(before.signature, after.signature);
    put(&store, "data/b.csv", "x\n2\n").await;
    let added = source_changes(&after.sources, &of(&context, QUERY).await.sources);
    assert_eq!(texts(&added), ["files: file b.csv added"]);
}

#[tokio::test]
async fn no_password_is_kept() {
    let store = Arc::new(InMemory::new());
    put(&store, "data/a.csv", "x\n1\n").await;
    let identity = of(&remote(&store).await, QUERY).await;
    assert!(!format!("{identity:?}").contains("hunter2"));
}

/// 10,000 files are looked at in the time in which a person notices nothing. The bound is generous: the machine that
/// runs this may be busy, and the benchmark measures better.
#[tokio::test]
async fn many_files_are_looked_at_quickly() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        File::create(directory.path().join(format!("{number:05}.csv"))).unwrap();
    }
    let context = csv_session(&directory).await;
    let state = context.state();
    let plan = analysed(&state, QUERY).await;
    let registries = hasty();
    assert!(identify(&plan, &state, &registries, &run()).await.unwrap().reusable);
    let started = Instant::now();
    let identity = identify(&plan, &state, &registries, &run()).await.unwrap();
    let took = started.elapsed();
    assert_eq!(identity.sources[0].objects.len(), 10_000);
    assert!(took < Duration::from_secs(1), "{took:?}");
}
