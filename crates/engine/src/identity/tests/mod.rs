//! Identity, seen from outside: SQL and files in, equal or different signatures out.

mod change;
mod determinism;
mod files;
mod functions;
mod plans;
mod property;
mod settings;
mod sources;

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use datafusion::datasource::MemTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::source_version::FilePolicy;
use super::{PlanIdentity, Registries, Result, RunPin, SourceRegistry, identify};

/// A session with `t(a, b, c, d, l)` and `u(a, b, c)`, all in memory, in a dialect that has lambdas.
fn session() -> SessionContext {
    let config = SessionConfig::new().set_str("datafusion.sql_parser.dialect", "databricks");
    let context = SessionContext::new_with_config(config);
    context.register_table("t", Arc::new(table_t(&[1, 2, 3]))).unwrap();
    context.register_table("u", Arc::new(table_u())).unwrap();
    context
}

fn table_t(a: &[i64]) -> MemTable {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("b", DataType::Utf8, true),
        Field::new("c", DataType::Float64, true),
        Field::new("d", time.clone(), true),
        Field::new("l", list, true),
    ]));
    let rows = a.len();
    let lists =
        ListArray::from_iter_primitive::<Int64Type, _, _>((0..rows).map(|_| Some(vec![Some(1), Some(2)])));
    let times = datafusion::arrow::compute::cast(&Int64Array::from(a.to_vec()), &time).unwrap();
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int64Array::from(a.to_vec())),
            Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("row {row}")))),
            Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64))),
            times,
            Arc::new(lists),
        ],
    )
    .unwrap();
    MemTable::try_new(schema, vec![vec![batch]]).unwrap()
}

fn table_u() -> MemTable {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Utf8, true),
        Field::new("c", DataType::Float64, true),
    ]));
    MemTable::try_new(schema, vec![vec![]]).unwrap()
}

fn run() -> RunPin {
    RunPin { id: "run-1".to_owned(), now_ns: 0 }
}

/// Registries that trust files however young they are, so that tests need not wait.
fn hasty() -> Registries {
    let policy = FilePolicy { settle: std::time::Duration::ZERO, looks: 1 };
    Registries { sources: SourceRegistry::with_file_policy(policy), ..Registries::default() }
}

async fn analysed(state: &SessionState, sql: &str) -> LogicalPlan {
    let plan = state.create_logical_plan(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let analysed = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
    analysed.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn try_identify(context: &SessionContext, sql: &str) -> Result<PlanIdentity> {
    let state = context.state();
    identify(&analysed(&state, sql).await, &state, &hasty(), &run()).await
}

async fn of(context: &SessionContext, sql: &str) -> PlanIdentity {
    try_identify(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}
