//! Units: what a stage that stopped on the way leaves behind, and what the next try makes of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_err;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use milepost::identity::{FunctionKind, FunctionVersions};
use milepost::maintenance::VerifyOptions;
use milepost::{CheckpointName, Session};

use crate::support::{ANY_ORDER, assert_same, config, number, run, table};

const ROWS: i64 = 20_000;

/// A session over the store in `dir`, with a file of [`ROWS`] rows in many row groups, and with a function that gives its
/// argument back, up to a limit: beyond it the query fails, as if its process had died there.
async fn session(dir: &Path, limit: &Arc<AtomicI64>) -> Session {
    let mut functions = FunctionVersions::new();
    functions.declare(FunctionKind::Scalar, "up_to_limit", "1");
    functions.declare(FunctionKind::Scalar, "pause", "1");
    let store = format!("file://{}", dir.join("store").display());
    let builder = Session::builder().with_config(config()).with_store_url(&store);
    let session = builder.with_function_versions(functions).build().await.unwrap();
    let limit = Arc::clone(limit);
    let function = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let values = arrays[0].as_primitive::<Int64Type>();
        let limit = limit.load(Ordering::Relaxed);
        match values.iter().flatten().find(|value| *value > limit) {
            Some(value) => exec_err!("{value} is beyond the limit"),
            None => Ok(ColumnarValue::Array(Arc::new(values.clone()) as ArrayRef)),
        }
    };
    let function = create_udf(
        "up_to_limit",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(function),
    );
    session.register_udf(function);
    let file = dir.join("numbers.parquet");
    if !file.exists() {
        write_numbers(&session, &file, 1).await;
    }
    let create = format!("CREATE EXTERNAL TABLE numbers STORED AS PARQUET LOCATION '{}'", file.display());
    run(&session, &create).await.unwrap();
    run(&session, "SET milepost.unit_bytes = '1 KiB'").await.unwrap();
    session
}

async fn write_numbers(session: &Session, file: &Path, from: i64) {
    let rows =
        format!("SELECT value AS n, value % 7 AS seven FROM generate_series({from}, {})", from + ROWS - 1);
    let options = "OPTIONS ('format.max_row_group_size' '500')";
    run(session, &format!("COPY ({rows}) TO '{}' {options}", file.display())).await.unwrap();
}

/// Outcome, units and reused units of a CHECKPOINT.
async fn outcome(session: &Session, sql: &str) -> (String, i64, i64) {
    let batches = run(session, sql).await.unwrap();
    let row = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let count = |name: &str| {
        let column = arrow::compute::cast(row.column_by_name(name).unwrap(), &DataType::Int64).unwrap();
        column.as_primitive::<Int64Type>().value(0)
    };
    let text = arrow::compute::cast(row.column_by_name("outcome").unwrap(), &DataType::Utf8).unwrap();
    (text.as_string::<i32>().value(0).to_string(), count("units"), count("units_reused"))
}

const PLAIN: &str = "SELECT up_to_limit(n) AS n, seven FROM numbers WHERE seven <> 3";
const JOINED: &str = "SELECT up_to_limit(n) AS n, word FROM numbers JOIN (VALUES (1, 'one'), (2, 'two'), (2, 'zwei')) AS w (seven, word) ON numbers.seven = w.seven";
const GROUPED: &str = "SELECT seven, count(*) AS rows, sum(up_to_limit(n)) AS total, avg(n) AS mean FROM numbers GROUP BY seven";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_stopped_goes_on_from_its_complete_units() {
    for query in [PLAIN, JOINED, GROUPED] {
        let dir = tempfile::tempdir().unwrap();
        let limit = Arc::new(AtomicI64::new(ROWS / 2));
        let checkpoint = format!("CHECKPOINT c AS {query}");
        {
            let first = session(dir.path(), &limit).await;
            let error = run(&first, &checkpoint).await.unwrap_err().to_string();
            assert!(error.contains("beyond the limit"), "{error}");
            assert_eq!(
                number(&first, "SELECT count(*) FROM milepost.checkpoints").await,
                0,
                "nothing is visible"
            );
        }
        limit.store(i64::MAX, Ordering::Relaxed);
        let second = session(dir.path(), &limit).await;
        let (how, units, reused) = outcome(&second, &checkpoint).await;
        assert_eq!(how, "resumed", "{query}");
        assert!(units > 10 && reused >= units / 4 && reused < units, "{reused} of {units}: {query}");
        let expected = table(&second, query).await.unwrap();
        assert_same(&expected, &table(&second, "SELECT * FROM c").await.unwrap(), ANY_ORDER, query);
        assert_eq!(outcome(&second, &checkpoint).await.0, "reused");
        distinct_counts_are_near(&second, query).await;
    }
}

/// What the units took that are there is what going on from them saves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_goes_on_says_what_it_saved() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(ROWS / 2));
    let checkpoint = "CHECKPOINT c AS SELECT up_to_limit(n) AS n FROM numbers WHERE pause(n) > 0";
    let first = session(dir.path(), &limit).await;
    first.register_udf(pause());
    run(&first, checkpoint).await.unwrap_err();
    drop(first);
    let receipts = files_below(&dir.path().join("store/checkpoints/c/attempts"), ".json");
    let receipts = receipts.iter().filter(|path| path.to_string_lossy().contains("/unit-"));
    let took = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let rest = text.split_once("\"elapsed_ms\":").unwrap().1.trim_start();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        rest[..digits].parse::<i64>().unwrap()
    };
    let took: i64 = receipts.map(took).sum();
    limit.store(i64::MAX, Ordering::Relaxed);
    let second = session(dir.path(), &limit).await;
    second.register_udf(pause());
    let batches = run(&second, checkpoint).await.unwrap();
    let row = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let saved = arrow::compute::cast(row.column_by_name("saved_ms").unwrap(), &DataType::Int64).unwrap();
    // As many units run side by side as the session has partitions.
    assert_eq!(saved.as_primitive::<Int64Type>().value(0), took / 3);
    assert!(took > 0);
}

/// The units have counted each for itself; what they share counts once. Within four standard errors of 6.5%.
async fn distinct_counts_are_near(session: &Session, query: &str) {
    let snapshot = session.store().newest(&CheckpointName::parse("c").unwrap()).await.unwrap().unwrap();
    let manifest = &snapshot.manifest;
    for (field, found) in manifest.schema.fields().iter().zip(&manifest.statistics) {
        let truth = number(session, &format!("SELECT count(DISTINCT {}) FROM ({query})", field.name())).await;
        let found = found.distinct.unwrap() as f64;
        assert!(
            (found - truth as f64).abs() <= 0.26 * truth as f64,
            "{found} {} of {truth}: {query}",
            field.name()
        );
    }
    let files = manifest.files.iter().flat_map(|file| &file.statistics);
    assert!(manifest.statistics.iter().chain(files).all(|column| column.sketch.is_none()), "merged for good");
}

/// What a dead attempt left is used as far as it is whole: a unit with a damaged receipt, or with a flipped byte in a file, be it
/// of rows or of an aggregation's states, is computed again, and nothing fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_of_a_dead_attempt_is_computed_again() {
    for (query, part) in [
        (PLAIN, ".json"),
        (PLAIN, ".parquet"),
        (JOINED, ".parquet"),
        (GROUPED, ".json"),
        (GROUPED, ".parquet"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let limit = Arc::new(AtomicI64::new(ROWS / 2));
        let checkpoint = format!("CHECKPOINT c AS {query}");
        run(&session(dir.path(), &limit).await, &checkpoint).await.unwrap_err();
        let units = files_below(&dir.path().join("store/checkpoints/c/attempts"), part);
        let units: Vec<_> =
            units.into_iter().filter(|path| path.to_string_lossy().contains("/unit-")).collect();
        assert!(units.len() > 2, "{units:?}");
        let mut bytes = std::fs::read(&units[0]).unwrap();
        bytes[6] ^= 1;
        std::fs::write(&units[0], bytes).unwrap();

        limit.store(i64::MAX, Ordering::Relaxed);
        let second = session(dir.path(), &limit).await;
        let (how, all, reused) = outcome(&second, &checkpoint).await;
        assert_eq!(how, "resumed", "{query}");
        let complete = files_below(units[0].parent().unwrap(), ".json");
        let complete =
            complete.iter().filter(|path| path.to_string_lossy().contains("/unit-")).count() as i64;
        assert!(reused == complete - 1 && reused < all, "{reused} of {complete} of {all}: {query}");
        if part == ".parquet" {
            let told = second.take_notices();
            let named = |notice: &String| notice.contains("computed again") && notice.contains("unit-00");
            assert!(told.iter().any(named), "{told:?}");
        }
        let expected = table(&second, query).await.unwrap();
        assert_same(&expected, &table(&second, "SELECT * FROM c").await.unwrap(), ANY_ORDER, query);
        let report = second.verify(VerifyOptions::default()).await.unwrap();
        assert!(report.is_sound(), "{report:?}");
    }
}

fn files_below(folder: &Path, end: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Units that deal their rows out to buckets are units all the same. Another key makes other units: those that another try has
/// left are in other buckets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_buckets_survive_and_those_of_another_key_do_not() {
    for query in [PLAIN, JOINED, GROUPED] {
        let key = if query == JOINED { "word" } else { "seven" };
        for first_key in [key, "n", "none"] {
            let states = query == GROUPED;
            if states && first_key == "n" {
                continue;
            }
            let dir = tempfile::tempdir().unwrap();
            let limit = Arc::new(AtomicI64::new(ROWS / 2));
            let by = |key: &str| format!("CHECKPOINT c WITH (partition_by = '{key}') AS {query}");
            run(&session(dir.path(), &limit).await, &by(first_key)).await.unwrap_err();
            limit.store(i64::MAX, Ordering::Relaxed);
            let second = session(dir.path(), &limit).await;
            let (how, units, reused) = outcome(&second, &by(key)).await;
            // What an aggregation has so far is not dealt out yet.
            let fits = first_key == key || states;
            assert_eq!(how, if fits { "resumed" } else { "written" }, "{first_key}: {query}");
            assert!(units > 10 && (reused > 0) == fits, "{reused} of {units}: {query}");
            let expected = table(&second, query).await.unwrap();
            assert_same(&expected, &table(&second, "SELECT * FROM c").await.unwrap(), ANY_ORDER, query);
            let counted = |from: &str| format!("SELECT {key}, count(*) FROM {from} GROUP BY {key}");
            let expected = table(&second, &counted(&format!("({query})"))).await.unwrap();
            let found = table(&second, &counted("c")).await.unwrap();
            assert_same(&expected, &found, ANY_ORDER, &counted("c"));
            let plan = crate::support::physical(second.sql(&counted("c")).await.unwrap()).await;
            assert!(!plan.contains("RepartitionExec"), "{plan}");
            assert!(second.verify(VerifyOptions::default()).await.unwrap().is_sound());
        }
    }
}

/// How many units of the newest snapshot of a checkpoint have rows.
async fn units_with_rows(session: &Session, name: &str) -> i64 {
    let of =
        format!("SELECT count(DISTINCT unit) FROM milepost.files WHERE checkpoint = '{name}' AND rows > 0");
    number(session, &of).await
}

/// A unit without rows keeps nothing that a crash could leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_unit_has_rows() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), &Arc::new(AtomicI64::new(i64::MAX))).await;
    // A cut every hundred bytes, so that there are as many units as row groups; every few row groups; none.
    for (position, (unit_bytes, units_between)) in
        [("100", 20..=41), ("4 KiB", 2..=41), ("1 GiB", 1..=3)].into_iter().enumerate()
    {
        run(&session, &format!("SET milepost.unit_bytes = '{unit_bytes}'")).await.unwrap();
        let name = format!("c{position}");
        let (_, units, _) = outcome(
            &session,
            &format!("CHECKPOINT {name} AS SELECT n, seven + {position} AS m FROM numbers"),
        )
        .await;
        assert!(units_between.contains(&units), "{unit_bytes}: {units}");
        assert_eq!(units_with_rows(&session, &name).await, units, "{unit_bytes}");
        let sums = number(&session, &format!("SELECT sum(n) FROM {name}")).await;
        assert_eq!(sums, ROWS * (ROWS + 1) / 2);
    }
}

/// Two files of one row group each make two units, however small units are to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_one_row_group_are_a_unit_each() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), &Arc::new(AtomicI64::new(i64::MAX))).await;
    let folder = dir.path().join("two");
    for part in ["a", "b"] {
        let rows = "SELECT value AS n FROM generate_series(1, 1000)";
        let file = folder.join(format!("{part}.parquet"));
        run(&session, &format!("COPY ({rows}) TO '{}'", file.display())).await.unwrap();
    }
    let create = format!("CREATE EXTERNAL TABLE two STORED AS PARQUET LOCATION '{}/'", folder.display());
    run(&session, &create).await.unwrap();
    for (name, unit_bytes) in [("c", "100"), ("d", "1 GiB")] {
        run(&session, &format!("SET milepost.unit_bytes = '{unit_bytes}'")).await.unwrap();
        let (_, units, _) =
            outcome(&session, &format!("CHECKPOINT {name} AS SELECT n, '{name}' AS name FROM two")).await;
        assert_eq!((units, units_with_rows(&session, name).await), (2, 2), "{unit_bytes}");
        assert_eq!(number(&session, &format!("SELECT count(*) FROM {name}")).await, 2_000);
    }
}

/// Three tries, each a little further: units of two dead attempts end in one snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_several_dead_attempts_end_in_one_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(ROWS / 4));
    let checkpoint = format!("CHECKPOINT c AS {PLAIN}");
    run(&session(dir.path(), &limit).await, &checkpoint).await.unwrap_err();
    limit.store(ROWS / 2, Ordering::Relaxed);
    // Other settings for parallel work: the slices are those of the first try all the same.
    let second = session(dir.path(), &limit).await;
    run(&second, "SET datafusion.execution.target_partitions = 2").await.unwrap();
    run(&second, "SET milepost.unit_bytes = '2 KiB'").await.unwrap();
    run(&second, &checkpoint).await.unwrap_err();
    limit.store(i64::MAX, Ordering::Relaxed);
    let third = session(dir.path(), &limit).await;
    let (how, units, reused) = outcome(&third, &checkpoint).await;
    assert_eq!(how, "resumed");
    assert!(reused >= units / 3, "{reused} of {units}");
    let expected = table(&third, PLAIN).await.unwrap();
    assert_same(&expected, &table(&third, "SELECT * FROM c").await.unwrap(), ANY_ORDER, PLAIN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_over_a_source_that_changed_are_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(ROWS / 2));
    let checkpoint = format!("CHECKPOINT c AS {PLAIN}");
    let first = session(dir.path(), &limit).await;
    run(&first, &checkpoint).await.unwrap_err();
    limit.store(i64::MAX, Ordering::Relaxed);
    // As many rows, as many bytes, other values.
    write_numbers(&first, &dir.path().join("numbers.parquet"), 2).await;
    let second = session(dir.path(), &limit).await;
    let (how, _, reused) = outcome(&second, &checkpoint).await;
    assert_eq!((how.as_str(), reused), ("written", 0));
    assert_eq!(number(&second, "SELECT max(n) FROM c").await, ROWS + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forced_run_uses_nothing_of_another_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(i64::MAX));
    let session = session(dir.path(), &limit).await;
    run(&session, &format!("CHECKPOINT c AS {PLAIN}")).await.unwrap();
    limit.store(ROWS / 2, Ordering::Relaxed);
    run(&session, "REFRESH CHECKPOINT c FORCE").await.unwrap_err();
    limit.store(i64::MAX, Ordering::Relaxed);
    let (how, _, reused) = outcome(&session, "REFRESH CHECKPOINT c FORCE").await;
    assert_eq!((how.as_str(), reused), ("written", 0));
}

/// The rows of an ordered query are cut into units too, and come back in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_a_sequence_keep_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(i64::MAX));
    let session = session(dir.path(), &limit).await;
    // More rows than one row group holds: units are cut between row groups.
    let numbers = "SELECT value AS n, value % 7 AS seven FROM generate_series(1, 600000)";
    run(&session, &format!("CHECKPOINT sorted AS SELECT n, seven FROM ({numbers}) ORDER BY n DESC"))
        .await
        .unwrap();
    let (_, units, _) =
        outcome(&session, "CHECKPOINT c AS SELECT n FROM sorted WHERE seven = 0 ORDER BY n DESC").await;
    assert!(units > 1, "{units}");
    let mut before = i64::MAX;
    for batch in run(&session, "SELECT n FROM c").await.unwrap() {
        for n in batch.column(0).as_primitive::<Int64Type>().values() {
            assert!(*n < before);
            before = *n;
        }
    }
}

/// DataFusion deals large sorted files out to several partitions; here every file is large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sorted_files_in_parts_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(dir.path(), &Arc::new(AtomicI64::new(i64::MAX))).await;
    run(&session, "SET datafusion.optimizer.repartition_file_min_size = 1").await.unwrap();
    let numbers = "SELECT value AS n, value % 7 AS seven FROM generate_series(1, 600000)";
    run(&session, &format!("CHECKPOINT by_n AS SELECT n, seven FROM ({numbers}) ORDER BY n")).await.unwrap();
    for (name, unit_bytes) in [("c", "1 GiB"), ("d", "1 KiB")] {
        run(&session, &format!("SET milepost.unit_bytes = '{unit_bytes}'")).await.unwrap();
        let query = format!("SELECT n, '{name}' AS name FROM by_n WHERE seven < 5");
        let (_, units, _) = outcome(&session, &format!("CHECKPOINT {name} AS {query}")).await;
        assert_eq!(units_with_rows(&session, name).await, units, "{unit_bytes}");
        for count in ["count(*)", "count(DISTINCT n)", "sum(n)"] {
            let expected =
                number(&session, &format!("SELECT {count} FROM ({numbers}) WHERE seven < 5")).await;
            let found = number(&session, &format!("SELECT {count} FROM {name}")).await;
            assert_eq!(found, expected, "{unit_bytes}: {count}");
        }
    }
}

/// Of two writers of the same result the second waits, says for whom, and takes the first one's snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_second_writer_waits_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let limit = Arc::new(AtomicI64::new(i64::MAX));
    let (first, second) = (session(dir.path(), &limit).await, session(dir.path(), &limit).await);
    let slow = "SELECT up_to_limit(n) AS n FROM numbers WHERE pause(n) > 0";
    for session in [&first, &second] {
        session.register_udf(pause());
    }
    let checkpoint = format!("CHECKPOINT c AS {slow}");
    let first_seen = first.clone();
    let writing = tokio::spawn({
        let checkpoint = checkpoint.clone();
        async move { outcome(&first, &checkpoint).await }
    });
    while !first_seen.progress().iter().any(|stage| stage.units > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waiting = tokio::spawn({
        let second = second.clone();
        async move { outcome(&second, &checkpoint).await }
    });
    let mut shown = None;
    while !waiting.is_finished() {
        let stage = second.progress().into_iter().find(|stage| stage.units > 0);
        shown = shown.or_else(|| stage.and_then(|stage| stage.waits_for));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(writing.await.unwrap().0, "written");
    assert_eq!(waiting.await.unwrap().0, "adopted");
    let shown = shown.expect("the second writer says for whom it waits");
    assert!(shown.contains(&std::process::id().to_string()) && shown.contains("units"), "{shown}");
    assert_eq!(number(&second, "SELECT count(*) FROM milepost.snapshots").await, 1);
}

/// Gives its argument back after a while; a declared function, so that its results may be shared.
fn pause() -> datafusion::logical_expr::ScalarUDF {
    let function = |arguments: &[ColumnarValue]| {
        std::thread::sleep(Duration::from_millis(40));
        Ok(arguments[0].clone())
    };
    create_udf("pause", vec![DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(function))
}
