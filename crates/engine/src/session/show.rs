//! SHOW CHECKPOINTS and SHOW SNAPSHOTS.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use datafusion::common::{Result, ScalarValue};
use futures::{StreamExt, TryStreamExt};
use milepost_store::{CheckpointName, Overview, Snapshot, Which};

use super::{Session, rows};
use crate::error::store_error;
use crate::resolve::{Freshness, Judge};

/// How many checkpoints are judged side by side.
const SIDE_BY_SIDE: usize = 32;

/// A row of SHOW CHECKPOINTS.
pub(super) struct Shown {
    pub(super) name: CheckpointName,
    /// The newest; `None` if the log does not tell it.
    pub(super) snapshot: Option<Snapshot>,
    /// How many are there.
    pub(super) versions: Option<u64>,
    pub(super) state: &'static str,
    pub(super) why: Option<String>,
}

impl Session {
    pub(super) async fn show_checkpoints(&self, like: Option<&str>) -> Result<RecordBatch> {
        let state = self.context.state();
        let judge = Judge::new(Arc::clone(&self.milepost), &state);
        let found = self.milepost.look_over(Which::Newest).await?;
        let mut wanted = Vec::new();
        for checkpoint in found.checkpoints {
            if matches_pattern(checkpoint.name.as_str(), like)? {
                wanted.push(self.judged(&judge, checkpoint));
            }
        }
        let judged = futures::stream::iter(wanted).buffered(SIDE_BY_SIDE);
        let mut shown: Vec<Shown> =
            judged.try_filter_map(|shown| async move { Ok(shown) }).try_collect().await?;
        for (name, error) in found.unreadable {
            if matches_pattern(name.as_str(), like)? {
                let state = if error.is_damage() { "damaged" } else { "unknown" };
                let why = Some(error.to_string());
                shown.push(Shown { name, snapshot: None, versions: None, state, why });
            }
        }
        shown.sort_by(|a, b| a.name.cmp(&b.name));
        rows::checkpoints(&shown)
    }

    /// What is there comes before what it is worth: a snapshot with a file that is missing or too short is not fresh.
    async fn judged(&self, judge: &Judge<'_>, checkpoint: Overview) -> Result<Option<Shown>> {
        let Overview { name, live, mut snapshots } = checkpoint;
        let Some(snapshot) = snapshots.pop() else { return Ok(None) };
        let (state, why) = match self.store().check_files_by_listing(&snapshot).await {
            Err(damage) if damage.is_damage() => ("damaged", Some(damage.to_string())),
            Err(error) => return Err(store_error(error)),
            Ok(()) => match judge.judge(&snapshot).await? {
                Freshness::Fresh => ("fresh", None),
                Freshness::Stale { why, .. } => ("stale", Some(why.join("; "))),
                Freshness::Unknown(why) => ("unknown", Some(why)),
            },
        };
        let versions = Some(live.len() as u64);
        Ok(Some(Shown { name, snapshot: Some(snapshot), versions, state, why }))
    }

    pub(super) async fn show_snapshots(&self, name: &CheckpointName) -> Result<RecordBatch> {
        match self.store().look(name.clone(), Which::All).await.map_err(store_error)? {
            Some(checkpoint) => rows::snapshots(&checkpoint.snapshots),
            None => Err(self.milepost.missing(name, None).await?.into()),
        }
    }
}

/// SQL's LIKE over a name.
fn matches_pattern(name: &str, like: Option<&str>) -> Result<bool> {
    let Some(pattern) = like else { return Ok(true) };
    let name = ScalarValue::from(name).to_scalar()?;
    let pattern = ScalarValue::from(pattern).to_scalar()?;
    let matched = arrow::compute::like(&name, &pattern)?;
    Ok(matched.len() == 1 && matched.is_valid(0) && matched.value(0))
}
