//! Stores that are none, logs and data files that are damaged.

use std::fs;

use milepost::Session;

use super::{Scene, fails, says};
use crate::support::{checkpoint, number, run};

// Stores that are none.

#[tokio::test]
async fn a_store_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    fs::write(&file, "mine").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Session::open(&path.display().to_string()).await.unwrap_err().to_string();
        says(&error, &["notes.txt", "not a directory"]);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[tokio::test]
async fn a_store_of_an_unknown_kind_is_refused_without_its_secrets() {
    let error = Session::open("ftp://user:hunter2@host/path?token=abc").await.unwrap_err().to_string();
    says(&error, &["ftp"]);
    assert!(!error.contains("hunter2") && !error.contains("abc"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_newer_program_is_refused() {
    let scene = Scene::new().await;
    let file = scene.store().join("milepost.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"format\": 1", "\"format\": 99")).unwrap();
    let error = Session::open(&scene.store().display().to_string()).await.unwrap_err().to_string();
    says(&error, &["milepost.json", "99", "newer version"]);

    fs::write(&file, text.replace("\"features\": []", "\"features\": [\"time_travel\"]")).unwrap();
    let error = Session::open(&scene.store().display().to_string()).await.unwrap_err().to_string();
    says(&error, &["milepost.json", "time_travel", "newer version"]);

    fs::write(&file, text).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn a_store_that_lost_its_identity_is_no_empty_store() {
    let scene = Scene::new().await;
    fs::remove_file(scene.store().join("milepost.json")).unwrap();
    let session = scene.session().await;
    says(&fails(&session, "SELECT * FROM kept").await, &["milepost.json", "missing"]);
    says(&fails(&session, "CHECKPOINT other AS SELECT 1 AS x").await, &["milepost.json", "missing"]);
}

// Logs that are damaged. Nothing older is served as newest.

#[tokio::test]
async fn a_damaged_log_entry_is_named() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    checkpoint(&session, "CHECKPOINT kept AS SELECT 7 AS x").await.unwrap();
    let entry = scene.log_entry(1);
    let good = fs::read(&entry).unwrap();
    let mut edited = good.clone();
    let digit = edited.iter().rposition(|b| *b == b'7' || *b == b'1').unwrap();
    edited[digit] = if edited[digit] == b'1' { b'2' } else { b'1' };
    let damages: [(&str, Vec<u8>); 4] = [
        ("truncated", good[..good.len() / 2].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("edited", edited),
        ("other text", b"hello".to_vec()),
    ];
    let name = entry.file_name().unwrap().to_string_lossy().into_owned();
    for (what, bytes) in damages {
        fs::write(&entry, bytes).unwrap();
        let session = scene.session().await;
        for sql in ["SELECT * FROM kept", "CHECKPOINT kept AS SELECT 8 AS x", "SHOW SNAPSHOTS OF kept"] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name), "{what}: {sql}: {error}");
        }
    }
    fs::write(&entry, good).unwrap();
    assert_eq!(number(&scene.session().await, "SELECT x FROM kept").await, 7);
}

#[tokio::test]
async fn a_gap_in_a_log_is_noticed() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    for x in 2..5 {
        checkpoint(&session, &format!("CHECKPOINT kept AS SELECT {x} AS x")).await.unwrap();
    }
    let entry = scene.log_entry(2);
    let good = fs::read(&entry).unwrap();
    fs::remove_file(&entry).unwrap();
    let name = entry.file_stem().unwrap().to_string_lossy().trim_start_matches('0').to_string();
    let error = fails(&scene.session().await, "SHOW SNAPSHOTS OF kept").await;
    says(&error, &["kept", &name]);
    fs::write(&entry, good).unwrap();
    assert_eq!(number(&scene.session().await, "SELECT x FROM kept").await, 4);
}

#[tokio::test]
async fn a_log_entry_of_a_newer_program_is_refused() {
    let scene = Scene::new().await;
    let entry = scene.log_entry(0);
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, text.replacen("\"format\": 1", "\"format\": 99", 1)).unwrap();
    says(&fails(&scene.session().await, "SELECT * FROM kept").await, &["99", "newer version"]);
    fs::write(&entry, text).unwrap();
    scene.is_untouched().await;
}

// Data files that are damaged. Never fewer rows.

#[tokio::test]
async fn a_missing_or_short_data_file_is_named() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let damages: [(&str, Option<&[u8]>); 4] = [
        ("missing", None),
        ("empty", Some(b"")),
        ("short", Some(&good[..good.len() - 8])),
        ("foreign", Some(b"PAR1PAR1")),
    ];
    for (what, bytes) in damages {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let session = scene.session().await;
        run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
        for sql in [
            "SELECT * FROM kept",
            "SELECT count(*) FROM kept",
            "CHECKPOINT kept AS SELECT column1 AS x FROM n",
        ] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name), "{what}: {sql}: {error}");
        }
    }
    fs::write(&file, good).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn a_flipped_byte_is_noticed_when_reads_are_verified() {
    let scene = Scene::new().await;
    let file = scene.data_file();
    let good = fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    for at in [4, good.len() / 2, good.len() - 9] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        fs::write(&file, flipped).unwrap();
        let session = scene.session().await;
        run(&session, "SET milepost.verify_reads = true").await.unwrap();
        for sql in ["SELECT * FROM kept", "SELECT sum(x) FROM kept"] {
            let error = fails(&session, sql).await;
            assert!(error.contains(&name) && error.contains("checksum"), "byte {at}: {error}");
        }
    }
    fs::write(&file, good).unwrap();
    scene.is_untouched().await;
}

#[tokio::test]
async fn what_is_damaged_is_computed_again_on_request() {
    let scene = Scene::new().await;
    fs::remove_file(scene.data_file()).unwrap();
    let session = scene.session().await;
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    let again = checkpoint(&session, "CHECKPOINT kept AS SELECT column1 AS x FROM n").await.unwrap();
    assert_eq!((again.version, again.outcome.as_str(), again.rows), (2, "written", 3));
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
    assert!(session.take_notices().iter().any(|notice| notice.contains(".parquet")));
    assert_eq!(number(&scene.session().await, "SELECT sum(x) FROM kept").await, 6);
}

/// A read by name repairs as well, from the stored definition; where there is none, or it needs what is damaged, the error
/// names the file.
#[tokio::test]
async fn a_read_by_name_is_repaired_on_request() {
    let scene = Scene::new().await;
    fs::remove_file(scene.data_file()).unwrap();
    let session = scene.session().await;
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    let error = run(&session, "SELECT sum(x) FROM kept").await.unwrap_err().to_string();
    assert!(error.contains(".parquet"), "{error}");
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
    assert_eq!(number(&session, "SELECT max(version) FROM milepost.snapshots").await, 2);
    assert!(session.take_notices().iter().any(|notice| notice.contains(".parquet")));
}

/// REFRESH looks at the files as CHECKPOINT does, though the snapshot is fresh.
#[tokio::test]
async fn a_refresh_of_what_is_damaged_is_no_reuse() {
    let scene = Scene::new().await;
    fs::remove_file(scene.data_file()).unwrap();
    let session = scene.session().await;
    run(&session, "CREATE TABLE n AS VALUES (1), (2), (3)").await.unwrap();
    says(&fails(&session, "REFRESH CHECKPOINT kept").await, &[".parquet"]);
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    assert_eq!(checkpoint(&session, "REFRESH CHECKPOINT kept").await.unwrap().outcome, "written");
    assert_eq!(number(&session, "SELECT sum(x) FROM kept").await, 6);
}

#[tokio::test]
async fn a_step_that_reads_itself_cannot_be_repaired() {
    let scene = Scene::new().await;
    let session = scene.session().await;
    run(&session, "CHECKPOINT kept AS SELECT x + 1 AS x FROM kept").await.unwrap();
    for file in scene.files(".parquet") {
        fs::write(file, "not Parquet").unwrap();
    }
    run(&session, "SET milepost.on_damage = 'recompute'").await.unwrap();
    let error = run(&session, "SELECT sum(x) FROM kept").await.unwrap_err().to_string();
    assert!(error.contains(".parquet"), "{error}");
}
