//! The ordered list of source identities.

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::Result;
use milepost_store::manifest::SourceVersion;
use milepost_store::redact;

use super::{
    EmptyIdentity, FilePolicy, ListingIdentity, MemoryIdentity, SeriesIdentity, SourceAnswer, SourceIdentity,
};
use crate::identity::canonical::{Encoder, encode_schema};

/// An ordered list of [`SourceIdentity`]; the first that answers wins.
#[derive(Debug, Clone)]
pub struct SourceRegistry {
    identities: Vec<Arc<dyn SourceIdentity>>,
}

impl Default for SourceRegistry {
    /// Listing tables, in-memory tables, empty tables, `generate_series` and `range`.
    fn default() -> Self {
        Self::with_file_policy(FilePolicy::default())
    }
}

impl SourceRegistry {
    /// A registry that knows no source: every table is unknown.
    pub fn empty() -> Self {
        Self { identities: Vec::new() }
    }

    /// The default registry with another policy for files that were written just now.
    pub fn with_file_policy(policy: FilePolicy) -> Self {
        Self {
            identities: vec![
                Arc::new(ListingIdentity::new(policy)),
                Arc::new(MemoryIdentity::default()),
                Arc::new(EmptyIdentity),
                Arc::new(SeriesIdentity),
            ],
        }
    }

    /// Adds an identity that is asked before all that are there.
    #[must_use]
    pub fn with_first(mut self, identity: Arc<dyn SourceIdentity>) -> Self {
        self.identities.insert(0, identity);
        self
    }

    /// Asks each identity in turn. A table that none knows gets a version without a digest and a note that says
    /// what to do.
    ///
    /// # Errors
    /// The first error of an identity that knows the table.
    pub async fn identify(
        &self,
        table: &TableReference,
        source: &Arc<dyn TableProvider>,
        state: &dyn Session,
    ) -> Result<SourceAnswer> {
        for identity in &self.identities {
            if let Some(answer) = identity.identify(table, source, state).await? {
                return Ok(answer);
            }
        }
        Ok(unknown(table, source))
    }
}

fn unknown(table: &TableReference, source: &Arc<dyn TableProvider>) -> SourceAnswer {
    let mut out = Encoder::new();
    out.str("unknown");
    out.str(&table.to_string());
    encode_schema(&source.schema(), &mut out);
    let name = redact(&table.to_string()).into_owned();
    SourceAnswer {
        canonical: out.finish(),
        version: SourceVersion {
            name: name.clone(),
            kind: "unknown".to_owned(),
            digest: None,
            objects: Vec::new(),
            note: Some(format!(
                "table {name} cannot say which version it is; register a SourceIdentity for it to reuse results"
            )),
        },
    }
}
