//! The collector stops at every one of its requests, and another one goes on.
//!
//! On the store: a snapshot with units of a dead attempt, a version that was dropped, one that is too many, and an
//! attempt that died. What must hold at every moment: the snapshots that are there are whole, and whatever is left of
//! an attempt lies beside its record. What must come in the end: the same as without the stop.

use futures::future::join_all;
use milepost_store::{GcOptions, Store, VerifyOptions, Version};
use milepost_testkit::{Fault, Operation, Rule};

use crate::aged::*;
use crate::support::*;

async fn scenario() -> (Aged, Store) {
    let aged = aged().await;
    let store = &aged.store;
    for text in ["1", "2", "3"] {
        commit(store, text, &[7]).await;
    }
    let _ = store.drop_version(&name(), Version(2)).await.unwrap();
    let (dead, resumer, manifest) = adopted(store).await;
    write_file(&dead, 4, &[1]).await.unwrap();
    let _ = resumer.commit(draft(manifest), &Unchanged).await.unwrap();
    let (failed, _) = staged(store, "failed", &[5]).await.unwrap();
    write_unit(&failed, 1, &[6]).await.unwrap();
    failed.heartbeat().await.unwrap();
    aged.clock.advance(2 * DAY);
    let collector = on(&aged.faults).await;
    collector.prepare_write().await.unwrap();
    aged.faults.forget_calls();
    (aged, collector)
}

/// One version is too many, whatever its age.
fn options() -> GcOptions {
    GcOptions { keep_versions: Some(2), ..no_grace() }
}

/// What is there, with ids blotted out.
async fn shape(aged: &Aged) -> Vec<String> {
    let blot = |path: String| -> String {
        let id = |part: &str| part.len() == 26 && part.bytes().all(|b| b.is_ascii_alphanumeric());
        let parts = path.split_inclusive(['/', '-', '.']);
        parts.map(|part| if id(part.trim_end_matches(['/', '-', '.'])) { "*/" } else { part }).collect()
    };
    let mut shape: Vec<_> = aged.contents().await.into_keys().map(blot).collect();
    shape.sort();
    shape
}

async fn assert_sound(aged: &Aged, case: &str) {
    let reader = beside(&aged.faults).await;
    let report = reader.verify(VerifyOptions::default()).await.unwrap();
    assert!(report.is_sound(), "{case}: {:?}", report.findings);
    let newest = reader.newest(&name()).await.unwrap().unwrap();
    assert_eq!((newest.version, read_ids(&reader, &newest).await), (Version(4), vec![1, 2]), "{case}");
    let below = objects(aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await;
    for path in &below {
        let record = format!("{}/attempt.json", path.rsplit_once('/').unwrap().0);
        assert!(below.contains(&record), "{case}: {path} without a record");
    }
}

async fn stopped(stop: impl FnOnce(&Aged), expected: &[String], case: &str) {
    let (aged, collector) = scenario().await;
    stop(&aged);
    // It may fail altogether, or say where it stopped; in no case does it harm anything.
    let _ = collector.collect_garbage(options()).await;
    aged.faults.heal();
    assert_sound(&aged, case).await;
    let again = aged.collect_with(options()).await;
    assert!(again.is_complete(), "{case}: {again:?}");
    assert_sound(&aged, case).await;
    // A probe that was left behind is too young to go.
    let mut found = shape(&aged).await;
    found.retain(|path| !path.starts_with("root/probes/"));
    assert_eq!(found, expected, "{case}");
    let last = aged.collect_with(options()).await;
    assert_eq!(last.deleted().count(), 0, "{case}: nothing is left to do");
}

/// The requests of an undisturbed collection, and what it leaves.
async fn undisturbed() -> (Vec<Operation>, Vec<String>) {
    let (aged, collector) = scenario().await;
    let report = collector.collect_garbage(options()).await.unwrap();
    let garbage = garbage(&report);
    assert_eq!((garbage.dropped.len(), garbage.abandoned.len()), (1, 4), "{report:?}");
    assert_sound(&aged, "undisturbed").await;
    let deleted: Vec<_> = garbage.deleted.iter().map(|gone| gone.object.as_str()).collect();
    let place = |end: &str| deleted.iter().position(|path| path.ends_with(end)).unwrap();
    let (rows, receipt) = (place(".parquet"), place("unit-00000.json"));
    assert!(rows < receipt && receipt < place("attempt.json"), "rows, receipts, record: {deleted:?}");
    (aged.faults.calls().iter().map(|call| call.operation).collect(), shape(&aged).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_write() {
    let (calls, expected) = undisturbed().await;
    let writes = calls.iter().filter(|operation| operation.writes()).count();
    assert!(writes > 20, "{writes} writes");
    let cases = (0..=writes).flat_map(|n| [(n, false), (n, true)]);
    join_all(cases.map(|(n, lose)| {
        let expected = &expected;
        async move {
            let case = format!("stopped after {n} writes, last reply lost: {lose}");
            stopped(|aged| aged.faults.stop_after(n, lose), expected, &case).await;
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_every_read() {
    let (calls, expected) = undisturbed().await;
    let cases = [Operation::Get, Operation::List].into_iter().flat_map(|operation| {
        let count = calls.iter().filter(|call| **call == operation).count();
        (0..count).flat_map(move |n| [(operation, n, 1), (operation, n, usize::MAX)])
    });
    join_all(cases.map(|(operation, n, times)| {
        let expected = &expected;
        async move {
            let case = format!("{operation:?} number {n} fails {times} times");
            let rule = Rule::on(operation, Fault::Refuse).skip(n).times(times);
            stopped(|aged| aged.faults.add(rule), expected, &case).await;
        }
    }))
    .await;
}
