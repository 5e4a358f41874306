//! Which attempts a collection closes: proof of death, and what the close is good for.

use std::time::Duration;

use milepost_store::gc::{AbandonReason, Abandoned, KeptReason};
use milepost_store::{
    CheckpointName, CommitOutcome, DropOutcome, Error, GcOptions, Slot, StoreTime, VerifyOptions, Version,
};
use milepost_testkit::Operation;

use crate::aged::*;
use crate::support::*;

const DEATH: i64 = 15 * MINUTE;

#[tokio::test]
async fn an_attempt_is_dead_after_15_minutes_of_silence_by_the_stores_time() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let began = aged.clock.now_ms();
    aged.clock.advance(DEATH - 1);
    let report = aged.collect().await;
    assert_eq!(garbage(&report).abandoned, []);
    let until = StoreTime(began + DEATH);
    assert_eq!(why_kept(&report, "attempt.json"), Some(KeptReason::Alive { until }));
    aged.clock.advance(1);
    let report = aged.collect().await;
    let reason = AbandonReason::Silent(Duration::from_secs(15 * 60));
    assert_eq!(garbage(&report).abandoned, [Abandoned { attempt: attempt.id(), reason }]);
    assert_eq!(garbage(&aged.collect().await).abandoned, [], "once is enough");
}

#[tokio::test]
async fn a_changed_heartbeat_is_a_sign_of_life() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    for _ in 0..10 {
        aged.clock.advance(DEATH - SECOND);
        attempt.heartbeat().await.unwrap();
        aged.clock.advance(SECOND);
        assert_eq!(garbage(&aged.collect().await).abandoned, []);
    }
    aged.clock.advance(DEATH - SECOND);
    assert_eq!(garbage(&aged.collect().await).abandoned.len(), 1);
}

/// A worker that writes is alive, whoever gives the heartbeat.
#[tokio::test]
async fn a_file_that_was_just_written_is_a_sign_of_life() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    aged.clock.advance(DEATH - SECOND);
    write_unit(&attempt, 0, &[1]).await.unwrap();
    aged.clock.advance(DEATH - SECOND);
    assert_eq!(garbage(&aged.collect().await).abandoned, []);
}

/// A writer stalls before its commit, and wakes up when its files may be gone already.
#[tokio::test]
async fn a_writer_that_was_taken_for_dead_cannot_commit() {
    let aged = aged().await;
    let (attempt, manifest) = staged(&aged.store, "a", &[1]).await.unwrap();
    aged.clock.advance(DEATH);
    assert_eq!(garbage(&aged.collect().await).abandoned.len(), 1);
    let error = attempt.commit(draft(manifest), &Unchanged).await.unwrap_err();
    let told = matches!(&error, Error::AttemptClosed { attempt: closed, slot: Slot(0), .. } if *closed == attempt.id());
    assert!(told && !error.is_damage(), "{error}");
    let text = error.to_string();
    for part in
        ["trips", "no sign of life", "garbage collection", "nobody dropped it", "run the statement again"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(newest(&aged.store).await, None);
}

/// A drop is told of as a drop, whatever collections there were since.
#[tokio::test]
async fn a_writer_whose_checkpoint_was_dropped_is_not_told_of_a_collection() {
    let aged = aged().await;
    commit(&aged.store, "old", &[0]).await;
    let (attempt, manifest) = staged(&aged.store, "a", &[1]).await.unwrap();
    let _ = aged.store.drop_checkpoint(&name()).await.unwrap();
    aged.clock.advance(DEATH);
    aged.collect().await;
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Closed);
}

/// It stalls right at the append: the close takes the slot that the commit was to have.
#[tokio::test]
async fn a_commit_that_arrives_after_the_close_does_not_count() {
    let aged = aged().await;
    let (attempt, manifest) = staged(&aged.store, "a", &[1]).await.unwrap();
    aged.clock.advance(DEATH);
    let committing = beside_slow(&aged.faults, Operation::Put, "/log/", |_| async move {
        attempt.commit(draft(manifest), &Unchanged).await
    })
    .await;
    let report = aged.collect_with(no_grace()).await;
    assert_eq!(garbage(&report).abandoned.len(), 1);
    let error = committing.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::AttemptClosed { .. }), "{error}");
    assert_eq!(newest(&aged.store).await, None);
}

#[tokio::test]
async fn units_of_a_closed_attempt_are_to_be_computed_again() {
    let aged = aged().await;
    let (dead, dead_manifest) = staged(&aged.store, "a", &[1]).await.unwrap();
    aged.clock.advance(DEATH);
    aged.collect().await;
    let resumer = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&resumer, 1, &[2]).await.unwrap();
    let files = [dead_manifest.files, own.files].concat();
    match resumer.commit(draft(manifest(signature("a"), files)), &Unchanged).await {
        Err(Error::UnitsClosed { attempts, .. }) => assert_eq!(attempts, [dead.id()]),
        other => panic!("{other:?}"),
    }
}

/// A resumer works for hours on top of a dead attempt's units. A collection must not make it do them again.
#[tokio::test]
async fn a_silent_attempt_stays_open_while_a_living_one_at_the_same_result_may_use_its_units() {
    let aged = aged().await;
    let (dead, _) = staged(&aged.store, "a", &[1]).await.unwrap();
    let (other, _) = staged(&aged.store, "b", &[1]).await.unwrap();
    aged.clock.advance(DEATH);
    let resumer = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let report = aged.collect().await;
    let closed: Vec<_> = garbage(&report).abandoned.iter().map(|abandoned| abandoned.attempt).collect();
    assert_eq!(closed, [other.id()]);
    let reason = why_kept(&report, &format!("{}/unit", dead.id()));
    assert_eq!(reason, Some(KeptReason::MayBeAdopted { by: resumer.id() }));
    aged.clock.advance(DEATH);
    assert_eq!(garbage(&aged.collect().await).abandoned.len(), 2, "both are silent now");
}

/// A twin ran a unit and lost, or the unit held states from which the snapshot was made: the file is named by nobody. The
/// attempt is closed a grace period after its last write, and the file goes another one later. The snapshot stays.
#[tokio::test]
async fn what_a_snapshot_does_not_name_goes_in_the_end() {
    let aged = aged().await;
    let (attempt, manifest) = staged(&aged.store, "a", &[1]).await.unwrap();
    let orphan = write_file(&attempt, 0, &[1]).await.unwrap();
    let _ = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    let before = aged.contents().await;
    let report = aged.collect().await;
    assert_eq!((&garbage(&report).abandoned[..], &garbage(&report).deleted[..]), (&[][..], &[][..]));
    assert_eq!(aged.contents().await, before, "somebody may still be at work on it");
    aged.clock.advance(DAY);
    let reason = AbandonReason::Surplus(Version(1));
    let report = aged.collect().await;
    assert_eq!(garbage(&report).abandoned, [Abandoned { attempt: attempt.id(), reason }]);
    assert!(aged.has(&orphan).await);
    aged.clock.advance(DAY);
    aged.collect().await;
    assert!(!aged.has(&orphan).await);
    let newest = aged.store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&aged.store, &newest).await, [1]);
    assert!(aged.store.verify(VerifyOptions::default()).await.unwrap().is_sound());
}

#[tokio::test]
async fn an_attempt_whose_snapshot_names_all_of_it_is_left_alone() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    aged.clock.advance(30 * DAY);
    let before = aged.contents().await;
    let report = aged.collect_with(no_grace()).await;
    assert_eq!((&garbage(&report).abandoned[..], &garbage(&report).deleted[..]), (&[][..], &[][..]));
    assert_eq!(aged.contents().await, before);
}

/// It has ended, and nobody could adopt from it: no need to wait for anyone's death.
#[tokio::test]
async fn an_attempt_whose_snapshot_was_dropped_is_closed_at_once() {
    let aged = aged().await;
    let snapshot = commit(&aged.store, "1", &[1]).await;
    assert!(matches!(aged.store.drop_version(&name(), Version(1)).await.unwrap(), DropOutcome::Dropped(_)));
    let report = aged.collect().await;
    let reason = AbandonReason::Dropped(Version(1));
    assert_eq!(garbage(&report).abandoned, [Abandoned { attempt: snapshot.attempt, reason }]);
}

#[tokio::test]
async fn an_attempt_that_a_drop_of_all_closed_needs_no_close() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    let (_open, _) = staged(&aged.store, "2", &[2]).await.unwrap();
    let _ = aged.store.drop_checkpoint(&name()).await.unwrap();
    aged.clock.advance(DAY);
    let report = aged.collect().await;
    assert_eq!(garbage(&report).abandoned, []);
    assert_eq!(aged.store.history(&name()).await.unwrap().len(), 2);
    assert_eq!(objects(aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await, [""; 0]);
}

/// Nobody ever committed here, so there is no log: the close is its first entry.
#[tokio::test]
async fn attempts_are_found_where_no_log_is() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    aged.clock.advance(DEATH);
    assert_eq!(garbage(&aged.collect().await).abandoned.len(), 1);
    aged.clock.advance(DAY);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
    assert_eq!(commit(&aged.store, "1", &[1]).await.version, Version(1));
}

#[tokio::test]
async fn only_the_checkpoints_that_were_asked_for_are_looked_at() {
    let aged = aged().await;
    let other = CheckpointName::parse("other").unwrap();
    let _attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let _other = aged.store.begin(&other, spec(signature("a"))).await.unwrap();
    aged.clock.advance(DAY);
    let report =
        aged.collect_with(GcOptions { checkpoints: Some(vec![other.clone()]), ..GcOptions::default() }).await;
    assert_eq!(report.checkpoints.len(), 1);
    assert_eq!(report.of(&other).unwrap().abandoned.len(), 1);
    assert_eq!(aged.store.history(&name()).await.unwrap(), []);
}
