//! A store that fails at any request: what was committed stays, what was not is not there, and the next try succeeds.

use std::sync::Arc;
use std::time::Duration;

use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use milepost::{Session, Store, StoreOptions};
use milepost_testkit::{Fault, FaultStore, Operation, Rule};
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::support::{Report, checkpoint, config, number, run};

/// A store in memory behind one that fails on request, with version 1 of `kept`: the numbers 1 to 3.
struct Scene {
    faults: FaultStore,
}

const NEXT: &str = "CHECKPOINT kept AS SELECT i * 10 AS x FROM n";

impl Scene {
    async fn new() -> Self {
        let scene = Self { faults: FaultStore::new(Arc::new(InMemory::new())) };
        let session = scene.session().await;
        checkpoint(&session, "CHECKPOINT kept AS SELECT i AS x FROM n").await.unwrap();
        scene.faults.forget_calls();
        scene
    }

    /// A new process: a new session that opens the store anew.
    async fn session(&self) -> Session {
        let objects = Arc::new(self.faults.clone());
        let store =
            Store::with_object_store(objects, Path::from("root"), "test://store", StoreOptions::default());
        let builder = Session::builder().with_config(config()).with_store(store.await.unwrap());
        let session = builder.build().await.unwrap();
        run(&session, "CREATE TABLE n (i BIGINT) AS VALUES (1), (2), (3)").await.unwrap();
        session
    }

    async fn sum(&self) -> i64 {
        number(&self.session().await, "SELECT sum(x) FROM kept").await
    }

    async fn versions(&self) -> i64 {
        number(&self.session().await, "SELECT count(*) FROM milepost.snapshots").await
    }
}

#[track_caller]
fn says(outcome: Result<Report>, words: &[&str]) {
    let error = outcome.unwrap_err().to_string();
    let missing: Vec<_> = words.iter().filter(|word| !error.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} not in: {error}");
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_loses_nothing() {
    for (operation, path) in [
        (Operation::Put, ".parquet"),
        (Operation::Put, "unit-00000.json"),
        (Operation::Put, "attempt.json"),
        (Operation::Put, "/log/"),
        (Operation::Put, ""),
    ] {
        let scene = Scene::new().await;
        let session = scene.session().await;
        scene.faults.add(Rule::on(operation, Fault::FillDisk).path(path));
        says(checkpoint(&session, NEXT).await, &["disk is full"]);
        scene.faults.heal();
        assert_eq!((scene.versions().await, scene.sum().await), (1, 6), "{path}");
        assert_eq!(checkpoint(&session, NEXT).await.unwrap().outcome, "written");
        assert_eq!((scene.versions().await, scene.sum().await), (2, 60), "{path}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_can_be_read_and_reused() {
    let scene = Scene::new().await;
    for operation in
        [Operation::Put, Operation::PutPart, Operation::Complete, Operation::Delete, Operation::Copy]
    {
        scene.faults.add(Rule::on(operation, Fault::Forbid));
    }
    let session = scene.session().await;
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
    let again = checkpoint(&session, "CHECKPOINT kept AS SELECT i AS x FROM n").await.unwrap();
    assert_eq!((again.version, again.outcome.as_str()), (1, "reused"));
    says(checkpoint(&session, NEXT).await, &["cannot write to", "permissions"]);
}

#[tokio::test]
async fn a_store_that_ignores_create_if_absent_is_refused_before_it_is_written() {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    faults.add(Rule::on(Operation::Put, Fault::IgnoreCondition));
    let scene = Scene { faults };
    let session = scene.session().await;
    says(checkpoint(&session, NEXT).await, &["not safe", "create-if-absent"]);
    assert!(session.checkpoint_names().await.is_empty());
}

/// The reply to the commit is lost, once or for ever: it is found to be done, and done once.
#[tokio::test]
async fn a_lost_reply_is_no_lost_commit_and_no_second_one() {
    for fault in [Fault::LoseReply, Fault::ClaimExists, Fault::Refuse] {
        for path in ["/log/", "attempt.json", "unit-00000.json"] {
            let scene = Scene::new().await;
            let session = scene.session().await;
            scene.faults.add(Rule::on(Operation::Put, fault.clone()).path(path).times(1));
            let report =
                checkpoint(&session, NEXT).await.unwrap_or_else(|e| panic!("{fault:?} at {path}: {e}"));
            assert_eq!((report.version, report.outcome.as_str()), (2, "written"), "{fault:?} at {path}");
            scene.faults.heal();
            assert_eq!((scene.versions().await, scene.sum().await), (2, 60), "{fault:?} at {path}");
        }
    }
}

/// The process goes after each of its writes in turn, with and without the last one being done. Whatever is found then is
/// whole: the old version or the new one. Run again, the statement gives the new one.
#[tokio::test]
async fn a_process_that_goes_after_any_write_leaves_whole_versions() {
    for lose_last in [false, true] {
        let mut committed = false;
        for writes in 0.. {
            let scene = Scene::new().await;
            let session = scene.session().await;
            scene.faults.stop_after(writes, lose_last);
            let finished = checkpoint(&session, NEXT).await.is_ok();
            drop(session);
            scene.faults.heal();
            let found = (scene.versions().await, scene.sum().await);
            let at = format!("after {writes} writes, the last one lost: {lose_last}");
            assert!(found == (1, 6) || found == (2, 60), "{at}: {found:?}");
            assert!(!finished || found == (2, 60), "{at}: was said to be done");
            committed |= found == (2, 60);

            let again =
                checkpoint(&scene.session().await, NEXT).await.unwrap_or_else(|e| panic!("{at}: {e}"));
            assert_eq!((again.version, again.rows), (2, 3), "{at}");
            assert_eq!((scene.versions().await, scene.sum().await), (2, 60), "{at}");
            if finished {
                assert!(writes > 4, "{at}: that is too few to have written anything");
                break;
            }
        }
        assert!(committed);
    }
}

#[tokio::test]
async fn a_store_that_fails_now_and_then_gives_right_rows_or_an_error() {
    let (mut done, mut failed) = (0, 0);
    for seed in 0..40 {
        let scene = Scene::new().await;
        let session = scene.session().await;
        scene.faults.fail_at_random(seed, 0.06);
        let outcome = checkpoint(&session, NEXT).await;
        let read = run(&session, "SELECT sum(x) AS s FROM kept").await;
        scene.faults.heal();
        match outcome {
            Ok(report) => {
                done += 1;
                assert_eq!((report.version, report.rows), (2, 3), "seed {seed}");
                assert_eq!((scene.versions().await, scene.sum().await), (2, 60), "seed {seed}");
            }
            Err(_) => {
                failed += 1;
                let found = (scene.versions().await, scene.sum().await);
                assert!(found == (1, 6) || found == (2, 60), "seed {seed}: {found:?}");
            }
        }
        if let Ok(batches) = read {
            let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
            assert!(text.contains("| 6 ") || text.contains("| 60 "), "seed {seed}: {text}");
        }
    }
    assert!(done > 0 && failed > 0, "{done} done, {failed} failed");
}

/// Every look at a log begins at its tail: a list of all checkpoints looks once at each.
#[tokio::test]
async fn a_list_of_checkpoints_reads_each_log_once() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    checkpoint(&session, NEXT).await.unwrap();
    checkpoint(&session, "CHECKPOINT other AS SELECT i FROM n").await.unwrap();
    for sql in [
        "SHOW CHECKPOINTS",
        "SHOW TABLES",
        "SELECT * FROM milepost.checkpoints",
        "SELECT * FROM milepost.snapshots",
        "SELECT * FROM milepost.files",
    ] {
        scene.faults.forget_calls();
        run(&session, sql).await.unwrap();
        for name in ["kept", "other"] {
            let looks = scene.faults.count(Operation::Get, &format!("/{name}/tail"));
            assert_eq!(looks, 1, "{sql}: {name}");
        }
    }
}

/// The future goes while the attempt's record is written: the attempt that is there then is nobody's, and is closed.
#[tokio::test]
async fn a_statement_that_is_cancelled_while_it_begins_leaves_no_open_attempt() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let of_the_attempt = |operation, fault| Rule::on(operation, fault).path("attempt.json").times(1);
    scene.faults.add(of_the_attempt(Operation::Put, Fault::LoseReply));
    scene.faults.add(of_the_attempt(Operation::Get, Fault::Delay(Duration::from_millis(300))));
    let statement = checkpoint(&session, NEXT);
    assert!(tokio::time::timeout(Duration::from_millis(100), statement).await.is_err());
    assert_eq!(scene.faults.count(Operation::Put, "attempt.json"), 1, "it was begun");
    session.settle().await;
    let name = milepost::CheckpointName::parse("kept").unwrap();
    assert_eq!(session.store().open_attempts(&name).await.unwrap().len(), 0);
    assert_eq!(checkpoint(&session, NEXT).await.unwrap().outcome, "written");
}

/// The sources cannot be listed when all is computed. Nobody knows whether they changed, so nothing is committed; the units
/// are complete, and the next try goes on from them.
#[tokio::test]
async fn a_listing_that_fails_at_the_commit_leaves_no_version_and_keeps_the_units() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    let files = FaultStore::new(Arc::new(InMemory::new()));
    let url = ObjectStoreUrl::parse("source://files").unwrap();
    session.register_object_store(url.as_ref(), Arc::new(files.clone()));
    for sql in [
        "COPY (SELECT value AS n FROM generate_series(1, 5000)) TO 'source://files/n/a.parquet' \
         OPTIONS ('format.max_row_group_size' '500')",
        "CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION 'source://files/n/'",
        "SET milepost.unit_bytes = '1 KiB'",
    ] {
        run(&session, sql).await.unwrap();
    }
    let query = "SELECT n FROM numbers WHERE n % 7 <> 3";
    files.forget_calls();
    run(&session, &format!("CHECKPOINT undisturbed AS {query}")).await.unwrap();
    let listings = files.count(Operation::List, "");
    assert!(listings > 2, "{listings}");

    files.add(Rule::on(Operation::List, Fault::Refuse).skip(listings - 1).times(1));
    let statement = format!("CHECKPOINT disturbed AS {query}");
    run(&session, &statement).await.unwrap_err();
    assert!(!session.checkpoint_names().await.contains(&"disturbed".to_string()));
    files.heal();
    let batches = run(&session, &statement).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    assert!(text.contains("resumed"), "{text}");
    let row = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    assert_eq!(row.column_by_name("units").unwrap(), row.column_by_name("units_reused").unwrap(), "{text}");
    assert_eq!(number(&session, "SELECT count(*) FROM disturbed").await, 5000 - 714);
}
