//! Rows that are dealt out to buckets: what a manifest keeps of it, and what it must not say.

use milepost_store::{CommitOutcome, DataFile, Digest, Error, HashPartitioning, Manifest, UnitNumber};

use crate::support::*;

fn by_first_column(buckets: u32) -> HashPartitioning {
    HashPartitioning {
        columns: vec![0],
        buckets,
        function: "modulo 1".to_owned(),
        probe: Digest::of(b"0 0 0"),
    }
}

/// One unit with a file for each of `buckets`.
async fn dealt_out(
    store: &milepost_store::Store,
    buckets: &[Option<u32>],
) -> (milepost_store::Attempt, Manifest) {
    let attempt = store.begin(&name(), spec(signature("dealt out"))).await.unwrap();
    let mut files: Vec<DataFile> = Vec::new();
    for (number, bucket) in buckets.iter().enumerate() {
        let file = write_file(&attempt, 0, &[number as i64]).await.unwrap();
        files.push(DataFile { bucket: *bucket, ..file });
    }
    let slice = attempt.spec().unit_plan.units[0].clone();
    let receipt =
        milepost_store::Receipt::new(attempt.id(), UnitNumber(0), signature("dealt out"), slice, files, 1);
    let receipt = attempt.write_receipt(receipt).await.unwrap();
    let manifest = manifest(signature("dealt out"), receipt.files);
    (attempt, manifest)
}

/// Partitioning and buckets come back as they were written, through the receipt and the log.
#[tokio::test]
async fn buckets_come_back_as_they_were_written() {
    let (store, _) = faulty().await;
    let (attempt, mut manifest) = dealt_out(&store, &[Some(2), Some(0), Some(2)]).await;
    manifest.partitioning = Some(by_first_column(3));
    assert!(matches!(
        attempt.commit(draft(manifest.clone()), &Unchanged).await.unwrap(),
        CommitOutcome::Committed(_)
    ));
    let found = store.newest(&name()).await.unwrap().unwrap().manifest;
    assert_eq!(found.partitioning, manifest.partitioning);
    let buckets: Vec<_> = found.files.iter().map(|file| file.bucket).collect();
    assert_eq!(buckets, [Some(2), Some(0), Some(2)]);
}

/// A reader takes the manifest's word for where rows are, so a commit that contradicts itself stays out.
#[tokio::test]
async fn a_manifest_that_contradicts_itself_stays_out() {
    for (buckets, partitioning) in [
        (vec![Some(0), None], by_first_column(2)),
        (vec![Some(0), Some(2)], by_first_column(2)),
        (vec![Some(0)], HashPartitioning { columns: vec![], ..by_first_column(2) }),
        (vec![Some(0)], HashPartitioning { columns: vec![9], ..by_first_column(2) }),
    ] {
        let (store, _) = faulty().await;
        let (attempt, mut manifest) = dealt_out(&store, &buckets).await;
        manifest.partitioning = Some(partitioning);
        let result = attempt.commit(draft(manifest), &Unchanged).await;
        assert!(
            matches!(&result, Err(Error::Invariant { name, .. }) if name.contains("bucket")),
            "{buckets:?}: {result:?}"
        );
        assert_eq!(newest(&store).await, None);
    }
}
