//! Jobs: what a driver makes of what the drivers before it have done.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::common::exec_err;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use milepost::job::{
    JobName, JobOptions, JobReport, JobRunner, JobScript, JobStart, JobStep, StepHost, StepOutcome,
    StepPassed, StepReport, Variables,
};
use milepost::{Error, Session, SessionBuilder, Store, StoreOptions};
use tokio::sync::Notify;

use crate::support::{config, number, run, table, value};

/// Where a host's process dies, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Never,
    /// Before this step does anything.
    Before(u64),
    /// When this step has done all it does, and nothing of it is recorded.
    After(u64),
    /// This step fails.
    Failing(u64),
}

/// Runs statements, remembers what it hears, and dies where it is told to.
struct Host {
    death: Death,
    dying: Arc<Notify>,
    ran: Vec<u64>,
    passed: Vec<StepReport>,
    notices: Vec<String>,
}

impl Host {
    fn new(death: Death) -> Self {
        Self { death, dying: Arc::default(), ran: vec![], passed: vec![], notices: vec![] }
    }

    async fn die(&self) {
        self.dying.notify_one();
        std::future::pending().await
    }

    /// How each step was passed, in letters: skipped, played again, run.
    fn passed(&self) -> String {
        let letter = |report: &StepReport| match report.passed {
            StepPassed::Skipped => 's',
            StepPassed::Replayed => 'p',
            StepPassed::Ran => 'r',
        };
        self.passed.iter().map(letter).collect()
    }

    fn outcomes(&self) -> Vec<StepOutcome> {
        self.passed.iter().map(|report| report.outcome).collect()
    }
}

impl StepHost for Host {
    async fn run(&mut self, session: &Session, step: &JobStep) -> Result<Option<u64>> {
        match self.death {
            Death::Before(number) if number == step.number() => self.die().await,
            Death::Failing(number) if number == step.number() => return exec_err!("'hunter2' is no number"),
            _ => {}
        }
        let batches = session.execute(&step.statement).await?.collect().await?;
        self.ran.push(step.number());
        if self.death == Death::After(step.number()) {
            self.die().await;
        }
        Ok(Some(batches.iter().map(|batch| batch.num_rows() as u64).sum()))
    }

    fn passed(&mut self, report: &StepReport) {
        self.passed.push(report.clone());
    }

    fn notice(&mut self, notice: &str) {
        self.notices.push(notice.to_string());
    }
}

fn job() -> JobName {
    JobName::parse("nightly").unwrap()
}

fn script(text: &str) -> JobScript {
    JobScript::parse(text, &Variables::default(), &ConfigOptions::default()).unwrap()
}

async fn store(dir: &Path) -> Store {
    Store::open(&dir.join("store").display().to_string(), StoreOptions::default()).await.unwrap()
}

async fn start(dir: &Path, text: &str, options: JobOptions) -> Box<JobRunner> {
    match JobRunner::start(&store(dir).await, &job(), script(text), options).await.unwrap() {
        JobStart::Driving(runner) => runner,
        JobStart::Held { by, sign } => panic!("held by {by:?}: {sign:?}"),
    }
}

fn parts(store: Store) -> SessionBuilder {
    Session::builder().with_config(config()).with_store(store)
}

async fn session(dir: &Path, runner: &JobRunner) -> Session {
    parts(store(dir).await).with_run(runner.run_pin()).build().await.unwrap()
}

/// What one process makes of a job: it drives until it is through, fails or dies. Gives its session too, as a process
/// that ended well leaves it.
async fn process(dir: &Path, text: &str, death: Death) -> (Host, Session, Option<Result<JobReport, Error>>) {
    process_with(dir, text, death, JobOptions::default()).await
}

async fn process_with(
    dir: &Path,
    text: &str,
    death: Death,
    options: JobOptions,
) -> (Host, Session, Option<Result<JobReport, Error>>) {
    let runner = start(dir, text, options).await;
    let session = session(dir, &runner).await;
    let mut host = Host::new(death);
    let dying = Arc::clone(&host.dying);
    let outcome = tokio::select! {
        outcome = runner.run(&session, &mut host) => Some(outcome),
        () = dying.notified() => None,
    };
    (host, session, outcome)
}

/// A process that must come to the end of the script.
async fn through(dir: &Path, text: &str) -> (Host, Session) {
    let (host, session, outcome) = process(dir, text, Death::Never).await;
    outcome.unwrap().unwrap();
    (host, session)
}

/// A process that must die on the way.
async fn dies(dir: &Path, text: &str, death: Death) -> Host {
    let (host, _, outcome) = process(dir, text, death).await;
    assert!(outcome.is_none(), "{outcome:?}");
    host
}

const SCRIPT: &str = "
    SET datafusion.execution.batch_size = 100;
    CREATE TABLE sales (day VARCHAR, amount INT) AS VALUES ('mon', 10), ('tue', 5);
    INSERT INTO sales VALUES ('wed', 1);
    CHECKPOINT by_day AS SELECT day, sum(amount) AS total FROM sales GROUP BY day;
    CREATE VIEW large AS SELECT * FROM by_day WHERE total > 4;
    SELECT count(*) FROM large;
    CHECKPOINT best AS SELECT max(total) AS total FROM large;
    SELECT * FROM best;";

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
    assert_eq!(entries, 3);
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
    // It ran the step that it was in. That step had been committed, and is committed once.
    assert_eq!((awake.ran.as_slice(), awake.passed().as_str()), (&[1][..], ""));
    assert!(!out.exists(), "no sink runs in a fenced driver");
    assert!(matches!(first.stop("late").await, Err(Error::JobFenced { .. })));
    assert_eq!(number(&session, "SELECT n FROM a").await, 2);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.snapshots").await, 2);
    assert_eq!(number(&session, "SELECT count(*) FROM milepost.steps").await, 3);
}

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
