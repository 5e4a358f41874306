//! `on_damage = recompute` for snapshots that are read by name: a new version from the stored definition takes the place of
//! one whose files are missing or wrong.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::{Error as StoreError, Snapshot};

use super::freshness::{read_instead, refresh};
use super::resolver::Resolver;
use crate::config::OnDamage;
use crate::context::settings;
use crate::scan::{ReadBy, SnapshotTable, damaged, named_tables_in};

/// Returns the plan to use instead, where new versions took the place of damaged ones.
pub(super) async fn mind_damage(resolver: &Resolver<'_>, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let config = settings(resolver.state);
    let tables = named_tables_in(plan)?;
    tables.iter().for_each(|table| table.note_checked(false));
    if config.on_damage == OnDamage::Error {
        return Ok(None);
    }
    let mut repaired: Vec<Snapshot> = Vec::new();
    let mut sound: Vec<&SnapshotTable> = Vec::new();
    for table in &tables {
        let snapshot = table.snapshot();
        let same = |other: &Snapshot| other.name == snapshot.name;
        if repaired.iter().any(same) || sound.iter().any(|table| same(table.snapshot())) {
            continue;
        }
        match resolver.milepost.home.check(snapshot, config.verify_reads).await {
            Ok(()) => sound.push(table),
            Err(damage) => repaired.push(repair(resolver, snapshot, damage).await?),
        }
    }
    // Repairs take time; what was sound before them is read soon after all the same.
    sound.iter().for_each(|table| table.note_checked(config.verify_reads));
    if repaired.is_empty() { Ok(None) } else { read_instead(plan, &repaired, resolver).map(Some) }
}

/// Computes a damaged snapshot again. Its definition must not need what is damaged: one that reads its own earlier version,
/// or another that is being repaired because of it, cannot be repaired.
async fn repair(resolver: &Resolver<'_>, snapshot: &Snapshot, damage: StoreError) -> Result<Snapshot> {
    let cannot = resolver.is_making(&snapshot.name) || snapshot.manifest.definition.is_none();
    if cannot || !damage.is_damage() {
        // Whether another statement could do it or not, this one cannot.
        let home = &resolver.milepost.home;
        return Err(damaged(home, snapshot, ReadBy::Name, OnDamage::Error, damage).into());
    }
    resolver.milepost.notify(format!("{damage}; it is computed again"));
    Ok(refresh(resolver, snapshot, true).await?.snapshot)
}
