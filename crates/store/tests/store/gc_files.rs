//! Which files a collection deletes, and when.

use milepost_store::gc::{AbandonReason, KeptReason};
use milepost_store::{CommitOutcome, DropOutcome, Error, GcOptions, MAX_INLINE, StoreTime, Version};
use milepost_testkit::{Fault, Operation, Rule};

use crate::aged::*;
use crate::support::*;

#[tokio::test]
async fn a_reader_may_go_on_for_a_day_after_the_drop() {
    let aged = aged().await;
    let held = commit(&aged.store, "1", &[1, 2]).await;
    aged.clock.advance(30 * DAY);
    let dropped_at = aged.clock.now_ms();
    assert!(matches!(aged.store.drop_version(&name(), Version(1)).await.unwrap(), DropOutcome::Dropped(_)));
    aged.clock.advance(DAY - 1);
    let report = aged.collect().await;
    assert_eq!(read_ids(&aged.store, &held).await, [1, 2]);
    assert_eq!(garbage(&report).deleted, []);
    let until = StoreTime(dropped_at + DAY);
    assert_eq!(why_kept(&report, "unit-00000-"), Some(KeptReason::Grace { until }));
    assert_eq!(why_kept(&report, "unit-00000.json"), Some(KeptReason::Describes));
    aged.clock.advance(1);
    let report = aged.collect().await;
    assert!(!aged.has(&held.manifest.files[0]).await);
    assert!(report.bytes_freed() > held.manifest.bytes, "the file, and its receipt");
}

/// What no snapshot ever had was freed by the close of its attempt.
#[tokio::test]
async fn files_of_a_failed_attempt_go_a_day_after_its_close() {
    let aged = aged().await;
    let (attempt, _) = staged(&aged.store, "a", &[1]).await.unwrap();
    aged.clock.advance(HOUR);
    attempt.abandon().await.unwrap();
    let closed_at = aged.clock.now_ms();
    aged.clock.advance(DAY - 1);
    let report = aged.collect().await;
    let until = StoreTime(closed_at + DAY);
    assert_eq!(why_kept(&report, "unit-00000-"), Some(KeptReason::Grace { until }));
    assert_eq!(aged.left(&attempt).await.len(), 3);
    aged.clock.advance(1);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
}

/// What cannot be deleted is named, and keeps nothing of its kind. Receipts wait for their rows.
#[tokio::test]
async fn one_file_that_cannot_be_deleted_keeps_no_other() {
    let aged = aged().await;
    let (attempt, _) = staged(&aged.store, "a", &[1]).await.unwrap();
    let second = write_unit(&attempt, 1, &[2]).await.unwrap();
    attempt.abandon().await.unwrap();
    aged.faults.add(Rule::on(Operation::Delete, Fault::Forbid).path("/unit-00000-"));
    let report = on(&aged.faults).await.collect_garbage(no_grace()).await.unwrap();
    let stopped = report.of(&name()).unwrap().stopped.as_ref().unwrap().to_string();
    assert!(stopped.contains("unit-00000-"), "{stopped}");
    assert_eq!(report.deleted().map(|gone| gone.bytes).collect::<Vec<_>>(), [second.bytes]);
    assert_eq!(aged.left(&attempt).await.len(), 4);
}

/// The drop is old, the close is new: the grace period is that of the drop.
#[tokio::test]
async fn files_of_a_version_that_was_dropped_long_ago_go_with_the_close() {
    let aged = aged().await;
    let held = commit(&aged.store, "1", &[1]).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(DAY);
    aged.faults.forget_calls();
    let report = on(&aged.faults).await.collect_garbage(GcOptions::default()).await.unwrap();
    assert_eq!(garbage(&report).abandoned.len(), 1);
    assert!(!aged.has(&held.manifest.files[0]).await);
    let calls = aged.faults.calls();
    let at = |operation, text: &str| {
        calls.iter().position(|call| call.operation == operation && call.path.contains(text)).unwrap()
    };
    assert!(at(Operation::Put, "/log/") < at(Operation::Delete, "/attempts/"), "first closed, then deleted");
}

/// A drop fences nobody: while the attempt cannot be closed, none of its files goes.
#[tokio::test]
async fn nothing_of_an_open_attempt_is_deleted() {
    let aged = aged().await;
    let held = commit(&aged.store, "1", &[1]).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(30 * DAY);
    let collector = on(&aged.faults).await;
    aged.faults.add(Rule::on(Operation::Put, Fault::Forbid).path("/log/"));
    let report = collector.collect_garbage(no_grace()).await.unwrap();
    assert!(report.of(&name()).unwrap().stopped.is_some());
    assert_eq!(report.deleted().count(), 0);
    assert_eq!(read_ids(&aged.store, &held).await, [1]);
}

/// A snapshot has units of an attempt that died before it: they live as long as the snapshot.
#[tokio::test]
async fn adopted_files_stay_while_a_snapshot_has_them() {
    let aged = aged().await;
    let (dead, resumer, manifest) = adopted(&aged.store).await;
    let orphan = write_file(&dead, 3, &[9]).await.unwrap();
    let outcome = resumer.commit(draft(manifest.clone()), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
    aged.clock.advance(HOUR);
    let report = aged.collect().await;
    assert!(matches!(garbage(&report).abandoned[..], [closed] if closed.attempt == dead.id()));
    aged.clock.advance(30 * DAY);

    let report = aged.collect().await;
    let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
    aged.store.check_files(&snapshot).await.unwrap();
    assert_eq!(read_ids(&aged.store, &snapshot).await, [1, 2]);
    assert!(!aged.has(&orphan).await, "the unit that nobody took over");
    let path = &manifest.files[0].path;
    assert_eq!(why_kept(&report, path), Some(KeptReason::NamedBy(Version(1))));
    assert_eq!(aged.left(&dead).await.len(), 3, "rows, their receipt, and what the attempt was");

    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(DAY);
    aged.collect().await;
    assert_eq!(aged.left(&dead).await, [""; 0]);
    assert_eq!(aged.left(&resumer).await, [""; 0]);
}

/// Between the collector's look and its close, a resumer commits with a unit of the dead attempt.
#[tokio::test]
async fn a_commit_just_before_the_close_keeps_its_files() {
    let aged = aged().await;
    let (dead, resumer, manifest) = adopted(&aged.store).await;
    aged.clock.advance(HOUR);
    let collecting = beside_slow(&aged.faults, Operation::Put, "/log/", |store| async move {
        store.collect_garbage(no_grace()).await
    })
    .await;
    let outcome = resumer.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    let report = collecting.await.unwrap().unwrap();
    let closed: Vec<_> = garbage(&report).abandoned.iter().map(|abandoned| abandoned.attempt).collect();
    assert_eq!(closed, [dead.id()], "the resumer committed, so it is left alone");
    let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&aged.store, &snapshot).await, [1, 2]);
}

/// Two snapshots have the same file: it goes a day after the *last* drop.
#[tokio::test]
async fn a_file_of_two_snapshots_stays_until_both_are_dropped() {
    let aged = aged().await;
    let (dead, first, manifest) = adopted(&aged.store).await;
    let _ = first.commit(draft(manifest.clone()), &Unchanged).await.unwrap();
    let second = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&second, 1, &[2]).await.unwrap();
    let files = [vec![manifest.files[0].clone()], own.files].concat();
    let forced = milepost_store::CommitDraft {
        manifest: crate::support::manifest(signature("a"), files),
        replaces: Some(Version(1)),
    };
    let outcome = second.commit(forced, &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    let shared = &manifest.files[0];
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(30 * DAY);
    aged.collect().await;
    assert!(aged.has(shared).await);
    let _ = aged.store.drop_version(&name(), Version(2)).await.unwrap();
    aged.clock.advance(DAY - 1);
    aged.collect().await;
    assert!(aged.has(shared).await, "the grace period of the second drop");
    aged.clock.advance(1);
    aged.collect().await;
    assert_eq!(aged.left(&dead).await, [""; 0]);
}

/// A worker was stalled while its attempt was closed and collected. What it writes then is collected too.
#[tokio::test]
async fn what_a_stalled_worker_writes_late_is_collected_later() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let early = write_file(&attempt, 0, &[1]).await.unwrap();
    aged.clock.advance(HOUR);
    aged.collect().await;
    aged.clock.advance(DAY);
    // Late, but before the collection: the receipt names a file that goes.
    let receipt = write_unit(&attempt, 1, &[2]).await.unwrap();
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
    // Late, after everything went, the record included.
    write_unit(&attempt, 2, &[3]).await.unwrap();
    attempt.heartbeat().await.unwrap();
    assert_eq!(aged.left(&attempt).await.len(), 3);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
    assert!(!aged.has(&early).await && !aged.has(&receipt.files[0]).await);
}

/// A worker writes while its attempt is being emptied: the record is still needed.
#[tokio::test]
async fn what_comes_while_an_attempt_is_emptied_keeps_its_record() {
    let aged = aged().await;
    let (attempt, _) = staged(&aged.store, "a", &[1]).await.unwrap();
    attempt.abandon().await.unwrap();
    aged.clock.advance(DAY);
    let collecting = beside_slow(&aged.faults, Operation::Delete, "/unit-00000-", |store| async move {
        store.collect_garbage(GcOptions::default()).await
    })
    .await;
    write_file(&attempt, 1, &[2]).await.unwrap();
    let report = collecting.await.unwrap().unwrap();
    assert_eq!(why_kept(&report, "attempt.json"), Some(KeptReason::Describes));
    assert_eq!(aged.left(&attempt).await.len(), 2);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
}

/// Begun after a drop of all: that drop says nothing about it.
#[tokio::test]
async fn a_drop_of_all_closes_nothing_that_begins_later() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    let _ = aged.store.drop_checkpoint(&name()).await.unwrap();
    let (attempt, manifest) = staged(&aged.store, "2", &[2]).await.unwrap();
    aged.collect_with(no_grace()).await;
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&aged.store, &snapshot).await, [2]);
}

/// The record went, and the close was a drop of all, which does not name the attempt.
#[tokio::test]
async fn late_files_of_an_attempt_without_a_record_need_a_close_of_their_own() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let _ = aged.store.drop_checkpoint(&name()).await.unwrap();
    aged.clock.advance(DAY);
    aged.collect().await;
    let late = write_file(&attempt, 0, &[1]).await.unwrap();
    aged.collect().await;
    assert!(aged.has(&late).await, "as far as anyone can tell, someone is at work");
    aged.clock.advance(HOUR);
    let report = aged.collect().await;
    assert!(
        matches!(garbage(&report).abandoned[..], [closed] if matches!(closed.reason, AbandonReason::Silent(_)))
    );
    aged.clock.advance(DAY);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
}

#[tokio::test]
async fn side_files_live_as_long_as_their_commit() {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let first = write_file(&attempt, 0, &[1]).await.unwrap();
    let copies = (0..MAX_INLINE).map(|_| milepost_store::DataFile {
        path: attempt.new_unit_file(milepost_store::UnitNumber(0)).0,
        ..first.clone()
    });
    let files: Vec<_> = [first.clone()].into_iter().chain(copies).collect();
    let unit = milepost_store::UnitNumber(0);
    let slice = serde_json::Value::Null;
    let receipt = milepost_store::Receipt::new(attempt.id(), unit, signature("a"), slice, files.clone(), 1);
    attempt.write_receipt(receipt).await.unwrap();
    let _ = attempt.commit(draft(manifest(signature("a"), files)), &Unchanged).await.unwrap();
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(DAY - 1);
    aged.collect().await;
    assert!(aged.left(&attempt).await.iter().any(|name| name.starts_with("files-")));
    assert!(aged.has(&first).await, "named by the side file");
    aged.clock.advance(1);
    aged.collect().await;
    assert_eq!(aged.left(&attempt).await, [""; 0]);
    // The drop is long over, so that nobody needs the list any more.
    assert!(aged.collect().await.is_complete());
}

/// The list of a commit that was turned away because adopted units were closed: the second try wrote its own.
#[tokio::test]
async fn a_side_file_that_no_commit_names_goes_although_its_snapshot_is_there() {
    let aged = aged().await;
    let (dead, resumer, mut first) = adopted(&aged.store).await;
    first.identity.sources = vec![long_source()];
    dead.abandon().await.unwrap();
    let refused = resumer.commit(draft(first.clone()), &Unchanged).await;
    assert!(matches!(refused, Err(Error::UnitsClosed { .. })), "{refused:?}");
    let own = write_unit(&resumer, 0, &[1]).await.unwrap();
    let mut second = manifest(signature("a"), [own.files, first.files[1..].to_vec()].concat());
    second.identity.sources = first.identity.sources;
    let outcome = resumer.commit(draft(second), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    let lists = async || aged.left(&resumer).await.iter().filter(|name| name.starts_with("sources-")).count();
    assert_eq!(lists().await, 2);
    for _ in 0..2 {
        aged.clock.advance(DAY);
        aged.collect().await;
    }
    assert_eq!(lists().await, 1);
    let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&aged.store, &snapshot).await, [1, 2]);
}

#[tokio::test]
async fn hints_to_dropped_versions_are_removed() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    commit(&aged.store, "2", &[2]).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    // A commit that came after the collector's look at the log.
    let early = format!("root/index/{}/trips@3", signature("3"));
    aged.put(&early, "9\n").await;
    let report = aged.collect().await;
    assert_eq!(garbage(&report).hints, 1);
    let left = objects(aged.faults.inner().as_ref(), "root/index").await;
    let mut expected = [early, format!("root/index/{}/trips@2", signature("2"))];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn probes_of_dead_processes_are_removed_once_they_are_old() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    let probe = "root/probes/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    aged.put(probe, "left behind").await;
    aged.clock.advance(DAY - 1);
    assert_eq!(aged.collect().await.leftovers, []);
    aged.clock.advance(1);
    let report = aged.collect().await;
    assert_eq!(report.leftovers.iter().map(|gone| gone.object.as_str()).collect::<Vec<_>>(), [probe]);
    assert_eq!(objects(aged.faults.inner().as_ref(), "root/probes").await, [""; 0]);
}
