//! Names mean the newest version when a query runs, and not when it was planned.
//!
//! A view, a prepared statement and a DataFrame keep the plan that was made when they were made, with the version that a name
//! stood for then.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::freshness::read_instead;
use super::resolver::Resolver;
use crate::catalog::snapshot_as_of;
use crate::error::store_error;
use crate::scan::named_snapshots_in;

/// Returns the plan to use instead, where names stand for other versions by now.
pub(super) async fn read_newest(resolver: &Resolver<'_>, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let (milepost, store) = (&resolver.milepost, resolver.milepost.store());
    let mut moved = Vec::new();
    for planned in named_snapshots_in(plan)? {
        let meant = match milepost.turn.as_of(&planned.name) {
            // A step of a job reads what the steps before it have made, and goes on from the newest of its own.
            Some(as_of) if resolver.is_making(&planned.name) => {
                snapshot_as_of(milepost, &planned.name, &as_of.for_its_next()).await?
            }
            Some(as_of) => snapshot_as_of(milepost, &planned.name, &as_of).await?,
            None => store.newest(&planned.name).await.map_err(store_error)?,
        };
        match meant {
            Some(meant) if meant.version == planned.version => {}
            Some(meant) => moved.push(meant),
            None => return Err(milepost.missing(&planned.name, None).await?.into()),
        }
    }
    if moved.is_empty() { Ok(None) } else { read_instead(plan, &moved, resolver).map(Some) }
}
