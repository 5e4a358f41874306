//! A snapshot as a source: its content is its version.
//!
//! The content identity, and not the version number, goes into the signature of what is computed from a snapshot. So a
//! recompute upstream that gives the same rows leaves everything downstream fresh.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, TableReference};
use milepost_store::{Digest, SourceVersion};

use super::SnapshotTable;
use crate::identity::canonical::{Encoder, encode_schema};
use crate::identity::{SourceAnswer, SourceIdentity};

/// The kind that stands in manifests.
pub(crate) const SNAPSHOT_KIND: &str = "snapshot";

/// Identifies [`SnapshotTable`]s.
#[derive(Debug)]
pub(crate) struct SnapshotIdentity;

#[async_trait]
impl SourceIdentity for SnapshotIdentity {
    fn kind(&self) -> &'static str {
        SNAPSHOT_KIND
    }

    async fn identify(
        &self,
        _table: &TableReference,
        source: &Arc<dyn TableProvider>,
        _state: &dyn Session,
    ) -> Result<Option<SourceAnswer>> {
        let Some(table) = source.downcast_ref::<SnapshotTable>() else { return Ok(None) };
        let snapshot = table.snapshot();
        let mut canonical = Encoder::new();
        canonical.str(SNAPSHOT_KIND);
        encode_schema(&table.schema(), &mut canonical);
        let version = SourceVersion {
            name: snapshot.name.to_string(),
            kind: SNAPSHOT_KIND.to_string(),
            digest: Some(Digest::from_bytes(*snapshot.manifest.content.as_bytes())),
            objects: Vec::new(),
            note: Some(format!("version {}", snapshot.version)),
        };
        Ok(Some(SourceAnswer { canonical: canonical.finish(), version }))
    }
}
