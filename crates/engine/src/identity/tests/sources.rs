//! Tables without files, tables that nobody knows, and nodes that nobody knows.

use std::fmt;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchemaRef;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::logical_plan::Extension;
use datafusion::logical_expr::{Expr, TableType, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;

use super::*;
use crate::identity::canonical::Encoder;
use crate::identity::{ExtensionEncoder, ExtensionRegistry, source_changes, source_versions};

#[tokio::test]
async fn rows_in_memory_are_known_by_their_values() {
    let sql = "SELECT a FROM t";
    let with_rows = |rows: &'static [i64]| async move {
        let context = SessionContext::new();
        context.register_table("t", Arc::new(table_t(rows))).unwrap();
        of(&context, sql).await
    };
    let (one, same, other) = (with_rows(&[1, 2]).await, with_rows(&[1, 2]).await, with_rows(&[1, 3]).await);
    assert_eq!(one.signature, same.signature);
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_ne!(one.signature, other.signature);
    assert_eq!(source_changes(&one.sources, &other.sources)[0].text(), "t: its rows changed");
}

#[tokio::test]
async fn batch_boundaries_do_not_matter() {
    let table = table_t(&[1, 2, 3]);
    let batch = table.batches[0].read().await[0].clone();
    let parts = vec![vec![batch.slice(0, 1)], vec![batch.slice(1, 2)]];
    let context = SessionContext::new();
    context.register_table("t", Arc::new(MemTable::try_new(batch.schema(), parts).unwrap())).unwrap();
    let whole = SessionContext::new();
    whole.register_table("t", Arc::new(table)).unwrap();
    assert_eq!(
        of(&context, "SELECT a FROM t").await.signature,
        of(&whole, "SELECT a FROM t").await.signature
    );
}

#[tokio::test]
async fn inserted_rows_are_noticed() {
    let context = session();
    let before = of(&context, "SELECT a FROM u").await;
    context.sql("INSERT INTO u VALUES (1, 'x', 1.0)").await.unwrap().collect().await.unwrap();
    let after = of(&context, "SELECT a FROM u").await;
    assert_ne!(before.signature, after.signature);
}

/// Rows are hashed once, as long as the table holds the same columns; the registry must notice that it does not.
#[tokio::test]
async fn remembered_rows_are_those_that_are_there() {
    let (context, registries) = (session(), hasty());
    let now = async || {
        let state = context.state();
        let plan = analysed(&state, "SELECT a FROM u").await;
        identify(&plan, &state, &registries, &run()).await.unwrap().signature
    };
    let mut signatures = vec![now().await];
    assert_eq!(signatures[0], now().await);
    for _ in 0..3 {
        context.sql("INSERT INTO u VALUES (1, 'x', 1.0)").await.unwrap().collect().await.unwrap();
        let next = now().await;
        assert!(!signatures.contains(&next));
        assert_eq!(next, now().await);
        signatures.push(next);
    }
}

#[tokio::test]
async fn a_source_that_is_read_twice_is_listed_once() {
    let identity =
        of(&session(), "SELECT x.a FROM t AS x JOIN t AS y ON x.a = y.a JOIN u ON u.a = x.a").await;
    let names: Vec<_> = identity.sources.iter().map(|source| source.kind.as_str()).collect();
    assert_eq!(names, ["memory", "memory"]);
}

#[tokio::test]
async fn sources_of_subqueries_are_asked() {
    let context = session();
    let sql = "SELECT a FROM t WHERE a > (SELECT max(a) FROM u)";
    let before = of(&context, sql).await;
    context.sql("INSERT INTO u VALUES (1, 'x', 1.0)").await.unwrap().collect().await.unwrap();
    let state = context.state();
    let now = source_versions(&analysed(&state, sql).await, &state, &hasty()).await.unwrap();
    assert_eq!(source_changes(&before.sources, &now).len(), 1);
}

#[tokio::test]
async fn empty_tables_and_series_need_no_version() {
    let context = SessionContext::new();
    let schema = table_u().schema();
    context.register_table("e", Arc::new(EmptyTable::new(schema))).unwrap();
    for sql in ["SELECT a FROM e", "SELECT * FROM generate_series(1, 3)", "SELECT 1"] {
        let (one, same) = (of(&context, sql).await, of(&context, sql).await);
        assert!(one.reusable, "{sql}");
        assert_eq!(one.signature, same.signature, "{sql}");
    }
}

#[tokio::test]
async fn views_are_what_they_show() {
    let context = session();
    context.sql("CREATE VIEW v AS SELECT a FROM t WHERE a > 1").await.unwrap();
    let direct = of(&context, "SELECT a FROM t WHERE a > 1").await;
    let viewed = of(&context, "SELECT a FROM v").await;
    assert_eq!(direct.fingerprint, viewed.fingerprint);
}

#[derive(Debug)]
struct Opaque;

#[async_trait]
impl TableProvider for Opaque {
    fn schema(&self) -> SchemaRef {
        table_u().schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        unreachable!("identity never reads rows of a table that it does not know")
    }
}

/// Nobody can say what an unknown table holds now, so its signature equals no other, not even in the same run.
#[tokio::test]
async fn an_unknown_table_is_never_reused() {
    let context = session();
    context.register_table("opaque", Arc::new(Opaque)).unwrap();
    let sql = "SELECT t.a FROM t JOIN opaque AS o ON t.a = o.a";
    let (one, again) = (of(&context, sql).await, of(&context, sql).await);
    assert!(!one.reusable);
    assert!(one.why_not_reusable.as_ref().unwrap().contains("opaque"), "{:?}", one.why_not_reusable);
    assert_eq!(one.fingerprint, again.fingerprint);
    assert_ne!(one.signature, again.signature);
}

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd)]
struct Sample {
    input: LogicalPlan,
    rate: u32,
}

impl UserDefinedLogicalNodeCore for Sample {
    fn name(&self) -> &str {
        "Sample"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample: {}", self.rate)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> DataFusionResult<Self> {
        Ok(Self { input: inputs.remove(0), rate: self.rate })
    }
}

#[derive(Debug)]
struct SampleEncoder;

impl ExtensionEncoder for SampleEncoder {
    fn encode(&self, node: &dyn UserDefinedLogicalNode, out: &mut Encoder) -> bool {
        let Some(sample) = node.as_any().downcast_ref::<Sample>() else { return false };
        out.u64(u64::from(sample.rate));
        true
    }
}

#[tokio::test]
async fn an_extension_node_needs_someone_who_knows_it() {
    let state = session().state();
    let sampled = |input: LogicalPlan, rate| {
        LogicalPlan::Extension(Extension { node: Arc::new(Sample { input, rate }) })
    };
    let (one, two) = (analysed(&state, "SELECT a FROM t").await, analysed(&state, "SELECT a FROM t").await);
    let (one, two) = (sampled(one, 1), sampled(two, 2));

    let unknown = identify(&one, &state, &hasty(), &run()).await.unwrap();
    assert!(!unknown.reusable);
    assert!(unknown.why_not_reusable.unwrap().contains("Sample"));

    let extensions = ExtensionRegistry::default().with(Arc::new(SampleEncoder));
    let registries = Registries { extensions, ..hasty() };
    let (one, two) = (
        identify(&one, &state, &registries, &run()).await.unwrap(),
        identify(&two, &state, &registries, &run()).await.unwrap(),
    );
    assert!(one.reusable);
    assert_ne!(one.fingerprint, two.fingerprint);
}
