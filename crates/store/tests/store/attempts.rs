//! Finding attempts and their complete units.

use milepost_store::{Attempt, AttemptId, AttemptRecord, Error, Store, UnitNumber};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::support::*;

async fn begin(store: &Store, text: &str) -> Attempt {
    store.begin(&name(), spec(signature(text))).await.unwrap()
}

fn ids(records: &[AttemptRecord]) -> Vec<AttemptId> {
    records.iter().map(|record| record.attempt).collect()
}

fn directory(attempt: &Attempt) -> String {
    format!("root/checkpoints/trips/attempts/{}", attempt.id())
}

async fn overwrite(objects: &dyn ObjectStore, path: &str, text: &'static str) {
    objects.put(&path.into(), text.into()).await.unwrap();
}

#[tokio::test]
async fn attempts_are_found_oldest_first() {
    let (store, faults) = faulty().await;
    assert_eq!(store.attempts(&name()).await.unwrap(), []);
    let begun = [begin(&store, "a").await, begin(&store, "b").await, begin(&store, "a").await];
    let found = beside(&faults).await.attempts(&name()).await.unwrap();
    assert_eq!(ids(&found), begun.each_ref().map(Attempt::id));
    assert_eq!(found[1].spec, spec(signature("b")));
}

/// A writer stopped before `attempt.json`, or garbage collection is through but for a file that came late.
#[tokio::test]
async fn a_directory_without_a_record_is_not_an_attempt() {
    let (store, faults) = faulty().await;
    let (there, gone) = (begin(&store, "a").await, begin(&store, "b").await);
    write_unit(&gone, 0, &[1]).await.unwrap();
    faults.inner().delete(&format!("{}/attempt.json", directory(&gone)).into()).await.unwrap();
    overwrite(faults.inner().as_ref(), "root/checkpoints/trips/attempts/notes/attempt.json", "mine").await;
    assert_eq!(ids(&store.attempts(&name()).await.unwrap()), [there.id()]);
}

/// Who looks for work to reuse does without it. Who deletes reads records for itself, and stops.
#[tokio::test]
async fn an_unreadable_record_is_passed_over() {
    let (store, faults) = faulty().await;
    let (good, bad) = (begin(&store, "a").await, begin(&store, "b").await);
    overwrite(faults.inner().as_ref(), &format!("{}/attempt.json", directory(&bad)), "{}").await;
    assert_eq!(ids(&store.attempts(&name()).await.unwrap()), [good.id()]);
    assert_eq!(ids(&store.open_attempts(&name()).await.unwrap()), [good.id()]);
}

#[tokio::test]
async fn open_attempts_are_those_that_the_log_does_not_end() {
    let (store, _) = faulty().await;
    let before_drop = begin(&store, "before the drop").await;
    commit(&store, "dropped with all", &[1]).await;
    let _ = store.drop_checkpoint(&name()).await.unwrap();
    let open = begin(&store, "open").await;
    let abandoned = begin(&store, "abandoned").await;
    abandoned.abandon().await.unwrap();
    let live = commit(&store, "live", &[2]).await;
    let dropped = commit(&store, "dropped", &[3]).await;
    let _ = store.drop_version(&name(), dropped.version).await.unwrap();
    let all = ids(&store.attempts(&name()).await.unwrap());
    for there in [before_drop.id(), open.id(), abandoned.id(), live.attempt, dropped.attempt] {
        assert!(all.contains(&there), "attempts stay until garbage collection");
    }
    assert_eq!(ids(&store.open_attempts(&name()).await.unwrap()), [open.id()]);
}

#[tokio::test]
async fn receipts_are_listed_by_unit() {
    let (store, faults) = faulty().await;
    let attempt = begin(&store, "a").await;
    let mut written = vec![];
    for unit in [7, 0, 123, 11] {
        written.push(write_unit(&attempt, unit, &[i64::from(unit)]).await.unwrap());
    }
    // A unit without a receipt is not complete, and other names are not receipts.
    write_file(&attempt, 5, &[5]).await.unwrap();
    overwrite(faults.inner().as_ref(), &format!("{}/unit-1.json", directory(&attempt)), "mine").await;
    written.sort_by_key(|receipt| receipt.unit);
    let found = beside(&faults).await.receipts(&name(), attempt.id()).await.unwrap();
    assert_eq!(found, written);
    assert_eq!(found.iter().map(|receipt| receipt.unit.0).collect::<Vec<_>>(), [0, 7, 11, 123]);
}

#[tokio::test]
async fn a_listed_receipt_is_checked_like_a_single_one() {
    let (store, faults) = faulty().await;
    let attempt = begin(&store, "a").await;
    write_unit(&attempt, 0, &[1]).await.unwrap();
    let first = format!("{}/unit-00000.json", directory(&attempt)).into();
    let second = format!("{}/unit-00001.json", directory(&attempt)).into();
    faults.inner().copy(&first, &second).await.unwrap();
    let error = store.receipts(&name(), attempt.id()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignObject { .. }), "{error}");
    assert!(store.receipt(&name(), attempt.id(), UnitNumber(1)).await.is_err());
}

/// Of two attempts one waits for the other, and never both.
#[tokio::test]
async fn only_earlier_open_attempts_of_the_same_work_are_waited_for() {
    let (store, _) = faulty().await;
    let ended = begin(&store, "a").await;
    ended.abandon().await.unwrap();
    let (first, other, second) =
        (begin(&store, "a").await, begin(&store, "b").await, begin(&store, "a").await);
    assert_eq!(ids(&second.earlier().await.unwrap()), [first.id()]);
    assert_eq!(first.earlier().await.unwrap(), []);
    assert_eq!(other.earlier().await.unwrap(), []);
}
