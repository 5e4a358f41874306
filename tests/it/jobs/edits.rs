//! Scripts and variables that change between two drivers.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use milepost::Error;
use milepost::job::{JobOptions, JobRunner, JobScript, JobStart, Variables};

use super::support::{Death, Host, dies, job, process, process_with, session, store, through};
use crate::support::number;

#[tokio::test]
async fn an_edited_script_runs_from_its_first_edit() {
    let dir = tempfile::tempdir().unwrap();
    let text = |least: i32| {
        format!(
            "CHECKPOINT a AS SELECT * FROM generate_series(1, 9) AS t(n);
             CHECKPOINT b AS SELECT * FROM a WHERE n > {least}; -- a comment
             SELECT count(*) FROM b; SELECT 1"
        )
    };
    dies(dir.path(), &text(3), Death::Before(4)).await;
    let (host, session) = through(dir.path(), &text(5)).await;
    assert_eq!(host.passed(), "srrr");
    assert_eq!(number(&session, "SELECT count(*) FROM b").await, 4);
}

#[tokio::test]
async fn an_edit_never_repeats_a_finished_sink() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let text = |n: i32| {
        format!(
            "CHECKPOINT a AS SELECT {n} AS n;\nCOPY a TO '{}';\nCHECKPOINT b AS SELECT 3 AS n;",
            out.display()
        )
    };
    dies(dir.path(), &text(1), Death::Before(3)).await;
    let (host, session, outcome) = process(dir.path(), &text(2), Death::Never).await;
    let error = outcome.unwrap().unwrap_err();
    assert!(matches!(error, Error::JobEdited { edited: 1, line: 1, finished: 2 }), "{error}");
    assert_eq!((host.ran.as_slice(), host.passed().as_str()), (&[][..], ""));
    assert_eq!(number(&session, "SELECT n FROM a").await, 1, "nothing was run");
    // The script as it was goes on. Another one needs another run.
    let (host, _) = through(dir.path(), &text(1)).await;
    assert_eq!(host.passed(), "ssr");
    dies(dir.path(), &text(1), Death::Before(3)).await;
    let restart = JobOptions { restart: true, ..JobOptions::default() };
    let (host, session, outcome) = process_with(dir.path(), &text(2), Death::Never, restart).await;
    outcome.unwrap().unwrap();
    assert_eq!((host.passed().as_str(), number(&session, "SELECT n FROM a").await), ("rrr", 2));
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.jobs WHERE status = 'given up'").await, 1);
}

#[tokio::test]
async fn other_variables_are_another_script() {
    let dir = tempfile::tempdir().unwrap();
    let with = |day: &str| {
        let mut variables = Variables::default();
        variables.set("day", day).unwrap();
        let text = variables.fill_in("SELECT 1; CHECKPOINT a AS SELECT '${day}' AS day; SELECT 2").unwrap();
        JobScript::parse(&text, &variables, &ConfigOptions::default()).unwrap()
    };
    for (day, death, passed) in
        [("mon", Death::Before(3), "rr"), ("mon", Death::Before(3), "ss"), ("tue", Death::Never, "rrr")]
    {
        let started =
            JobRunner::start(&store(dir.path()).await, &job(), with(day), JobOptions::default()).await;
        let Ok(JobStart::Driving(runner)) = started else { panic!("{started:?}") };
        let session = session(dir.path(), &runner).await;
        let mut host = Host::new(death);
        let dying = Arc::clone(&host.dying);
        tokio::select! {
            outcome = runner.run(&session, &mut host) => { outcome.unwrap(); }
            () = dying.notified() => {}
        }
        assert_eq!(host.passed(), passed);
    }
}

/// Edited and edited back within a run: what the first text has made is not the newest any more, and is made again.
#[tokio::test]
async fn an_edit_that_is_undone_makes_its_result_again() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        |value| format!("CHECKPOINT b AS SELECT {value} AS x; CHECKPOINT c AS SELECT x FROM b; SELECT 3");
    for value in [1, 2] {
        dies(dir.path(), &text(value), Death::Before(3)).await;
    }
    let (_, session) = through(dir.path(), &text(1)).await;
    assert_eq!(number(&session, "SELECT x FROM b").await, 1);
    assert_eq!(number(&session, "SELECT x FROM c").await, 1);
}
