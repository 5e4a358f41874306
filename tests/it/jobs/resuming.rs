//! Taking a job up, and keeping others from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use milepost::Error;
use milepost::job::{JobOptions, JobRunner, JobStart, StepOutcome};

use super::support::{
    Death, Host, SCRIPT, dies, job, parts, process, process_with, script, session, start, store, through,
};
use crate::support::{number, run, value};

#[tokio::test]
async fn a_job_goes_on_where_its_process_died() {
    let dir = tempfile::tempdir().unwrap();
    let first = dies(dir.path(), SCRIPT, Death::Before(7)).await;
    assert_eq!(first.ran, [1, 2, 3, 4, 5, 6]);
    let (second, session) = through(dir.path(), SCRIPT).await;
    // What the session needs is there again: settings, tables with all their rows, views.
    assert_eq!((second.passed().as_str(), &second.ran[..]), ("pppspsrr", &[1, 2, 3, 5, 7, 8][..]));
    assert_eq!(number(&session, "SELECT total FROM best").await, 10);
    assert_eq!(number(&session, "SELECT count(*) FROM sales").await, 3);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 2);
    // Through is through: the next start is a new run, which finds the checkpoints fresh.
    let (third, session) = through(dir.path(), SCRIPT).await;
    assert_eq!(third.passed(), "rrrrrrrr");
    assert_eq!((third.outcomes()[3], third.outcomes()[6]), (StepOutcome::Reused, StepOutcome::Reused));
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.jobs WHERE status = 'done'").await, 2);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.steps").await, 16);
}

#[tokio::test]
async fn a_job_whose_statement_failed_goes_on_at_it() {
    let dir = tempfile::tempdir().unwrap();
    let (host, session, outcome) = process(dir.path(), SCRIPT, Death::Failing(6)).await;
    let error = outcome.unwrap().unwrap_err();
    assert!(matches!(error, Error::JobStep { number: 6, of: 8, line: 7, .. }), "{error}");
    assert_eq!(host.passed(), "rrrrr");
    let status = value(&session, "SELECT status FROM milepost.jobs").await.to_string();
    assert_eq!(status, "failed");
    let (host, _) = through(dir.path(), SCRIPT).await;
    assert_eq!(host.passed(), "pppsprrr");
}

/// A statement's text, and an error that repeats it, may hold secrets.
#[tokio::test]
async fn a_jobs_log_holds_no_text_of_its_script() {
    let dir = tempfile::tempdir().unwrap();
    let text = "SELECT 'hunter2' AS a; SELECT 'hunter2'::INT";
    let (_, session, outcome) = process(dir.path(), text, Death::Failing(2)).await;
    assert!(outcome.unwrap().unwrap_err().to_string().contains("hunter2"));
    let told = value(&session, "SELECT error FROM milepost.jobs").await.to_string();
    assert_eq!(told, "step 2 of 2 (SELECT): it failed while it ran");
    let log = dir.path().join("store/jobs/nightly/log");
    let mut entries = 0;
    for entry in std::fs::read_dir(log).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        entries += 1;
    }
    assert_eq!(entries, 5);
}

#[tokio::test]
async fn a_driver_that_lives_is_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    let runner = start(dir.path(), SCRIPT, JobOptions::default()).await;
    let second =
        JobRunner::start(&store(dir.path()).await, &job(), script(SCRIPT), JobOptions::default()).await;
    assert!(matches!(second, Ok(JobStart::Held { .. })), "{second:?}");
    drop(runner);
    let (host, _) = through(dir.path(), SCRIPT).await;
    assert_eq!(host.passed(), "rrrrrrrr");
}

/// The first driver is stopped in step 2, the job is taken from it, and it wakes up.
#[tokio::test]
async fn a_driver_that_was_taken_over_records_and_writes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv");
    let text = format!(
        "CHECKPOINT a AS SELECT 1 AS n; CHECKPOINT a AS SELECT n + 1 AS n FROM a; COPY a TO '{}'",
        out.display()
    );
    let first = start(dir.path(), &text, JobOptions::default()).await;
    let sleeping = session(dir.path(), &first).await;
    let mut host = Host::new(Death::After(1));
    let dying = Arc::clone(&host.dying);
    tokio::select! {
        _ = first.run(&sleeping, &mut host) => panic!("it stops at step 1"),
        () = dying.notified() => {}
    }
    let takeover = JobOptions { takeover: true, ..JobOptions::default() };
    let (second, session, outcome) = process_with(dir.path(), &text, Death::Never, takeover).await;
    outcome.unwrap().unwrap();
    assert_eq!(second.passed(), "rrr");
    std::fs::remove_file(&out).unwrap();

    let mut awake = Host::new(Death::Never);
    let error = first.run(&sleeping, &mut awake).await.unwrap_err();
    assert!(matches!(error, Error::JobFenced { .. }), "{error}");
    // It cannot begin its step, which had been committed, and is committed once.
    assert_eq!((awake.ran.as_slice(), awake.passed().as_str()), (&[][..], ""));
    assert!(!out.exists(), "no sink runs in a fenced driver");
    assert!(matches!(first.stop("late").await, Err(Error::JobFenced { .. })));
    assert_eq!(number(&session, "SELECT n FROM a").await, 2);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 2);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.steps").await, 3);
}

#[tokio::test]
async fn steps_that_wrote_a_snapshot_say_where_their_time_went() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "CHECKPOINT a AS SELECT value AS n FROM generate_series(1, 3000000); CHECKPOINT a AS SELECT value AS n
        FROM generate_series(1, 3000000); SELECT count(*) FROM a";
    let (_, session) = through(dir.path(), text).await;
    let spent = |condition: &str| {
        format!(
            "SELECT count(*) FROM milepost.steps WHERE compute_ms + encode_ms + write_ms + sync_ms + commit_ms {condition}"
        )
    };
    assert_eq!(number(&session, &spent("> 0 AND outcome = 'written'")).await, 1);
    // 3,000,000 rows are not computed and encoded in no time.
    for part in ["compute_ms", "encode_ms"] {
        let long = format!("SELECT count(*) FROM milepost.steps WHERE {part} > 0 AND outcome = 'written'");
        assert_eq!(number(&session, &long).await, 1, "{part}");
    }
    assert_eq!(number(&session, &spent("IS NULL AND outcome <> 'written'")).await, 2);
}

/// A driver that is stopped in the middle of a stage leaves its units to the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_was_stopped_goes_on_from_its_units() {
    let dir = tempfile::tempdir().unwrap();
    let plain = parts(store(dir.path()).await).build().await.unwrap();
    let file = dir.path().join("numbers.parquet");
    let rows = format!(
        "COPY (SELECT value AS n FROM generate_series(1, 20000)) TO '{}' OPTIONS ('format.max_row_group_size' '500')",
        file.display()
    );
    run(&plain, &rows).await.unwrap();
    let text = format!(
        "SET milepost.unit_bytes = '4 KiB'; CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{}';
         CHECKPOINT c AS SELECT sha512(repeat(CAST(n AS VARCHAR), 2000)) AS h, n FROM numbers WHERE n % 7 <> 3; SELECT 4",
        file.display()
    );
    let runner = start(dir.path(), &text, JobOptions::default()).await;
    let stopped = session(dir.path(), &runner).await;
    let mut host = Host::new(Death::Never);
    let some_units = async {
        while stopped.progress().iter().all(|stage| stage.units_done < 3) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = runner.run(&stopped, &mut host) => panic!("too fast to be stopped"),
        () = some_units => {}
    }
    stopped.settle().await;
    runner.stop("interrupted").await.unwrap();
    drop((runner, stopped));
    let (host, session) = through(dir.path(), &text).await;
    assert_eq!((host.passed().as_str(), host.outcomes()[2]), ("pprr", StepOutcome::Resumed));
    assert_eq!(number(&session, "SELECT count(DISTINCT n) FROM c").await, 20_000 - 2_857);
    assert!(host.passed[2].saved_ms > 0, "what the units took: {:?}", host.passed);
    saved_is_the_same_everywhere(&host, &session).await;
}

/// What a job's host hears is what its log tells, step by step and altogether.
async fn saved_is_the_same_everywhere(host: &Host, session: &milepost::Session) {
    for step in &host.passed {
        let of_step = "SELECT saved_ms FROM milepost.steps WHERE step";
        let told = number(session, &format!("{of_step} = {}", step.number)).await;
        assert_eq!(u64::try_from(told).unwrap(), step.saved_ms, "{step:?}");
    }
    let all: u64 = host.passed.iter().map(|step| step.saved_ms).sum();
    let told = number(session, "SELECT saved_ms FROM milepost.jobs").await;
    assert_eq!(u64::try_from(told).unwrap(), all);
}

/// Finished steps are not run again: what they took is what the next start saves. What is done again for the session saves nothing.
#[tokio::test]
async fn what_skipped_steps_took_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE t AS SELECT value AS n FROM generate_series(1, 300000);
                CHECKPOINT a AS SELECT n, md5(CAST(n AS VARCHAR)) AS h FROM t; SELECT 3; SELECT count(*) FROM a";
    let (first, session, _) = process(dir.path(), text, Death::Failing(3)).await;
    let took = first.passed[1].elapsed_ms;
    assert!(took > 0 && first.passed.iter().all(|step| step.saved_ms == 0), "{:?}", first.passed);
    assert_eq!(number(&session, "SELECT saved_ms FROM milepost.jobs").await, 0);
    let second = dies(dir.path(), text, Death::Before(4)).await;
    assert_eq!((second.passed().as_str(), second.passed[1].saved_ms), ("psr", took));
    let skipped = second.passed[2].elapsed_ms;
    let (third, session) = through(dir.path(), text).await;
    let saved: Vec<u64> = third.passed.iter().map(|step| step.saved_ms).collect();
    assert_eq!((third.passed().as_str(), saved), ("pssr", vec![0, took, skipped, 0]));
    saved_is_the_same_everywhere(&third, &session).await;
    let elapsed = number(&session, "SELECT elapsed_ms FROM milepost.steps WHERE step = 2").await;
    assert_eq!(u64::try_from(elapsed).unwrap(), took, "what it took once it took");
}

/// The sign of life goes on while a step runs, and ends with the driver.
#[tokio::test]
async fn a_driver_shows_that_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let runner = start(dir.path(), SCRIPT, JobOptions::default()).await;
    let beat = || {
        let job = std::fs::read_dir(dir.path().join("store/jobs/nightly")).unwrap();
        let file = job
            .map(|entry| entry.unwrap().path())
            .find(|path| path.display().to_string().contains("heartbeat"));
        std::fs::read_to_string(file.unwrap()).unwrap()
    };
    let first = beat();
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    let second = beat();
    assert_ne!(first, second);
    drop(runner);
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    assert_eq!(beat(), second);
}

/// Not asserted: times differ from machine to machine. Run with `--nocapture` to see it.
#[tokio::test]
async fn a_thousand_finished_steps_are_soon_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let steps: Vec<String> = (0..1_000)
        .map(|n| match n % 10 {
            0 => format!("CHECKPOINT c{n} AS SELECT {n} AS n"),
            1 => format!("CREATE TABLE t{n} AS SELECT * FROM c{}", n - 1),
            _ => format!("SELECT {n}"),
        })
        .collect();
    let text = format!("{}; SELECT 'next'", steps.join(";\n"));
    dies(dir.path(), &text, Death::Before(1_001)).await;
    let started = Instant::now();
    let (host, _) = through(dir.path(), &text).await;
    println!("1,000 finished steps, 100 of them done again: {:?} to the next one's end", started.elapsed());
    assert_eq!(host.passed.len(), 1_001);
    assert_eq!(host.passed().matches('s').count(), 900);
    assert_eq!(host.passed().chars().last(), Some('r'));
}

/// Somebody else commits under a name that the run has made: the run goes on with its own.
#[tokio::test]
async fn a_run_reads_what_it_has_made_itself() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "CHECKPOINT h AS SELECT 1 AS v; SELECT 7; CHECKPOINT g AS SELECT v * 10 AS v FROM h; SELECT v FROM h";
    dies(dir.path(), text, Death::Before(2)).await;
    let meanwhile = parts(store(dir.path()).await).build().await.unwrap();
    run(&meanwhile, "CHECKPOINT h AS SELECT 7 AS v").await.unwrap();
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "srrr");
    assert_eq!(number(&session, "SELECT v FROM g").await, 10);
    assert_eq!(number(&session, "SELECT v FROM h").await, 7, "others read the newest");
}

/// A checkpoint inside of a query that is done again for the session, dropped by a step that is finished.
#[tokio::test]
async fn what_the_script_dropped_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let text = "CREATE TABLE t (v BIGINT); INSERT INTO t SELECT v FROM checkpoint((SELECT 5 AS v), 'inside');
                DROP CHECKPOINT inside; SELECT 1; SELECT v FROM t";
    dies(dir.path(), text, Death::Before(4)).await;
    let (host, session) = through(dir.path(), text).await;
    assert_eq!(host.passed(), "ppsrr");
    assert_eq!(number(&session, "SELECT v FROM t").await, 5);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.checkpoints").await, 0);
}

/// `CREATE TABLE AS` gives its rows in another order for every session. That is no other table.
#[tokio::test]
async fn a_table_that_is_made_again_is_the_same_source() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "CREATE TABLE t AS SELECT value % 5000 AS k, count(*) AS n FROM generate_series(1, 20000) GROUP BY 1;
                CHECKPOINT c AS SELECT n, count(*) AS m FROM t GROUP BY n; SELECT 1";
    let (_, _) = through(dir.path(), text).await;
    for _ in 0..3 {
        let (host, _) = through(dir.path(), text).await;
        assert_eq!(host.outcomes()[1], StepOutcome::Reused);
    }
}
