//! Sources that fail or change while they are read, and statements that are cancelled.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use milepost::{CheckpointExt, Session};

use super::{Scene, fails, says};
use crate::support::{Action, Probe, checkpoint, config, number, run};

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

/// The DataFrame API begins stages of its own.
#[tokio::test]
async fn a_frame_over_an_endless_table_is_refused() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let path = scene.dir().join("endless.csv");
    fs::write(&path, "1\n2\n").unwrap();
    let ddl =
        format!("CREATE UNBOUNDED EXTERNAL TABLE u (a INT) STORED AS CSV LOCATION '{}'", path.display());
    run(&session, &ddl).await.unwrap();
    let frame = session.table("u").await.unwrap();
    let error = frame.clone().checkpoint("c").await.unwrap_err();
    says(&error.to_string(), &["'c'", "u has no end", "LIMIT"]);
    let lazy = frame.checkpoint_lazy("c").unwrap();
    says(&lazy.collect().await.unwrap_err().to_string(), &["u has no end"]);
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
