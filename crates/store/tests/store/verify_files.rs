//! Verification of everything that a snapshot relies on.

use bytes::Bytes;
use milepost_store::verify::Damage;
use milepost_store::{
    Attempt, Checksum, CommitDraft, DataFile, DataFileWriter, Finding, Receipt, Snapshot, UnitNumber,
    VerifyOptions, VerifyReport, Version,
};
use milepost_testkit::{Fault, Operation, Rule};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use crate::aged::*;
use crate::support::*;

async fn verify(aged: &Aged) -> VerifyReport {
    beside(&aged.faults).await.verify(VerifyOptions::default()).await.unwrap()
}

async fn found(aged: &Aged) -> Finding {
    let report = verify(aged).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    report.findings[0].clone()
}

async fn overwrite(aged: &Aged, path: &Path, bytes: impl Into<Bytes>) {
    aged.faults.inner().put(path, bytes.into().into()).await.unwrap();
}

/// A snapshot of one file with two row groups, its path, and its bytes.
async fn two_groups() -> (Aged, Snapshot, Path, Bytes) {
    let aged = aged().await;
    let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let unit = UnitNumber(0);
    let mut writer =
        DataFileWriter::create(&attempt, unit, schema(), WriterProperties::builder().build()).unwrap();
    writer.write(&rows(&[1, 2, 3])).await.unwrap();
    writer.flush_row_group().await.unwrap();
    writer.write(&rows(&[4, 5])).await.unwrap();
    let file = writer.finish().await.unwrap();
    commit_files(&attempt, vec![file]).await;
    let snapshot = aged.store.newest(&name()).await.unwrap().unwrap();
    let path = aged.store.path_of(&name(), &snapshot.manifest.files[0]);
    let bytes = aged.contents().await[path.as_ref()].clone();
    (aged, snapshot, path, bytes)
}

async fn commit_files(attempt: &Attempt, files: Vec<DataFile>) {
    let slice = serde_json::Value::Null;
    let receipt = Receipt::new(attempt.id(), UnitNumber(0), signature("a"), slice, files.clone(), 1);
    attempt.write_receipt(receipt).await.unwrap();
    let outcome = attempt.commit(draft(manifest(signature("a"), files)), &Unchanged).await.unwrap();
    assert!(matches!(outcome, milepost_store::CommitOutcome::Committed(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_missing_short_or_long_file_is_named_with_size_and_checksum() {
    let (aged, snapshot, path, whole) = two_groups().await;
    let file = &snapshot.manifest.files[0];
    for (bytes, what) in [
        (Some(whole.slice(..whole.len() - 1)), Damage::Short),
        (Some(Bytes::new()), Damage::Short),
        (Some([&whole[..], b"x"].concat().into()), Damage::Long),
        (None, Damage::Missing),
    ] {
        match bytes {
            Some(bytes) => overwrite(&aged, &path, bytes).await,
            None => aged.faults.inner().delete(&path).await.unwrap(),
        }
        let finding = found(&aged).await;
        assert_eq!((finding.what, finding.object.as_str()), (what, path.as_ref()));
        assert_eq!(finding.expected, format!("{} bytes with checksum {}", file.size, file.checksum));
        assert_eq!((finding.checkpoint, finding.versions), (Some(name()), vec![Version(1)]));
    }
}

#[tokio::test]
async fn every_flipped_byte_of_a_file_is_found_and_placed() {
    let (aged, snapshot, path, whole) = two_groups().await;
    let reader = ParquetRecordBatchReaderBuilder::try_new(whole.clone()).unwrap();
    let groups = reader.metadata().row_groups();
    let footer = whole.len() - snapshot.manifest.files[0].footer_len as usize;
    for at in 0..whole.len() {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        overwrite(&aged, &path, bytes).await;
        let finding = found(&aged).await;
        assert_eq!(finding.what, Damage::Flipped, "byte {at}");
        let chunk = groups.iter().enumerate().find_map(|(group, chunks)| {
            let at = at as u64;
            let column = chunks.columns().iter().position(|chunk| {
                let (from, length) = chunk.byte_range();
                (from..from + length).contains(&at)
            })?;
            Some(format!("column {column} of row group {group}"))
        });
        let place = chunk.or_else(|| (at >= footer).then(|| "the footer".to_owned()));
        match place {
            Some(place) => assert!(finding.found.ends_with(&format!("wrong: {place}")), "{at}: {finding}"),
            None => assert!(at < 4, "only the magic is in no part: byte {at}"),
        }
    }
}

/// The rows are what was written, but the manifest says something else of them.
#[tokio::test]
async fn a_manifest_that_does_not_fit_its_file_disagrees() {
    let edits: [fn(&mut DataFile); 4] = [
        |file| file.chunks[0][1] = Checksum::of(b"another chunk"),
        |file| file.chunks.push(vec![]),
        |file| file.footer = Checksum::of(b"another footer"),
        |file| {
            file.rows += 1;
            file.content.rows += 1;
        },
    ];
    let places =
        ["column 1 of row group 0", "the number of column chunks", "the footer", "3 rows instead of 4"];
    for (edit, place) in edits.into_iter().zip(places) {
        let aged = aged().await;
        let attempt = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
        let mut file = write_file(&attempt, 0, &[1, 2, 3]).await.unwrap();
        edit(&mut file);
        commit_files(&attempt, vec![file]).await;
        let finding = found(&aged).await;
        assert_eq!(finding.what, Damage::Disagrees);
        assert!(finding.found.ends_with(place), "{finding}");
    }
}

#[tokio::test]
async fn receipts_and_records_must_be_there_and_agree() {
    for object in ["unit-00000.json", "attempt.json"] {
        let aged = aged().await;
        let snapshot = commit(&aged.store, "1", &[1]).await;
        let path = Path::from(format!("root/checkpoints/trips/attempts/{}/{object}", snapshot.attempt));
        let whole = aged.contents().await[path.as_ref()].clone();
        aged.flip(object).await;
        assert_eq!(found(&aged).await.what, Damage::Flipped);
        overwrite(&aged, &path, whole.slice(..whole.len() - 2)).await;
        assert_eq!(found(&aged).await.what, Damage::Short);
        overwrite(&aged, &path, "{\n  \"format\": 9\n}\n").await;
        assert_eq!(found(&aged).await.what, Damage::Newer);
        aged.faults.inner().delete(&path).await.unwrap();
        let finding = found(&aged).await;
        assert_eq!((finding.what, finding.object.as_str()), (Damage::Missing, path.as_ref()));
        assert_eq!((finding.checkpoint, finding.versions), (Some(name()), vec![Version(1)]));
    }
}

/// A receipt of the same unit that names another file: a backup put back by hand.
#[tokio::test]
async fn a_receipt_that_names_other_files_disagrees() {
    let aged = aged().await;
    let (attempt, _) = staged(&aged.store, "a", &[1]).await.unwrap();
    let path = Path::from(format!("root/checkpoints/trips/attempts/{}/unit-00000.json", attempt.id()));
    let first = aged.contents().await[path.as_ref()].clone();
    aged.faults.inner().delete(&path).await.unwrap();
    let second = write_unit(&attempt, 0, &[2]).await.unwrap();
    let outcome = attempt
        .commit(draft(crate::support::manifest(signature("a"), second.files)), &Unchanged)
        .await
        .unwrap();
    assert!(matches!(outcome, milepost_store::CommitOutcome::Committed(_)));
    assert!(verify(&aged).await.is_sound());
    overwrite(&aged, &path, first).await;
    let finding = found(&aged).await;
    assert_eq!((finding.what, finding.object.as_str()), (Damage::Disagrees, path.as_ref()));
}

#[tokio::test]
async fn side_files_are_read() {
    let aged = aged().await;
    commit_long(&aged.store).await;
    let sound = verify(&aged).await;
    assert!(sound.is_sound() && sound.checked.side_files == 1, "{sound:?}");
    let path = Path::from(aged.flip("/sources-").await.as_str());
    let finding = found(&aged).await;
    assert_eq!((finding.what, finding.object.as_str()), (Damage::Flipped, path.as_ref()));
    overwrite(&aged, &path, "short").await;
    assert_eq!(found(&aged).await.what, Damage::Short);
    aged.faults.inner().delete(&path).await.unwrap();
    let finding = found(&aged).await;
    assert_eq!((finding.what, finding.versions), (Damage::Missing, vec![Version(1)]));
}

#[tokio::test]
async fn one_bad_object_never_stops_the_rest() {
    let aged = aged().await;
    let snapshots = [
        commit(&aged.store, "1", &[1]).await,
        commit(&aged.store, "2", &[2]).await,
        commit(&aged.store, "3", &[3]).await,
    ];
    let attempt = |index: usize| format!("root/checkpoints/trips/attempts/{}", snapshots[index].attempt);
    let file = |index: usize| aged.store.path_of(&name(), &snapshots[index].manifest.files[0]);
    aged.flip(&format!("log/{:020}", 0)).await;
    aged.flip("milepost.json").await;
    aged.flip(&format!("{}/unit-00000.json", attempt(1))).await;
    aged.faults.inner().delete(&file(1)).await.unwrap();
    aged.faults.inner().delete(&Path::from(format!("{}/attempt.json", attempt(2)))).await.unwrap();
    aged.flip(file(2).as_ref()).await;
    let report = aged.store.verify(VerifyOptions::default()).await.unwrap();
    let mut told: Vec<_> = report.findings.iter().map(|found| (found.object.clone(), found.what)).collect();
    told.sort();
    let mut expected = [
        (entry_path(0).to_string(), Damage::Flipped),
        ("root/milepost.json".to_owned(), Damage::Flipped),
        (format!("{}/unit-00000.json", attempt(1)), Damage::Flipped),
        (file(1).to_string(), Damage::Missing),
        (format!("{}/attempt.json", attempt(2)), Damage::Missing),
        (file(2).to_string(), Damage::Flipped),
    ];
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_cannot_be_read_may_be_whole() {
    let aged = aged().await;
    let snapshot = commit(&aged.store, "1", &[1]).await;
    let path = aged.store.path_of(&name(), &snapshot.manifest.files[0]);
    aged.faults.add(Rule::on(Operation::Get, Fault::Refuse).path(path.as_ref()));
    let report = on(&aged.faults).await.verify(VerifyOptions::default()).await.unwrap();
    assert!(matches!(&report.findings[..], [found] if found.what == Damage::Unreadable), "{report:?}");
    assert!(!report.is_sound());
}

/// A version is dropped and collected while its files are about to be read.
#[tokio::test]
async fn what_is_dropped_meanwhile_is_no_damage() {
    let aged = aged().await;
    let snapshot = commit(&aged.store, "1", &[1]).await;
    commit(&aged.store, "2", &[2]).await;
    let path = aged.store.path_of(&name(), &snapshot.manifest.files[0]);
    let verifying = beside_slow(&aged.faults, Operation::Get, path.as_ref(), |store| async move {
        store.verify(VerifyOptions::default()).await
    })
    .await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.collect_with(no_grace()).await;
    let report = verifying.await.unwrap().unwrap();
    assert!(report.is_sound() && report.checked.data_files == 2, "{report:?}");
}

#[tokio::test]
async fn a_file_of_two_snapshots_is_read_once_and_named_for_both() {
    let aged = aged().await;
    let (_dead, first, manifest) = adopted(&aged.store).await;
    let _ = first.commit(draft(manifest.clone()), &Unchanged).await.unwrap();
    let second = aged.store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&second, 1, &[2]).await.unwrap();
    let files = [vec![manifest.files[0].clone()], own.files].concat();
    let manifest = crate::support::manifest(signature("a"), files);
    let shared = manifest.files[0].clone();
    let _ = second.commit(CommitDraft { manifest, replaces: Some(Version(1)) }, &Unchanged).await.unwrap();
    let report = verify(&aged).await;
    assert!(report.is_sound() && report.checked.data_files == 3, "{report:?}");
    aged.flip(&shared.path).await;
    assert_eq!(found(&aged).await.versions, [Version(1), Version(2)]);
}
