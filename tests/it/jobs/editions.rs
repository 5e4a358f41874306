//! Edits that are undone, and names that others move meanwhile: each step reads what its script makes.

use std::path::Path;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use milepost::job::{JobOptions, JobRunner, JobScript, JobStep, StepHost, StepReport, Variables};
use milepost::{Error, Session};

use super::support::{Death, dies, job, process, process_of, process_with, session, start, store, through};
use crate::support::{number, open, run, value};

/// Others' checkpoints, made outside of any job.
async fn others(dir: &Path, statements: &[&str]) {
    let session = open(dir).await;
    for statement in statements {
        run(&session, statement).await.unwrap();
    }
}

async fn numbers(session: &Session, name: &str) -> i64 {
    number(session, &format!("SELECT sum(n) FROM {name}")).await
}

fn source(dir: &Path) -> String {
    format!(
        "CREATE EXTERNAL TABLE src STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');",
        dir.join("src.csv").display()
    )
}

fn write_source(dir: &Path, rows: &str) {
    std::fs::write(dir.join("src.csv"), format!("n\n{rows}\n")).unwrap();
}

#[tokio::test]
async fn an_edit_that_is_undone_puts_the_first_text_on_top_again() {
    let dir = tempfile::tempdir().unwrap();
    dies(dir.path(), "CHECKPOINT a AS SELECT 1 AS n; SELECT 9", Death::Before(2)).await;
    dies(dir.path(), "SELECT 7; CHECKPOINT a AS SELECT 2 AS n; SELECT 9", Death::Before(3)).await;
    let (host, session) = through(dir.path(), "CHECKPOINT a AS SELECT 1 AS n; SELECT 9").await;
    assert_eq!((host.passed().as_str(), numbers(&session, "a").await), ("rr", 1));
}

/// The first text's version is gone as well.
#[tokio::test]
async fn an_edit_that_is_undone_after_a_drop_is_no_dead_end() {
    let dir = tempfile::tempdir().unwrap();
    dies(dir.path(), "CHECKPOINT a AS SELECT 1 AS n; SELECT 9", Death::Before(2)).await;
    dies(dir.path(), "SELECT 7; CHECKPOINT a AS SELECT 2 AS n; SELECT 9", Death::Before(3)).await;
    others(dir.path(), &["DROP CHECKPOINT a VERSION 1"]).await;
    let (_, session) = through(dir.path(), "CHECKPOINT a AS SELECT 1 AS n; SELECT 9").await;
    assert_eq!(numbers(&session, "a").await, 1);
}

/// Both steps were finished under the first text, and then their source changed.
#[tokio::test]
async fn what_was_made_before_an_edit_is_not_mixed_with_what_is_made_after_it() {
    let dir = tempfile::tempdir().unwrap();
    write_source(dir.path(), "1");
    let text = |plus: i32| {
        format!(
            "{} CHECKPOINT a AS SELECT n + {plus} AS n FROM src; CHECKPOINT b AS SELECT n * 10 AS n FROM a; SELECT 9",
            source(dir.path())
        )
    };
    dies(dir.path(), &text(0), Death::Before(4)).await;
    dies(dir.path(), &text(5), Death::Before(3)).await;
    write_source(dir.path(), "2\n3");
    let (_, session) = through(dir.path(), &text(0)).await;
    assert_eq!((numbers(&session, "a").await, numbers(&session, "b").await), (5, 50));
}

#[tokio::test]
async fn a_finished_sink_that_was_taken_out_is_not_repeated_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let with = |step: &str| {
        format!(
            "CREATE EXTERNAL TABLE sink (n BIGINT) STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'false');
             {step}; SELECT 9",
            out.display()
        )
    };
    std::fs::create_dir(&out).unwrap();
    dies(dir.path(), &with("INSERT INTO sink VALUES (1)"), Death::Before(3)).await;
    dies(dir.path(), &with("SELECT 7"), Death::Before(3)).await;
    let (_, session, outcome) = process(dir.path(), &with("INSERT INTO sink VALUES (1)"), Death::Never).await;
    let error = outcome.unwrap().unwrap_err();
    assert!(matches!(error, Error::JobEdited { finished: 2, .. }), "{error}");
    let sink = with("SELECT 1").split(';').next().unwrap().to_string();
    run(&session, &sink).await.unwrap();
    assert_eq!(number(&session, "SELECT count(*) FROM sink").await, 1);
}

/// The step above it is done again from its own version, although its source has other rows by now.
#[tokio::test]
async fn what_an_edit_leaves_on_top_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    write_source(dir.path(), "1");
    let head = format!(
        "{} CHECKPOINT a AS SELECT n FROM src; CHECKPOINT b AS SELECT n * 10 AS n FROM a;",
        source(dir.path())
    );
    dies(dir.path(), &format!("{head} CHECKPOINT a AS SELECT 5 AS n; SELECT 9"), Death::Before(5)).await;
    write_source(dir.path(), "2\n3");
    let (host, session) = through(dir.path(), &format!("{head} SELECT sum(n) FROM a")).await;
    assert_eq!(host.passed(), "pssr");
    assert!(
        host.notices.iter().any(|notice| notice.contains("a version 2 is dropped")),
        "{:?}",
        host.notices
    );
    assert_eq!((numbers(&session, "a").await, numbers(&session, "b").await), (1, 10));
}

/// The same wherever the script has what lies below: in a query, in the session's own tables, dropped again.
#[tokio::test]
async fn what_an_edit_leaves_on_top_is_dropped_whatever_has_made_what_is_below() {
    let inside = "SELECT * FROM checkpoint((SELECT 1 AS n), 'b')";
    let out = tempfile::tempdir().unwrap();
    for (steps, left) in [
        (format!("COPY ({inside}) TO '{}/out.csv'", out.path().display()), Some(1)),
        (format!("CREATE TABLE t AS {inside}"), Some(1)),
        (format!("CHECKPOINT c AS {inside}"), Some(1)),
        ("EXPLAIN ANALYZE CHECKPOINT b AS SELECT 1 AS n".to_string(), Some(1)),
        ("CHECKPOINT b AS SELECT 1 AS n; DROP CHECKPOINT b".to_string(), None),
        (
            "CHECKPOINT b AS SELECT 1 AS n; CREATE TABLE t AS SELECT * FROM b; DROP CHECKPOINT b".to_string(),
            None,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let next = steps.split(';').count() as u64 + 2;
        dies(dir.path(), &format!("{steps}; CHECKPOINT b AS SELECT 2 AS n; SELECT 9"), Death::Before(next))
            .await;
        let (_, session) = through(dir.path(), &format!("{steps}; SELECT 5")).await;
        let is_there = run(&session, "SELECT n FROM b").await.is_ok();
        let found = if is_there { Some(numbers(&session, "b").await) } else { None };
        assert_eq!(found, left, "{steps}");
    }
}

/// It was made by the first text, and found by its signature under the second.
#[tokio::test]
async fn what_the_script_has_found_is_not_dropped_with_what_lies_on_top() {
    let dir = tempfile::tempdir().unwrap();
    dies(dir.path(), "CHECKPOINT a AS SELECT 1 AS n; SELECT 9", Death::Before(2)).await;
    let head = "SELECT 5; CHECKPOINT a AS SELECT 1 AS n;";
    dies(dir.path(), &format!("{head} SELECT 9"), Death::Before(3)).await;
    dies(dir.path(), &format!("{head} CHECKPOINT a AS SELECT 2 AS n; SELECT 9"), Death::Before(4)).await;
    let (host, session) = through(dir.path(), &format!("{head} SELECT 6")).await;
    assert_eq!((host.passed().as_str(), numbers(&session, "a").await), ("ssr", 1));
    let dropped = host.notices.iter().filter(|notice| notice.contains("is dropped")).count();
    assert_eq!(dropped, 1, "{:?}", host.notices);
}

/// A text that is gone has made the very snapshot that a step inside of a query finds.
#[tokio::test]
async fn what_a_query_has_found_is_what_its_name_stands_for() {
    let dir = tempfile::tempdir().unwrap();
    others(dir.path(), &["CHECKPOINT b AS SELECT 7 AS n"]).await;
    let inline = "SELECT * FROM checkpoint((SELECT 2 AS n), 'b')";
    dies(dir.path(), &format!("SELECT 1; {inline}; SELECT 9"), Death::Before(3)).await;
    let (_, session) =
        through(dir.path(), &format!("SELECT 5; {inline}; CHECKPOINT c AS SELECT n FROM b")).await;
    assert_eq!(numbers(&session, "c").await, 2);
}

/// Before the crash, too, others may write what a finished query has found.
#[tokio::test]
async fn what_a_finished_query_has_found_others_do_not_move() {
    let dir = tempfile::tempdir().unwrap();
    others(dir.path(), &["CHECKPOINT x AS SELECT 1 AS n"]).await;
    let text = "SELECT * FROM checkpoint((SELECT 1 AS n), 'x'); SELECT 9; CHECKPOINT c AS SELECT n FROM x";
    dies(dir.path(), text, Death::Before(2)).await;
    others(dir.path(), &["CHECKPOINT x AS SELECT 99 AS n"]).await;
    let (_, session) = through(dir.path(), text).await;
    assert_eq!(numbers(&session, "c").await, 1);
}

#[tokio::test]
async fn a_replay_covers_nothing_that_later_steps_have_made() {
    for (name, steps, passed) in [
        (
            "found",
            "CHECKPOINT x AS SELECT 1 AS n; CREATE TABLE t AS SELECT * FROM checkpoint((SELECT 1 AS n), 'x')",
            "spsr",
        ),
        (
            "dropped",
            "CREATE TABLE t AS SELECT * FROM checkpoint((SELECT 1 AS n), 'x'); DROP CHECKPOINT x",
            "pssr",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("{steps}; CHECKPOINT x AS SELECT n + 100 AS n FROM t; SELECT sum(n) FROM t");
        dies(dir.path(), &text, Death::Before(4)).await;
        for death in [Death::Before(4), Death::Never] {
            let (host, session, _) = process(dir.path(), &text, death).await;
            assert_eq!(host.passed(), if death == Death::Never { passed } else { &passed[..3] }, "{name}");
            assert_eq!((numbers(&session, "x").await, numbers(&session, "t").await), (101, 1), "{name}");
        }
    }
}

#[tokio::test]
async fn a_replay_reads_the_version_that_it_read_first_or_says_that_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    others(dir.path(), &["CHECKPOINT x AS SELECT 7 AS n", "CHECKPOINT x AS SELECT 8 AS n"]).await;
    let text = "CREATE TABLE t AS SELECT * FROM x; CHECKPOINT x AS SELECT n + 1 AS n FROM t; SELECT 9";
    dies(dir.path(), text, Death::Before(3)).await;
    others(dir.path(), &["DROP CHECKPOINT x VERSION 2"]).await;
    let (_, _, outcome) = process(dir.path(), text, Death::Never).await;
    let error = outcome.unwrap().unwrap_err().to_string();
    assert!(error.contains("--restart") && error.contains('x'), "{error}");
}

#[tokio::test]
async fn a_refresh_begins_from_what_the_script_has_made() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT a AS SELECT 1 AS n; REFRESH CHECKPOINT a; CHECKPOINT c AS SELECT n FROM a";
    dies(dir.path(), text, Death::Before(2)).await;
    others(dir.path(), &["CHECKPOINT a AS SELECT 99 AS n"]).await;
    let (_, session) = through(dir.path(), text).await;
    assert_eq!(numbers(&session, "c").await, 1);
}

/// The version on top is of a text that is gone: nobody can tell what to refresh.
#[tokio::test]
async fn a_refresh_does_not_take_what_a_text_made_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    others(dir.path(), &["CHECKPOINT a AS SELECT 1 AS n"]).await;
    dies(dir.path(), "SELECT 1; CHECKPOINT a AS SELECT 2 AS n; SELECT 9", Death::Before(3)).await;
    let (_, _, outcome) = process(dir.path(), "SELECT 1; REFRESH CHECKPOINT a; SELECT 9", Death::Never).await;
    let error = outcome.unwrap().unwrap_err().to_string();
    assert!(error.contains("DROP CHECKPOINT a VERSION 2"), "{error}");
}

/// Its own commit has other columns than it reads.
#[tokio::test]
async fn a_step_that_renames_its_own_columns_finds_its_commit() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CHECKPOINT r AS SELECT 1 AS k, 2 AS v; CHECKPOINT r AS SELECT k, sum(v) AS n FROM r GROUP BY k; SELECT 9";
    dies(dir.path(), text, Death::After(2)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!((host.passed().as_str(), numbers(&session, "r").await), ("srr", 2));
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 2);
}

#[tokio::test]
async fn a_step_goes_on_from_what_its_script_has_found() {
    let dir = tempfile::tempdir().unwrap();
    dies(dir.path(), "SELECT 1; CHECKPOINT r AS SELECT 0 AS n; SELECT 9", Death::Before(3)).await;
    let text = "SELECT 2; CHECKPOINT r AS SELECT 0 AS n; CHECKPOINT r AS SELECT n + 1 AS n FROM r";
    let (_, session) = through(dir.path(), text).await;
    assert_eq!(numbers(&session, "r").await, 1);
}

/// What a start that is refused would have run is not what the next one goes on from.
#[tokio::test]
async fn a_refused_start_leaves_the_run_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let with = |day: &str, rest: &str| {
        let mut variables = Variables::default();
        variables.set("day", day).unwrap();
        JobScript::parse(&format!("SELECT 1; {rest}"), &variables, &ConfigOptions::default()).unwrap()
    };
    let sink = format!("COPY (SELECT 1 AS n) TO '{}'; SELECT 9", out.display());
    let options = JobOptions::default;
    process_of(dir.path(), with("mon", &sink), Death::Before(3), options()).await;
    let (store, job) = (store(dir.path()).await, job());
    let refused = JobRunner::start(&store, &job, with("tue", &sink), options());
    assert!(matches!(refused.await, Err(Error::JobEdited { .. })));
    let (_, session, outcome) =
        process_of(dir.path(), with("tue", "CHECKPOINT t AS SELECT now() AS at"), Death::Never, options())
            .await;
    outcome.unwrap().unwrap();
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.jobs WHERE status = 'given up'").await, 1);
    assert!(!value(&session, "SELECT at FROM t").await.is_null());
}

/// Is overtaken by another driver, with another text, when its second step is about to run.
struct Overtaken<'a>(&'a Path);

impl StepHost for Overtaken<'_> {
    async fn run(&mut self, session: &Session, step: &JobStep) -> Result<Option<u64>> {
        if step.number() == 2 {
            let takeover = JobOptions { takeover: true, ..JobOptions::default() };
            let text = "SELECT 1; CHECKPOINT a AS SELECT 2 AS n";
            let (_, _, outcome) = Box::pin(process_with(self.0, text, Death::Never, takeover)).await;
            outcome.unwrap().unwrap();
        }
        session.execute(&step.statement).await?.collect().await?;
        Ok(None)
    }

    fn passed(&mut self, _: &StepReport) {}

    fn notice(&mut self, _: &str) {}
}

#[tokio::test]
async fn a_fenced_driver_changes_nothing_any_more() {
    for late in ["CHECKPOINT a AS SELECT 1 AS n", "DROP CHECKPOINT a", "DROP CHECKPOINT a VERSION 2"] {
        let dir = tempfile::tempdir().unwrap();
        others(dir.path(), &["CHECKPOINT a AS SELECT 0 AS n"]).await;
        let runner = start(dir.path(), &format!("SELECT 1; {late}; SELECT 9"), JobOptions::default()).await;
        let session = session(dir.path(), &runner).await;
        let turn = runner.run(&session, &mut Overtaken(dir.path())).await;
        assert!(matches!(turn, Err(Error::JobFenced { .. })), "{late}: {turn:?}");
        assert_eq!(numbers(&open(dir.path()).await, "a").await, 2, "{late}");
    }
}
