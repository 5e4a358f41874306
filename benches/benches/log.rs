//! How long it takes to append an entry to a log.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench log
//! ```
//!
//! The entries are those of a job's steps. Those of commits go the same way.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use milepost_store::{
    Digest, Driver, Durability, JobName, Owner, StartOptions, StartOutcome, StepKind, StepOutcome,
    StepRecord, Store, StoreOptions,
};
use tokio::runtime::Runtime;

async fn driver(url: &str, durability: Durability) -> Option<Driver> {
    let options = StoreOptions { durability, ..StoreOptions::default() };
    let store = Store::open(url, options).await.expect("a store");
    let name = JobName::parse("nightly").expect("a name");
    let owner = Owner { host: "host".to_string(), pid: std::process::id(), run: String::new() };
    let start = StartOptions::new(owner, Digest::of(b"script"), Digest::of(b"variables"));
    match Driver::start(&store, &name, start).await.expect("a start") {
        StartOutcome::Driving(driver) => Some(*driver),
        StartOutcome::Held { .. } => None,
    }
}

fn step(index: u64) -> StepRecord {
    StepRecord {
        index,
        identity: Digest::of(&index.to_le_bytes()),
        kind: StepKind::Checkpoint,
        outcome: StepOutcome::Written,
        checkpoint: None,
        snapshots: vec![],
        unnamed: vec![],
        reads: vec![],
        rows: Some(index),
        elapsed_ms: 5,
        times: None,
        saved_ms: 0,
    }
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("append to a log");
    for (what, durability) in [("synced", Durability::Fsync), ("not synced", Durability::None)] {
        let folder = tempfile::tempdir().expect("a folder");
        let url = folder.path().to_string_lossy().into_owned();
        let driver = runtime.block_on(driver(&url, durability)).expect("a job of our own");
        let mut index = 0;
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                let recorded = runtime.block_on(driver.step(step(index))).expect("an entry");
                assert_eq!(recorded, milepost_store::DriveOutcome::Recorded);
                index += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
