//! Opening, probing, and stores that cannot be written.

use std::sync::Arc;

use milepost_store::{Error, PROBE_WRITERS, Store};
use milepost_testkit::{Fault, FaultStore, Operation, Rule};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::support::*;

#[tokio::test]
async fn named_memory_stores_are_shared_and_unnamed_ones_are_not() {
    let a = Store::open("memory://opening/shared", options()).await.unwrap();
    commit(&a, "1", &[1]).await;
    let b = Store::open("memory://opening/shared", options()).await.unwrap();
    assert_eq!(versions(&b).await, [1]);
    assert_eq!(a.id(), b.id());
    for url in ["memory://", "memory:///", "memory://opening/other"] {
        let other = Store::open(url, options()).await.unwrap();
        assert_eq!((other.id(), newest(&other).await), (None, None), "{url}");
    }
}

#[tokio::test]
async fn schemes_that_are_not_built_in_are_named() {
    let error = Store::open("s3://user:secret@bucket/x?token=hidden", options()).await.unwrap_err();
    assert!(matches!(&error, Error::UnsupportedStore { scheme } if scheme == "s3"));
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("hidden"));
}

#[tokio::test]
async fn no_secret_of_a_display_url_is_kept() {
    let url = "s3://key:secret@bucket/x?token=hidden";
    let store =
        Store::with_object_store(Arc::new(InMemory::new()), Path::default(), url, options()).await.unwrap();
    assert_eq!(store.url(), "s3://bucket/x");
    assert!(!format!("{store:?}").contains("secret"));
}

#[tokio::test]
async fn opening_reads_one_object_and_writes_nothing() {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    let store = on(&faults).await;
    assert_eq!(store.checkpoints().await.unwrap(), []);
    assert_eq!(newest(&store).await, None);
    assert!(faults.calls().iter().all(|call| !call.operation.writes()));
    assert_eq!(faults.count(Operation::Get, "milepost.json"), 1);
}

#[tokio::test]
async fn a_path_that_is_a_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Store::open(path.to_str().unwrap(), options()).await.unwrap_err();
        assert!(matches!(error, Error::NotADirectory { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }
}

#[tokio::test]
async fn a_path_and_its_file_url_are_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("with space/störe");
    let by_path = Store::open(path.to_str().unwrap(), options()).await.unwrap();
    assert!(!path.exists(), "opening creates nothing");
    commit(&by_path, "1", &[1]).await;
    let by_url = Store::open(by_path.url(), options()).await.unwrap();
    assert!(by_path.url().starts_with("file:///"), "{}", by_path.url());
    assert_eq!((by_url.id(), versions(&by_url).await), (by_path.id(), vec![1]));
}

#[tokio::test]
async fn a_newer_store_is_refused() {
    let objects = Arc::new(InMemory::new());
    let path = Path::from("milepost.json");
    for (text, expected) in [
        ("{\"format\": 2}", "has format 2"),
        ("{\"format\": 1, \"features\": [\"x\"]}", "needs the feature \"x\""),
        ("{\"format\": 1}", "is damaged"),
        ("", "is damaged"),
    ] {
        objects.put(&path, text.into()).await.unwrap();
        let result = Store::with_object_store(objects.clone(), Path::default(), "x", options()).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("x/milepost.json"), "{error}");
        // Nothing can be computed in a store that does not open.
        assert!(!error.contains("FORCE"), "{error}");
    }
}

#[tokio::test]
async fn a_store_that_ignores_create_if_absent_is_refused() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::IgnoreCondition));
    let error = try_commit(&store, "1", &[1]).await.unwrap_err();
    assert!(matches!(error, Error::StoreNotSafe { .. }), "{error}");
    assert!(error.to_string().contains(&format!("{PROBE_WRITERS} of {PROBE_WRITERS}")), "{error}");
    assert_eq!(objects(faults.inner().as_ref(), "root").await, [""; 0], "nothing is left behind");
}

/// A server that takes one condition in two seriously.
#[tokio::test]
async fn a_store_that_sometimes_ignores_create_if_absent_is_refused() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::IgnoreCondition).path("probes/").skip(9).times(1));
    let error = try_commit(&store, "1", &[1]).await.unwrap_err();
    assert!(matches!(error, Error::StoreNotSafe { .. }), "{error}");
}

#[tokio::test]
async fn the_probe_runs_once_and_survives_lost_replies() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("probes/").times(1));
    commit(&store, "1", &[1]).await;
    commit(&store, "2", &[2]).await;
    assert_eq!(faults.count(Operation::Put, "probes/"), PROBE_WRITERS);
    assert_eq!(objects(faults.inner().as_ref(), "root/probes").await, [""; 0]);
}

/// Reading and reusing need no right to write.
#[tokio::test]
async fn a_read_only_store_can_be_read_and_says_what_it_is_when_written() {
    let (writer, faults) = faulty().await;
    commit(&writer, "1", &[1]).await;
    faults.add(Rule::on(Operation::Put, Fault::Forbid));
    faults.add(Rule::on(Operation::Delete, Fault::Forbid));
    let store = on(&faults).await;
    let snapshot = store.find(signature("1")).await.unwrap().unwrap();
    store.check_files(&snapshot).await.unwrap();
    assert_eq!(read_ids(&store, &snapshot).await, [1]);
    let error = try_commit(&store, "2", &[2]).await.unwrap_err();
    assert!(matches!(&error, Error::NotWritable { path, .. } if path.starts_with("root/")), "{error}");
    // Once it may write, the same handle can.
    faults.heal();
    commit(&store, "2", &[2]).await;
}

#[tokio::test]
async fn a_full_disk_is_said_wherever_it_fills_up() {
    for path in ["probes/", "milepost.json", "attempt.json", ".parquet", "unit-00000.json", "/log/"] {
        let (store, faults) = faulty().await;
        faults.add(Rule::on(Operation::Put, Fault::FillDisk).path(path));
        let error = try_commit(&store, "1", &[1]).await.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(&error, Error::DiskFull { path: full, .. } if full.contains(path)),
            "{path}: {text}"
        );
        assert!(text.contains("No space left") && text.contains("free some space"), "{text}");
        faults.heal();
        assert_eq!(newest(&store).await, None);
        commit(&store, "1", &[1]).await;
    }
}

#[tokio::test]
async fn a_missing_store_id_appears_with_the_first_write() {
    let (store, faults) = faulty().await;
    let early_reader = beside(&faults).await;
    assert_eq!(store.id(), None);
    commit(&store, "1", &[1]).await;
    assert!(store.id().is_some());
    // A reader that opened before the store was created sees it all the same.
    assert_eq!(versions(&early_reader).await, [1]);
    assert_eq!(early_reader.id(), store.id());
    assert!(faults.inner().head(&Path::from("root/milepost.json")).await.is_ok());
}
