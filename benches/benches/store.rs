//! How long it takes to open a store of ten thousand checkpoints, and to find one in it.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench store
//! ```

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use milepost::{CheckpointName, Durability, Session, Store, StoreOptions};

const CHECKPOINTS: usize = 10_000;

/// Makes the store once; one tiny query a checkpoint, not synced.
async fn make_store(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::open(&path.to_string_lossy()).await?;
    session.sql("SET milepost.durability = 'none'").await?;
    for number in 0..CHECKPOINTS {
        session.sql(&format!("CHECKPOINT c{number} AS SELECT {number} AS n")).await?;
    }
    Ok(())
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = std::env::temp_dir().join(format!("milepost-bench-store-{CHECKPOINTS}"));
    if !folder.join("complete").exists() {
        eprintln!("making {CHECKPOINTS} checkpoints in {}", folder.display());
        runtime.block_on(make_store(&folder)).expect("a store");
        std::fs::write(folder.join("complete"), "").expect("a marker");
    }
    let url = folder.to_string_lossy().into_owned();
    let options = || StoreOptions { durability: Durability::None, ..StoreOptions::default() };
    let mut group = criterion.benchmark_group("store of 10,000 checkpoints");
    group.sample_size(20);
    group.bench_function("open", |bencher| {
        bencher.iter(|| runtime.block_on(Store::open(&url, options())).expect("a store"));
    });
    group.bench_function("open a session", |bencher| {
        bencher.iter(|| runtime.block_on(Session::open(&url)).expect("a session"));
    });
    let store = runtime.block_on(Store::open(&url, options())).expect("a store");
    let name = CheckpointName::parse("c7777").expect("a name");
    group.bench_function("newest of one checkpoint", |bencher| {
        bencher.iter(|| runtime.block_on(store.newest(&name)).expect("a snapshot"));
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
