//! The queries, and what plain DataFusion makes of them.

use std::path::PathBuf;

use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use milepost::Session;
use milepost_tests::table::{Compare, Table};
use milepost_tests::{corpus, tpch};

use crate::support::{self, config, open_memory};

/// Where a query's tables come from.
#[derive(Clone)]
pub(super) enum Tables {
    Corpus,
    Tpch(PathBuf),
}

impl Tables {
    pub(super) async fn register(&self, context: &SessionContext) -> Result<()> {
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

    pub(super) async fn session(&self, store: &str) -> Session {
        let session = open_memory(store).await;
        self.register(&session).await.unwrap();
        session
    }
}

pub(super) struct Case {
    pub(super) title: String,
    pub(super) sql: String,
    pub(super) compare: Compare,
    pub(super) expected: Table,
}

impl Case {
    pub(super) async fn new(title: &str, sql: &str, approximate: bool, plain: &SessionContext) -> Self {
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
    pub(super) fn check(&self, actual: Result<Table>, how: &str) -> Option<String> {
        let wrong = match actual {
            Ok(actual) => self.expected.difference(&actual, self.compare)?,
            Err(error) => error.to_string(),
        };
        Some(format!("{}, {how}: {wrong}\n{}", self.title, self.sql))
    }
}

/// All that went wrong in one test, so that one failure does not hide the others.
#[derive(Default)]
pub(super) struct Failures(Vec<String>);

impl Failures {
    pub(super) fn note(&mut self, failure: Option<String>) {
        self.0.extend(failure);
    }

    #[track_caller]
    pub(super) fn finish(self) {
        assert!(self.0.is_empty(), "{} failures:\n\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

/// Whether a plan promises an order: it sorts, with nothing above the sort that mixes rows.
pub(super) fn is_ordered(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Limit(_) | LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().first().is_some_and(|input| is_ordered(input))
        }
        _ => false,
    }
}

/// DataFusion without Milepost.
pub(super) async fn plain(tables: &Tables) -> SessionContext {
    let plain = SessionContext::new_with_config(config());
    tables.register(&plain).await.unwrap();
    plain
}

pub(super) async fn cases(tables: &Tables) -> Vec<Case> {
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

/// TPC-H's tables.
pub(super) async fn tpch_tables() -> Tables {
    Tables::Tpch(support::tpch_tables().await)
}

pub(super) fn has_unique_names(table: &Table) -> bool {
    let names: std::collections::HashSet<_> = table.columns.iter().map(|(name, _)| name).collect();
    names.len() == table.columns.len()
}

pub(super) async fn read(session: &Session, sql: &str) -> Result<Table> {
    Table::collect(session.sql(sql).await?).await
}
