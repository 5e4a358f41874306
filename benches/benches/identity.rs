//! How long it takes to know what a query is and whether its files are still the same.
//!
//! ```sh
//! cargo bench -p milepost-benches --bench identity
//! ```
//!
//! Goals: the fingerprint of a plan of 100 nodes in less than 2 ms, the freshness of 10,000 local files in less than
//! 100 ms.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use milepost::identity::source_version::FilePolicy;
use milepost::identity::{Registries, RunPin, SourceRegistry, identify};
use tokio::runtime::Runtime;

const NODES: usize = 100;
const FILES: usize = 10_000;

/// A union of branches of five nodes each (projection, aggregate, filter, projection, scan) below a sort.
fn query() -> String {
    let branch = |number: usize| {
        format!(
            "SELECT c{number} AS k, sum(c0 + {number}) AS s FROM (SELECT c0 + c1 AS c0, c{number} FROM t) \
             WHERE c0 > {number} AND c{number} <> 7 GROUP BY c{number}"
        )
    };
    let branches: Vec<_> = (2..NODES / 5 + 2).map(branch).collect();
    format!("SELECT * FROM ({}) ORDER BY k", branches.join(" UNION ALL "))
}

async fn analysed(state: &SessionState, sql: &str) -> LogicalPlan {
    let plan = state.create_logical_plan(sql).await.expect("a plan");
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).expect("an analysed plan")
}

fn fingerprint(criterion: &mut Criterion, runtime: &Runtime, run: &RunPin) {
    let context = SessionContext::new();
    let fields: Vec<_> =
        (0..24).map(|number| Field::new(format!("c{number}"), DataType::Int64, true)).collect();
    let table = EmptyTable::new(Arc::new(Schema::new(fields)));
    context.register_table("t", Arc::new(table)).expect("a table");
    let state = context.state();
    let registries = Registries::default();
    let plan = runtime.block_on(analysed(&state, &query()));
    let nodes = runtime.block_on(identify(&plan, &state, &registries, run)).expect("an identity").parts.len();
    criterion.bench_function(&format!("fingerprint of a plan of {nodes} nodes"), |bencher| {
        bencher.iter(|| runtime.block_on(identify(&plan, &state, &registries, run)).expect("an identity"));
    });
}

fn freshness(criterion: &mut Criterion, runtime: &Runtime, run: &RunPin) {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..FILES {
        make_file(&folder.path().join(format!("part-{number:05}.csv")));
    }
    let context = SessionContext::new();
    let sql =
        format!("CREATE EXTERNAL TABLE t (x BIGINT) STORED AS CSV LOCATION '{}/'", folder.path().display());
    runtime.block_on(context.sql(&sql)).expect("a table");
    let state = context.state();
    let plan = runtime.block_on(analysed(&state, "SELECT x FROM t"));
    // The files were made just now, and that must not be waited for each time.
    let policy = FilePolicy { settle: Duration::ZERO, ..FilePolicy::default() };
    let registries =
        Registries { sources: SourceRegistry::with_file_policy(policy), ..Registries::default() };
    criterion.bench_function(&format!("freshness of {FILES} local files"), |bencher| {
        bencher.iter(|| runtime.block_on(identify(&plan, &state, &registries, run)).expect("an identity"));
    });
}

fn make_file(path: &Path) {
    File::create(path).expect("a file");
}

fn benchmark(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let run = RunPin { id: "bench".to_owned(), now_ns: 0 };
    fingerprint(criterion, &runtime, &run);
    freshness(criterion, &runtime, &run);
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
