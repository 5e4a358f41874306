//! How often things are computed, what is kept, and what loops cost.

mod computing;
mod loops;
mod snapshots;

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::prelude::{DataFrame, col};
use milepost::Session;
use milepost_tests::table::Table;

use crate::support::{open_memory, unique};

const ROWS: usize = 1_000;

fn numbers() -> Vec<RecordBatch> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let values = Int64Array::from_iter_values(0..ROWS as i64);
    vec![RecordBatch::try_new(schema, vec![Arc::new(values)]).unwrap()]
}

async fn session() -> Session {
    open_memory(&unique("behaviours")).await
}

async fn total(frame: &DataFrame) -> i64 {
    let sum = frame.clone().aggregate(vec![], vec![sum(col("n"))]).unwrap();
    let table = Table::collect(sum).await.unwrap();
    table.rows[0][0].to_string().parse().unwrap()
}

const TOTAL: i64 = (ROWS as i64 - 1) * ROWS as i64 / 2;
