//! Scripts and variables that change between two drivers.

use std::sync::Arc;
use std::time::Duration;

use datafusion::config::ConfigOptions;
use milepost::job::{JobOptions, JobRunner, JobScript, JobStart, StepOutcome, Variables};
use milepost::{Error, Session};

use super::support::{
    Death, Host, dies, job, process, process_of, process_with, session, start_script, store, through,
};
use crate::support::{number, run, value};

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
    let with = |day: &str| with_day(day, "SELECT 1; CHECKPOINT a AS SELECT '${day}' AS day; SELECT 2");
    for (day, death, passed) in
        [("mon", Death::Before(3), "rr"), ("mon", Death::Before(3), "ss"), ("tue", Death::Never, "rrr")]
    {
        let (host, ..) = process_of(dir.path(), with(day), death, JobOptions::default()).await;
        assert_eq!(host.passed(), passed);
    }
}

/// Yesterday's run failed; today's is not finished under yesterday's `now()`.
#[tokio::test]
async fn other_variables_begin_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let with = |day: &str| with_day(day, "CHECKPOINT a AS SELECT '${day}' AS day, now() AS at; SELECT 2");
    let at = async |session: &Session| value(session, "SELECT at FROM a").await.to_string();
    let process = async |day, death| process_of(dir.path(), with(day), death, JobOptions::default()).await;
    let (_, session, _) = process("mon", Death::Before(2)).await;
    let monday = at(&session).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    drop(session);
    let (_, session, _) = process("mon", Death::Before(2)).await;
    assert_eq!(at(&session).await, monday, "the same run");
    drop(session);
    let (host, session, _) = process("tue", Death::Never).await;
    assert_eq!(host.passed(), "rr");
    assert_ne!(at(&session).await, monday, "another run has another time");
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.jobs WHERE status = 'given up'").await, 1);
}

/// The finished COPY may be the one that would run again: the log cannot tell a statement from its values.
#[tokio::test]
async fn other_variables_never_repeat_a_finished_sink() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("COPY (SELECT '${{day}}' AS day) TO '{}/out.csv'; SELECT 2", dir.path().display());
    let process =
        async |day, death| process_of(dir.path(), with_day(day, &text), death, JobOptions::default()).await;
    process("mon", Death::Before(2)).await;
    let (store, job) = (store(dir.path()).await, job());
    let refused = JobRunner::start(&store, &job, with_day("tue", &text), JobOptions::default()).await;
    assert!(matches!(refused, Err(Error::JobEdited { edited: 1, finished: 1, .. })), "{refused:?}");
}

/// What the other run began to write is told of.
#[tokio::test]
async fn other_variables_name_the_sink_that_was_begun() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("COPY (SELECT '${{day}}' AS day) TO '{}/out.csv'; SELECT 2", dir.path().display());
    let process =
        async |day, death| process_of(dir.path(), with_day(day, &text), death, JobOptions::default()).await;
    process("mon", Death::After(1)).await;
    let (host, session, outcome) = process("tue", Death::Never).await;
    outcome.unwrap().unwrap();
    assert_eq!(host.passed(), "rr");
    assert!(
        host.notices[0].contains("step 1") && host.notices[0].contains("did not finish"),
        "{:?}",
        host.notices
    );
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.jobs WHERE status = 'given up'").await, 1);
}

/// So it is when the first variables are back: another run was given up in between.
#[tokio::test]
async fn variables_that_are_back_name_the_sink_that_is_run_again() {
    let dir = tempfile::tempdir().unwrap();
    let copy = format!("COPY (SELECT '${{day}}' AS day) TO '{}/out.csv'; SELECT 2", dir.path().display());
    let process = async |day, text: &str, death| {
        process_of(dir.path(), with_day(day, text), death, JobOptions::default()).await
    };
    process("mon", &copy, Death::After(1)).await;
    process("tue", "SELECT '${day}'; SELECT 2", Death::Before(2)).await;
    let (host, _, outcome) = process("mon", &copy, Death::Never).await;
    outcome.unwrap().unwrap();
    assert!(
        host.notices[0].contains("step 1 (COPY)") && host.notices[0].contains("run again"),
        "{:?}",
        host.notices
    );
}

/// What a run has finished is no reason to refuse a start while another driver has it.
#[tokio::test]
async fn other_variables_do_not_hide_that_a_driver_lives() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("COPY (SELECT '${{day}}' AS day) TO '{}/out.csv'; SELECT 2", dir.path().display());
    let first = start_script(dir.path(), with_day("mon", &text), JobOptions::default()).await;
    let session = session(dir.path(), &first).await;
    let mut host = Host::new(Death::Before(2));
    let dying = Arc::clone(&host.dying);
    tokio::select! {
        _ = first.run(&session, &mut host) => panic!("it stops at step 2"),
        () = dying.notified() => {}
    }
    let (store, job) = (store(dir.path()).await, job());
    let second = async || JobRunner::start(&store, &job, with_day("tue", &text), JobOptions::default()).await;
    let held = second().await;
    assert!(matches!(held, Ok(JobStart::Held { .. })), "{held:?}");
    drop((held, first));
    let refused = second().await;
    assert!(matches!(refused, Err(Error::JobEdited { .. })), "{refused:?}");
}

/// Where the script has no sink any more, none can be repeated.
#[tokio::test]
async fn a_finished_sink_can_be_taken_out() {
    let dir = tempfile::tempdir().unwrap();
    let copy = format!("COPY a TO '{}/out.csv';", dir.path().display());
    let text =
        |copy: &str| format!("CHECKPOINT a AS SELECT 1 AS n; {copy} CHECKPOINT b AS SELECT 2 AS n; SELECT 4");
    dies(dir.path(), &text(&copy), Death::Before(4)).await;
    let (host, _) = through(dir.path(), &text("")).await;
    assert_eq!((host.passed().as_str(), host.outcomes()[1]), ("srr", StepOutcome::Reused));
}

/// What the text before the edit has made under the same name is neither read nor left on top.
#[tokio::test]
async fn an_edit_takes_back_what_the_text_before_it_made() {
    let dir = tempfile::tempdir().unwrap();
    let text = |rest: &str| format!("CHECKPOINT h AS SELECT 1 AS v; {rest} SELECT 9");
    dies(dir.path(), &text("CHECKPOINT h AS SELECT 2 AS v;"), Death::Before(3)).await;
    let out = dir.path().join("out.csv");
    let copy = format!("COPY (SELECT v FROM h) TO '{}';", out.display());
    let (_, session) = through(dir.path(), &text(&copy)).await;
    assert_eq!(std::fs::read_to_string(out).unwrap().trim(), "v\n1");
    assert_eq!(number(&session, "SELECT v FROM h").await, 1, "it is the newest for everybody");
}

/// The same through steps that build on each other, with deaths before and after the edit.
#[tokio::test]
async fn an_edit_in_the_middle_of_a_chain_is_as_a_new_run() {
    let text = |factor: i32| {
        format!(
            "CHECKPOINT h AS SELECT 1 AS v; CHECKPOINT g AS SELECT v * {factor} AS v FROM h; \
             CHECKPOINT h AS SELECT v + 1 AS v FROM g; SELECT 9"
        )
    };
    for second in [Death::Never, Death::Before(2), Death::After(2), Death::After(3)] {
        let dir = tempfile::tempdir().unwrap();
        dies(dir.path(), &text(10), Death::Before(4)).await;
        if second != Death::Never {
            dies(dir.path(), &text(100), second).await;
        }
        let (_, session) = through(dir.path(), &text(100)).await;
        for (name, value) in [("g", 100), ("h", 101)] {
            assert_eq!(number(&session, &format!("SELECT v FROM {name}")).await, value, "{name}, {second:?}");
        }
    }
}

/// A loop that was edited in its middle begins again from the last round that is not edited.
#[tokio::test]
async fn an_edited_round_builds_on_the_round_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = |by: i32| {
        format!(
            "CHECKPOINT r AS SELECT 0 AS n; CHECKPOINT r AS SELECT n + 1 AS n FROM r; \
             CHECKPOINT r AS SELECT n + {by} AS n FROM r; SELECT 9"
        )
    };
    dies(dir.path(), &text(1), Death::Before(4)).await;
    let (_, session) = through(dir.path(), &text(100)).await;
    assert_eq!(number(&session, "SELECT n FROM r").await, 101);
}

/// Where nothing of the script made what a round builds on, nobody but the user can take the edited round back.
#[tokio::test]
async fn an_edited_first_round_says_what_is_in_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let text = |by: i32| format!("CHECKPOINT r AS SELECT n + {by} AS n FROM r; SELECT 9");
    let (_, session, _) = process(dir.path(), "CHECKPOINT r AS SELECT 5 AS n", Death::Never).await;
    dies(dir.path(), &text(1), Death::Before(2)).await;
    let (_, _, outcome) = process(dir.path(), &text(100), Death::Never).await;
    let error = outcome.unwrap().unwrap_err().to_string();
    assert!(error.contains("DROP CHECKPOINT r VERSION 2"), "{error}");
    run(&session, "DROP CHECKPOINT r VERSION 2").await.unwrap();
    let (_, session) = through(dir.path(), &text(100)).await;
    assert_eq!(number(&session, "SELECT n FROM r").await, 105);
}

/// A script with `${day}` in it.
fn with_day(day: &str, text: &str) -> JobScript {
    let mut variables = Variables::default();
    variables.set("day", day).unwrap();
    let text = variables.fill_in(text).unwrap();
    JobScript::parse(&text, &variables, &ConfigOptions::default()).unwrap()
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
