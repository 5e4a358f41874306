//! Sessions, stores and sources for the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use async_trait::async_trait;
use datafusion::catalog::{Session as CatalogSession, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TableType, Volatility,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use milepost::Session;
use milepost_tests::table::{Compare, Table};
use milepost_tests::tpch;
use tokio::sync::OnceCell;

/// Rows in any order, floats to the bit.
pub const ANY_ORDER: Compare = Compare { in_order: false, approximate: false };

/// Several partitions and small batches, so that small tables are split as large ones are.
pub fn config() -> SessionConfig {
    SessionConfig::new().with_target_partitions(3).with_batch_size(512).with_information_schema(true)
}

/// A session on the store in `dir`.
pub async fn open(dir: &Path) -> Session {
    let store = format!("file://{}", dir.join("store").display());
    Session::builder().with_config(config()).with_store_url(&store).build().await.unwrap()
}

/// A session on a store in memory; sessions that name the same one share it.
pub async fn open_memory(name: &str) -> Session {
    let store = format!("memory://{name}");
    Session::builder().with_config(config()).with_store_url(&store).build().await.unwrap()
}

/// The folder of TPC-H at scale 0.01, in three files a table, made once and kept in the build's folder for temporary files.
pub async fn tpch_tables() -> PathBuf {
    static TABLES: OnceCell<PathBuf> = OnceCell::const_new();
    let made = TABLES.get_or_init(|| async {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tpch-0.01");
        let complete = folder.join("complete");
        if !complete.exists() {
            tpch::write_tables(&folder, 0.01, 3).unwrap();
            std::fs::write(complete, "").unwrap();
        }
        folder
    });
    made.await.clone()
}

/// A name of a store that no other test has.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a statement to its end.
pub async fn run(session: &Session, sql: &str) -> Result<Vec<RecordBatch>> {
    session.sql(sql).await?.collect().await
}

/// Runs a query and takes its result by value.
pub async fn table(session: &Session, sql: &str) -> Result<Table> {
    Table::collect(session.sql(sql).await?).await
}

/// The one value of a query that gives one.
pub async fn value(session: &Session, sql: &str) -> ScalarValue {
    let table = table(session, sql).await.unwrap();
    assert_eq!((table.rows.len(), table.columns.len()), (1, 1), "{sql}");
    table.rows[0][0].clone()
}

/// The one integer of a query that gives one.
pub async fn number(session: &Session, sql: &str) -> i64 {
    match value(session, sql).await.cast_to(&arrow::datatypes::DataType::Int64).unwrap() {
        ScalarValue::Int64(Some(number)) => number,
        other => panic!("{sql} gave {other}"),
    }
}

/// What a CHECKPOINT or REFRESH reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    pub version: u64,
    pub outcome: String,
    pub rows: u64,
}

/// Runs a CHECKPOINT or REFRESH and takes the row that it gives.
pub async fn checkpoint(session: &Session, sql: &str) -> Result<Report> {
    let batches = run(session, sql).await?;
    let batch = batches.iter().find(|batch| batch.num_rows() == 1).unwrap();
    let text = |name: &str| {
        let column =
            arrow::compute::cast(batch.column_by_name(name).unwrap(), &arrow::datatypes::DataType::Utf8);
        column.unwrap().as_string::<i32>().value(0).to_string()
    };
    let count = |name: &str| {
        let column =
            arrow::compute::cast(batch.column_by_name(name).unwrap(), &arrow::datatypes::DataType::UInt64);
        column.unwrap().as_primitive::<UInt64Type>().value(0)
    };
    Ok(Report {
        name: text("checkpoint"),
        version: count("version"),
        outcome: text("outcome"),
        rows: count("rows"),
    })
}

/// A report in short, for comparisons: `by_day 1 written 3`.
pub fn brief(report: &Report) -> String {
    format!("{} {} {} {}", report.name, report.version, report.outcome, report.rows)
}

/// Asserts that two results have the same rows, in any order.
#[track_caller]
pub fn assert_same(expected: &Table, actual: &Table, compare: Compare, what: &str) {
    if let Some(difference) = expected.difference(actual, compare) {
        panic!("{what}: {difference}");
    }
}

/// The text of the physical plan of a query, after every checkpoint in it is there.
pub async fn physical(frame: DataFrame) -> String {
    let plan = frame.create_physical_plan().await.unwrap();
    datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string()
}

/// A table that counts how often it is scanned. It is a kind of source that Milepost does not know.
#[derive(Debug)]
pub struct CountingTable {
    inner: MemTable,
    scans: Arc<AtomicUsize>,
}

impl CountingTable {
    /// Registers a table over `batches` and returns the counter of its scans.
    pub fn register(context: &SessionContext, name: &str, batches: Vec<RecordBatch>) -> Arc<AtomicUsize> {
        let scans = Arc::new(AtomicUsize::new(0));
        let inner = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        let table = Self { inner, scans: Arc::clone(&scans) };
        context.register_table(name, Arc::new(table)).unwrap();
        scans
    }
}

#[async_trait]
impl TableProvider for CountingTable {
    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn CatalogSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.scans.fetch_add(1, Ordering::SeqCst);
        self.inner.scan(state, projection, filters, limit).await
    }
}

/// What a [`Probe`] does with every batch that passes through it.
pub type Action = Arc<dyn Fn(usize) -> Result<()> + Send + Sync>;

/// `probe(x)` gives x back, and runs an action with the number of rows at hand. It lets a test see, slow down or spoil
/// a query while it runs.
pub struct Probe {
    signature: Signature,
    action: Action,
}

impl Probe {
    /// Registers the function.
    pub fn register(context: &SessionContext, name: &'static str, action: Action) {
        let probe =
            Named { name, probe: Self { signature: Signature::any(1, Volatility::Immutable), action } };
        context.register_udf(ScalarUDF::from(probe));
    }

    /// Registers a function that counts the rows that pass through it.
    pub fn count(context: &SessionContext, name: &'static str) -> Arc<AtomicUsize> {
        let rows = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&rows);
        let action: Action = Arc::new(move |count| {
            seen.fetch_add(count, Ordering::SeqCst);
            Ok(())
        });
        Self::register(context, name, action);
        rows
    }
}

struct Named {
    name: &'static str,
    probe: Probe,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl std::hash::Hash for Named {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.probe.signature
    }

    fn return_type(&self, arguments: &[arrow::datatypes::DataType]) -> Result<arrow::datatypes::DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.probe.action)(arguments.number_rows)?;
        Ok(arguments.args.into_iter().next().unwrap())
    }
}
