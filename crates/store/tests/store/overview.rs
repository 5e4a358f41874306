//! All checkpoints at a glance.

use milepost_store::{CheckpointName, CommitOutcome, DropOutcome, Version, Which};
use milepost_testkit::Operation;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::support::*;

#[tokio::test]
async fn a_store_at_a_glance_holds_what_was_asked_for() {
    let (store, _) = faulty().await;
    assert_eq!(store.overview(Which::All).await.unwrap().checkpoints, []);
    for (text, ids) in [("1", &[1][..]), ("2", &[1, 2]), ("3", &[1, 2, 3])] {
        commit(&store, text, ids).await;
    }
    assert!(matches!(store.drop_version(&name(), Version(2)).await.unwrap(), DropOutcome::Dropped(_)));
    for (which, expected) in [(Which::Names, &[][..]), (Which::Newest, &[3]), (Which::All, &[1, 3])] {
        let found = store.overview(which).await.unwrap().checkpoints;
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
    assert_eq!(
        store.overview(Which::Newest).await.unwrap().checkpoints,
        [],
        "an attempt alone is nothing to see"
    );
    attempt.abandon().await.unwrap();
    commit(&store, "2", &[2]).await;
    assert!(matches!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::Dropped(_)));
    assert_eq!(store.overview(Which::Newest).await.unwrap().checkpoints, []);
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

/// A log that cannot be read hides its own checkpoint, and says why.
#[tokio::test]
async fn damage_at_one_name_hides_no_other() {
    let (store, _) = faulty().await;
    commit(&store, "1", &[1]).await;
    let other = CheckpointName::parse("other").unwrap();
    let attempt = store.begin(&other, spec(signature("2"))).await.unwrap();
    let receipt = write_unit(&attempt, 0, &[2]).await.unwrap();
    let draft = draft(manifest(signature("2"), receipt.files));
    assert!(matches!(attempt.commit(draft, &Unchanged).await, Ok(CommitOutcome::Committed(_))));
    let entry = Path::from("root/checkpoints/other/log/00000000000000000000.json");
    assert!(store.object_store().head(&entry).await.is_ok());
    store.object_store().put(&entry, "{".into()).await.unwrap();
    let found = store.overview(Which::Newest).await.unwrap();
    assert_eq!(found.checkpoints.iter().map(|checkpoint| &checkpoint.name).collect::<Vec<_>>(), [&name()]);
    let [(unreadable, error)] = &found.unreadable[..] else { panic!("{found:?}") };
    assert_eq!(*unreadable, other);
    assert!(error.to_string().contains("under another name"), "{error}");
}
