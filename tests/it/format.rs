//! Stores of earlier programs: what was ever written must be read. `tests/fixtures/format-1/` was made by the first release,
//!
//! ```text
//! milepost --store store -f make.sql && milepost --store store run job.sql
//! ```
//!
//! and what it holds is worked out by hand from the two scripts. Whether its snapshots are still fresh is not asked: a later
//! release may know the same queries by other signatures, and must read their rows all the same.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use milepost::job::{JobName, JobOptions, JobRunner, JobScript, JobStart, JobStep, StepHost, Variables};
use milepost::{Session, Store, StoreOptions};
use tempfile::TempDir;

use crate::support::{brief, checkpoint, run};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1")
}

/// A copy of the store: whoever opens it may write, and what is kept stays as it is.
fn copied() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&fixture().join("store"), dir.path());
    dir
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::write(to, fs::read(path).unwrap()).unwrap();
        }
    }
}

fn url(dir: &TempDir) -> String {
    dir.path().display().to_string()
}

async fn open(dir: &TempDir) -> Session {
    Session::open(&url(dir)).await.unwrap()
}

/// Every row as text, in the order in which it comes: `2026-01-02|-`.
async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let batches = run(session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let format = FormatOptions::new().with_null("-");
    let mut rows = vec![];
    for batch in &batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &format));
        let columns: Vec<_> = columns.collect::<Result<_, _>>().unwrap();
        let row = |at| columns.iter().map(|column| column.value(at).to_string()).collect::<Vec<_>>();
        rows.extend((0..batch.num_rows()).map(|at| row(at).join("|")));
    }
    rows
}

async fn assert_rows(session: &Session, sql: &str, expected: &[&str]) {
    assert_eq!(rows(session, sql).await, expected, "{sql}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_what_the_scripts_say() {
    let dir = copied();
    let session = open(&dir).await;
    for (sql, expected) in [
        ("SELECT * FROM days ORDER BY day", vec!["2026-01-01|10.5", "2026-01-03|7.25"]),
        ("SELECT * FROM inside ORDER BY sold", vec!["7.25", "10.5"]),
        (
            "SELECT id, list[1], list[2], list[3], array_length(list), pair['x'], pair['y'], id_2 FROM shapes ORDER BY id",
            vec!["1|1|2|-|3|1|two|a", "2|-|-|-|-|-|-|b"],
        ),
        ("SELECT pair IS NULL, list IS NULL FROM shapes ORDER BY id", vec!["false|false", "true|true"]),
        // 10:00:00.5 and two hours and a second before 1970, in UTC.
        (
            "SELECT price, CAST(at AS BIGINT), word, bytes, flag, ratio FROM kinds ORDER BY price",
            vec!["-0.01|-7201000|||false|-0.5", "12345678901.50|1767261600500|größer|00ff|true|NaN"],
        ),
        (
            "SELECT DISTINCT arrow_typeof(price), arrow_typeof(at) FROM kinds",
            vec!["Decimal128(20, 2)|Timestamp(ms, \"+02:00\")"],
        ),
        ("SELECT id, id_2, \"ID\" FROM names", vec!["1|2|three"]),
        ("SELECT one FROM nothing", vec![]),
        ("SELECT n FROM half", vec!["2"]),
        ("SELECT i FROM counter", vec!["2"]),
    ] {
        assert_rows(&session, sql, &expected).await;
    }
    let parts: Vec<_> = (1..=100).map(|n| format!("{}|{n}", n % 7)).collect();
    assert_eq!(rows(&session, "SELECT k, n FROM parts ORDER BY n").await, parts);
    let groups: Vec<_> =
        (0..7).map(|k| format!("{k}|{}", (1..=100).filter(|n| n % 7 == k).count())).collect();
    assert_eq!(rows(&session, "SELECT k, count(*) FROM parts GROUP BY k ORDER BY k").await, groups);
    let sorted: Vec<_> = (1..=50).rev().map(|n| format!("{n}|row {n}")).collect();
    assert_eq!(rows(&session, "SELECT n, text FROM sorted ORDER BY n DESC").await, sorted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_versions_are_read() {
    let dir = copied();
    let session = open(&dir).await;
    for (sql, expected) in [
        (
            "SELECT * FROM snapshot('days', 1) ORDER BY day",
            vec!["2026-01-01|10.5", "2026-01-02|-", "2026-01-03|7.25"],
        ),
        ("SELECT * FROM snapshot('days', 2) ORDER BY day", vec!["2026-01-01|10.5", "2026-01-03|7.25"]),
        ("SELECT * FROM snapshot('counter', 1)", vec!["1"]),
    ] {
        assert_rows(&session, sql, &expected).await;
    }
    for dropped in
        ["SELECT * FROM snapshot('half', 1)", "SELECT * FROM snapshot('gone', 1)", "SELECT * FROM gone"]
    {
        assert!(run(&session, dropped).await.is_err(), "{dropped}");
    }
}

/// Counts, bounds and Bloom filters are taken from what was written, without a look at the rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_and_filters_are_right() {
    let dir = copied();
    let session = open(&dir).await;
    for (sql, expected) in [
        (
            "SELECT min(day), max(day), min(sold), max(sold), count(*), count(sold) FROM snapshot('days', 1)",
            vec!["2026-01-01|2026-01-03|7.25|10.5|3|2"],
        ),
        (
            "SELECT min(price), max(price), CAST(min(at) AS BIGINT), max(word), count(*) FROM kinds",
            vec!["-0.01|12345678901.50|-7201000|größer|2"],
        ),
        ("SELECT flag FROM kinds WHERE price < 0", vec!["false"]),
        ("SELECT min(k), max(k), min(n), max(n), count(*) FROM parts", vec!["0|6|1|100|100"]),
        ("SELECT text FROM sorted WHERE n = 7", vec!["row 7"]),
        ("SELECT text FROM sorted WHERE n = 51", vec![]),
        ("SELECT count(*) FROM nothing", vec!["0"]),
    ] {
        assert_rows(&session, sql, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_knows_is_shown() {
    let dir = copied();
    let session = open(&dir).await;
    let names =
        ["counter", "days", "half", "inside", "kinds", "names", "nothing", "parts", "shapes", "sorted"];
    assert_eq!(session.checkpoint_names().await, names);
    let shown = rows(&session, "SHOW CHECKPOINTS").await;
    assert_eq!(shown.iter().map(|row| row.split('|').next().unwrap()).collect::<Vec<_>>(), names);

    let first = |row: &String| row.splitn(4, '|').take(3).collect::<Vec<_>>().join("|");
    let of_days = rows(&session, "SHOW SNAPSHOTS OF days").await;
    assert_eq!(of_days.iter().map(first).collect::<Vec<_>>(), ["1|false|3", "2|true|2"]);
    let of_half = rows(&session, "SHOW SNAPSHOTS OF half").await;
    assert_eq!(of_half.iter().map(first).collect::<Vec<_>>(), ["2|true|1"]);

    assert_rows(
        &session,
        "SELECT checkpoint, version, rows FROM milepost.snapshots ORDER BY checkpoint, version",
        &[
            "counter|1|1",
            "counter|2|1",
            "days|1|3",
            "days|2|2",
            "half|2|1",
            "inside|1|2",
            "kinds|1|2",
            "names|1|1",
            "nothing|1|0",
            "parts|1|100",
            "shapes|1|2",
            "sorted|1|50",
        ],
    )
    .await;
    assert_rows(
        &session,
        "SELECT checkpoint, version, source, note FROM milepost.lineage WHERE kind = 'snapshot' ORDER BY checkpoint",
        &["counter|2|counter|version 1", "days|2|days|version 1", "inside|1|days|version 2"],
    )
    .await;
    assert_rows(
        &session,
        "SELECT job, status, drivers, host, steps, error FROM milepost.jobs",
        &["job|done|1|example|2|-"],
    )
    .await;
    assert_rows(
        &session,
        "SELECT step, kind, outcome, checkpoint, version, rows FROM milepost.steps ORDER BY step",
        &["1|checkpoint|written|counter|1|1", "2|checkpoint|written|counter|2|1"],
    )
    .await;
}

/// Checks that nothing is damaged: hints to versions that were dropped, which harm nobody, are all that is told.
async fn assert_sound(session: &Session, dropped: &[&str]) {
    let mut told = rows(session, "VERIFY CHECKPOINTS").await;
    let sum = told.pop().unwrap();
    assert!(sum.starts_with("-|-|sound|"), "{sum}");
    told.sort_unstable();
    let told: Vec<_> = told.iter().map(|row| row.split('|').collect::<Vec<_>>()).collect();
    assert!(told.iter().all(|row| row[1..3] == ["-", "stale"]), "{told:?}");
    assert_eq!(told.iter().map(|row| row[0]).collect::<Vec<_>>(), dropped, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_it_is_damaged() {
    let dir = copied();
    assert_sound(&open(&dir).await, &["gone", "half"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_are_written_on_top() {
    let dir = copied();
    let session = open(&dir).await;
    for (sql, expected) in [
        ("CHECKPOINT days AS SELECT day, sold * 2 AS twice FROM days", "days 3 written 2"),
        ("CHECKPOINT doubled AS SELECT n * 2 AS m FROM parts WHERE k = 3", "doubled 1 written 14"),
        // Numbers of dropped versions are not given again.
        ("CHECKPOINT gone AS SELECT 3 AS three", "gone 2 written 1"),
        ("CHECKPOINT names AS SELECT id, id_2, 'four' AS \"ID\" FROM names", "names 2 written 1"),
    ] {
        assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), expected, "{sql}");
    }
    let session = open(&dir).await;
    for (sql, expected) in [
        ("SELECT * FROM days ORDER BY day", vec!["2026-01-01|21.0", "2026-01-03|14.5"]),
        ("SELECT * FROM snapshot('days', 2) ORDER BY day", vec!["2026-01-01|10.5", "2026-01-03|7.25"]),
        ("SELECT count(*) FROM snapshot('days', 1)", vec!["3"]),
        // 3, 10, … 94: their sum is 679.
        ("SELECT sum(m) FROM doubled", vec!["1358"]),
        ("SELECT * FROM gone", vec!["3"]),
        ("SELECT * FROM names", vec!["1|2|four"]),
    ] {
        assert_rows(&session, sql, &expected).await;
    }
    assert_sound(&session, &["gone", "half"]).await;
}

struct Quiet;

impl StepHost for Quiet {
    async fn run(&mut self, session: &Session, step: &JobStep) -> Result<Option<u64>> {
        session.execute(&step.statement).await?.collect().await?;
        Ok(None)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_job_runs_again() {
    let dir = copied();
    let text = fs::read_to_string(fixture().join("job.sql")).unwrap();
    let script = JobScript::parse(&text, &Variables::default(), &ConfigOptions::default()).unwrap();
    let store = Store::open(&url(&dir), StoreOptions::default()).await.unwrap();
    let name = JobName::parse("job").unwrap();
    let runner = match JobRunner::start(&store, &name, script, JobOptions::default()).await.unwrap() {
        JobStart::Driving(runner) => runner,
        JobStart::Held { by, sign } => panic!("held by {by:?}: {sign:?}"),
    };
    let session = Session::builder().with_store(store).with_run(runner.run_pin()).build().await.unwrap();
    runner.run(&session, &mut Quiet).await.unwrap();

    let session = open(&dir).await;
    assert_rows(
        &session,
        "SELECT step, outcome, version FROM milepost.steps ORDER BY version",
        &["1|written|1", "2|written|2", "1|written|3", "2|written|4"],
    )
    .await;
    assert_rows(&session, "SELECT count(*), min(status), max(status) FROM milepost.jobs", &["2|done|done"])
        .await;
    assert_rows(&session, "SELECT i FROM counter", &["2"]).await;
    assert_sound(&session, &["gone", "half"]).await;
}

/// What was dropped has the grace period of the copy's files before it. A dry run tells of it and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_knows_what_was_dropped() {
    let dir = copied();
    let session = open(&dir).await;
    let deeds = rows(&session, "VACUUM CHECKPOINTS DRY RUN").await;
    let mut dropped: Vec<_> = deeds.iter().map(|row| row.split('|').next().unwrap()).collect();
    dropped.dedup();
    assert_eq!(dropped, ["gone", "half"], "{deeds:?}");
    let rows_of = |name: &str| deeds.iter().any(|row| row.starts_with(name) && row.contains(".parquet|"));
    assert!(rows_of("gone|kept|") && rows_of("half|kept|"), "{deeds:?}");
    assert!(deeds.iter().all(|row| !row.contains("|deleted|")), "{deeds:?}");
    assert_sound(&session, &["gone", "half"]).await;
}
