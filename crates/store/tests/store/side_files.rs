//! Manifests too long for a log entry.

use bytes::Bytes;
use milepost_store::{
    Attempt, DataFile, Error, MAX_INLINE, Receipt, Signature, SourceObject, SourceVersion, UnitNumber,
    Version,
};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::support::*;

/// A unit of `count` files. Only the first exists: manifests do not look at the others.
async fn many_files(attempt: &Attempt, signature: Signature, count: usize) -> Vec<DataFile> {
    let first = write_file(attempt, 0, &[1]).await.unwrap();
    let mut files = vec![first.clone()];
    files.extend(
        (1..count).map(|_| DataFile { path: attempt.new_unit_file(UnitNumber(0)).0, ..first.clone() }),
    );
    let receipt =
        Receipt::new(attempt.id(), UnitNumber(0), signature, serde_json::Value::Null, files.clone(), 1);
    attempt.write_receipt(receipt).await.unwrap().files
}

fn sources(count: u64) -> Vec<SourceVersion> {
    let object = |index: u64| SourceObject {
        path: format!("raw/{index}.csv"),
        size: index,
        e_tag: Some(format!("\"{index}\"")),
        version: None,
        inode: Some(index),
        mtime_ns: Some(-1),
        ctime_ns: None,
    };
    let source = |name: &str, objects| SourceVersion {
        name: name.to_owned(),
        kind: "files".to_owned(),
        digest: None,
        objects,
        note: Some("note".to_owned()),
    };
    vec![
        source("none", vec![]),
        source("many", (0..count).map(object).collect()),
        source("one", vec![object(7)]),
    ]
}

#[tokio::test]
async fn long_lists_lie_beside_and_come_back_in_order() {
    for (files, objects, expected) in [
        (1, 1, 0),
        (MAX_INLINE, MAX_INLINE as u64 - 1, 0),
        (MAX_INLINE + 1, 1, 1),
        (1, MAX_INLINE as u64, 1),
        (2 * MAX_INLINE, 5_000, 2),
    ] {
        let (store, faults) = faulty().await;
        let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
        let files = many_files(&attempt, signature("a"), files).await;
        let mut manifest = manifest(signature("a"), files);
        manifest.identity.sources = sources(objects);
        let outcome = attempt.commit(draft(manifest.clone()), &Unchanged).await.unwrap();
        assert!(matches!(outcome, milepost_store::CommitOutcome::Committed(_)));
        let stored = beside(&faults).await.newest(&name()).await.unwrap().unwrap();
        assert_eq!(*stored.manifest, manifest);
        let directory = format!("root/checkpoints/trips/attempts/{}", attempt.id());
        let beside = objects_named(faults.inner().as_ref(), &directory, &["/files-", "/sources-"]).await;
        assert_eq!(beside.len(), expected, "{beside:?}");
        let entry = faults.inner().head(&entry_path(0)).await.unwrap();
        assert!(expected < 2 || entry.size < 20_000, "the entry itself stays small: {} bytes", entry.size);
    }
}

async fn objects_named(store: &dyn ObjectStore, below: &str, names: &[&str]) -> Vec<String> {
    let found = objects(store, below).await;
    found.into_iter().filter(|path| names.iter().any(|name| path.contains(name))).collect()
}

#[tokio::test]
async fn a_missing_cut_or_flipped_side_file_is_damage() {
    let (store, faults) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let files = many_files(&attempt, signature("a"), MAX_INLINE + 1).await;
    let _ = attempt.commit(draft(manifest(signature("a"), files)), &Unchanged).await.unwrap();
    let path = objects_named(faults.inner().as_ref(), "root", &["/files-"]).await.remove(0).into();
    let whole = faults.inner().get(&path).await.unwrap().bytes().await.unwrap();
    let mut flipped = whole.to_vec();
    flipped[whole.len() / 2] ^= 4;
    for bytes in [whole.slice(..whole.len() - 1), Bytes::from(flipped)] {
        faults.inner().put(&path, bytes.into()).await.unwrap();
        let error = store.newest(&name()).await.unwrap_err();
        assert!(matches!(&error, Error::Damaged { object, .. } if *object == path.to_string()), "{error}");
    }
    faults.inner().delete(&path).await.unwrap();
    assert!(matches!(store.newest(&name()).await, Err(Error::Damaged { .. })));
    // What is live can still be told, and dropped: that needs the log only.
    assert_eq!(versions(&store).await, [1]);
    assert!(matches!(
        store.drop_version(&name(), Version(1)).await.unwrap(),
        milepost_store::DropOutcome::Dropped(_)
    ));
}
