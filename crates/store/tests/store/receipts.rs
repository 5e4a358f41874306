//! Receipts: created once, checked when read, and the only way for a file into a manifest.

use milepost_store::{Error, Receipt, UnitNumber};
use object_store::ObjectStoreExt;

use crate::support::*;

/// Two workers run one unit; both write files, the first receipt counts.
#[tokio::test]
async fn the_stored_receipt_wins_over_the_twin() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let first = write_unit(&attempt, 0, &[1, 2]).await.unwrap();
    let twin_file = write_file(&attempt, 0, &[2, 1]).await.unwrap();
    assert_ne!(first.files[0].path, twin_file.path, "twins never write to one file");
    let twin = Receipt::new(
        attempt.id(),
        UnitNumber(0),
        signature("a"),
        serde_json::json!({"unit": 0}),
        vec![twin_file.clone()],
        9,
    );
    assert_eq!(attempt.write_receipt(twin).await.unwrap(), first);
    assert_eq!(store.receipt(&name(), attempt.id(), UnitNumber(0)).await.unwrap(), Some(first));
    // A manifest that names the twin's file is stopped.
    let result = attempt.commit(draft(manifest(signature("a"), vec![twin_file])), &Unchanged).await;
    assert!(matches!(result, Err(Error::Invariant { .. })), "{result:?}");
}

#[tokio::test]
async fn a_file_without_a_receipt_cannot_be_committed() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let file = write_file(&attempt, 0, &[1]).await.unwrap();
    let result = attempt.commit(draft(manifest(signature("a"), vec![file])), &Unchanged).await;
    assert!(
        matches!(&result, Err(Error::Invariant { detail, .. }) if detail.contains("unit 0")),
        "{result:?}"
    );
    assert_eq!(newest(&store).await, None);
}

/// A unit has two files and the manifest names one: rows would be lost without a trace.
#[tokio::test]
async fn a_manifest_names_all_files_of_a_unit() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let files =
        vec![write_file(&attempt, 0, &[1]).await.unwrap(), write_file(&attempt, 0, &[2]).await.unwrap()];
    let receipt =
        Receipt::new(attempt.id(), UnitNumber(0), signature("a"), serde_json::Value::Null, files.clone(), 1);
    attempt.write_receipt(receipt).await.unwrap();
    let result = attempt.commit(draft(manifest(signature("a"), files[..1].to_vec())), &Unchanged).await;
    assert!(matches!(result, Err(Error::Invariant { .. })), "{result:?}");
}

#[tokio::test]
async fn a_receipt_must_be_of_its_attempt_and_agree_with_itself() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let other = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let file = write_file(&attempt, 3, &[1]).await.unwrap();
    let good =
        Receipt::new(attempt.id(), UnitNumber(3), signature("a"), serde_json::Value::Null, vec![file], 1);
    let bad = [
        Receipt { attempt: other.id(), ..good.clone() },
        Receipt { unit: UnitNumber(4), ..good.clone() },
        Receipt { signature: signature("b"), ..good.clone() },
        Receipt { rows: 2, ..good.clone() },
        Receipt { bytes: 0, ..good.clone() },
    ];
    for receipt in bad {
        let result = attempt.write_receipt(receipt).await;
        assert!(matches!(result, Err(Error::Invariant { .. })), "{result:?}");
    }
    attempt.write_receipt(good).await.unwrap();
}

#[tokio::test]
async fn a_cut_or_moved_receipt_is_noticed() {
    let (store, faults) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    write_unit(&attempt, 0, &[1]).await.unwrap();
    let directory = format!("root/checkpoints/trips/attempts/{}", attempt.id());
    let path = format!("{directory}/unit-00000.json").into();
    let bytes = faults.inner().get(&path).await.unwrap().bytes().await.unwrap();
    let moved = format!("{directory}/unit-00001.json").into();
    faults.inner().put(&moved, bytes.clone().into()).await.unwrap();
    let error = store.receipt(&name(), attempt.id(), UnitNumber(1)).await.unwrap_err();
    assert!(matches!(error, Error::ForeignObject { .. }), "{error}");
    faults.inner().put(&path, bytes.slice(..bytes.len() / 2).into()).await.unwrap();
    let error = store.receipt(&name(), attempt.id(), UnitNumber(0)).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn an_attempts_record_comes_back() {
    let (store, faults) = faulty().await;
    commit(&store, "first", &[1]).await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    attempt.heartbeat().await.unwrap();
    let record = beside(&faults).await.attempt_record(&name(), attempt.id()).await.unwrap().unwrap();
    assert_eq!(record.spec, spec(signature("a")));
    assert_eq!((record.attempt, record.began_at), (attempt.id(), 1));
}
