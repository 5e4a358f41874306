//! How long it takes until a snapshot is read: planning, and the first row of it.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench scan
//! ```
//!
//! The snapshot has 20 columns in about 100 files.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::execution::config::SessionConfig;
use milepost::{CheckpointName, Session};
use tokio::runtime::Runtime;

const COLUMNS: usize = 20;

async fn run(session: &Session, sql: &str) -> usize {
    let batches = session.sql(sql).await.expect("a query").collect().await.expect("rows");
    batches.iter().map(|batch| batch.num_rows()).sum()
}

async fn open(folder: &std::path::Path) -> Session {
    let config = SessionConfig::new().with_target_partitions(2);
    let store = folder.join("store").display().to_string();
    Session::builder().with_config(config).with_store_url(&store).build().await.expect("a session")
}

/// Makes the snapshot and tells how many files it has.
async fn make(folder: &std::path::Path) -> usize {
    let session = open(folder).await;
    let columns: Vec<_> = (0..COLUMNS).map(|column| format!("i * {column} AS c{column}")).collect();
    let source = folder.join("source.parquet").display().to_string();
    for sql in [
        "SET milepost.durability = 'none'".to_string(),
        "SET milepost.unit_bytes = '1 KiB'".to_string(),
        format!(
            "COPY (SELECT {} FROM range(0, 100000) AS t(i)) TO '{source}' OPTIONS ('format.max_row_group_size' '1000')",
            columns.join(", ")
        ),
        format!("CREATE EXTERNAL TABLE source STORED AS PARQUET LOCATION '{source}'"),
        "CHECKPOINT wide AS SELECT * FROM source".to_string(),
    ] {
        run(&session, &sql).await;
    }
    let name = CheckpointName::parse("wide").expect("a name");
    let snapshot = session.store().newest(&name).await.expect("a log").expect("a snapshot");
    snapshot.manifest.files.len()
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let files = runtime.block_on(make(folder.path()));
    let mut group = criterion.benchmark_group(format!("a snapshot of {COLUMNS} columns in {files} files"));
    group.sample_size(50);
    let session = runtime.block_on(open(folder.path()));
    group.bench_function("plan", |bencher| {
        bencher.iter(|| {
            let planned = async {
                let frame = session.sql("SELECT * FROM wide").await.expect("a query");
                frame.create_physical_plan().await.expect("a plan")
            };
            runtime.block_on(planned)
        });
    });
    group.bench_function("first row", |bencher| {
        bencher.iter(|| runtime.block_on(run(&session, "SELECT * FROM wide LIMIT 1")));
    });
    group.bench_function("first row, in a new session", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let session = open(folder.path()).await;
                run(&session, "SELECT * FROM wide LIMIT 1").await
            })
        });
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
