//! Several writers of one name: every commit has its number, none is lost, equal results are shared.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use milepost::identity::{FunctionKind, FunctionVersions};
use milepost::{Session, Store, StoreOptions};
use milepost_store::DiskWatcher;
use milepost_testkit::Syncs;

use crate::support::{Action, Probe, checkpoint, config, number, open, run};

/// A place in the middle of a stage where a given number of writers meet. Whoever waits longer than ten seconds goes on,
/// so that a test fails instead of hanging.
#[derive(Default)]
struct Meeting {
    here: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn wait_for(&self, writers: usize) {
        let mut here = self.here.lock().unwrap();
        *here += 1;
        self.changed.notify_all();
        let all = |here: &mut usize| *here < writers;
        let _met = self.changed.wait_timeout_while(here, Duration::from_secs(10), all).unwrap();
    }
}

/// A session whose function `meet(x)` stops at its first row until `writers` sessions are there. The function is declared,
/// so it does not keep a result from being reused.
async fn meeting_session(dir: &Path, meeting: &Arc<Meeting>, writers: usize) -> Session {
    let mut functions = FunctionVersions::new();
    functions.declare(FunctionKind::Scalar, "meet", "1");
    let store = format!("file://{}", dir.join("store").display());
    let builder =
        Session::builder().with_config(config()).with_store_url(&store).with_function_versions(functions);
    let session = builder.build().await.unwrap();
    let (meeting, met) = (Arc::clone(meeting), AtomicUsize::new(0));
    let action: Action = Arc::new(move |_| {
        if met.fetch_add(1, Ordering::SeqCst) == 0 {
            meeting.wait_for(writers);
        }
        Ok(())
    });
    Probe::register(&session, "meet", action);
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    run(&session, "SET milepost.on_concurrent = 'race'").await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_write_the_same_one_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let meeting = Arc::default();
    let a = meeting_session(folder.path(), &meeting, 2).await;
    let b = meeting_session(folder.path(), &meeting, 2).await;
    let sql = "CHECKPOINT c AS SELECT meet(column1) AS x FROM n";
    let (first, second) = tokio::join!(checkpoint(&a, sql), checkpoint(&b, sql));
    let (first, second) = (first.unwrap(), second.unwrap());
    let outcomes = BTreeSet::from([first.outcome.as_str(), second.outcome.as_str()]);
    assert_eq!(outcomes, BTreeSet::from(["adopted", "written"]));
    assert_eq!((first.version, second.version), (1, 1));
    let fresh = open(folder.path()).await;
    assert_eq!(number(&fresh, "SELECT count(*) FROM milepost.snapshots").await, 1);
    assert_eq!(number(&fresh, "SELECT sum(x) FROM c").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_that_write_different_results_make_two_versions() {
    let folder = tempfile::tempdir().unwrap();
    let meeting = Arc::default();
    let a = meeting_session(folder.path(), &meeting, 2).await;
    let b = meeting_session(folder.path(), &meeting, 2).await;
    let (first, second) = tokio::join!(
        checkpoint(&a, "CHECKPOINT c AS SELECT meet(column1) AS x FROM n"),
        checkpoint(&b, "CHECKPOINT c AS SELECT meet(column1) * 10 AS x FROM n"),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.outcome.as_str(), second.outcome.as_str()), ("written", "written"));
    assert_eq!(BTreeSet::from([first.version, second.version]), BTreeSet::from([1, 2]));
    let fresh = open(folder.path()).await;
    for (report, sum) in [(&first, 6), (&second, 60)] {
        let version = report.version;
        assert_eq!(number(&fresh, &format!("SELECT sum(x) FROM snapshot('c', {version})")).await, sum);
    }
    let newest = if first.version == 2 { 6 } else { 60 };
    assert_eq!(number(&fresh, "SELECT sum(x) FROM c").await, newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_tasks_of_one_session_share_one_result() {
    let folder = tempfile::tempdir().unwrap();
    let session = open(folder.path()).await;
    run(&session, "CREATE TABLE n AS SELECT value AS i FROM generate_series(1, 20000)").await.unwrap();
    let sql = "CHECKPOINT c AS SELECT i, i % 7 AS m FROM n";
    let (a, b) = tokio::join!(checkpoint(&session, sql), checkpoint(&session, sql));
    let outcomes = [a.unwrap().outcome, b.unwrap().outcome];
    let written = outcomes.iter().filter(|outcome| *outcome == "written").count();
    let shared = outcomes.iter().filter(|outcome| *outcome == "adopted" || *outcome == "reused").count();
    assert_eq!((written, shared), (1, 1), "{outcomes:?}");
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 1);
    assert_eq!(number(&session, "SELECT count(*) FROM c").await, 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_writers_lose_no_commit() {
    const WRITERS: i64 = 5;
    const ROUNDS: i64 = 4;
    let folder = tempfile::tempdir().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let session = open(folder.path()).await;
        writers.spawn(async move {
            let mut made = Vec::new();
            for round in 0..ROUNDS {
                let value = writer * 100 + round;
                let report =
                    checkpoint(&session, &format!("CHECKPOINT c AS SELECT {value} AS x")).await.unwrap();
                assert_eq!(report.outcome, "written");
                made.push((report.version, value));
            }
            made
        });
    }
    let mut made: Vec<(u64, i64)> = writers.join_all().await.into_iter().flatten().collect();
    made.sort_unstable();
    let versions: Vec<u64> = made.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..=20).collect::<Vec<u64>>());
    let fresh = open(folder.path()).await;
    for (version, value) in &made {
        assert_eq!(number(&fresh, &format!("SELECT x FROM snapshot('c', {version})")).await, *value);
    }
    assert_eq!(number(&fresh, "SELECT x FROM c").await, made[19].1);
}

/// A checkpoint that reads itself never builds on a version that is no longer the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_counter_counts_every_step_that_succeeded() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).await;
    checkpoint(&first, "CHECKPOINT counter AS SELECT 0 AS n").await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let session = open(folder.path()).await;
        writers.spawn(async move {
            let mut steps = 0;
            for _ in 0..5 {
                match checkpoint(&session, "CHECKPOINT counter AS SELECT n + 1 AS n FROM counter").await {
                    Ok(_) => steps += 1,
                    Err(error) => assert!(error.to_string().contains("run the statement again"), "{error}"),
                }
            }
            steps
        });
    }
    let steps: i64 = writers.join_all().await.into_iter().sum();
    assert!(steps > 0);
    assert_eq!(number(&first, "SELECT n FROM counter").await, steps);
    let newest =
        number(&first, "SELECT version FROM milepost.checkpoints WHERE checkpoint = 'counter'").await;
    assert_eq!(newest, steps + 1);
}

/// Two that take the same step from the same version at once compute the same rows, and yet are two steps: one of them must be
/// taken again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_the_same_step_one_is_told_to_run_again() {
    for on_concurrent in ["race", "wait"] {
        let folder = tempfile::tempdir().unwrap();
        let meeting: Arc<Meeting> = Arc::default();
        let a = meeting_session(folder.path(), &meeting, 2).await;
        let b = meeting_session(folder.path(), &meeting, 2).await;
        checkpoint(&a, "CHECKPOINT r AS SELECT 0 AS i").await.unwrap();
        let step = "CHECKPOINT r AS SELECT meet(i) + 1 AS i FROM r";
        run(&b, &format!("SET milepost.on_concurrent = '{on_concurrent}'")).await.unwrap();
        let attempts = folder.path().join("store/checkpoints/r/attempts");
        let begun = || std::fs::read_dir(&attempts).unwrap().count();
        let (first, (second, ())) = tokio::join!(checkpoint(&a, step), async {
            while *meeting.here.lock().unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The first stands in the middle of its step. One that waits for it does not come to the meeting.
            tokio::join!(checkpoint(&b, step), async {
                while on_concurrent == "wait" && begun() < 3 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                if on_concurrent == "wait" {
                    meeting.wait_for(2);
                }
            })
        });
        let (done, lost): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
        assert_eq!((done.len(), lost.len()), (1, 1), "{on_concurrent}: {done:?} {lost:?}");
        let error = lost[0].as_ref().unwrap_err().to_string();
        assert!(
            error.contains("moved on to version 2") && error.contains("run the statement again"),
            "{error}"
        );
        checkpoint(&b, step).await.unwrap();
        assert_eq!(number(&a, "SELECT i FROM r").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_checkpoint_that_is_dropped_while_it_is_written_stays_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let meeting: Arc<Meeting> = Arc::default();
    let writer = meeting_session(folder.path(), &meeting, 2).await;
    let other = open(folder.path()).await;
    checkpoint(&other, "CHECKPOINT c AS SELECT 1 AS x").await.unwrap();
    let (written, ()) =
        tokio::join!(checkpoint(&writer, "CHECKPOINT c AS SELECT meet(column1) AS x FROM n"), async {
            // The stage has begun once it stands at the meeting; then the name goes, and the stage goes on.
            while *meeting.here.lock().unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            run(&other, "DROP CHECKPOINT c").await.unwrap();
            meeting.wait_for(2);
        });
    let error = written.unwrap_err().to_string();
    assert!(error.contains("dropped") && error.contains("run the statement again"), "{error}");
    let fresh = open(folder.path()).await;
    assert!(fresh.checkpoint_names().await.is_empty());
    assert_eq!(checkpoint(&fresh, "CHECKPOINT c AS SELECT 1 AS x").await.unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_sessions_create_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let session = open(folder.path()).await;
        writers.spawn(async move {
            checkpoint(&session, &format!("CHECKPOINT {name} AS SELECT '{name}' AS x")).await.unwrap();
            session.store().id().unwrap()
        });
    }
    let ids: BTreeSet<_> = writers.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    let fresh = open(folder.path()).await;
    assert_eq!(fresh.checkpoint_names().await, ["a", "b", "c", "d", "e", "f"]);
}

/// A reader that has begun reads its version to its end, also when that is replaced meanwhile; one that has not begun reads the
/// newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_keeps_the_version_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = (open(folder.path()).await, open(folder.path()).await);
    checkpoint(&writer, "CHECKPOINT c AS SELECT value AS x FROM generate_series(1, 1000)").await.unwrap();
    let frame = reader.sql("SELECT count(*) AS n, max(x) AS m FROM c").await.unwrap();
    let begun = frame.clone().create_physical_plan().await.unwrap();
    checkpoint(&writer, "CHECKPOINT c AS SELECT value AS x FROM generate_series(1, 2000)").await.unwrap();
    run(&writer, "DROP CHECKPOINT c VERSION 1").await.unwrap();
    let shown = |batches: &[_]| arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string();
    let first = datafusion::physical_plan::collect(begun, reader.task_ctx()).await.unwrap();
    assert!(shown(&first).contains("| 1000 | 1000 |"), "{}", shown(&first));
    let second = frame.collect().await.unwrap();
    assert!(shown(&second).contains("| 2000 | 2000 |"), "{}", shown(&second));
    assert_eq!(number(&reader, "SELECT count(*) FROM c").await, 2_000);
}

/// Two sessions of one process on one store: what one of them gives up, the other one keeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_durability_of_a_session_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store").display().to_string();
    let store = Store::open(&path, StoreOptions::default()).await.unwrap();
    let syncs = Arc::new(Syncs::default());
    store.watch_disk(Arc::clone(&syncs) as Arc<dyn DiskWatcher>);
    let session = async || Session::builder().with_config(config()).with_store(store.clone()).build().await;
    let (quick, safe) = (session().await.unwrap(), session().await.unwrap());
    run(&quick, "SET milepost.durability = 'none'").await.unwrap();
    run(&safe, "CHECKPOINT safe AS SELECT 0 AS n").await.unwrap();
    let synced = async |session: &Session, name: &str, round: i32| {
        let before = syncs.count();
        run(session, &format!("CHECKPOINT {name} AS SELECT {round} AS n")).await.unwrap();
        syncs.count() - before
    };
    for round in 1..=3 {
        assert_eq!(synced(&quick, "quick", round).await, 0, "round {round}");
        // The rows, the receipt and the entry, and their directories.
        assert!(synced(&safe, "safe", round).await >= 6, "round {round}");
        assert_eq!(number(&safe, "SELECT n FROM quick").await, i64::from(round));
    }
}
