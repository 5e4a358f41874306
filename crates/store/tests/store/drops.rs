//! Dropping, and the numbers that are never given again.

use milepost_store::{CheckpointEntry, DropOutcome, Version};

use crate::support::*;

#[tokio::test]
async fn a_version_is_never_given_twice() {
    let (store, _) = faulty().await;
    commit(&store, "1", &[1]).await;
    commit(&store, "2", &[2]).await;
    let dropped = store.drop_version(&name(), Version(2)).await.unwrap();
    assert!(matches!(&dropped, DropOutcome::Dropped(gone) if gone[0].version == Version(2)), "{dropped:?}");
    assert_eq!(newest(&store).await, Some(Version(1)));
    assert_eq!(commit(&store, "3", &[3]).await.version, Version(3));
    let DropOutcome::Dropped(gone) = store.drop_checkpoint(&name()).await.unwrap() else { panic!() };
    assert_eq!(gone.iter().map(|live| live.version.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(newest(&store).await, None);
    assert_eq!(commit(&store, "4", &[4]).await.version, Version(4));
    assert_eq!(versions(&store).await, [4]);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_dropped() {
    let (store, faults) = faulty().await;
    assert_eq!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::NotFound);
    assert_eq!(store.drop_version(&name(), Version(1)).await.unwrap(), DropOutcome::NotFound);
    assert_eq!(objects(faults.inner().as_ref(), "root").await, [""; 0], "and nothing is written for it");
    commit(&store, "1", &[1]).await;
    assert_eq!(store.drop_version(&name(), Version(2)).await.unwrap(), DropOutcome::NotFound);
    assert!(matches!(store.drop_version(&name(), Version(1)).await.unwrap(), DropOutcome::Dropped(_)));
    assert_eq!(store.drop_version(&name(), Version(1)).await.unwrap(), DropOutcome::NotFound);
    assert_eq!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::NotFound);
}

/// A reader that holds a snapshot goes on reading it: dropping deletes no file.
#[tokio::test]
async fn a_dropped_snapshots_files_stay() {
    let (store, _) = faulty().await;
    let held = commit(&store, "1", &[1, 2]).await;
    assert!(matches!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::Dropped(_)));
    store.check_files(&held).await.unwrap();
    assert_eq!(read_ids(&store, &held).await, [1, 2]);
    assert_eq!(store.snapshot(&name(), Version(1)).await.unwrap(), None);
}

#[tokio::test]
async fn the_history_tells_everything_in_order() {
    let (store, _) = faulty().await;
    commit(&store, "1", &[1]).await;
    let (attempt, _) = staged(&store, "2", &[2]).await.unwrap();
    attempt.abandon().await.unwrap();
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    commit(&store, "3", &[3]).await;
    let _ = store.drop_checkpoint(&name()).await.unwrap();
    let history = store.history(&name()).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| match &entry.body.entry {
            CheckpointEntry::Commit { version, .. } => format!("commit {version}"),
            CheckpointEntry::Drop { version } => format!("drop {version}"),
            CheckpointEntry::DropAll => "drop all".to_owned(),
            CheckpointEntry::Abandon { .. } => "abandon".to_owned(),
        })
        .collect();
    assert_eq!(told, ["commit 1", "abandon", "drop 1", "commit 2", "drop all"]);
    assert!(history.iter().enumerate().all(|(index, entry)| entry.slot.0 == index as u64));
    assert_eq!(history[3].body.state.live.len(), 1);
    assert_eq!(history[4].body.state.last_version, Version(2));
}

#[tokio::test]
async fn checkpoints_are_those_with_a_log() {
    let (store, _) = faulty().await;
    assert_eq!(store.checkpoints().await.unwrap(), []);
    let other = milepost_store::CheckpointName::parse("other").unwrap();
    let _unfinished = store.begin(&other, spec(signature("x"))).await.unwrap();
    commit(&store, "1", &[1]).await;
    assert_eq!(store.checkpoints().await.unwrap(), [name()]);
}
