//! From stored log entries to what callers see.

use std::sync::Arc;

use super::Inner;
use crate::error::Error;
use crate::ids::CheckpointName;
use crate::log::{
    CheckpointEntry, CheckpointRecord, Entry, LiveVersion, LogState, StoredEntry, StoredRecord,
};
use crate::sidefile::SideFiles;
use crate::snapshot::Snapshot;

impl Inner {
    /// The newest entry of a checkpoint's log.
    pub(crate) async fn newest_entry(
        &self,
        name: &CheckpointName,
    ) -> Result<Option<Entry<StoredRecord>>, Error> {
        let newest = self.log(name).newest().await?;
        if newest.is_some() {
            self.expect_identity().await?;
        }
        Ok(newest)
    }

    /// What is there of a checkpoint.
    pub(crate) async fn state(&self, name: &CheckpointName) -> Result<LogState, Error> {
        Ok(self.newest_entry(name).await?.map(|entry| entry.body.state).unwrap_or_default())
    }

    /// The snapshot of a live version. `hint` may be the entry of its commit, if that was just read.
    pub(crate) async fn load(
        &self,
        name: &CheckpointName,
        live: &LiveVersion,
        hint: Option<Entry<StoredRecord>>,
    ) -> Result<Snapshot, Error> {
        let log = self.log(name);
        let path = log.path(live.slot);
        let entry = match hint.filter(|entry| entry.slot == live.slot) {
            Some(entry) => Some(entry),
            None => log.read(live.slot).await?,
        };
        let entry = entry.ok_or_else(|| Error::damaged(&path, "a commit", "nothing"))?;
        let committed_ms = entry.written_ms;
        let StoredEntry::Commit { version, attempt, manifest } = entry.body.entry else {
            return Err(Error::damaged(
                &path,
                format!("the commit of version {}", live.version),
                "another entry",
            ));
        };
        if (version, attempt, manifest.signature()) != (live.version, live.attempt, live.signature) {
            let expected = format!("the commit of version {} by attempt {}", live.version, live.attempt);
            return Err(Error::damaged(&path, expected, format!("version {version} by attempt {attempt}")));
        }
        let manifest = Arc::new(self.side_files(name).load(*manifest).await?);
        Ok(Snapshot { name: name.clone(), version, slot: live.slot, attempt, manifest, committed_ms })
    }

    /// An entry with its whole manifest.
    pub(crate) async fn record(
        &self,
        name: &CheckpointName,
        entry: Entry<StoredRecord>,
    ) -> Result<Entry<CheckpointRecord>, Error> {
        let body = entry.body.clone();
        let happened = match body.entry {
            StoredEntry::Commit { version, attempt, manifest } => {
                let manifest = Box::new(self.side_files(name).load(*manifest).await?);
                CheckpointEntry::Commit { version, attempt, manifest }
            }
            StoredEntry::Drop { version } => CheckpointEntry::Drop { version },
            StoredEntry::DropAll => CheckpointEntry::DropAll,
            StoredEntry::Abandon { attempt } => CheckpointEntry::Abandon { attempt },
        };
        Ok(entry.with_body(CheckpointRecord { entry: happened, state: body.state }))
    }

    pub(crate) fn side_files<'a>(&'a self, name: &'a CheckpointName) -> SideFiles<'a> {
        SideFiles { objects: self.objects.as_ref(), layout: &self.layout, name }
    }
}
