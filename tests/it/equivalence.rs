//! A checkpoint never changes a result.
//!
//! Every query of TPC-H and of the corpus runs in plain DataFusion first: that is what it must give. Then the same rows,
//! column names and types must come from it
//! - with checkpoints switched off,
//! - as a named checkpoint: written, read, reused, and read by a new session,
//! - with an inline checkpoint around every part of its plan in turn, written and then reused,
//! - and with checkpoints around all parts at once, one in another.
//!
//! Rows are compared as a multiset, or one by one where the query asks for an order. Values are equal to the bit; only
//! queries that say so in their title may differ in the last digits of floats.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion, TreeNodeRewriter};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;
use milepost::Session;
use milepost_tests::table::{Compare, Table};
use milepost_tests::{corpus, tpch};
use tokio::sync::OnceCell;

use crate::support::{brief, checkpoint, config, open_memory, unique};

/// Where a query's tables come from.
#[derive(Clone)]
enum Tables {
    Corpus,
    Tpch(PathBuf),
}

impl Tables {
    async fn register(&self, context: &SessionContext) -> Result<()> {
        match self {
            Self::Corpus => {
                for statement in corpus::setup() {
                    context.sql(&statement).await?.collect().await?;
                }
                Ok(())
            }
            Self::Tpch(dir) => tpch::register(context, dir).await,
        }
    }

    async fn session(&self, store: &str) -> Session {
        let session = open_memory(store).await;
        self.register(&session).await.unwrap();
        session
    }
}

struct Case {
    title: String,
    sql: String,
    compare: Compare,
    expected: Table,
}

impl Case {
    async fn new(title: &str, sql: &str, approximate: bool, plain: &SessionContext) -> Self {
        let frame = plain.sql(sql).await.unwrap_or_else(|e| panic!("{title}: {e}"));
        let compare = Compare { in_order: is_ordered(frame.logical_plan()), approximate };
        let expected = Table::collect(frame).await.unwrap_or_else(|e| panic!("{title}: {e}"));
        Self {
            title: title.to_string(),
            sql: sql.trim().trim_end_matches(';').to_string(),
            compare,
            expected,
        }
    }

    /// What is wrong with an actual result, if anything is.
    fn check(&self, actual: Result<Table>, how: &str) -> Option<String> {
        let wrong = match actual {
            Ok(actual) => self.expected.difference(&actual, self.compare)?,
            Err(error) => error.to_string(),
        };
        Some(format!("{}, {how}: {wrong}\n{}", self.title, self.sql))
    }
}

/// All that went wrong in one test, so that one failure does not hide the others.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, failure: Option<String>) {
        self.0.extend(failure);
    }

    #[track_caller]
    fn finish(self) {
        assert!(self.0.is_empty(), "{} failures:\n\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

/// Whether a plan promises an order: it sorts, with nothing above the sort that mixes rows.
fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Limit(_) | LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().first().is_some_and(|input| is_ordered(input))
        }
        _ => false,
    }
}

/// DataFusion without Milepost.
async fn plain(tables: &Tables) -> SessionContext {
    let plain = SessionContext::new_with_config(config());
    tables.register(&plain).await.unwrap();
    plain
}

async fn cases(tables: &Tables) -> Vec<Case> {
    let plain = plain(tables).await;
    let mut cases = Vec::new();
    match tables {
        Tables::Corpus => {
            for query in corpus::queries() {
                cases.push(Case::new(&query.title, &query.sql, query.approximate, &plain).await);
            }
        }
        Tables::Tpch(_) => {
            for (title, sql) in tpch::QUERIES {
                cases.push(Case::new(title, sql, false, &plain).await);
            }
        }
    }
    cases
}

/// TPC-H at scale 0.01, in three files a table, made once and kept in the build's folder for temporary files.
async fn tpch_tables() -> Tables {
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
    Tables::Tpch(made.await.clone())
}

async fn off(tables: &Tables) {
    let session = tables.session(&unique("off")).await;
    session.sql("SET milepost.enabled = false").await.unwrap().collect().await.unwrap();
    let mut failures = Failures::default();
    for case in cases(tables).await {
        session.sql(&format!("CHECKPOINT off AS {}", case.sql)).await.unwrap();
        failures.note(case.check(read(&session, &case.sql).await, "switched off"));
        if has_unique_names(&case.expected) {
            // A view promises no order.
            let case = Case { compare: Compare { in_order: false, ..case.compare }, ..case };
            failures.note(case.check(read(&session, "SELECT * FROM off").await, "as a view"));
        }
    }
    assert!(session.checkpoint_names().await.is_empty());
    failures.finish();
}

async fn named(tables: &Tables) {
    let store = unique("named");
    let first = tables.session(&store).await;
    let cases = cases(tables).await;
    let mut failures = Failures::default();
    for (number, case) in cases.iter().enumerate() {
        failures.note(case.ensured(&first, number, "written").await);
        failures.note(case.check(read_named(&first, number, case).await, "written"));
        failures.note(case.ensured(&first, number, "reused").await);
    }
    let second = tables.session(&store).await;
    for (number, case) in cases.iter().enumerate() {
        failures.note(case.ensured(&second, number, "reused").await);
        failures.note(case.check(read_named(&second, number, case).await, "reused by a new session"));
    }
    failures.finish();
    assert_eq!((first.take_notices(), second.take_notices()), (vec![], vec![]));
}

impl Case {
    /// Runs the CHECKPOINT of this case and says what is unexpected about its report.
    async fn ensured(&self, session: &Session, number: usize, outcome: &str) -> Option<String> {
        let expected = format!("q{number} 1 {outcome} {}", self.expected.rows.len());
        let found = match checkpoint(session, &format!("CHECKPOINT q{number} AS {}", self.sql)).await {
            Ok(report) => brief(&report),
            Err(error) => error.to_string(),
        };
        (found != expected).then(|| format!("{}: {found} instead of {expected}\n{}", self.title, self.sql))
    }
}

/// All columns of a named checkpoint, under the names that the query gave them: repeated names are numbered in a table.
async fn read_named(session: &Session, number: usize, case: &Case) -> Result<Table> {
    let mut table = read(session, &format!("SELECT * FROM q{number}")).await?;
    if !has_unique_names(&case.expected) {
        for (column, (name, _)) in table.columns.iter_mut().zip(&case.expected.columns) {
            column.0.clone_from(name);
        }
    }
    Ok(table)
}

fn has_unique_names(table: &Table) -> bool {
    let names: std::collections::HashSet<_> = table.columns.iter().map(|(name, _)| name).collect();
    names.len() == table.columns.len()
}

async fn read(session: &Session, sql: &str) -> Result<Table> {
    Table::collect(session.sql(sql).await?).await
}

/// Puts an inline checkpoint around every part of every plan in turn. Returns how many cuts were made.
async fn every_cut(tables: &Tables) -> usize {
    let plain = plain(tables).await;
    let mut failures = Failures::default();
    let mut cuts = 0;
    for case in cases(tables).await {
        let store = unique("cuts");
        let (session, later) = (tables.session(&store).await, tables.session(&store).await);
        for session in [&session, &later] {
            // Small units, so that joins and aggregations over these small files are cut as those over large ones are.
            session.sql("SET milepost.unit_bytes = '64 KiB'").await.unwrap();
        }
        let plan = session.state().create_logical_plan(&case.sql).await.unwrap();
        let same = later.state().create_logical_plan(&case.sql).await.unwrap();
        let alone = plain.state().create_logical_plan(&case.sql).await.unwrap();
        for (position, what) in cuttable(&alone, &plain).await {
            let written = run_cut(&session, &plan, position).await;
            let names = session.checkpoint_names().await;
            let reused = run_cut(&session, &plan, position).await;
            let again = run_cut(&later, &same, position).await;
            for (result, how) in
                [(written, "written"), (reused, "reused"), (again, "reused in a new session")]
            {
                failures.note(case.check(result, &format!("{how}, cut at {position} around {what}")));
            }
            if session.checkpoint_names().await != names || names.is_empty() {
                failures
                    .note(Some(format!("{}, cut at {position} around {what}: was not reused", case.title)));
            }
            cuts += 1;
        }
    }
    failures.finish();
    cuts
}

async fn run_cut(session: &Session, plan: &LogicalPlan, position: usize) -> Result<Table> {
    Table::collect(session.execute_logical_plan(cut_at(plan, position)?).await?).await
}

/// Position (in the order of a walk from the top, into subqueries) and name of every part that can be a checkpoint.
async fn cuttable(plan: &LogicalPlan, plain: &SessionContext) -> Vec<(usize, String)> {
    let mut parts = Vec::new();
    plan.apply_with_subqueries(|node| {
        parts.push(node.clone());
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    let mut found = Vec::new();
    for (position, part) in parts.into_iter().enumerate() {
        if gives_rows_of_its_own(&part) && runs_alone(&part, plain).await {
            let shown = part.display().to_string();
            found.push((position, shown.chars().take(60).collect()));
        }
    }
    found
}

/// Some parts mean nothing by themselves: DataFusion cannot run them alone, or gives other columns than they have within
/// the query, as for an aggregate whose calls of `grouping()` it resolves.
async fn runs_alone(part: &LogicalPlan, plain: &SessionContext) -> bool {
    let Ok(frame) = plain.execute_logical_plan(part.clone()).await else { return false };
    let Ok(plan) = frame.clone().create_physical_plan().await else { return false };
    plan.schema().fields().len() == part.schema().fields().len() && frame.collect().await.is_ok()
}

/// Whether a part of a plan stands by itself: it has columns that a snapshot can hold, does not depend on a row of the
/// query around it, and does not read a recursive table that is filled outside of it.
fn gives_rows_of_its_own(node: &LogicalPlan) -> bool {
    if matches!(node, LogicalPlan::Subquery(_))
        || milepost_store::check_schema(node.schema().as_arrow()).is_err()
    {
        return false;
    }
    let mut inner_tables = Vec::new();
    let mut work_tables = Vec::new();
    let mut outer = false;
    node.apply(|part| {
        if let LogicalPlan::RecursiveQuery(query) = part {
            inner_tables.push(query.name.clone());
        }
        if let LogicalPlan::TableScan(scan) = part
            && source_as_provider(&scan.source).is_ok_and(|table| table.is::<CteWorkTable>())
        {
            work_tables.push(scan.table_name.table().to_string());
        }
        part.apply_expressions(|expression| {
            expression.apply(|inner| {
                outer |= matches!(inner, Expr::OuterReferenceColumn(..));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .unwrap();
    !outer && work_tables.iter().all(|table| inner_tables.contains(table))
}

/// The plan with an unnamed checkpoint around its part at `position`.
fn cut_at(plan: &LogicalPlan, position: usize) -> Result<LogicalPlan> {
    let mut at = 0;
    let cut = plan.clone().transform_down_with_subqueries(|node| {
        let here = at == position;
        at += 1;
        if here {
            let node = milepost::logical::checkpoint_node(node, None)?;
            return Ok(Transformed::new(node, true, TreeNodeRecursion::Stop));
        }
        Ok(Transformed::no(node))
    })?;
    assert!(cut.transformed, "nothing at {position}");
    Ok(cut.data)
}

/// Puts checkpoints around all parts of a plan at once, one in another.
struct CutEverywhere {
    cuttable: HashSet<usize>,
    next: usize,
    above: Vec<usize>,
}

impl TreeNodeRewriter for CutEverywhere {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        self.above.push(self.next);
        self.next += 1;
        Ok(Transformed::no(node))
    }

    fn f_up(&mut self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let here = self.above.pop().unwrap();
        if !self.cuttable.contains(&here) {
            return Ok(Transformed::no(node));
        }
        milepost::logical::checkpoint_node(node, None).map(Transformed::yes)
    }
}

async fn cut_everywhere(tables: &Tables) {
    let plain = plain(tables).await;
    let mut failures = Failures::default();
    for case in cases(tables).await {
        let session = tables.session(&unique("everywhere")).await;
        let plan = session.state().create_logical_plan(&case.sql).await.unwrap();
        let alone = plain.state().create_logical_plan(&case.sql).await.unwrap();
        let cuttable = cuttable(&alone, &plain).await.into_iter().map(|(position, _)| position).collect();
        let mut cut = CutEverywhere { cuttable, next: 0, above: vec![] };
        let plan = plan.rewrite_with_subqueries(&mut cut).unwrap().data;
        for how in ["written everywhere", "reused everywhere"] {
            let result =
                async { Table::collect(session.execute_logical_plan(plan.clone()).await?).await }.await;
            failures.note(case.check(result, how));
        }
    }
    failures.finish();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_cut_everywhere() {
    cut_everywhere(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_cut_everywhere() {
    cut_everywhere(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_switched_off() {
    off(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_written_and_reused() {
    named(&Tables::Corpus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_corpus_is_the_same_wherever_it_is_cut() {
    let cuts = every_cut(&Tables::Corpus).await;
    assert!(cuts > 500, "only {cuts} cuts were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_switched_off() {
    off(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_written_and_reused() {
    named(&tpch_tables().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_is_the_same_wherever_it_is_cut() {
    let cuts = every_cut(&tpch_tables().await).await;
    assert!(cuts > 150, "only {cuts} cuts were tried");
}

/// The comparison itself can tell results apart.
#[tokio::test]
async fn differences_are_seen() {
    let context = SessionContext::new();
    let table = |sql: &'static str| {
        let context = context.clone();
        async move { Table::collect(context.sql(sql).await.unwrap()).await.unwrap() }
    };
    let any = Compare { in_order: false, approximate: false };
    let ordered = Compare { in_order: true, ..any };
    let base = table("SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, s)").await;
    let swapped = table("SELECT * FROM (VALUES (2, 'b'), (1, 'a'), (2, 'b')) AS t(i, s)").await;
    assert!(base.difference(&swapped, any).is_none() && base.difference(&swapped, ordered).is_some());
    for other in [
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (1, 'a'), (2, 'b')) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, NULL)) AS t(i, s)",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, x)",
        "SELECT i::INT, s FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS t(i, s)",
    ] {
        assert!(base.difference(&table(other).await, any).is_some(), "{other}");
    }
    let (positive, negative) = (table("SELECT 0.0 AS z").await, table("SELECT -0.0 AS z").await);
    assert!(positive.difference(&negative, any).is_some(), "the sign of zero");
}

#[tokio::test]
async fn tpch_tables_hold_what_tpch_says() {
    let Tables::Tpch(dir) = tpch_tables().await else { panic!("not TPC-H") };
    let context = SessionContext::new();
    tpch::register(&context, Path::new(&dir)).await.unwrap();
    for (table, rows) in
        [("lineitem", 60_175), ("orders", 15_000), ("customer", 1_500), ("nation", 25), ("region", 5)]
    {
        let count = context.table(table).await.unwrap().count().await.unwrap();
        assert_eq!(count, rows, "{table}");
    }
}
