//! What a name stands for where views, tables, other versions and other sessions have to do with it.

use std::path::Path;

use milepost::Session;

use super::support::{Death, dies, process, through};
use crate::support::{number, open, run};

async fn numbers(session: &Session, name: &str) -> i64 {
    number(session, &format!("SELECT sum(n) FROM {name}")).await
}

/// A checkpoint without a name may be served by an older version of another: that one's name goes on to mean its newest.
#[tokio::test]
async fn what_serves_a_checkpoint_without_a_name_moves_no_other_name() {
    for unnamed in [
        "SELECT * FROM checkpoint((SELECT 1 AS n)) AS q",
        "WITH q AS MATERIALIZED (SELECT 1 AS n) SELECT * FROM q",
        "CREATE TABLE t AS SELECT * FROM checkpoint((SELECT 1 AS n)) AS q",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "CHECKPOINT x AS SELECT 1 AS n; CHECKPOINT x AS SELECT 2 AS n; SET milepost.reuse = 'transparent'; {unnamed}; \
             CHECKPOINT c AS SELECT n FROM x; REFRESH CHECKPOINT x FORCE; SELECT 9"
        );
        for death in [Death::Before(5), Death::Before(7)] {
            dies(dir.path(), &text, death).await;
        }
        let (_, session) = through(dir.path(), &text).await;
        assert_eq!((numbers(&session, "c").await, numbers(&session, "x").await), (2, 2), "{unnamed}");
        let checkpoints = "SELECT count(*) FROM milepost.checkpoints";
        assert_eq!(number(&session, checkpoints).await, 2, "none was written for it: {unnamed}");
    }
}

/// Served by another's snapshot or by its own, although its source has other rows by now.
#[tokio::test]
async fn a_replay_has_its_checkpoints_without_a_name_as_they_were() {
    for reuse in ["SET milepost.reuse = 'transparent'", "RESET milepost.reuse"] {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("src.csv");
        std::fs::write(&source, "n\n1\n").unwrap();
        let text = format!(
            "CREATE EXTERNAL TABLE src STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true'); {reuse}; \
             CHECKPOINT x AS SELECT n FROM src; CREATE TABLE t AS SELECT * FROM checkpoint((SELECT n FROM src)) AS q; SELECT 9",
            source.display()
        );
        dies(dir.path(), &text, Death::Before(5)).await;
        std::fs::write(&source, "n\n2\n3\n").unwrap();
        let (host, session) = through(dir.path(), &text).await;
        assert_eq!((host.passed().as_str(), numbers(&session, "t").await), ("ppspr", 1), "{reuse}");
    }
}

/// The view of a checkpoint that was switched off is made again, and ends where the checkpoint itself was made.
#[tokio::test]
async fn a_view_does_not_hide_what_a_skipped_step_has_made() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let copy = format!("COPY (SELECT * FROM checkpoint((SELECT 2 AS n), 'a')) TO '{}'", out.display());
    for made in ["CHECKPOINT a AS SELECT 2 AS n", &copy] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "SET milepost.enabled = false; CHECKPOINT a AS SELECT 1 AS n; SET milepost.enabled = true; {made}; \
             CHECKPOINT c AS SELECT n FROM a; SELECT 9; DROP CHECKPOINT a"
        );
        dies(dir.path(), &text, Death::Before(5)).await;
        let (host, session) = through(dir.path(), &text).await;
        assert_eq!((host.passed().as_str(), numbers(&session, "c").await), ("pppsrrr", 2), "{made}");
        assert!(run(&session, "SELECT n FROM a").await.is_err(), "the checkpoint is dropped: {made}");
    }
}

/// As a statement that reads its own checkpoint does.
#[tokio::test]
async fn a_checkpoint_inside_of_a_query_that_reads_itself_goes_on_from_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let text = format!(
        "CHECKPOINT c AS SELECT 1 AS n; SELECT 9; \
         COPY (SELECT * FROM checkpoint((SELECT n + 1 AS n FROM c), 'c')) TO '{}'; SELECT 8",
        out.display()
    );
    dies(dir.path(), &text, Death::Before(2)).await;
    others(dir.path(), "CHECKPOINT c AS SELECT 50 AS n").await;
    for death in [Death::After(3), Death::Before(4), Death::Never] {
        if death == Death::Never {
            let (_, session) = through(dir.path(), &text).await;
            assert_eq!(numbers(&session, "c").await, 51);
        } else {
            dies(dir.path(), &text, death).await;
        }
        assert_eq!(std::fs::read_to_string(&out).unwrap().trim(), "n\n51", "{death:?}");
    }
}

async fn others(dir: &Path, statement: &str) {
    run(&open(dir).await, statement).await.unwrap();
}

/// A table is gone by the time at which the run makes a checkpoint of its name, recorded or not.
#[tokio::test]
async fn a_table_is_made_again_whose_name_is_a_checkpoint_s_by_now() {
    for (death, passed) in [(Death::After(4), "psprr"), (Death::Before(5), "pspsr")] {
        let dir = tempfile::tempdir().unwrap();
        let text = "CREATE TABLE x AS SELECT 1 AS n; CHECKPOINT y AS SELECT n + 1 AS n FROM x; DROP TABLE x; \
                    CHECKPOINT x AS SELECT 3 AS n; SELECT 9";
        dies(dir.path(), text, death).await;
        let (host, session) = through(dir.path(), text).await;
        assert_eq!(host.passed(), passed);
        assert_eq!((numbers(&session, "x").await, numbers(&session, "y").await), (3, 2), "{death:?}");
    }
}

/// What others have made meanwhile is another matter: the table would hide it.
#[tokio::test]
async fn a_table_is_not_made_again_over_a_checkpoint_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE x AS SELECT 1 AS n; SELECT 9";
    dies(dir.path(), text, Death::Before(2)).await;
    others(dir.path(), "CHECKPOINT x AS SELECT 3 AS n").await;
    let (_, _, outcome) = process(dir.path(), text, Death::Never).await;
    let error = outcome.unwrap().unwrap_err().to_string();
    assert!(error.contains("'x' is a checkpoint of this store"), "{error}");
}

/// It reads no rows, and means the later version when it is read.
#[tokio::test]
async fn a_view_over_a_version_that_the_script_has_dropped_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT x AS SELECT 1 AS n; CREATE VIEW v AS SELECT * FROM x; DROP CHECKPOINT x; \
                CHECKPOINT x AS SELECT 2 AS n; SELECT 9; CHECKPOINT c AS SELECT n FROM v";
    dies(dir.path(), text, Death::Before(5)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!((host.passed().as_str(), numbers(&session, "c").await), ("spssrr", 2));
}
