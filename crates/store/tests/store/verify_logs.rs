//! Verification of logs, identity and hints.

use std::sync::Arc;

use milepost_store::verify::{Checked, Damage, Progress};
use milepost_store::{
    CheckpointName, Durability, Finding, GcOptions, Store, StoreOptions, VerifyOptions, VerifyProgress,
    VerifyReport, Version,
};
use milepost_testkit::Operation;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parking_lot::Mutex;

use crate::aged::*;
use crate::support::*;

async fn with_commits(count: i64) -> Aged {
    let aged = aged().await;
    for round in 0..count {
        commit(&aged.store, &format!("{round}"), &[round, 2, 3]).await;
    }
    aged
}

async fn verify(aged: &Aged) -> VerifyReport {
    beside(&aged.faults).await.verify(VerifyOptions::default()).await.unwrap()
}

/// The one finding.
async fn found(aged: &Aged) -> Finding {
    let report = verify(aged).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    report.findings[0].clone()
}

#[tokio::test]
async fn a_sound_store_is_read_to_its_last_byte() {
    let aged = with_commits(3).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    let before = aged.contents().await;
    let seen: Arc<Mutex<Vec<VerifyProgress>>> = Arc::default();
    let watcher = Arc::clone(&seen);
    let progress = Some(Progress::new(move |progress| watcher.lock().push(progress)));
    let report = aged.store.verify(VerifyOptions { progress, ..VerifyOptions::default() }).await.unwrap();
    assert!(report.is_sound());
    let checked = Checked {
        checkpoints: 1,
        entries: 4,
        snapshots: 2,
        side_files: 0,
        attempts: 2,
        receipts: 2,
        data_files: 2,
        hints: 3,
        jobs: 0,
    };
    assert_eq!(report.checked, checked);
    let rows: u64 = aged.store.newest(&name()).await.unwrap().unwrap().manifest.bytes;
    let last = seen.lock().last().copied().unwrap();
    assert_eq!((last.files, last.bytes_read), (2, last.bytes_total));
    assert!(report.bytes_read > last.bytes_read && last.bytes_read >= 2 * rows - 100);
    assert_eq!(aged.contents().await, before, "nothing is changed");
    let [hint] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert!(
        hint.what == Damage::Stale && hint.object.ends_with("trips@1"),
        "the hint of the dropped version"
    );
}

#[tokio::test]
async fn every_flipped_byte_of_a_manifest_is_found() {
    let aged = with_commits(1).await;
    let path = entry_path(0);
    let whole = aged.contents().await[path.as_ref()].to_vec();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        aged.faults.inner().put(&path, bytes.into()).await.unwrap();
        let report = verify(&aged).await;
        let finding = report.findings.iter().find(|finding| finding.object == path.as_ref());
        assert!(finding.is_some_and(|finding| !finding.what.is_harmless()), "byte {at}: {report:?}");
    }
}

#[tokio::test]
async fn a_damaged_entry_names_the_versions_that_need_it() {
    let aged = with_commits(3).await;
    aged.flip(&format!("log/{:020}", 1)).await;
    let finding = found(&aged).await;
    assert_eq!((finding.what, finding.object.as_str()), (Damage::Flipped, entry_path(1).as_ref()));
    assert_eq!((finding.checkpoint, finding.versions), (Some(name()), vec![Version(2)]));
    assert!(finding.expected.contains("checksum") && finding.found.contains("checksum"));
    let report = verify(&aged).await;
    assert_eq!(report.checked.data_files, 2, "the other versions were read all the same");
}

#[tokio::test]
async fn without_the_newest_entry_no_version_can_be_relied_on() {
    let aged = with_commits(3).await;
    let bytes = aged.contents().await[entry_path(2).as_ref()].clone();
    aged.faults.inner().put(&entry_path(2), bytes.slice(..bytes.len() / 2).into()).await.unwrap();
    let finding = found(&aged).await;
    // Which version it committed is told by the hint to it.
    assert_eq!((finding.what, finding.versions), (Damage::Short, vec![Version(1), Version(2), Version(3)]));
}

/// Nothing follows the newest entry, but the hint to it is still there.
#[tokio::test]
async fn a_newest_entry_that_is_gone_is_missing() {
    let aged = with_commits(2).await;
    aged.faults.inner().delete(&entry_path(1)).await.unwrap();
    let report = verify(&aged).await;
    let missing =
        |found: &Finding| found.what == Damage::Missing && entry_path(1).as_ref().ends_with(&found.object);
    assert!(report.findings.iter().any(missing), "{:?}", report.findings);
}

/// Removes the entries from slot `first` on, and the tail.
async fn cut(aged: &Aged, first: u64) {
    for (path, _) in aged.contents().await {
        let is_lost = path.starts_with("root/checkpoints/trips/log/") && *path >= *entry_path(first).as_ref();
        if is_lost || path == tail_path().as_ref() {
            aged.faults.inner().delete(&Path::from(path)).await.unwrap();
        }
    }
}

/// The path of the hint to version `n` of [`with_commits`].
fn hint(n: u64) -> Path {
    Path::from(format!("root/index/{}/trips@{n}", signature(&format!("{}", n - 1))))
}

/// Log and tail are gone, the rows are there: the hints, which are written after the commits, prove what was lost.
#[tokio::test]
async fn commits_that_a_log_has_lost_are_missed_by_their_hints() {
    for kept in 0..3 {
        let aged = with_commits(3).await;
        cut(&aged, kept).await;
        let report = verify(&aged).await;
        let missed: Vec<u64> = (kept..3).collect();
        assert_eq!((report.findings.len(), report.damaged()), (missed.len(), missed.len()), "{report:?}");
        for (slot, finding) in missed.into_iter().zip(&report.findings) {
            assert_eq!((finding.what, &*finding.object), (Damage::Missing, entry_path(slot).as_ref()));
            // Without the newest entry nobody knows what was there in the end.
            let others = (slot == 2).then_some(1..=kept).into_iter().flatten();
            let versions: Vec<_> = others.chain([slot + 1]).map(Version).collect();
            assert_eq!((finding.checkpoint.clone(), &finding.versions), (Some(name()), &versions));
            for part in [hint(slot + 1).as_ref(), "backup", "removing that hint"] {
                assert!(finding.expected.contains(part), "{finding}");
            }
        }
        let options = VerifyOptions { name: Some(name()), ..VerifyOptions::default() };
        assert_eq!(aged.store.verify(options).await.unwrap().findings, report.findings);

        // As it says.
        for version in kept + 1..=3 {
            aged.faults.inner().delete(&hint(version)).await.unwrap();
        }
        assert_eq!(verify(&aged).await.findings, []);
    }
}

/// The whole directory is gone, and nothing but the hints tells that there was anything.
#[tokio::test]
async fn a_checkpoint_that_is_gone_altogether_is_missed() {
    let aged = with_commits(2).await;
    for path in objects(aged.faults.inner().as_ref(), "root/checkpoints").await {
        aged.faults.inner().delete(&Path::from(path)).await.unwrap();
    }
    let report = verify(&aged).await;
    let told: Vec<_> = report.findings.iter().map(|found| (found.what, found.versions.clone())).collect();
    assert_eq!(told, [(Damage::Missing, vec![Version(1)]), (Damage::Missing, vec![Version(2)])]);
}

/// Somebody has begun the log anew, and it is longer by now than it was.
#[tokio::test]
async fn a_log_that_was_begun_anew_has_entries_of_another_history() {
    let aged = with_commits(3).await;
    cut(&aged, 1).await;
    for text in ["x", "y"] {
        let attempt = aged.store.begin(&name(), spec(signature(text))).await.unwrap();
        attempt.abandon().await.unwrap();
    }
    let report = verify(&aged).await;
    let told: Vec<_> = report
        .findings
        .iter()
        .map(|found| (found.object.as_str(), found.what, found.versions.last().copied()))
        .collect();
    let (one, two) = (entry_path(1), entry_path(2));
    let foreign = |path, version| (path, Damage::Foreign, Some(Version(version)));
    assert_eq!(told, [foreign(one.as_ref(), 2), foreign(two.as_ref(), 3)]);
}

/// Of a hint that is torn, flipped, another one's or of an earlier program nobody knows whether its commit was on disk.
#[tokio::test]
async fn only_a_sealed_hint_proves_a_loss() {
    let aged = with_commits(3).await;
    cut(&aged, 2).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let contents = aged.contents().await;
    let (second, third) = (text(&contents[hint(2).as_ref()]), text(&contents[hint(3).as_ref()]));
    let moved = third.replacen('2', "3", 1);
    for torn in ["", "2", "2\n", "x", &third[..20], &second, &moved, &third.to_uppercase(), "2 \u{0}\u{0}"] {
        if torn == third {
            continue;
        }
        aged.put(hint(3).as_ref(), torn).await;
        assert!(verify(&aged).await.is_sound(), "{torn:?}");
        assert!(aged.collect().await.is_complete(), "{torn:?}");
    }
    aged.put(hint(3).as_ref(), &third).await;
    assert!(!verify(&aged).await.is_sound());
}

/// A writer that does not sync leaves a hint that a power cut may spare while it takes the commit.
#[tokio::test]
async fn a_hint_is_sealed_where_its_commit_is_on_disk() {
    for (durability, proves) in [(Durability::Fsync, true), (Durability::None, false)] {
        let root = tempfile::tempdir().unwrap();
        let options = StoreOptions { durability, ..options() };
        let store = Store::open(root.path().to_str().unwrap(), options).await.unwrap();
        commit(&store, "0", &[1]).await;
        let checkpoint = root.path().join("checkpoints/trips");
        std::fs::remove_dir_all(checkpoint.join("log")).unwrap();
        std::fs::remove_file(checkpoint.join("tail")).unwrap();
        assert_eq!(store.verify(VerifyOptions::default()).await.unwrap().is_sound(), !proves);
        let report = store.collect_garbage(GcOptions::default()).await.unwrap();
        assert_eq!(report.of(&name()).unwrap().stopped.is_some(), proves, "{report:?}");
    }
}

/// A commit comes while the log is read: its hint is there before the verification ends.
#[tokio::test]
async fn a_commit_beside_a_verification_is_not_missed() {
    let aged = with_commits(1).await;
    let verifying = beside_slow(&aged.faults, Operation::Get, "/log/", |store| async move {
        store.verify(VerifyOptions::default()).await
    })
    .await;
    commit(&aged.store, "beside", &[1]).await;
    assert_eq!(verifying.await.unwrap().unwrap().findings, []);
}

#[tokio::test]
async fn a_gap_is_a_missing_entry() {
    let aged = with_commits(4).await;
    for slot in [0, 2] {
        aged.faults.inner().delete(&entry_path(slot)).await.unwrap();
    }
    let report = verify(&aged).await;
    let told: Vec<_> = report.findings.iter().map(|found| (found.what, found.versions.clone())).collect();
    assert_eq!(told, [(Damage::Missing, vec![Version(1)]), (Damage::Missing, vec![Version(3)])]);
}

/// Whole in itself, and in its slot; but the next entry follows another one.
#[tokio::test]
async fn an_entry_of_another_history_is_out_of_chain() {
    let (aged, other) = (with_commits(3).await, with_commits(3).await);
    let theirs = other.contents().await[entry_path(0).as_ref()].clone();
    aged.faults.inner().put(&entry_path(0), theirs.into()).await.unwrap();
    let report = verify(&aged).await;
    let first = report.findings.iter().find(|finding| finding.object == entry_path(0).as_ref()).unwrap();
    assert_eq!((first.what, &first.versions[..]), (Damage::OutOfChain, &[Version(1)][..]));
    assert!(
        report.findings.iter().any(|finding| finding.what == Damage::Disagrees),
        "it commits other files"
    );
}

#[tokio::test]
async fn strangers_and_newer_entries_are_told_apart() {
    let aged = with_commits(2).await;
    let stray = "root/checkpoints/trips/log/notes.txt";
    aged.put(stray, "hello").await;
    aged.put(entry_path(2).as_ref(), "{\n  \"format\": 9\n}\n").await;
    let first = aged.contents().await[entry_path(0).as_ref()].clone();
    aged.faults.inner().put(&entry_path(3), first.into()).await.unwrap();
    let report = verify(&aged).await;
    let told: Vec<_> = report.findings.iter().map(|found| (found.object.as_str(), found.what)).collect();
    let (newer, moved) = (entry_path(2), entry_path(3));
    assert_eq!(
        told,
        [(newer.as_ref(), Damage::Newer), (moved.as_ref(), Damage::Foreign), (stray, Damage::Foreign)]
    );
}

#[tokio::test]
async fn the_stores_identity_is_looked_at() {
    let aged = with_commits(1).await;
    let path = Path::from("root/milepost.json");
    let whole = aged.contents().await[path.as_ref()].clone();
    let reader = beside(&aged.faults).await;
    aged.flip("milepost.json").await;
    let report = reader.verify(VerifyOptions::default()).await.unwrap();
    assert!(matches!(&report.findings[..], [found] if found.what == Damage::Flipped), "{report:?}");
    aged.faults.inner().delete(&path).await.unwrap();
    assert_eq!(found(&aged).await.what, Damage::Missing);
    aged.faults.inner().put(&path, whole.into()).await.unwrap();
    assert!(verify(&aged).await.is_sound());
}

#[tokio::test]
async fn hints_must_lead_to_their_signature() {
    let aged = with_commits(2).await;
    for (path, what) in [
        (format!("root/index/{}/trips@2", signature("0")), Damage::Foreign),
        (format!("root/index/{}/no hint", signature("0")), Damage::Foreign),
        (format!("root/index/{}/nowhere@1", signature("0")), Damage::Stale),
    ] {
        aged.put(&path, "1\n").await;
        let finding = found(&aged).await;
        assert_eq!((finding.what, finding.object), (what, path.replace(' ', "%20").replace("%20", " ")));
        assert_eq!(verify(&aged).await.is_sound(), what == Damage::Stale);
        aged.faults.inner().delete(&Path::from(path.as_str())).await.unwrap();
    }
}

#[tokio::test]
async fn only_the_checkpoint_and_the_version_that_were_asked_for_are_read() {
    let aged = with_commits(3).await;
    let other = CheckpointName::parse("other").unwrap();
    let nothing =
        aged.store.verify(VerifyOptions { name: Some(other), ..VerifyOptions::default() }).await.unwrap();
    assert_eq!((nothing.checked, nothing.findings), (Checked::default(), vec![]));
    let options = VerifyOptions { name: Some(name()), version: Some(Version(2)), ..VerifyOptions::default() };
    let report = aged.store.verify(options).await.unwrap();
    assert_eq!((report.checked.snapshots, report.checked.data_files, report.checked.entries), (1, 1, 3));
    assert!(report.is_sound());
}

#[tokio::test]
async fn an_empty_store_is_sound() {
    let aged = aged().await;
    assert_eq!(verify(&aged).await, VerifyReport::default());
}
