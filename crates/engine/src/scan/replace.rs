//! A scan of a snapshot in the place of a plan: same columns, same qualifiers, same order.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, Result, TableReference, internal_err};
use datafusion::datasource::{ViewTable, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use milepost_store::{CheckpointName, Snapshot, unique_names};

use super::{ReadBy, SnapshotTable};
use crate::context::Home;

/// The name under which a scan stands in a plan.
fn table_name(snapshot: &Snapshot) -> TableReference {
    TableReference::bare(snapshot.name.as_str())
}

/// A scan that has exactly `schema`, which the snapshot's columns match one by one.
///
/// ```text
/// Checkpoint: clean   [l.id, r.id]     →     Projection: clean.id AS l.id, clean.id_2 AS r.id
///                                              TableScan: clean
/// ```
pub(crate) fn scan_as(home: &Home, snapshot: &Snapshot, schema: &DFSchema) -> Result<LogicalPlan> {
    let table = SnapshotTable::new(home.clone(), snapshot.clone(), ReadBy::Query);
    let stored = table.schema();
    if stored.fields().len() != schema.fields().len() {
        return internal_err!(
            "{} has {} columns and its query {}",
            snapshot.name,
            stored.fields().len(),
            schema.fields().len()
        );
    }
    let name = table_name(snapshot);
    let columns = schema.iter().zip(stored.fields()).map(|((qualifier, field), stored)| {
        let column = Expr::Column(Column::new(Some(name.clone()), stored.name()));
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?.project(columns)?.build()
}

/// The table behind `SELECT … FROM name`. Where the query gave one name to several columns, all but the first get a
/// number, since a table's columns need names of their own.
///
/// A plan that reads it this way minds whether the snapshot is stale; one that asks for a version does not.
pub(crate) fn named_scan(table: SnapshotTable) -> Result<Arc<dyn TableProvider>> {
    let snapshot = table.snapshot().clone();
    let stored = table.schema();
    let wanted = unique_names(snapshot.manifest.column_names(), str::to_owned);
    if stored.fields().iter().map(|f| f.name()).eq(wanted.iter()) {
        return Ok(Arc::new(table));
    }
    let name = table_name(&snapshot);
    let columns: Vec<Expr> = stored
        .fields()
        .iter()
        .zip(wanted)
        .map(|(field, wanted)| Expr::Column(Column::new(Some(name.clone()), field.name())).alias(wanted))
        .collect();
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?
        .project(columns)?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// Whether a plan's and a snapshot's columns carry the same names in the same order.
pub(crate) fn same_names(schema: &DFSchema, snapshot: &Snapshot) -> bool {
    snapshot.manifest.has_names(schema.fields().iter().map(|field| field.name().as_str()))
}

/// The snapshots that a plan scans, each once.
pub(crate) fn snapshots_in(plan: &LogicalPlan) -> Result<Vec<Snapshot>> {
    Ok(each_once(&tables_where(plan, |_| true)?))
}

/// The snapshots that a plan reads by their checkpoint's name, each once.
pub(crate) fn named_snapshots_in(plan: &LogicalPlan) -> Result<Vec<Snapshot>> {
    Ok(each_once(&named_tables_in(plan)?))
}

/// Every scan of a snapshot by its checkpoint's name.
pub(crate) fn named_tables_in(plan: &LogicalPlan) -> Result<Vec<SnapshotTable>> {
    tables_where(plan, SnapshotTable::is_named)
}

fn each_once(tables: &[SnapshotTable]) -> Vec<Snapshot> {
    let mut found: Vec<Snapshot> = Vec::new();
    for this in tables.iter().map(SnapshotTable::snapshot) {
        if !found.iter().any(|seen| seen.name == this.name && seen.version == this.version) {
            found.push(this.clone());
        }
    }
    found
}

fn tables_where(plan: &LogicalPlan, wanted: impl Fn(&SnapshotTable) -> bool) -> Result<Vec<SnapshotTable>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = provider.downcast_ref::<SnapshotTable>()
            && wanted(table)
        {
            found.push(table.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether the plan scans the given checkpoint, and which version of it.
pub(crate) fn version_read(snapshots: &[Snapshot], name: &CheckpointName) -> Option<milepost_store::Version> {
    snapshots.iter().filter(|s| s.name == *name).map(|s| s.version).max()
}
