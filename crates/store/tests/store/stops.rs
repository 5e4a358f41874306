//! The writer stops at every point between the begin and the end of a commit.
//!
//! On the store: whatever the first n writes left. What must come back: the whole snapshot or none, the same for
//! every reader; the next writer gets through; what the stopped writer was told is true.

use std::sync::Arc;

use futures::future::join_all;
use milepost_store::{CommitOutcome, Version};
use milepost_testkit::FaultStore;
use object_store::memory::InMemory;

use crate::support::*;

/// What had been committed before the writer began, and what it wants to commit.
const BEFORE: &[i64] = &[10, 20];
const MINE: &[i64] = &[1, 2, 3];

async fn prepared() -> FaultStore {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    commit(&on(&faults).await, "before", BEFORE).await;
    faults
}

/// How many writes a whole commit takes, and which of them is the log entry.
async fn writes_of_a_commit() -> (usize, usize) {
    let faults = prepared().await;
    let store = on(&faults).await;
    faults.forget_calls();
    commit(&store, "mine", MINE).await;
    let calls = faults.calls();
    let writes: Vec<_> = calls.iter().filter(|call| call.operation.writes()).collect();
    let entry = writes.iter().position(|call| call.path.contains("/log/")).unwrap();
    (writes.len(), entry)
}

async fn stopped_after(writes: usize, lose_last: bool, entry: usize) {
    let faults = prepared().await;
    let store = on(&faults).await;
    faults.stop_after(writes, lose_last);
    let told = try_commit(&store, "mine", MINE).await;
    faults.heal();

    let case = format!("stopped after {writes} writes, last reply lost: {lose_last}");
    let reader = beside(&faults).await;
    let found = reader.newest(&name()).await.unwrap().unwrap();
    let visible = writes > entry || (writes == entry && lose_last);
    let (version, rows) = if visible { (Version(2), MINE) } else { (Version(1), BEFORE) };
    assert_eq!((found.version, read_ids(&reader, &found).await.as_slice()), (version, rows), "{case}");
    reader.check_files(&found).await.unwrap();
    if let Ok(outcome) = &told {
        assert!(matches!(outcome, CommitOutcome::Committed(told) if *told == found), "{case}: {outcome:?}");
        assert!(visible, "{case}: a commit was reported that nobody sees");
    }

    let next = beside(&faults).await;
    match try_commit(&next, "mine", MINE).await.unwrap() {
        CommitOutcome::Adopted(snapshot) => assert!(visible && snapshot == found, "{case}"),
        CommitOutcome::Committed(snapshot) => {
            assert!(!visible && snapshot.version == Version(2), "{case}");
        }
        other => panic!("{case}: {other:?}"),
    }
    assert_eq!(versions(&reader).await, [1, 2], "{case}");
    let last = reader.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&reader, &last).await, MINE, "{case}");
    let history = reader.history(&name()).await.unwrap();
    assert_eq!(history.len(), 2, "{case}: nothing stopped halfway left an entry");
}

#[tokio::test]
async fn at_every_write_of_a_commit() {
    let (writes, entry) = writes_of_a_commit().await;
    // Probe, its removal, attempt.json, data, receipt, log entry, index hint, tail.
    assert!(entry >= 4 && writes >= entry + 3, "{writes} writes, the entry is number {entry}");
    let cases = (0..=writes).flat_map(|n| [(n, false), (n, true)]);
    join_all(cases.map(|(n, lose)| stopped_after(n, lose, entry))).await;
}

/// The very first commit, with the creation of the store itself.
#[tokio::test]
async fn at_every_write_of_the_first_commit() {
    let count = {
        let (store, faults) = faulty().await;
        commit(&store, "mine", MINE).await;
        faults.calls().iter().filter(|call| call.operation.writes()).count()
    };
    let cases = (0..=count).flat_map(|n| [(n, false), (n, true)]);
    join_all(cases.map(|(n, lose)| async move {
        let (store, faults) = faulty().await;
        faults.stop_after(n, lose);
        let told = try_commit(&store, "mine", MINE).await;
        faults.heal();
        let reader = beside(&faults).await;
        let found = reader.newest(&name()).await.unwrap();
        assert!(found.is_some() || told.is_err(), "after {n} writes");
        if let Some(found) = found {
            assert_eq!(read_ids(&reader, &found).await, MINE);
        }
        let outcome = try_commit(&reader, "mine", MINE).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(_) | CommitOutcome::Adopted(_)), "{outcome:?}");
        assert_eq!(versions(&reader).await, [1], "after {n} writes");
    }))
    .await;
}
