//! What a source is asked, and what it answers.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::Result;
use milepost_store::manifest::SourceVersion;

/// Knows how to identify one kind of table.
#[async_trait]
pub trait SourceIdentity: Debug + Send + Sync {
    /// The kind of source in a word, such as `listing`; it stands in manifests.
    fn kind(&self) -> &'static str;

    /// Identifies `source`, or returns `None` when it is not of this kind.
    ///
    /// The answer must be taken from the source itself and from no cache: a stale answer makes a stale snapshot
    /// look fresh.
    ///
    /// # Errors
    /// The source is of this kind and cannot be looked at, for instance because its store cannot be reached.
    async fn identify(
        &self,
        table: &TableReference,
        source: &Arc<dyn TableProvider>,
        state: &dyn Session,
    ) -> Result<Option<SourceAnswer>>;
}

/// What a source says of itself.
#[derive(Debug, Clone)]
#[must_use]
pub struct SourceAnswer {
    /// Kind, schema, format options and location: all that decides how the source is read. It is only ever
    /// hashed, and must hold no credentials all the same.
    pub canonical: Vec<u8>,
    /// What the source holds now. A version without a digest is unknown and never reused.
    pub version: SourceVersion,
}
