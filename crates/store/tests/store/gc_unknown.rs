//! What a collection cannot read stops it; what it does not know it leaves; a dry run changes nothing.

use milepost_store::gc::KeptReason;
use milepost_store::{CheckpointName, Error, GcOptions, GcReport, Slot, Version};
use milepost_testkit::{Fault, Operation, Rule};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::aged::*;
use crate::support::*;

/// Two checkpoints, each with a dropped version and a dead attempt: much to collect.
async fn littered() -> (Aged, CheckpointName) {
    let aged = aged().await;
    let other = CheckpointName::parse("other").unwrap();
    commit(&aged.store, "1", &[1]).await;
    commit(&aged.store, "2", &[2]).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    let _dead = staged(&aged.store, "3", &[3]).await.unwrap();
    let attempt = aged.store.begin(&other, spec(signature("x"))).await.unwrap();
    write_unit(&attempt, 0, &[1]).await.unwrap();
    aged.clock.advance(2 * DAY);
    (aged, other)
}

async fn assert_stops(aged: &Aged, other: &CheckpointName, expected: fn(&Error) -> bool) -> GcReport {
    let before = objects(aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await;
    let report = aged.collect_with(no_grace()).await;
    let stopped = report.of(&name()).unwrap().stopped.as_ref();
    assert!(stopped.is_some_and(expected), "{report:?}");
    assert_eq!(objects(aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await, before);
    let other = report.of(other).unwrap();
    assert!(other.stopped.is_none() && !other.deleted.is_empty(), "the other checkpoint was collected");
    report
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Damaged { .. })
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_stops_that_checkpoint_only() {
    for slot in 0..3 {
        let (aged, other) = littered().await;
        aged.flip(&format!("trips/log/{slot:020}")).await;
        assert_stops(&aged, &other, is_damage).await;
    }
}

#[tokio::test]
async fn a_missing_entry_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    aged.faults.inner().delete(&entry_path(1)).await.unwrap();
    assert_stops(&aged, &other, Error::is_damage).await;
}

/// Without its commit a snapshot looks like the work of a writer that died. The hint to it tells the two apart.
#[tokio::test]
async fn a_commit_that_the_log_has_lost_stops_that_checkpoint_only() {
    for kept in [0, 1] {
        let (aged, other) = littered().await;
        for path in [entry_path(0), entry_path(1), entry_path(2), tail_path()].iter().skip(kept) {
            aged.faults.inner().delete(path).await.unwrap();
        }
        let dry = aged.collect_with(GcOptions { dry_run: true, ..no_grace() }).await;
        let report = assert_stops(&aged, &other, |error| {
            matches!(error, Error::LogCut { missing: Slot(1), .. }) && error.is_damage()
        })
        .await;
        for report in [&dry, &report] {
            let lost = report.of(&name()).unwrap();
            assert!(lost.dropped.is_empty() && lost.abandoned.is_empty() && lost.hints == 0, "{report:?}");
            let text = lost.stopped.as_ref().unwrap().to_string();
            let hint = format!("root/index/{}/trips@2", signature("2"));
            assert!(text.contains("has lost its newest entry 1") && text.contains(&hint), "{text}");
        }
        // As it says.
        for text in ["1", "2"] {
            let hint = format!("root/index/{}/trips@{text}", signature(text));
            aged.faults.inner().delete(&Path::from(hint)).await.unwrap();
        }
        assert!(aged.collect_with(no_grace()).await.is_complete());
    }
}

#[tokio::test]
async fn an_entry_of_a_newer_program_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    let newer = "{\n  \"format\": 9,\n  \"shape\": \"unknown\"\n}\n";
    aged.put(entry_path(3).as_ref(), newer).await;
    assert_stops(&aged, &other, |error| matches!(error, Error::NewerFormat { .. })).await;
}

/// A log that was put together from two: the break is where one part of it was read and the next begins.
#[tokio::test]
async fn a_log_of_two_histories_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    let theirs = littered().await.0;
    for round in 0..70 {
        for aged in [&aged, &theirs] {
            commit(&aged.store, &format!("more {round}"), &[round]).await;
        }
    }
    let slots = aged.store.history(&name()).await.unwrap().len() as u64;
    let contents = theirs.contents().await;
    for slot in 0..slots - 64 {
        let entry = contents[entry_path(slot).as_ref()].clone();
        aged.faults.inner().put(&entry_path(slot), entry.into()).await.unwrap();
    }
    assert_stops(&aged, &other, is_damage).await;
}

#[tokio::test]
async fn a_stranger_in_the_log_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    aged.put("root/checkpoints/trips/log/notes.txt", "hello").await;
    assert_stops(&aged, &other, |error| matches!(error, Error::ForeignObject { .. })).await;
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    let directory = aged.store.history(&name()).await.unwrap();
    let milepost_store::CheckpointEntry::Commit { attempt, .. } = directory[0].body.entry else { panic!() };
    aged.flip(&format!("{attempt}/unit-00000.json")).await;
    assert_stops(&aged, &other, is_damage).await;
}

/// The attempts of [`littered`]: the one whose version is dropped, the one whose version is there, and the dead one.
async fn attempts(aged: &Aged) -> Vec<String> {
    let found = aged.store.attempts(&name()).await.unwrap();
    found.iter().map(|record| record.attempt.to_string()).collect()
}

async fn left(aged: &Aged, attempt: &str) -> Vec<String> {
    let directory = format!("root/checkpoints/trips/attempts/{attempt}");
    objects(aged.faults.inner().as_ref(), &directory).await
}

/// A damaged record keeps no other attempt, and not its own where the log proves that nothing can need it.
#[tokio::test]
async fn a_damaged_record_keeps_its_own_attempt_alone() {
    for damaged in 0..3 {
        let (aged, _) = littered().await;
        let attempts = attempts(&aged).await;
        let path = aged.flip(&format!("{}/attempt.json", attempts[damaged])).await;
        let before = left(&aged, &attempts[damaged]).await;
        let live = left(&aged, &attempts[1]).await;
        let dry = aged.collect_with(GcOptions { dry_run: true, ..no_grace() }).await;
        let report = aged.collect_with(no_grace()).await;
        assert_eq!(garbage(&dry).deleted, garbage(&report).deleted);
        let told: Vec<_> = report.damaged().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains(&path), "{told:?}");

        assert_eq!(left(&aged, &attempts[1]).await, live, "the snapshot is there");
        assert_eq!(left(&aged, &attempts[0]).await, [""; 0], "its version is dropped, says the log");
        if damaged == 2 {
            // Nothing but its record says when it began, and for what.
            assert_eq!(left(&aged, &attempts[2]).await, before);
            assert_eq!(why_kept(&report, &attempts[2]), Some(KeptReason::Unreadable));
        } else {
            assert_eq!(left(&aged, &attempts[2]).await, [""; 0]);
        }
        let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
        assert_eq!(read_ids(&aged.store, &snapshot).await, [2]);
    }
}

/// Also then, files stay for the grace period after the close.
#[tokio::test]
async fn a_damaged_record_shortens_no_grace_period() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    commit(&aged.store, "2", &[2]).await;
    let attempts = attempts(&aged).await;
    aged.clock.advance(2 * DAY);
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.flip(&format!("{}/attempt.json", attempts[0])).await;
    let before = left(&aged, &attempts[0]).await;
    let closed = aged.collect().await;
    assert_eq!(garbage(&closed).abandoned.len(), 1, "{closed:?}");
    assert_eq!(left(&aged, &attempts[0]).await, before);
    aged.clock.advance(2 * DAY);
    aged.collect().await;
    assert_eq!(left(&aged, &attempts[0]).await, [""; 0]);
}

/// A close in the log is as good as a record: an attempt that was abandoned goes, whatever it was.
#[tokio::test]
async fn an_abandoned_attempt_goes_without_its_record() {
    let (aged, _) = littered().await;
    let (attempt, _) = staged(&aged.store, "4", &[4]).await.unwrap();
    attempt.abandon().await.unwrap();
    aged.flip(&format!("{}/attempt.json", attempt.id())).await;
    aged.clock.advance(2 * DAY);
    aged.collect_with(no_grace()).await;
    assert_eq!(left(&aged, &attempt.id().to_string()).await, [""; 0]);
}

#[tokio::test]
async fn a_record_of_a_newer_program_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    let path = format!("root/checkpoints/trips/attempts/{}/attempt.json", attempts(&aged).await[0]);
    aged.put(&path, "{\n  \"format\": 9,\n  \"shape\": \"unknown\"\n}\n").await;
    assert_stops(&aged, &other, |error| matches!(error, Error::NewerFormat { .. })).await;
}

#[tokio::test]
async fn a_side_file_that_cannot_be_read_stops_that_checkpoint_only() {
    let (aged, other) = littered().await;
    commit_long(&aged.store).await;
    aged.flip("/sources-").await;
    assert_stops(&aged, &other, is_damage).await;
}

#[tokio::test]
async fn unknown_objects_are_reported_and_never_removed() {
    let (aged, _) = littered().await;
    let attempt = {
        let directory = aged.store.history(&name()).await.unwrap();
        let milepost_store::CheckpointEntry::Commit { attempt, .. } = directory[0].body.entry else {
            panic!()
        };
        attempt
    };
    let inside = [
        format!("root/checkpoints/trips/attempts/{attempt}/notes.txt"),
        format!("root/checkpoints/trips/attempts/{attempt}/sub/unit-00000.json"),
        "root/checkpoints/trips/attempts/nobody/attempt.json".to_owned(),
        "root/checkpoints/trips/readme.md".to_owned(),
    ];
    let outside = [
        "root/checkpoints/Not A Name/log/x".to_owned(),
        "root/checkpoints/stray".to_owned(),
        format!("root/index/{}/no hint", signature("1")),
        "root/probes/notes".to_owned(),
        "root/stray.txt".to_owned(),
        "root/strays/a/b".to_owned(),
    ];
    for path in inside.iter().chain(&outside) {
        aged.put(path, "mine").await;
    }
    aged.collect().await;
    aged.clock.advance(30 * DAY);
    let dry = aged.collect_with(GcOptions { dry_run: true, ..no_grace() }).await;
    let report = aged.collect_with(no_grace()).await;
    assert_eq!(garbage(&dry).deleted, garbage(&report).deleted);
    let contents = aged.contents().await;
    for path in inside.iter().chain(&outside) {
        let path = Path::from(path.as_str());
        assert_eq!(contents.get(path.as_ref()).map(|bytes| &bytes[..]), Some(&b"mine"[..]), "{path}");
    }
    let mut told: Vec<_> = garbage(&report).unknown.iter().map(|unknown| unknown.object.clone()).collect();
    told.sort();
    let mut expected = inside.clone();
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(report.unknown.len(), outside.len(), "{:?}", report.unknown);
    assert!(contents.contains_key(&format!("root/checkpoints/trips/attempts/{attempt}/attempt.json")));
    assert_eq!(why_kept(&report, &format!("{attempt}/attempt.json")), Some(KeptReason::Describes));
    assert!(!contents.keys().any(|path| path.contains(&format!("{attempt}/unit-00000-"))), "ours did go");
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_says_what_a_real_one_does() {
    for grace in [no_grace(), GcOptions::default()] {
        let (aged, _) = littered().await;
        let before = aged.contents().await;
        aged.faults.forget_calls();
        let dry = on(&aged.faults).await.collect_garbage(GcOptions { dry_run: true, ..grace.clone() }).await;
        let dry = dry.unwrap();
        assert_eq!(aged.contents().await, before, "byte for byte");
        let writes: Vec<_> = aged.faults.calls().into_iter().filter(|call| call.operation.writes()).collect();
        assert!(writes.iter().all(|call| call.path.contains("/probes/")), "{writes:?}");
        let real = aged.collect_with(grace).await;
        assert!(dry.dry_run && !real.dry_run && dry.bytes_freed() > 0);
        for (dry, real) in dry.checkpoints.iter().zip(&real.checkpoints) {
            assert_eq!(dry.dropped, real.dropped);
            assert_eq!(dry.abandoned, real.abandoned);
            assert_eq!(dry.deleted, real.deleted);
            assert_eq!(dry.kept, real.kept);
            assert_eq!(dry.hints, real.hints);
        }
        assert_ne!(aged.contents().await, before);
    }
}

#[tokio::test]
async fn an_empty_store_has_no_garbage_and_is_not_written_to() {
    let aged = aged().await;
    let report = aged.store.collect_garbage(GcOptions::default()).await.unwrap();
    assert!(report.is_complete() && report.checkpoints.is_empty());
    assert_eq!(aged.contents().await.len(), 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_to_says_so() {
    let (aged, _) = littered().await;
    aged.faults.add(Rule::on(Operation::Put, Fault::Forbid));
    for options in [GcOptions::default(), GcOptions::dry()] {
        let error = on(&aged.faults).await.collect_garbage(options).await.unwrap_err();
        assert!(matches!(error, Error::NotWritable { .. }), "{error}");
    }
}

#[tokio::test]
async fn checkpoints_without_the_stores_identity_are_not_collected() {
    let (aged, _) = littered().await;
    aged.faults.inner().delete(&Path::from("root/milepost.json")).await.unwrap();
    let error = beside(&aged.faults).await.collect_garbage(no_grace()).await.unwrap_err();
    assert!(matches!(error, Error::MissingIdentity { .. }), "{error}");
}
