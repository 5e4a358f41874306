//! All checkpoints of a store at a glance, from one read of each log.

use futures::StreamExt;

use super::{REQUESTS, Store};
use crate::error::Error;
use crate::ids::CheckpointName;
use crate::log::{Entry, LiveVersion, StoredRecord};
use crate::snapshot::Snapshot;

/// Which snapshots an [`Overview`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// None: names and versions alone.
    Names,
    /// The newest of each checkpoint.
    Newest,
    /// All that are there.
    All,
}

/// A checkpoint that has a snapshot, as the end of its log tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Its name.
    pub name: CheckpointName,
    /// The versions that are there, oldest first; never empty.
    pub live: Vec<LiveVersion>,
    /// The snapshots that were asked for, oldest first.
    pub snapshots: Vec<Snapshot>,
}

/// A whole store at a glance.
#[derive(Debug, Default)]
pub struct Overviews {
    /// Every checkpoint that has a snapshot, by name.
    pub checkpoints: Vec<Overview>,
    /// Those whose log cannot be read, and why: damage at one name hides no other.
    pub unreadable: Vec<(CheckpointName, Error)>,
}

impl Store {
    /// Every checkpoint that has a snapshot. Each log is read once, so what is said of one checkpoint was true at one moment.
    ///
    /// # Errors
    /// As [`Self::checkpoints`]; or the object store fails. What is wrong with one checkpoint is in the result.
    pub async fn overview(&self, which: Which) -> Result<Overviews, Error> {
        let names = self.listed_names().await?;
        let looks: Vec<_> = names
            .into_iter()
            .map(|name| async move { (name.clone(), self.look(name, which).await) })
            .collect();
        let mut looks = futures::stream::iter(looks).buffered(REQUESTS);
        let mut found = Overviews::default();
        while let Some((name, look)) = looks.next().await {
            match look {
                Ok(overview) => found.checkpoints.extend(overview),
                Err(error) if error.is_of_one_object() => found.unreadable.push((name, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// One checkpoint as in [`Self::overview`]; `None` if it has no snapshot.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn look(&self, name: CheckpointName, which: Which) -> Result<Option<Overview>, Error> {
        let Some(entry) = self.inner.newest_entry(&name).await? else { return Ok(None) };
        let live = entry.body.state.live.clone();
        if live.is_empty() {
            return Ok(None);
        }
        let wanted = match which {
            Which::Names => &[],
            Which::Newest => &live[live.len() - 1..],
            Which::All => live.as_slice(),
        };
        let snapshots = self.load_all(&name, wanted, &entry).await?;
        Ok(Some(Overview { name, live, snapshots }))
    }

    async fn load_all(
        &self,
        name: &CheckpointName,
        wanted: &[LiveVersion],
        newest: &Entry<StoredRecord>,
    ) -> Result<Vec<Snapshot>, Error> {
        let mut snapshots = Vec::with_capacity(wanted.len());
        for live in wanted {
            let hint = (newest.slot == live.slot).then(|| newest.clone());
            snapshots.push(self.inner.load(name, live, hint).await?);
        }
        Ok(snapshots)
    }
}
