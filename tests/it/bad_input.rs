//! Stores, files and sources that fail: one clear error, nothing half-made to be seen, nothing lost that was there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use milepost::Session;

use crate::support::{Action, Probe, checkpoint, config, number, open, run};

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

// Stores that are none.

#[tokio::test]
async fn a_store_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Session::open(&path.display().to_string()).await.unwrap_err().to_string();
        says(&error, &["notes.txt", "not a directory"]);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[tokio::test]
async fn a_store_of_an_unknown_kind_is_refused_without_its_secrets() {
    let error = Session::open("ftp://user:hunter2@host/path?token=abc").await.unwrap_err().to_string();
    says(&error, &["ftp"]);
    assert!(!error.contains("hunter2") && !error.contains("abc"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    let scene = Scene::new().await;
    let file = scene.store().join("milepost.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"format\": 1", "\"format\": 99")).unwrap();
    let error = Session::open(&scene.store().display().to_string()).await.unwrap_err().to_string();
    says(&error, &["milepost.json", "99", "newer version"]);

    fs::write(&file, text.replace("\"features\": []", "\"features\": [\"time_travel\"]")).unwrap();
    let error = Session::open(&scene.store().display().to_string()).await.unwrap_err().to_string();
    says(&error, &["milepost.json", "time_travel", "newer version"]);

    fs::write(&file, text).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn a_store_that_lost_its_identity_is_no_empty_store() {
    let scene = Scene::new().await;
    fs::remove_file(scene.store().join("milepost.json")).unwrap();
    let session = scene.session().await;
    says(&fails(&session, "SELECT * FROM kept").await, &["milepost.json", "missing"]);
    says(&fails(&session, "CHECKPOINT other AS SELECT 1 AS x").await, &["milepost.json", "missing"]);
}

// Logs that are damaged. Nothing older is served as newest.

#[tokio::test]
async fn a_damaged_log_entry_is_named() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    checkpoint(&session, "CHECKPOINT kept AS SELECT 7 AS x").await.unwrap();
    let entry = scene.log_entry(1);
    let good = fs::read(&entry).unwrap();
    let mut edited = good.clone();
    let digit = edited.iter().rposition(|b| *b == b'7' || *b == b'1').unwrap();
    edited[digit] = if edited[digit] == b'1' { b'2' } else { b'1' };
    let damages: [(&str, Vec<u8>); 4] = [
        ("truncated", good[..good.len() / 2].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("edited", edited),
        ("other text", b"hello".to_vec()),
    ];
    let name = entry.file_name().unwrap().to_string_lossy().into_owned();
    for (what, bytes) in damages {
        fs::write(&entry, bytes).unwrap();
        let session = scene.session().await;
        for sql in ["SELECT * FROM kept", "CHECKPOINT kept AS SELECT 8 AS x", "SHOW SNAPSHOTS OF kept"] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name), "{what}: {sql}: {error}");
        }
    }
    fs::write(&entry, good).unwrap();
    assert_eq!(number(&scene.session().await, "SELECT x FROM kept").await, 7);
}

#[tokio::test]
async fn a_gap_in_a_log_is_noticed() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    for x in 2..5 {
        checkpoint(&session, &format!("CHECKPOINT kept AS SELECT {x} AS x")).await.unwrap();
    }
    let entry = scene.log_entry(2);
    let good = fs::read(&entry).unwrap();
    fs::remove_file(&entry).unwrap();
    let name = entry.file_stem().unwrap().to_string_lossy().trim_start_matches('0').to_string();
    let error = fails(&scene.session().await, "SHOW SNAPSHOTS OF kept").await;
    says(&error, &["kept", &name]);
    fs::write(&entry, good).unwrap();
    assert_eq!(number(&scene.session().await, "SELECT x FROM kept").await, 4);
}

#[tokio::test]
async fn a_log_entry_of_a_newer_program_is_refused() {
    let scene = Scene::new().await;
    let entry = scene.log_entry(0);
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, text.replacen("\"format\": 1", "\"format\": 99", 1)).unwrap();
    says(&fails(&scene.session().await, "SELECT * FROM kept").await, &["99", "newer version"]);
    fs::write(&entry, text).unwrap();
    scene.is_untouched().await;
}

// Data files that are damaged. Never fewer rows.

#[tokio::test]
async fn a_missing_or_short_data_file_is_named() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let damages: [(&str, Option<&[u8]>); 4] = [
        ("missing", None),
        ("empty", Some(b"")),
        ("short", Some(&good[..good.len() - 8])),
        ("foreign", Some(b"PAR1PAR1")),
    ];
    for (what, bytes) in damages {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let session = scene.session().await;
        run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
        for sql in [
            "SELECT * FROM kept",
            "SELECT count(*) FROM kept",
            "CHECKPOINT kept AS SELECT column1 AS x FROM n",
        ] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name), "{what}: {sql}: {error}");
        }
    }
    fs::write(&file, good).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn a_flipped_byte_is_noticed_when_reads_are_verified() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    for at in [4, good.len() / 2, good.len() - 9] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&file, flipped).unwrap();
        let session = scene.session().await;
        run(&session, "SET milepost.verify_reads = true").await.unwrap();
        for sql in ["SELECT * FROM kept", "SELECT sum(x) FROM kept"] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name) && error.contains("checksum"), "byte {at}: {error}");
        }
    }
    fs::write(&file, good).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn what_is_damaged_is_computed_again_on_request() {
    let scene = Scene::new().await;
    fs::remove_file(scene.data_file()).unwrap();
    let session = scene.session().await;
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    let again = checkpoint(&session, "CHECKPOINT kept AS SELECT column1 AS x FROM n").await.unwrap();
    assert_eq!((again.version, again.outcome.as_str(), again.rows), (2, "written", 3));
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
    assert!(session.take_notices().iter().any(|notice| notice.contains(".parquet")));
    assert_eq!(number(&scene.session().await, "SELECT sum(x) FROM kept").await, 6);
}

// Sources that fail or change while they are read.

/// A session with a table of two CSV files and a function `spoil(x)` that runs `act` once, in the middle of a stage.
async fn spoiled(scene: &Scene, act: impl Fn(&Path) + Send + Sync + 'static) -> Session {
    let source = scene.dir().join("sales");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a.csv"), "x\n10\n").unwrap();
    fs::write(source.join("b.csv"), "x\n20\n").unwrap();
    let session = scene.session().await;
    let ddl = format!("CREATE EXTERNAL TABLE sales (x INT) STORED AS CSV LOCATION '{}/'", source.display());
    run(&session, &format!("{ddl} OPTIONS (format.has_header true)")).await.unwrap();
    let done = AtomicBool::new(false);
    let action: Action = Arc::new(move |_| {
        if !done.swap(true, Ordering::SeqCst) {
            act(&source);
        }
        Ok(())
    });
    Probe::register(&session, "spoil", action);
    session
}

const SPOIL: &str = "CHECKPOINT kept AS SELECT spoil(x) AS x FROM sales";

#[tokio::test]
async fn a_source_that_is_rewritten_while_it_is_read_is_named() {
    let scene = Scene::new().await;
    let session = spoiled(&scene, |source| fs::write(source.join("b.csv"), "x\n99\n").unwrap()).await;
    says(&fails(&session, SPOIL).await, &["sales", "b.csv", "changed"]);
    scene.is_untouched().await;
    // The second try finds a source that holds still.
    checkpoint(&session, SPOIL).await.unwrap();
    assert_eq!(number(&scene.session().await, "SELECT sum(x) FROM kept").await, 109);
}

#[tokio::test]
async fn a_source_that_grows_while_it_is_read_is_named() {
    let scene = Scene::new().await;
    let session = spoiled(&scene, |source| fs::write(source.join("a.csv"), "x\n10\n11\n12\n").unwrap()).await;
    says(&fails(&session, SPOIL).await, &["sales", "a.csv"]);
    scene.is_untouched().await;
}

#[tokio::test]
async fn a_source_that_disappears_while_it_is_read_is_named() {
    let scene = Scene::new().await;
    let session = spoiled(&scene, |source| {
        fs::remove_file(source.join("a.csv")).unwrap();
        fs::remove_file(source.join("b.csv")).unwrap();
    })
    .await;
    let error = fails(&session, SPOIL).await;
    assert!(error.contains("sales") && error.contains(".csv"), "{error}");
    scene.is_untouched().await;
}

/// Files that were merely added were not read: the result is right for what was there, and stale from the start.
#[tokio::test]
async fn a_file_that_is_added_meanwhile_makes_the_result_stale_and_not_wrong() {
    let scene = Scene::new().await;
    let session = spoiled(&scene, |source| fs::write(source.join("c.csv"), "x\n40\n").unwrap()).await;
    let report = checkpoint(&session, SPOIL).await.unwrap();
    assert_eq!((report.version, report.rows), (2, 2));
    run(&session, "SET milepost.on_stale = 'use'").await.unwrap();
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 30);
    let again = checkpoint(&session, SPOIL).await.unwrap();
    assert_eq!((again.version, again.outcome.as_str(), again.rows), (3, "written", 3));
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 70);
}

#[tokio::test]
async fn a_query_that_fails_late_leaves_nothing() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let sql = "CHECKPOINT kept AS SELECT 10 / (value - 49999) AS x FROM generate_series(1, 50000)";
    says(&fails(&session, sql).await, &["ivide by zero"]);
    scene.is_untouched().await;
    assert_eq!(scene.files(".milepost-tmp-"), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_stage_that_runs_out_of_memory_leaves_nothing() {
    let scene = Scene::new().await;
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(1_000_000, 1.0).build_arc().unwrap();
    let store = format!("file://{}", scene.store().display());
    let builder = Session::builder().with_config(config()).with_runtime(runtime).with_store_url(&store);
    let session = builder.build().await.unwrap();
    let sql = "CHECKPOINT kept AS SELECT value AS x, count(*) AS n, md5(value::varchar) AS h \
               FROM generate_series(1, 300000) GROUP BY 1, 3";
    let error = fails(&session, sql).await;
    assert!(error.to_lowercase().contains("resources") || error.to_lowercase().contains("memory"), "{error}");
    scene.is_untouched().await;
}

// Statements that are cancelled.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_statement_leaves_nothing_and_can_be_run_again() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let (started, slow) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let (seen, wait) = (Arc::clone(&started), Arc::clone(&slow));
    let action: Action = Arc::new(move |_| {
        seen.store(true, Ordering::SeqCst);
        if wait.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    });
    Probe::register(&session, "slow", action);
    let sql = "CHECKPOINT kept AS SELECT slow(value) AS x FROM generate_series(1, 1000000)";
    let statement = tokio::spawn({
        let session = session.clone();
        async move { run(&session, sql).await.map(|_| ()) }
    });
    while !started.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let progress = session.progress();
    assert_eq!(progress.iter().map(|stage| stage.checkpoint.as_str()).collect::<Vec<_>>(), ["kept"]);
    statement.abort();
    assert!(statement.await.unwrap_err().is_cancelled());
    session.settle().await;
    // A function that sleeps is not interrupted; its unit ends when it returns.
    for _ in 0..100 {
        if session.progress().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(session.progress().is_empty());
    scene.is_untouched().await;

    // The attempt is closed in the log: garbage collection may have its files, and no late writer can commit them.
    let log = scene.files("/log/").iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>();
    assert!(log.to_lowercase().contains("abandon"), "{log}");

    slow.store(false, Ordering::SeqCst);
    let again = checkpoint(&session, sql).await.unwrap();
    assert_eq!((again.version, again.rows), (2, 1_000_000));
    assert_eq!(number(&scene.session().await, "SELECT count(*) FROM kept").await, 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_query_with_an_inline_checkpoint_leaves_nothing() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let action: Action = Arc::new(|_| {
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    });
    Probe::register(&session, "slow", action);
    let sql =
        "SELECT count(*) FROM checkpoint((SELECT slow(value) AS x FROM generate_series(1, 1000000)), 'part')";
    let cut_off = tokio::time::timeout(Duration::from_millis(300), run(&session, sql)).await;
    assert!(cut_off.is_err(), "it was not slow");
    session.settle().await;
    scene.is_untouched().await;
}
