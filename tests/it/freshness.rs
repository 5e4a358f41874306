//! What changed is noticed, in the ways that SQL scripts cannot show: functions, frames over files, runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::{CsvReadOptions, SessionContext, col};
use milepost::identity::{FunctionKind, FunctionVersions};
use milepost::{CheckpointExt, Session};

use crate::support::{brief, checkpoint, config, number, open_memory, physical, run, unique};

/// A function `add(x)` that adds `amount`.
fn register_add(context: &SessionContext, amount: i64) {
    let add = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let sums = arrays[0].as_primitive::<Int64Type>().unary::<_, Int64Type>(|x| x + amount);
        Ok(ColumnarValue::Array(Arc::new(sums) as ArrayRef))
    };
    let function =
        create_udf("add", vec![DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(add));
    context.register_udf(function);
}

async fn session(store: &str, functions: FunctionVersions) -> Session {
    let builder = Session::builder().with_config(config()).with_store_url(&format!("memory://{store}"));
    let session = builder.with_function_versions(functions).build().await.unwrap();
    run(&session, "CREATE TABLE n (i BIGINT) AS VALUES (1), (2), (3)").await.unwrap();
    session
}

fn declared(version: &str) -> FunctionVersions {
    let mut functions = FunctionVersions::new();
    functions.declare(FunctionKind::Scalar, "add", version);
    functions
}

const ADD: &str = "CHECKPOINT c AS SELECT add(i) AS x FROM n";

#[tokio::test]
async fn a_function_of_a_program_is_trusted_within_its_run_only() {
    let store = unique("freshness");
    for (version, sum) in [(1, 36), (2, 306)] {
        let session = session(&store, FunctionVersions::new()).await;
        register_add(&session, sum / 3 - 2);
        assert_eq!(brief(&checkpoint(&session, ADD).await.unwrap()), format!("c {version} written 3"));
        assert_eq!(brief(&checkpoint(&session, ADD).await.unwrap()), format!("c {version} reused 3"));
        assert_eq!(number(&session, "SELECT sum(x) FROM c").await, sum);
    }
}

#[tokio::test]
async fn a_declared_function_is_trusted_by_its_version() {
    let store = unique("freshness");
    let steps =
        [("1", "c 1 written 3"), ("1", "c 1 reused 3"), ("2", "c 2 written 3"), ("2", "c 2 reused 3")];
    for (version, expected) in steps {
        let session = session(&store, declared(version)).await;
        register_add(&session, version.parse::<i64>().unwrap() * 10);
        assert_eq!(brief(&checkpoint(&session, ADD).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_function_that_is_registered_anew_within_a_run_is_another_function() {
    let session = session(&unique("freshness"), FunctionVersions::new()).await;
    register_add(&session, 10);
    checkpoint(&session, ADD).await.unwrap();
    register_add(&session, 100);
    assert_eq!(brief(&checkpoint(&session, ADD).await.unwrap()), "c 2 written 3");
    assert_eq!(number(&session, "SELECT sum(x) FROM c").await, 306);
}

#[tokio::test]
async fn a_function_of_a_builtin_s_name_does_not_pass_for_it() {
    let store = unique("freshness");
    let sql = "CHECKPOINT c AS SELECT abs(i) AS x FROM n";
    let plain = session(&store, FunctionVersions::new()).await;
    checkpoint(&plain, sql).await.unwrap();
    let other = session(&store, FunctionVersions::new()).await;
    let negate = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let negated: Int64Array = arrays[0].as_primitive::<Int64Type>().unary(|x| -x);
        Ok(ColumnarValue::Array(Arc::new(negated) as ArrayRef))
    };
    let function =
        create_udf("abs", vec![DataType::Int64], DataType::Int64, Volatility::Immutable, Arc::new(negate));
    other.register_udf(function);
    assert_eq!(brief(&checkpoint(&other, sql).await.unwrap()), "c 2 written 3");
    assert_eq!(number(&other, "SELECT sum(x) FROM c").await, -6);
}

/// A file that was finished some time ago, so that nobody has to wait until it is old enough to be told apart.
fn old_file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Frames over files have no table name: what they read tells them apart.
#[tokio::test]
async fn frames_over_different_files_are_different() {
    let folder = tempfile::tempdir().unwrap();
    let session = open_memory(&unique("freshness")).await;
    let (a, b) = (folder.path().join("a/x.csv"), folder.path().join("b/x.csv"));
    old_file(&a, "x;y\n1;2\n");
    old_file(&b, "x;y\n3;4\n");
    let read = |path: &Path, delimiter: u8| {
        let (session, path) = (session.clone(), path.display().to_string());
        async move {
            let frame = session.read_csv(path, CsvReadOptions::new().delimiter(delimiter)).await.unwrap();
            let name = frame.schema().field(0).name().clone();
            frame
                .select(vec![col(format!("\"{name}\"")).alias("first")])
                .unwrap()
                .checkpoint("c")
                .await
                .unwrap();
            number(&session, "SELECT version FROM milepost.checkpoints").await
        }
    };
    assert_eq!(read(&a, b';').await, 1);
    assert_eq!(read(&a, b';').await, 1);
    assert_eq!(read(&b, b';').await, 2);
    assert_eq!(number(&session, "SELECT first FROM c").await, 3);
    assert_eq!(read(&b, b',').await, 3);
}

/// A folder that is a link, set to point elsewhere: same names, same sizes, same times.
#[tokio::test]
async fn a_link_that_points_elsewhere_is_another_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    old_file(&path("one/x.csv"), "x\n1\n");
    old_file(&path("two/x.csv"), "x\n2\n");
    let stamp =
        std::process::Command::new("touch").arg("-r").arg(path("one/x.csv")).arg(path("two/x.csv")).status();
    assert!(stamp.unwrap().success());
    std::os::unix::fs::symlink(path("one"), path("current")).unwrap();
    let session = open_memory(&unique("freshness")).await;
    let ddl =
        format!("CREATE EXTERNAL TABLE t (x BIGINT) STORED AS CSV LOCATION '{}/'", path("current").display());
    run(&session, &format!("{ddl} OPTIONS (format.has_header true)")).await.unwrap();
    let sql = "CHECKPOINT c AS SELECT x FROM t";
    assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), "c 1 written 1");
    fs::remove_file(path("current")).unwrap();
    std::os::unix::fs::symlink(path("two"), path("current")).unwrap();
    assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), "c 2 written 1");
    assert_eq!(number(&session, "SELECT x FROM c").await, 2);
}

/// The folders of a partitioned table are values of its rows.
#[tokio::test]
async fn a_partition_that_is_renamed_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("t");
    old_file(&root.join("day=mon/x.csv"), "x\n1\n");
    let session = open_memory(&unique("freshness")).await;
    let ddl = format!(
        "CREATE EXTERNAL TABLE t (x BIGINT, day VARCHAR) STORED AS CSV PARTITIONED BY (day) LOCATION '{}/'",
        root.display()
    );
    run(&session, &format!("{ddl} OPTIONS (format.has_header true)")).await.unwrap();
    let sql = "CHECKPOINT c AS SELECT day, x FROM t";
    assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), "c 1 written 1");
    let moved = std::process::Command::new("mv").arg(root.join("day=mon")).arg(root.join("day=tue")).status();
    assert!(moved.unwrap().success());
    assert_eq!(brief(&checkpoint(&session, sql).await.unwrap()), "c 2 written 1");
    assert_eq!(number(&session, "SELECT count(*) FROM c WHERE day = 'tue'").await, 1);
}

/// A file that is rewritten at once, again and again, with the same size, is never mistaken for what it was.
#[tokio::test]
async fn a_file_that_is_rewritten_faster_than_clocks_tick_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    let session = open_memory(&unique("freshness")).await;
    fs::write(&file, "x\n0\n").unwrap();
    let ddl = format!("CREATE EXTERNAL TABLE t (x BIGINT) STORED AS CSV LOCATION '{}'", file.display());
    run(&session, &format!("{ddl} OPTIONS (format.has_header true)")).await.unwrap();
    for value in 1..4 {
        fs::write(&file, format!("x\n{value}\n")).unwrap();
        checkpoint(&session, "CHECKPOINT c AS SELECT x FROM t").await.unwrap();
        assert_eq!(number(&session, "SELECT x FROM c").await, value);
    }
}

/// A run that goes on in another session (a resumed job) counts its steps anew. One step is not mistaken for another.
#[tokio::test]
async fn two_sessions_of_one_run_keep_their_steps_apart() {
    let store = unique("freshness");
    let session = || async {
        let builder = Session::builder().with_config(config()).with_store_url(&format!("memory://{store}"));
        builder.with_run_id("run-7".to_string()).build().await.unwrap()
    };
    let first = session().await;
    checkpoint(&first, "CHECKPOINT c AS SELECT 1 AS x").await.unwrap();
    let second = session().await;
    let report = checkpoint(&second, "CHECKPOINT c AS SELECT 2 AS x").await.unwrap();
    assert_eq!(number(&second, "SELECT x FROM c").await, 2, "{report:?}");
}

/// What holds for one run is reused by a session that goes on with that run, and by no other.
#[tokio::test]
async fn the_results_of_a_run_are_reused_by_that_run() {
    let store = unique("freshness");
    let session = |run: &str| {
        let builder = Session::builder().with_config(config()).with_store_url(&format!("memory://{store}"));
        builder.with_run_id(run.to_string()).build()
    };
    let sql = "CHECKPOINT c AS SELECT random() AS r, now() AS t";
    assert_eq!(brief(&checkpoint(&session("a").await.unwrap(), sql).await.unwrap()), "c 1 written 1");
    assert_eq!(brief(&checkpoint(&session("a").await.unwrap(), sql).await.unwrap()), "c 1 reused 1");
    assert_eq!(brief(&checkpoint(&session("b").await.unwrap(), sql).await.unwrap()), "c 2 written 1");
}

/// Whoever waits for files to settle sees what for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_files_that_were_just_written_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let session = open_memory(&unique("young")).await;
    fs::write(dir.path().join("young.csv"), "n\n1\n").unwrap();
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
        dir.path().join("young.csv").display()
    );
    run(&session, &create).await.unwrap();
    let shown = async {
        loop {
            if let Some(stage) = session.progress().into_iter().find(|stage| stage.units == 0) {
                return (stage.checkpoint, stage.waits_for.unwrap());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (made, (file, what)) = tokio::join!(checkpoint(&session, "CHECKPOINT c AS SELECT n FROM t"), shown);
    assert_eq!(brief(&made.unwrap()), "c 1 written 1");
    assert_eq!(
        (file.as_str(), what.as_str()),
        ("young.csv", "files that were written a moment ago to settle")
    );
    assert!(session.progress().is_empty());
}

/// `milepost.reuse = transparent` looks when a frame is collected: one that was made before its source changed is not read
/// from a checkpoint of what the source held then.
#[tokio::test]
async fn a_frame_is_looked_up_when_it_is_collected() {
    let dir = tempfile::tempdir().unwrap();
    let session = open_memory(&unique("looked-up")).await;
    fs::write(dir.path().join("a.csv"), "k,v\na,1\na,2\nb,3\n").unwrap();
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}/' OPTIONS ('format.has_header' 'true')",
        dir.path().display()
    );
    run(&session, &create).await.unwrap();
    run(&session, "CHECKPOINT by_k AS SELECT k, sum(v) AS v FROM t GROUP BY k").await.unwrap();
    run(&session, "SET milepost.reuse = 'transparent'").await.unwrap();
    let aggregated = session.table("t").await.unwrap().aggregate(vec![col("k")], vec![sum(col("v"))]);
    let frames = [
        aggregated.unwrap(),
        session.sql("SELECT k, sum(v) FROM t GROUP BY k ORDER BY k LIMIT 9").await.unwrap(),
    ];
    for frame in &frames {
        assert!(physical(frame.clone()).await.contains("checkpoints/by_k/"));
        assert_eq!(frame.clone().count().await.unwrap(), 2);
    }
    fs::write(dir.path().join("b.csv"), "k,v\nc,4\n").unwrap();
    for frame in frames {
        assert!(!physical(frame.clone()).await.contains("checkpoints/by_k/"));
        assert_eq!(frame.count().await.unwrap(), 3);
    }
}
