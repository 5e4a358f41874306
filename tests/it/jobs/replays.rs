//! What a session needs, made again by every driver.

use std::path::Path;
use std::time::Duration;

use milepost::Session;

use super::support::{Death, dies, parts, process, store, through};
use crate::support::{number, run, value};

#[tokio::test]
async fn the_time_stands_still_within_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let text = format!(
        "CREATE TABLE t AS SELECT now() AS at; CHECKPOINT c AS SELECT now() AS at; \
         COPY (SELECT now() AS at) TO '{}' OPTIONS ('format.has_header' 'true'); SELECT 4",
        out.display()
    );
    let at = async |session: &Session, sql: &str| value(session, sql).await.to_string();
    let (_, first, _) = process(dir.path(), &text, Death::Before(4)).await;
    let now = at(&first, "SELECT now()").await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    for sql in ["SELECT at FROM t", "SELECT at FROM c", "SELECT now()", "SELECT now() FROM (VALUES (1))"] {
        assert_eq!(at(&first, sql).await, now, "{sql}");
    }
    drop(first);
    let (host, second) = through(dir.path(), &text).await;
    assert_eq!(host.passed(), "pssr");
    for sql in ["SELECT at FROM t", "SELECT at FROM c", "SELECT now()"] {
        assert_eq!(at(&second, sql).await, now, "{sql}");
    }
    let read = format!("SELECT at::TIMESTAMP = (SELECT at::TIMESTAMP FROM t) FROM '{}'", out.display());
    let context = second.context().clone().enable_url_table();
    let same = context.sql(&read).await.unwrap().collect().await.unwrap();
    assert!(format!("{same:?}").contains("true"), "{same:?}");
    drop(second);
    // A new run has a new time.
    let (_, third) = through(dir.path(), &text).await;
    assert_ne!(at(&third, "SELECT at FROM c").await, now);
}

/// A loop over one name: the tables that are made again hold what they held, and not what the name holds now.
#[tokio::test]
async fn what_is_done_again_reads_what_it_read_first() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; CREATE TABLE one AS SELECT * FROM a; \
                CHECKPOINT a AS SELECT n + 1 AS n FROM a; CREATE VIEW two AS SELECT * FROM a; \
                CHECKPOINT a AS SELECT n + 1 AS n FROM a; SELECT 6";
    let undisturbed = tempfile::tempdir().unwrap();
    let (_, expected) = through(undisturbed.path(), text).await;
    dies(dir.path(), text, Death::Before(6)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "spspsr");
    for sql in ["SELECT n FROM one", "SELECT n FROM two", "SELECT n FROM a"] {
        assert_eq!(number(&session, sql).await, number(&expected, sql).await, "{sql}");
    }
    assert_eq!(number(&session, "SELECT n FROM one").await, 1);
}

#[tokio::test]
async fn a_version_that_is_needed_and_gone_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; CREATE TABLE one AS SELECT * FROM a; CHECKPOINT a AS SELECT 2 AS n; SELECT 4";
    dies(dir.path(), text, Death::Before(4)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "DROP CHECKPOINT a VERSION 1").await.unwrap();
    let (_, _, outcome) = process(dir.path(), text, Death::Never).await;
    let error = outcome.unwrap().unwrap_err().to_string();
    assert!(error.contains("step 2") && error.contains("--restart"), "{error}");
}

#[tokio::test]
async fn checkpoints_that_are_switched_off_are_views_for_every_driver() {
    let dir = tempfile::tempdir().unwrap();
    let text = "SET milepost.enabled = false; CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT b AS SELECT 2 AS n; \
                DROP CHECKPOINT b; SELECT n FROM a; SELECT 6";
    dies(dir.path(), text, Death::Before(6)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "ppppsr");
    assert_eq!(number(&session, "SELECT n FROM a").await, 1);
    assert!(run(&session, "SELECT n FROM b").await.is_err());
}

#[tokio::test]
async fn prepared_statements_are_there_for_every_driver() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE t (n BIGINT); PREPARE add_row AS INSERT INTO t VALUES ($1); EXECUTE add_row(1); \
                EXECUTE add_row(2); SELECT 5";
    dies(dir.path(), text, Death::Before(5)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "ppppr");
    assert_eq!(number(&session, "SELECT sum(n) FROM t").await, 3);
}

/// The second night of a nightly job: what the first one left is what the table reads, and not what a step after it has
/// committed, recorded or not.
#[tokio::test]
async fn a_replay_reads_what_stood_before_the_run_made_its_own() {
    for death in [Death::After(2), Death::Before(3)] {
        let dir = tempfile::tempdir().unwrap();
        let before = parts(store(dir.path()).await).build().await.unwrap();
        run(&before, "CHECKPOINT a AS SELECT 1 AS n").await.unwrap();
        let text = "CREATE TABLE t AS SELECT * FROM a; CHECKPOINT a AS SELECT 2 AS n; SELECT 3";
        dies(dir.path(), text, death).await;
        // Two more drivers: the second finds the step recorded as reused.
        dies(dir.path(), text, Death::Before(3)).await;
        let (_, session) = through(dir.path(), text).await;
        assert_eq!(number(&session, "SELECT n FROM t").await, 1, "{death:?}");
        assert_eq!(number(&session, "SELECT n FROM a").await, 2, "{death:?}");
    }
}

/// Versions that a query made on its way stand in no step's record.
#[tokio::test]
async fn a_replay_reads_what_an_inline_checkpoint_made() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; SELECT n FROM checkpoint((SELECT 2 AS n), 'a'); \
                CREATE TABLE t AS SELECT * FROM a; SELECT n FROM checkpoint((SELECT 3 AS n), 'a'); SELECT 5";
    dies(dir.path(), text, Death::Before(5)).await;
    let (_, session) = through(dir.path(), text).await;
    assert_eq!(number(&session, "SELECT n FROM t").await, 2);
    assert_eq!(number(&session, "SELECT n FROM a").await, 3);
}

/// A source that changed since is no concern of a step that is done again, through a view either.
#[tokio::test]
async fn a_replay_does_not_ask_whether_what_it_reads_is_stale() {
    for policy in ["refresh", "error"] {
        let dir = tempfile::tempdir().unwrap();
        let sources = dir.path().join("sources");
        std::fs::create_dir(&sources).unwrap();
        std::fs::write(sources.join("a.csv"), "n\n1\n").unwrap();
        let text = format!(
            "SET milepost.on_stale = '{policy}'; \
             CREATE EXTERNAL TABLE src (n BIGINT) STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'true'); \
             CHECKPOINT a AS SELECT n FROM src; CREATE VIEW v AS SELECT n FROM a; \
             CREATE TABLE t AS SELECT n FROM v; SELECT 6",
            sources.display()
        );
        dies(dir.path(), &text, Death::Before(6)).await;
        std::fs::write(sources.join("b.csv"), "n\n2\n").unwrap();
        let (host, session) = through(dir.path(), &text).await;
        assert_eq!(host.passed(), "ppsppr", "{policy}");
        assert_eq!(number(&session, "SELECT count(*) FROM t").await, 1, "{policy}");
        assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 1, "{policy}");
    }
}

/// A stale checkpoint was refreshed for the step: the refreshed version is what it read.
#[tokio::test]
async fn what_is_done_again_reads_what_was_refreshed_for_it() {
    for (step, drop, passed) in [
        ("CREATE TABLE t AS SELECT n * 10 AS n FROM a", "DROP CHECKPOINT IF EXISTS t", "psspppr"),
        ("CHECKPOINT t AS SELECT n * 10 AS n FROM a", "DROP CHECKPOINT t", "pssprpr"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let sources = dir.path().join("sources");
        std::fs::create_dir(&sources).unwrap();
        std::fs::write(sources.join("a.csv"), "1\n").unwrap();
        let text = format!(
            "CREATE EXTERNAL TABLE src (n BIGINT) STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'false'); \
             CHECKPOINT a AS SELECT n FROM src; INSERT INTO src VALUES (2); SET milepost.on_stale = 'refresh'; {step}; \
             RESET milepost.on_stale; SELECT 9",
            sources.display()
        );
        dies(dir.path(), &text, Death::Before(7)).await;
        let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
        run(&meanwhile, drop).await.unwrap();
        let (host, session) = through(dir.path(), &text).await;
        assert_eq!((host.passed().as_str(), number(&session, "SELECT sum(n) FROM t").await), (passed, 30));
    }
}

/// A damaged checkpoint was repaired for the step, and another that was made from it was judged after that.
#[tokio::test]
async fn what_is_done_again_reads_what_was_repaired_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let before = parts(store(dir.path()).await).build().await.unwrap();
    for statement in ["CHECKPOINT a AS SELECT 1 AS n", "CHECKPOINT b AS SELECT n + 1 AS n FROM a"] {
        run(&before, statement).await.unwrap();
    }
    drop(before);
    cut_off(&dir.path().join("store/checkpoints/a/attempts"));
    let text =
        "SET milepost.on_damage = 'recompute'; CREATE TABLE t AS SELECT a.n + b.n AS n FROM a, b; SELECT 9";
    dies(dir.path(), text, Death::Before(3)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!((host.passed().as_str(), number(&session, "SELECT n FROM t").await), ("ppr", 3));
}

/// Cuts off the one data file below a folder.
fn cut_off(attempts: &Path) {
    let attempt = std::fs::read_dir(attempts).unwrap().next().unwrap().unwrap().path();
    let mut files = std::fs::read_dir(attempt).unwrap().map(|file| file.unwrap().path());
    let data = files.find(|file| file.extension().is_some_and(|kind| kind == "parquet")).unwrap();
    std::fs::File::options().write(true).open(data).unwrap().set_len(100).unwrap();
}

/// A checkpoint that somebody dropped is made again from what it was made from.
#[tokio::test]
async fn a_checkpoint_that_is_made_again_reads_what_it_read_first() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT b AS SELECT n FROM a; CHECKPOINT a AS SELECT 2 AS n; SELECT n FROM b";
    dies(dir.path(), text, Death::Before(4)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "DROP CHECKPOINT b").await.unwrap();
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "srsr");
    assert_eq!(number(&session, "SELECT n FROM b").await, 1);
    assert_eq!(number(&session, "SELECT n FROM a").await, 2);
}

/// So is what it was made from, if the script has dropped that since.
#[tokio::test]
async fn what_is_made_again_has_its_inputs_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT b AS SELECT n FROM a; DROP CHECKPOINT a; SELECT n FROM b";
    dies(dir.path(), text, Death::Before(4)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "DROP CHECKPOINT b").await.unwrap();
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "rrrr");
    assert_eq!(number(&session, "SELECT n FROM b").await, 1);
    assert!(run(&session, "SELECT n FROM a").await.is_err());
}

/// Dropped by hand, a name that several steps write is made again step by step.
#[tokio::test]
async fn a_loop_whose_checkpoint_is_gone_is_gone_through_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT r AS SELECT 0 AS n; CHECKPOINT r AS SELECT n + 1 AS n FROM r; \
                CHECKPOINT r AS SELECT n + 1 AS n FROM r; SELECT n FROM r";
    dies(dir.path(), text, Death::Before(4)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "DROP CHECKPOINT r").await.unwrap();
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "rrrr");
    assert_eq!(number(&session, "SELECT n FROM r").await, 2);
}
