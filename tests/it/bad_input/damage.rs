//! Data files that are damaged: never another row, and an error that says of which checkpoint and version, which file it is,
//! what is wrong with it and what to do next.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use milepost::{Error, Session, Store, StoreOptions};
use milepost_testkit::{FaultStore, Operation};
use object_store::memory::InMemory;

use super::{Scene, fails, says};
use crate::support::{checkpoint, config, number, run};

const KEPT: &str = "CHECKPOINT kept AS SELECT column1 AS x FROM n";

async fn with_source(scene: &Scene) -> Session {
    let session = scene.session().await;
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    session
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Every kind of damage, whether whole files are checked or only what is read.
#[tokio::test]
async fn an_error_names_checkpoint_version_file_and_the_way_out() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[6] ^= 1;
    let path = file.strip_prefix(scene.store()).unwrap().display().to_string();
    let damages: [(&str, Option<&[u8]>); 4] = [
        ("missing", None),
        ("short", Some(&good[..good.len() - 8])),
        ("empty", Some(b"")),
        ("flipped", Some(&flipped)),
    ];
    for (what, bytes) in damages {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        for verify in [false, true] {
            let session = with_source(&scene).await;
            run(&session, &format!("SET milepost.verify_reads = {verify}")).await.unwrap();
            for (sql, next) in [
                ("SELECT x FROM kept", "REFRESH CHECKPOINT kept FORCE"),
                ("CHECKPOINT next AS SELECT x FROM kept", "REFRESH CHECKPOINT kept FORCE"),
                ("SELECT x FROM snapshot('kept', 1)", "DROP CHECKPOINT kept VERSION 1"),
            ] {
                let error = run(&session, sql).await.unwrap_err();
                let found = Error::find(&error).unwrap_or_else(|| panic!("{what}: {sql}: {error}"));
                assert!(found.is_damage(), "{what}: {sql}: {error}");
                let text = found.to_string();
                says(
                    &text,
                    &[
                        "checkpoint 'kept' version 1 is damaged",
                        &path,
                        "expected",
                        "found",
                        "back from a backup",
                        next,
                    ],
                );
            }
        }
    }
    fs::write(&file, good).unwrap();
    scene.is_untouched().await;
}

/// A filter picks pages of large column chunks, and such pages are not checked before they are decoded. What cannot be
/// decoded is damage all the same.
#[tokio::test]
async fn pages_that_cannot_be_decoded_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let config = config().set_usize("datafusion.execution.parquet.data_page_row_count_limit", 1_000);
    let store = format!("file://{}", folder.path().join("store").display());
    let session = Session::builder().with_config(config).with_store_url(&store).build().await.unwrap();
    let sql = "CHECKPOINT many AS SELECT value AS k, md5(CAST(value AS VARCHAR)) AS t FROM generate_series(1, 900000)";
    run(&session, sql).await.unwrap();
    drop(session);
    let scene = Scene { folder };
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    assert!(good.len() > 10 << 20, "chunks of up to four megabytes are read whole");
    let query = "SELECT count(*), min(t) FROM many WHERE k BETWEEN 50000 AND 650000";
    let mut undecodable = 0;
    for at in (4..good.len()).step_by(good.len() / 30) {
        let mut bytes = good.clone();
        // No byte of ASCII text has this bit.
        bytes[at] ^= 0x80;
        fs::write(&file, bytes).unwrap();
        let session = scene.session().await;
        if let Err(error) = run(&session, query).await {
            let found = Error::find(&error).unwrap_or_else(|| panic!("byte {at}: {error}"));
            assert!(matches!(found, Error::DamagedSnapshot { .. }), "byte {at}: {found}");
            let file = file.file_name().unwrap().to_string_lossy();
            says(
                &found.to_string(),
                &["checkpoint 'many' version 1", &file, "REFRESH CHECKPOINT many FORCE"],
            );
            undecodable += usize::from(found.to_string().contains(&format!("{} bytes", good.len())));
        }
    }
    assert!(undecodable > 0, "no flip met the decoder");
}

/// The same where the chunks are small: they are read whole and checked, whatever the filter wants of them.
#[tokio::test]
async fn a_filter_hides_no_flipped_byte_of_a_small_chunk() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    run(&session, "CHECKPOINT kept AS SELECT value AS x FROM generate_series(1, 50000)").await.unwrap();
    let file = scene.files(".parquet").pop().unwrap();
    let good = fs::read(&file).unwrap();
    assert!(good.len() > 50_000);
    for at in (4..good.len()).step_by(good.len() / 40) {
        flip(&file, at);
        let session = scene.session().await;
        for sql in [
            "SELECT x FROM kept WHERE x = 40000",
            "SELECT sum(x) FROM kept WHERE x > 1",
            "SELECT x FROM kept",
        ] {
            let error = run(&session, sql).await.unwrap_err();
            assert!(Error::find(&error).is_some_and(Error::is_damage), "byte {at}: {sql}: {error}");
        }
        fs::write(&file, &good).unwrap();
    }
}

/// What reading has found is remembered: the next statement of the session computes it anew.
#[tokio::test]
async fn what_reading_finds_is_computed_again_by_the_next_statement() {
    let scene = Scene::new().await;
    flip(&scene.data_file(), 6);
    let session = with_source(&scene).await;
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    says(&fails(&session, "SELECT sum(x) FROM kept WHERE x > 1").await, &["run the statement again"]);
    assert_eq!(number(&session, "SELECT sum(x) FROM kept WHERE x > 1").await, 5);
    assert_eq!(number(&session, "SELECT max(version) FROM milepost.snapshots").await, 2);
    assert_eq!(number(&scene.session().await, "SELECT sum(x) FROM kept WHERE x > 1").await, 5);
}

/// A statement that hands nothing out before its end does not have to be run again by hand, and so neither has a job.
#[tokio::test]
async fn a_checkpoint_over_damage_is_begun_again_by_itself() {
    let scene = Scene::new().await;
    flip(&scene.data_file(), 6);
    let session = with_source(&scene).await;
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    let made = checkpoint(&session, "CHECKPOINT next AS SELECT x * 10 AS y FROM kept").await.unwrap();
    assert_eq!((made.outcome.as_str(), made.rows), ("written", 3));
    assert_eq!(number(&session, "SELECT sum(y) FROM next").await, 60);
    let kept = checkpoint(&session, KEPT).await.unwrap();
    assert_eq!((kept.version, kept.outcome.as_str()), (2, "reused"));
}

/// What was damaged and is whole again is trusted again.
#[tokio::test]
async fn a_file_that_was_put_back_is_read_again() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    flip(&file, 6);
    let session = with_source(&scene).await;
    says(&fails(&session, "SELECT sum(x) FROM kept WHERE x > 1").await, &["kept"]);
    flip(&file, 6);
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    assert_eq!(number(&session, "SELECT sum(x) FROM kept WHERE x > 1").await, 5);
    assert_eq!(number(&session, "SELECT max(version) FROM milepost.snapshots").await, 1);
}

/// Where repairs are asked for, whole files are checked once for a read, and not once more by the scan.
#[tokio::test]
async fn whole_files_are_checked_once_for_a_read() {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    let opened = Store::with_object_store(
        Arc::new(faults.clone()),
        "root".into(),
        "test://store",
        StoreOptions::default(),
    );
    let builder = Session::builder().with_config(config()).with_store(opened.await.unwrap());
    let session = builder.build().await.unwrap();
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    run(&session, KEPT).await.unwrap();
    run(&session, "SET milepost.verify_reads = true").await.unwrap();
    let mut requests = Vec::new();
    for on_damage in ["error", "recompute", "error"] {
        run(&session, &format!("SET milepost.on_damage = '{on_damage}'")).await.unwrap();
        for _ in 0..2 {
            faults.forget_calls();
            assert_eq!(number(&session, "SELECT sum(x) FROM kept WHERE x > 1").await, 5);
            requests.push(faults.count(Operation::Get, ".parquet"));
        }
    }
    let files = scene_files(&faults);
    // The scan alone; the look before it, and then only the sizes again; and as it was.
    let (plain, repairing) = (requests[2] - files, requests[2]);
    assert_eq!(requests[1..], [plain, repairing, repairing, plain, plain], "{files} files");
}

fn scene_files(faults: &FaultStore) -> usize {
    let calls = faults.calls();
    let parquet = calls.iter().filter(|call| call.path.ends_with(".parquet"));
    parquet.map(|call| &call.path).collect::<BTreeSet<_>>().len()
}

/// SHOW CHECKPOINTS lists what is damaged, says so, and says `fresh` of nothing that has lost a file.
#[tokio::test]
async fn what_is_damaged_is_shown_as_damaged() {
    let scene = Scene::new().await;
    let session = with_source(&scene).await;
    for name in ["cut", "lost", "unread"] {
        run(&session, &format!("CHECKPOINT {name} AS SELECT column1 AS x FROM n")).await.unwrap();
    }
    let file = |part: &str| {
        scene.files(part).into_iter().find(|path| path.extension().is_some_and(|e| e == "parquet"))
    };
    fs::remove_file(file("/lost/").unwrap()).unwrap();
    let cut = file("/cut/").unwrap();
    fs::write(&cut, &fs::read(&cut).unwrap()[1..]).unwrap();
    fs::write(&scene.files("/unread/log/")[0], "{}").unwrap();
    for like in ["", " LIKE '%'"] {
        let rows = shown(&session, &format!("SHOW CHECKPOINTS{like}")).await;
        let states: Vec<_> = rows.iter().map(|(name, state, _)| format!("{name} {state}")).collect();
        assert_eq!(states, ["cut damaged", "kept fresh", "lost damaged", "unread damaged"]);
        for ((_, _, why), word) in rows.iter().zip(["bytes", "", "no file", "/unread/log/"]) {
            assert!(why.contains(word), "{word}: {why}");
        }
    }
    assert_eq!(shown(&session, "SHOW CHECKPOINTS LIKE 'l%'").await.len(), 1);
}

/// Name, state and reason of each row.
async fn shown(session: &Session, sql: &str) -> Vec<(String, String, String)> {
    let table = crate::support::table(session, sql).await.unwrap();
    let at = |name: &str| table.columns.iter().position(|(column, _)| column == name).unwrap();
    let (name, state, why) = (at("checkpoint"), at("fresh"), at("why"));
    let text = |row: &Vec<datafusion::common::ScalarValue>, at: usize| row[at].to_string();
    table.rows.iter().map(|row| (text(row, name), text(row, state), text(row, why))).collect()
}

/// A snapshot of many files is looked at by a listing.
#[tokio::test]
async fn a_missing_one_of_many_files_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = config().with_target_partitions(8);
    let store = format!("file://{}", folder.path().join("store").display());
    let session = Session::builder().with_config(config).with_store_url(&store).build().await.unwrap();
    let sql = "CHECKPOINT many AS SELECT value % 8 AS k, value AS x FROM generate_series(1, 9000)";
    run(&session, sql).await.unwrap();
    let scene = Scene { folder };
    assert!(number(&session, "SELECT count(*) FROM milepost.files").await >= 4);
    assert_eq!(shown(&session, "SHOW CHECKPOINTS").await[0].1, "fresh");
    let files = scene.files(".parquet");
    fs::remove_file(&files[2]).unwrap();
    let row = shown(&session, "SHOW CHECKPOINTS").await.remove(0);
    assert!(
        row.1 == "damaged" && row.2.contains(&*files[2].file_name().unwrap().to_string_lossy()),
        "{row:?}"
    );
}
