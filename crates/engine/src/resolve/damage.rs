//! `on_damage = recompute` for snapshots that are read by name: a new version from the stored definition takes the place of
//! one whose files are missing or wrong.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::Snapshot;

use super::freshness::{read_instead, refresh};
use super::resolver::Resolver;
use crate::config::OnDamage;
use crate::context::settings;
use crate::error::store_error;
use crate::scan::named_snapshots_in;

/// Returns the plan to use instead, where new versions took the place of damaged ones.
pub(super) async fn mind_damage(resolver: &Resolver<'_>, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let config = settings(resolver.state);
    if config.on_damage == OnDamage::Error {
        return Ok(None);
    }
    let mut repaired = Vec::new();
    for snapshot in named_snapshots_in(plan)? {
        match resolver.milepost.home.check(&snapshot, config.verify_reads).await {
            Ok(()) => {}
            Err(damage) if damage.is_damage() => repaired.push(repair(resolver, &snapshot, damage).await?),
            Err(error) => return Err(store_error(error)),
        }
    }
    if repaired.is_empty() { Ok(None) } else { read_instead(plan, &repaired, resolver).map(Some) }
}

/// Computes a damaged snapshot again. Its definition must not need what is damaged: one that reads its own earlier version,
/// or another that is being repaired because of it, cannot be repaired.
async fn repair(
    resolver: &Resolver<'_>,
    snapshot: &Snapshot,
    damage: milepost_store::Error,
) -> Result<Snapshot> {
    if resolver.is_making(&snapshot.name) || snapshot.manifest.definition.is_none() {
        return Err(store_error(damage));
    }
    resolver.milepost.notify(format!("{damage}; it is computed again"));
    Ok(refresh(resolver, snapshot, true).await?.snapshot)
}
