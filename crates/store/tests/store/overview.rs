//! All checkpoints at a glance.

use milepost_store::{CheckpointName, DropOutcome, Version, Which};
use milepost_testkit::Operation;

use crate::support::*;

#[tokio::test]
async fn a_store_at_a_glance_holds_what_was_asked_for() {
    let (store, _) = faulty().await;
    assert_eq!(store.overview(Which::All).await.unwrap(), []);
    for (text, ids) in [("1", &[1][..]), ("2", &[1, 2]), ("3", &[1, 2, 3])] {
        commit(&store, text, ids).await;
    }
    assert!(matches!(store.drop_version(&name(), Version(2)).await.unwrap(), DropOutcome::Dropped(_)));
    for (which, expected) in [(Which::Names, &[][..]), (Which::Newest, &[3]), (Which::All, &[1, 3])] {
        let found = store.overview(which).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, name());
        assert_eq!(found[0].live.iter().map(|live| live.version.0).collect::<Vec<_>>(), [1, 3]);
        let versions: Vec<u64> = found[0].snapshots.iter().map(|snapshot| snapshot.version.0).collect();
        assert_eq!(versions, expected, "{which:?}");
        for snapshot in &found[0].snapshots {
            assert_eq!(store.snapshot(&name(), snapshot.version).await.unwrap().as_ref(), Some(snapshot));
        }
    }
}

#[tokio::test]
async fn a_checkpoint_without_a_snapshot_is_not_shown() {
    let (store, _) = faulty().await;
    let (attempt, _) = staged(&store, "1", &[1]).await.unwrap();
    assert_eq!(store.overview(Which::Newest).await.unwrap(), [], "an attempt alone is nothing to see");
    attempt.abandon().await.unwrap();
    commit(&store, "2", &[2]).await;
    assert!(matches!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::Dropped(_)));
    assert_eq!(store.overview(Which::Newest).await.unwrap(), []);
    assert_eq!(store.look(name(), Which::Newest).await.unwrap(), None);
    assert_eq!(store.look(CheckpointName::parse("others").unwrap(), Which::All).await.unwrap(), None);
}

/// Each look at a log begins at its tail. Older snapshots cost their own entries and no more.
#[tokio::test]
async fn each_log_is_read_once() {
    let (store, faults) = faulty().await;
    for text in ["1", "2", "3"] {
        commit(&store, text, &[1]).await;
    }
    for which in [Which::Names, Which::Newest, Which::All] {
        faults.forget_calls();
        store.overview(which).await.unwrap();
        assert_eq!(faults.count(Operation::Get, "/tail"), 1, "{which:?}");
        assert_eq!(faults.count(Operation::Get, "/attempts/"), 0, "{which:?}");
    }
}
