//! Asking every leaf of a plan for its version.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use milepost_store::manifest::SourceVersion;
use milepost_store::redact;

use super::canonical::{Encoder, encode_schema};
use super::error::{Error, Result};
use super::source_version::{SourceAnswer, SourceRegistry};

/// The answers of a plan's leaves. Each table is asked once, however often the plan reads it.
#[derive(Default)]
pub(super) struct Leaves {
    answers: Vec<SourceAnswer>,
    /// Which answer belongs to which source object.
    by_source: HashMap<usize, usize>,
    /// The answer of every scan, in plan order.
    order: Vec<usize>,
    /// Keeps the source objects alive, so that no address means two of them.
    held: Vec<Arc<dyn TableSource>>,
}

impl fmt::Debug for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaves").field("answers", &self.answers).finish_non_exhaustive()
    }
}

impl Leaves {
    pub(super) async fn identify(
        plan: &LogicalPlan,
        state: &SessionState,
        sources: &SourceRegistry,
    ) -> Result<Self> {
        Self::identify_all(&[plan], state, sources).await
    }

    /// The leaves of several plans, which read the same tables.
    pub(super) async fn identify_all(
        plans: &[&LogicalPlan],
        state: &SessionState,
        sources: &SourceRegistry,
    ) -> Result<Self> {
        let mut leaves = Self::default();
        let mut by_provider = HashMap::new();
        let mut scanned = Vec::new();
        for plan in plans {
            scanned.extend(scans(plan)?);
        }
        for (name, source) in scanned {
            // Plans that stand in each other share their sources.
            if plans.len() > 1 && leaves.by_source.contains_key(&address_of(&source)) {
                continue;
            }
            let answer = match provider_of(&source) {
                Provider::Known(provider) => {
                    let address = Arc::as_ptr(&provider).cast::<()>() as usize;
                    match by_provider.get(&address) {
                        Some(answer) => *answer,
                        None => {
                            let answer = leaves.ask(&name, &provider, state, sources).await?;
                            by_provider.insert(address, answer);
                            answer
                        }
                    }
                }
                Provider::WorkTable => continue,
                Provider::Foreign => leaves.push(foreign(&name, &source)),
            };
            leaves.by_source.insert(address_of(&source), answer);
            leaves.order.push(answer);
            leaves.held.push(source);
        }
        Ok(leaves)
    }

    /// The leaves of one of the plans that were looked at together.
    pub(super) fn within(&self, plan: &LogicalPlan) -> Result<Self> {
        let mut leaves = Self::default();
        let mut taken = HashMap::new();
        for (_, source) in scans(plan)? {
            let Some(known) = self.by_source.get(&address_of(&source)).copied() else { continue };
            let Some(answer) = self.answers.get(known) else { continue };
            let answer = *taken.entry(known).or_insert_with(|| leaves.push(answer.clone()));
            leaves.by_source.insert(address_of(&source), answer);
            leaves.order.push(answer);
            leaves.held.push(source);
        }
        Ok(leaves)
    }

    /// The canonical half of the answer for a scan of `source`; none for the work table of a recursive query.
    pub(super) fn canonical(&self, source: &Arc<dyn TableSource>) -> Option<&[u8]> {
        let answer = *self.by_source.get(&address_of(source))?;
        self.answers.get(answer).map(|answer| answer.canonical.as_slice())
    }

    /// The version behind every scan, in plan order.
    pub(super) fn occurrences(&self) -> Vec<&SourceVersion> {
        self.order
            .iter()
            .filter_map(|answer| self.answers.get(*answer))
            .map(|answer| &answer.version)
            .collect()
    }

    /// Every version once, in plan order.
    pub(super) fn distinct(&self) -> Vec<SourceVersion> {
        let mut distinct: Vec<&SourceAnswer> = Vec::new();
        for answer in &self.answers {
            let same = |other: &&SourceAnswer| {
                other.canonical == answer.canonical
                    && other.version.name == answer.version.name
                    && other.version.digest == answer.version.digest
            };
            if !distinct.iter().any(same) {
                distinct.push(answer);
            }
        }
        distinct.into_iter().map(|answer| answer.version.clone()).collect()
    }

    /// Why one of the sources has no version.
    pub(super) fn why_unknown(&self) -> Option<String> {
        let unknown =
            self.answers.iter().map(|answer| &answer.version).find(|version| version.digest.is_none())?;
        Some(unknown.note.clone().unwrap_or_else(|| format!("table {} has no version", unknown.name)))
    }

    async fn ask(
        &mut self,
        name: &TableReference,
        provider: &Arc<dyn TableProvider>,
        state: &SessionState,
        sources: &SourceRegistry,
    ) -> Result<usize> {
        let answer = sources.identify(name, provider, state).await;
        let answer = answer.map_err(|source| Error::Source { table: shown(name), source })?;
        Ok(self.push(answer))
    }

    fn push(&mut self, answer: SourceAnswer) -> usize {
        self.answers.push(answer);
        self.answers.len() - 1
    }
}

enum Provider {
    Known(Arc<dyn TableProvider>),
    /// The table through which a recursive query reads itself.
    WorkTable,
    /// A source that hides no DataFusion table.
    Foreign,
}

fn provider_of(source: &Arc<dyn TableSource>) -> Provider {
    match source_as_provider(source) {
        Ok(provider) if provider.downcast_ref::<CteWorkTable>().is_some() => Provider::WorkTable,
        Ok(provider) => Provider::Known(provider),
        Err(_) => Provider::Foreign,
    }
}

fn scans(plan: &LogicalPlan) -> Result<Vec<(TableReference, Arc<dyn TableSource>)>> {
    let mut scans = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(TableScan { table_name, source, .. }) = node {
            scans.push((table_name.clone(), Arc::clone(source)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(scans)
}

fn address_of(source: &Arc<dyn TableSource>) -> usize {
    Arc::as_ptr(source).cast::<()>() as usize
}

fn foreign(name: &TableReference, source: &Arc<dyn TableSource>) -> SourceAnswer {
    let mut out = Encoder::new();
    out.str("foreign");
    out.str(&name.to_string());
    encode_schema(&source.schema(), &mut out);
    SourceAnswer {
        canonical: out.finish(),
        version: SourceVersion {
            name: shown(name),
            kind: "unknown".to_owned(),
            digest: None,
            objects: Vec::new(),
            note: Some(format!(
                "table {} is no DataFusion table and cannot say which version it is",
                shown(name)
            )),
        },
    }
}

/// A table's name, which may be a URL.
fn shown(name: &TableReference) -> String {
    redact(&name.to_string()).into_owned()
}
