//! Objects that are missing, cut, edited or not ours: named as damage, never read around.

use bytes::Bytes;
use milepost_store::{Error, Slot, Store, VerifyOptions, Version, Which};
use milepost_testkit::{FaultStore, Operation};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::support::*;

async fn read(faults: &FaultStore, path: &Path) -> Bytes {
    faults.inner().get(path).await.unwrap().bytes().await.unwrap()
}

async fn write(faults: &FaultStore, path: &Path, bytes: impl Into<Bytes>) {
    faults.inner().put(path, bytes.into().into()).await.unwrap();
}

async fn with_commits(count: i64) -> (Store, FaultStore) {
    let (store, faults) = faulty().await;
    for round in 0..count {
        commit(&store, &format!("{round}"), &[round]).await;
    }
    (store, faults)
}

fn names(error: &Error, path: &Path) -> bool {
    error.to_string().contains(path.as_ref())
}

#[tokio::test]
async fn a_cut_or_edited_newest_entry_is_damage_and_nothing_older_is_served() {
    let (store, faults) = with_commits(3).await;
    let path = entry_path(2);
    let whole = read(&faults, &path).await;
    let text = String::from_utf8(whole.to_vec()).unwrap();
    let edits = [
        whole.slice(..0),
        whole.slice(..whole.len() / 2),
        whole.slice(..whole.len() - 1),
        Bytes::from(text.replacen("\"rows\": 1", "\"rows\": 2", 1)),
        Bytes::from(text.replacen("  ", " ", 1)),
    ];
    for edited in edits {
        assert_ne!(edited, whole);
        write(&faults, &path, edited).await;
        let error = store.newest(&name()).await.unwrap_err();
        assert!(
            matches!(error, Error::Damaged { .. }) && error.is_damage() && names(&error, &path),
            "{error}"
        );
        assert!(try_commit(&store, "next", &[9]).await.is_err(), "nobody builds on it either");
    }
    write(&faults, &path, whole).await;
    assert_eq!(newest(&store).await, Some(Version(3)));
}

#[tokio::test]
async fn a_missing_entry_is_a_gap() {
    let (store, faults) = with_commits(4).await;
    faults.inner().delete(&entry_path(1)).await.unwrap();
    let error = store.history(&name()).await.unwrap_err();
    assert!(matches!(error, Error::LogGap { missing: Slot(1), newest: Slot(3), .. }), "{error}");
    // The newest state needs the newest entry only; the version whose commit is gone is damaged.
    assert_eq!(newest(&store).await, Some(Version(4)));
    let error = store.snapshot(&name(), Version(2)).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && names(&error, &entry_path(1)), "{error}");
}

#[tokio::test]
async fn a_gap_before_the_newest_entry_is_not_taken_for_the_end() {
    let (store, faults) = with_commits(4).await;
    write(&faults, &tail_path(), "1\n").await;
    faults.inner().delete(&entry_path(2)).await.unwrap();
    let error = store.newest(&name()).await.unwrap_err();
    assert!(matches!(error, Error::LogGap { missing: Slot(2), .. }), "{error}");
    faults.inner().delete(&tail_path()).await.unwrap();
    let error = store.newest(&name()).await.unwrap_err();
    assert!(matches!(error, Error::LogGap { missing: Slot(2), .. }), "{error}");
}

#[tokio::test]
async fn the_tail_is_a_hint_only() {
    let (store, faults) = with_commits(40).await;
    for tail in ["0", "39", "38", "17", "40", "1000000", "18446744073709551615", "", "x", "-1", "\u{0}"] {
        write(&faults, &tail_path(), tail.to_owned()).await;
        assert_eq!(newest(&store).await, Some(Version(40)), "tail {tail:?}");
    }
    faults.inner().delete(&tail_path()).await.unwrap();
    assert_eq!(newest(&store).await, Some(Version(40)));
}

/// An entry that was reported as written and is gone: nothing older is served in its place, whoever asks.
#[tokio::test]
async fn a_lost_newest_entry_is_missed() {
    for kept in [0, 2] {
        let (store, faults) = with_commits(3).await;
        for slot in kept..3 {
            faults.inner().delete(&entry_path(slot)).await.unwrap();
        }
        faults.forget_calls();
        let error = store.newest(&name()).await.unwrap_err();
        assert!(matches!(error, Error::LogCut { missing: Slot(2), .. }) && error.is_damage(), "{error}");
        for path in [Path::from("root/checkpoints/trips/log"), tail_path()] {
            assert!(names(&error, &path), "{error}");
        }
        assert!(store.history(&name()).await.is_err() && store.snapshot(&name(), Version(1)).await.is_err());
        assert!(try_commit(&store, "next", &[9]).await.is_err(), "nobody takes its place");
        let unreadable = store.overview(Which::Newest).await.unwrap().unreadable;
        assert_eq!(unreadable.len(), 1);

        // As the error says.
        faults.inner().delete(&tail_path()).await.unwrap();
        assert_eq!(newest(&store).await, (kept == 2).then_some(Version(2)));
    }
}

/// The hint of a log that is whole costs no request; one that proves nothing is no reason to miss anything.
#[tokio::test]
async fn only_a_sealed_hint_proves_that_an_entry_was_there() {
    let (store, faults) = with_commits(3).await;
    faults.forget_calls();
    newest(&store).await;
    assert_eq!(faults.count(Operation::Get, "trips"), 4, "the tail, the entry, and two looks beyond");
    assert_eq!(faults.count(Operation::List, ""), 0);

    let sealed = String::from_utf8(read(&faults, &tail_path()).await.to_vec()).unwrap();
    faults.inner().delete(&entry_path(2)).await.unwrap();
    let seal = sealed.split(' ').nth(1).unwrap();
    let torn = [
        "2\n".to_owned(),
        sealed[..20].to_owned(),
        format!("3 {seal}"),
        format!("12 {seal}"),
        sealed.replace(&seal[..4], "0000"),
        format!("2 {}\n", "0".repeat(64)),
    ];
    for text in torn {
        write(&faults, &tail_path(), text.clone()).await;
        assert_eq!(newest(&store).await, Some(Version(2)), "tail {text:?}");
    }
    write(&faults, &tail_path(), sealed).await;
    assert!(store.newest(&name()).await.is_err());
}

#[tokio::test]
async fn a_newer_format_and_an_unknown_feature_are_refused() {
    let (store, faults) = with_commits(1).await;
    let next = entry_path(1);
    write(&faults, &next, "{\n  \"format\": 9,\n  \"shape\": \"unknown\"\n}\n").await;
    let error = store.newest(&name()).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 9, .. }) && names(&error, &next), "{error}");
    write(&faults, &next, "{\n  \"format\": 1,\n  \"features\": [\"branches\"]\n}\n").await;
    let error = store.newest(&name()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownFeature { .. }) && names(&error, &next), "{error}");
    assert!(error.to_string().contains("branches"));
}

#[tokio::test]
async fn a_foreign_object_in_a_log_is_named() {
    let (store, faults) = with_commits(1).await;
    let stray = Path::from("root/checkpoints/trips/log/notes.txt");
    write(&faults, &stray, "hello").await;
    let error = store.history(&name()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignObject { .. }) && names(&error, &stray), "{error}");
}

/// Someone restores a log from a backup by hand, with entries in the wrong places.
#[tokio::test]
async fn an_entry_in_another_slot_is_foreign() {
    let (store, faults) = with_commits(2).await;
    let first = read(&faults, &entry_path(0)).await;
    write(&faults, &entry_path(2), first).await;
    let error = store.newest(&name()).await.unwrap_err();
    assert!(matches!(error, Error::ForeignObject { .. }) && names(&error, &entry_path(2)), "{error}");
}

/// An entry of another log with the same slot: whole in itself, but it does not follow the one before it.
#[tokio::test]
async fn an_entry_of_another_history_is_noticed() {
    let (store, faults) = with_commits(3).await;
    let (_, other) = with_commits(3).await;
    write(&faults, &entry_path(1), read(&other, &entry_path(1)).await).await;
    let error = store.history(&name()).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let error = store.snapshot(&name(), Version(2)).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_short_swapped_or_flipped_file_is_named_with_size_and_checksum() {
    let (store, faults) = faulty().await;
    let one = commit(&store, "1", &[1, 2, 3]).await;
    let file = &one.manifest.files[0];
    let path = store.path_of(&name(), file);
    let whole = read(&faults, &path).await;
    store.check_files(&one).await.unwrap();
    store.verify_file(&name(), file).await.unwrap();

    for short in [0, whole.len() - 1] {
        write(&faults, &path, whole.slice(..short)).await;
        let error = store.check_files(&one).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }) && names(&error, &path), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("{} bytes", whole.len()))
                && text.contains(&format!("found {short} bytes"))
        );
        assert!(text.contains(&file.checksum.hex()));
    }
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 3] ^= 1;
    write(&faults, &path, flipped).await;
    store.check_files(&one).await.unwrap();
    let error = store.verify_file(&name(), file).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && names(&error, &path), "{error}");

    faults.inner().delete(&path).await.unwrap();
    let error = store.check_files(&one).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && error.to_string().contains("no file"), "{error}");
}

#[tokio::test]
async fn checkpoints_without_milepost_json_are_no_fresh_start() {
    let (_, faults) = with_commits(1).await;
    let identity = Path::from("root/milepost.json");
    let bytes = read(&faults, &identity).await;
    faults.inner().delete(&identity).await.unwrap();
    let store = beside(&faults).await;
    assert!(matches!(store.newest(&name()).await, Err(Error::MissingIdentity { .. })));
    assert!(matches!(store.checkpoints().await, Err(Error::MissingIdentity { .. })));
    assert!(matches!(try_commit(&store, "x", &[1]).await, Err(Error::MissingIdentity { .. })));
    write(&faults, &identity, bytes).await;
    assert_eq!(newest(&store).await, Some(Version(1)), "restored, it is whole again");
}

#[tokio::test]
async fn an_index_hint_counts_only_if_the_log_agrees() {
    let (store, faults) = with_commits(2).await;
    assert_eq!(store.find(signature("0")).await.unwrap().unwrap().version, Version(1));
    // A hint that points to another result.
    let forged = format!("root/index/{}/trips@2", signature("0"));
    write(&faults, &Path::from(forged), "1\n").await;
    assert_eq!(store.find(signature("0")).await.unwrap().unwrap().version, Version(1));
    // Hints that point to nothing, and objects that are no hints.
    for junk in ["trips@99", "nowhere@1", "trips", "trips@x", "Bad Name@1"] {
        write(&faults, &Path::from(format!("root/index/{}/{junk}", signature("0"))), "").await;
    }
    assert_eq!(store.find(signature("0")).await.unwrap().unwrap().version, Version(1));
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    assert_eq!(store.find(signature("0")).await.unwrap(), None, "a dropped snapshot is not reused");
}

/// A damaged `milepost.json` keeps a verification from nothing, and everything else from the store.
#[tokio::test]
async fn a_damaged_milepost_json_is_one_finding_among_others() {
    let root = tempfile::tempdir().unwrap();
    let url = root.path().to_str().unwrap();
    let snapshot = commit(&Store::open(url, options()).await.unwrap(), "1", &[1, 2]).await;
    let data = root.path().join("checkpoints/trips").join(&snapshot.manifest.files[0].path);
    let identity = root.path().join("milepost.json");
    let whole = std::fs::read(&identity).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bad in [flipped, whole[..20].to_vec(), vec![]] {
        std::fs::write(&identity, bad).unwrap();
        assert!(Store::open(url, options()).await.unwrap_err().is_damage());
        let store = Store::open_to_verify(url, options()).await.unwrap();
        let report = store.verify(VerifyOptions::default()).await.unwrap();
        let objects: Vec<_> = report.findings.iter().map(|finding| finding.object.as_str()).collect();
        assert_eq!(objects, ["milepost.json"], "{report:?}");
        assert_eq!((report.checked.snapshots, report.checked.data_files), (1, 1), "all was looked at");
        assert!(store.newest(&name()).await.unwrap_err().is_damage(), "nothing is read from it");
        assert!(try_commit(&store, "2", &[3]).await.unwrap_err().is_damage(), "and nothing is written");
    }
    std::fs::remove_file(data).unwrap();
    let store = Store::open_to_verify(url, options()).await.unwrap();
    assert_eq!(store.verify(VerifyOptions::default()).await.unwrap().damaged(), 2);
}
