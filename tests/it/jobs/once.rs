//! What a step does, it does once; a sink at least once.

use milepost::job::StepOutcome;

use super::support::{Death, dies, job, parts, process, store, through};
use crate::support::{number, run, table, value};

/// The process dies when the commit is in the checkpoint's log and the step is not in the job's.
#[tokio::test]
async fn a_step_commits_once_whatever_it_is() {
    for step in ["CHECKPOINT a AS SELECT n + 1 AS n FROM a", "REFRESH CHECKPOINT a FORCE"] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("CHECKPOINT a AS SELECT 1 AS n; {step}; SELECT * FROM a");
        dies(dir.path(), &text, Death::After(2)).await;
        let (host, session) = through(dir.path(), &text).await;
        assert_eq!((host.passed().as_str(), host.outcomes()[1]), ("srr", StepOutcome::Reused), "{step}");
        assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 2, "{step}");
    }
}

/// What a step has committed stays its result, although its source changed before it was recorded.
#[tokio::test]
async fn a_step_that_committed_is_not_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("t.csv");
    std::fs::write(&data, "n\n1\n").unwrap();
    let text = format!(
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');
         CHECKPOINT a AS SELECT sum(n) AS n FROM t; SELECT * FROM a",
        data.display()
    );
    dies(dir.path(), &text, Death::After(2)).await;
    std::fs::write(&data, "n\n1\n41\n").unwrap();
    let (host, session) = through(dir.path(), &text).await;
    assert_eq!((host.passed().as_str(), host.outcomes()[1]), ("prr", StepOutcome::Reused));
    assert_eq!(number(&session, "SELECT n FROM a").await, 1);
    // A new run is another matter.
    let (_, session) = through(dir.path(), &text).await;
    assert_eq!(number(&session, "SELECT n FROM a").await, 42);
}

/// Two nodes of a step whose queries are alike are two results.
#[tokio::test]
async fn nodes_of_a_step_that_differ_in_their_sources_alone_are_two() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE s AS VALUES (1); CREATE TABLE t AS VALUES (2);
        CREATE TABLE both AS SELECT a.column1 AS a, b.column1 AS b
        FROM checkpoint((SELECT * FROM s), 'x') AS a CROSS JOIN checkpoint((SELECT * FROM t), 'x') AS b;
        SELECT 1";
    for death in [Death::After(3), Death::Before(4), Death::Never] {
        let (_, session, _) = process(dir.path(), text, death).await;
        let both = table(&session, "SELECT a, b FROM both").await.unwrap();
        let both: Vec<String> = both.rows[0].iter().map(ToString::to_string).collect();
        assert_eq!(both, ["1", "2"], "{death:?}");
    }
}

/// Random numbers hold within the run: a driver that takes over reads those of the first.
#[tokio::test]
async fn what_holds_within_a_run_is_not_computed_again_by_its_next_driver() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT r AS SELECT random() AS x; CHECKPOINT s AS SELECT x FROM r; SELECT 3";
    dies(dir.path(), text, Death::After(1)).await;
    let before = parts(store(dir.path()).await).build().await.unwrap();
    let x = value(&before, "SELECT x FROM r").await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.outcomes()[0], StepOutcome::Reused);
    assert_eq!(value(&session, "SELECT x FROM s").await, x);
}

#[tokio::test]
async fn a_checkpoint_that_was_dropped_meanwhile_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT b AS SELECT 2 AS n; SELECT a.n + b.n FROM a, b";
    dies(dir.path(), text, Death::Before(3)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "DROP CHECKPOINT a").await.unwrap();
    let (host, session) = through(dir.path(), text).await;
    assert_eq!((host.passed().as_str(), host.outcomes()[0]), ("rsr", StepOutcome::Written));
    assert_eq!(number(&session, "SELECT version FROM milepost.checkpoints WHERE checkpoint = 'a'").await, 2);
}

/// The process dies when the checkpoint is dropped and the step is not recorded; then after it.
#[tokio::test]
async fn a_script_may_drop_its_own_checkpoints() {
    for between in ["SELECT count(*) FROM a", "CREATE TABLE kept AS SELECT * FROM a"] {
        let text = format!("CHECKPOINT a AS SELECT 1 AS n; {between}; DROP CHECKPOINT a; SELECT 4; SELECT 5");
        for death in [Death::After(3), Death::After(4), Death::Before(5)] {
            let dir = tempfile::tempdir().unwrap();
            dies(dir.path(), &text, death).await;
            let (host, session) = through(dir.path(), &text).await;
            assert_eq!(number(&session, "SELECT count(*) FROM milepost.checkpoints").await, 0, "{death:?}");
            if between.starts_with("SELECT") {
                assert!(host.passed().starts_with("ss"), "nobody needs it again: {death:?}");
            } else {
                assert_eq!(number(&session, "SELECT n FROM kept").await, 1, "{death:?}");
            }
        }
    }
}

/// The drop is done, its step is not recorded, and what it dropped is not the script's to make again.
#[tokio::test]
async fn a_drop_that_was_interrupted_does_not_fail_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let before = parts(store(dir.path()).await).build().await.unwrap();
    run(&before, "CHECKPOINT old AS SELECT 1 AS n").await.unwrap();
    let text = "DROP CHECKPOINT old; SELECT 2";
    dies(dir.path(), text, Death::After(1)).await;
    let (host, _) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "rr");
    // In a run in which nobody began it, a checkpoint that is missing is a mistake.
    let (_, _, outcome) = process(dir.path(), text, Death::Never).await;
    assert!(outcome.unwrap().unwrap_err().to_string().contains("no checkpoint 'old'"));
}

#[tokio::test]
async fn a_sink_is_run_at_least_once_and_a_finished_one_never_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("rows");
    std::fs::create_dir(&folder).unwrap();
    let text = format!(
        "CREATE EXTERNAL TABLE rows (n BIGINT) STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'true');
         INSERT INTO rows VALUES (1); INSERT INTO rows VALUES (2); SELECT count(*) FROM rows",
        folder.display()
    );
    // Step 2 is recorded, step 3 has written its row and is not.
    dies(dir.path(), &text, Death::After(3)).await;
    let (host, session) = through(dir.path(), &text).await;
    assert_eq!(host.passed(), "psrr");
    assert!(
        host.notices[0].contains("step 3 (INSERT)") && host.notices[0].contains("run again"),
        "{:?}",
        host.notices
    );
    assert_eq!(number(&session, "SELECT count(*) FROM rows WHERE n = 1").await, 1);
    assert_eq!(number(&session, "SELECT count(*) FROM rows WHERE n = 2").await, 2);
}

/// The rows that it wrote are written, whatever the next drivers come to: each start that runs it again says so.
#[tokio::test]
async fn a_sink_that_was_interrupted_is_named_until_it_is_finished() {
    let inserts = "CHECKPOINT a AS SELECT 1 AS n; CREATE TABLE t AS SELECT * FROM a; DROP CHECKPOINT a; \
                   INSERT INTO sink SELECT n FROM t";
    // The second process dies in a step that is done again, or has another text.
    for (first, dead, second, died) in [
        (inserts, Death::After(5), inserts, Death::Before(4)),
        ("INSERT INTO sink VALUES (1); SELECT 9", Death::After(2), "SELECT 7; SELECT 9", Death::Before(3)),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sink");
        std::fs::create_dir(&folder).unwrap();
        let with = |steps: &str| {
            format!(
                "CREATE EXTERNAL TABLE sink (n BIGINT) STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'false'); {steps}",
                folder.display()
            )
        };
        let is_named = |notices: &[String]| {
            notices.iter().any(|notice| notice.contains("(INSERT)") && notice.contains("run again"))
        };
        let host = dies(dir.path(), &with(first), dead).await;
        assert!(!is_named(&host.notices), "{:?}", host.notices);
        let host = dies(dir.path(), &with(second), died).await;
        assert_eq!(is_named(&host.notices), first == second, "{:?}", host.notices);
        let (host, session) = through(dir.path(), &with(first)).await;
        assert!(is_named(&host.notices), "{first}: {:?}", host.notices);
        assert_eq!(number(&session, "SELECT count(*) FROM sink").await, 2, "{first}");
    }
}

/// It changes the session alone and is no statement of SQL, and commits a checkpoint on its way.
#[tokio::test]
async fn what_explain_analyze_commits_is_begun_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE t (n BIGINT); \
                EXPLAIN ANALYZE INSERT INTO t SELECT n FROM checkpoint((SELECT 1 AS n), 'x'); SELECT 9";
    dies(dir.path(), text, Death::After(2)).await;
    let left = store(dir.path()).await.open_job(&job()).await.unwrap().unwrap().run;
    assert_eq!(left.begun.keys().collect::<Vec<_>>(), [&1]);
}

/// A step that reads itself and adds a column plans another query the second time: its own commit has the column already.
#[tokio::test]
async fn a_step_that_adds_a_column_to_what_it_reads_is_applied_once() {
    let text = "CHECKPOINT o AS SELECT 0 AS x; CHECKPOINT o AS SELECT x + 1 AS x, 'a' AS note FROM o; \
                CHECKPOINT o AS SELECT max(x) + 1 AS x FROM o; SELECT 4";
    for death in [Death::After(2), Death::After(3)] {
        let dir = tempfile::tempdir().unwrap();
        dies(dir.path(), text, death).await;
        let (_, session) = through(dir.path(), text).await;
        assert_eq!(number(&session, "SELECT x FROM o").await, 2, "{death:?}");
        assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 3, "{death:?}");
    }
}

/// Another source has a column more by then.
#[tokio::test]
async fn a_step_is_applied_once_though_its_source_has_other_columns_now() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.csv");
    std::fs::write(&source, "a,b\n1,2\n").unwrap();
    let text = format!(
        "CREATE EXTERNAL TABLE s STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true'); \
         CHECKPOINT o AS SELECT 0 AS x; CHECKPOINT o AS SELECT o.x + s.a AS x FROM o, s; SELECT 4",
        source.display()
    );
    dies(dir.path(), &text, Death::After(3)).await;
    std::fs::write(&source, "a,b,c\n1,2,3\n").unwrap();
    let (_, session) = through(dir.path(), &text).await;
    assert_eq!(number(&session, "SELECT x FROM o").await, 1);
}

/// A version that the script dropped itself is not missed.
#[tokio::test]
async fn a_version_that_the_script_dropped_stays_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS x; CHECKPOINT a AS SELECT 2 AS x; DROP CHECKPOINT a VERSION 2; SELECT x FROM a";
    dies(dir.path(), text, Death::Before(4)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "sssr");
    assert_eq!(number(&session, "SELECT x FROM a").await, 1);
}
