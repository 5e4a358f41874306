//! `generate_series` and `range`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::error::Result;
use datafusion::functions_table::generate_series::GenerateSeriesTable;

use super::memory::constant;
use super::{SourceAnswer, SourceIdentity};
use crate::identity::canonical::{Encoder, encode_schema};

/// Identifies series by their arguments.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeriesIdentity;

#[async_trait]
impl SourceIdentity for SeriesIdentity {
    fn kind(&self) -> &'static str {
        "series"
    }

    async fn identify(
        &self,
        name: &TableReference,
        source: &Arc<dyn TableProvider>,
        _state: &dyn Session,
    ) -> Result<Option<SourceAnswer>> {
        let Some(series) = source.downcast_ref::<GenerateSeriesTable>() else { return Ok(None) };
        let mut out = Encoder::new();
        out.str(self.kind());
        encode_schema(&source.schema(), &mut out);
        // The arguments are private. Their derived debug text holds each number in full, and DataFusion's version,
        // which decides the text, comes first in every fingerprint.
        out.str(&format!("{series:?}"));
        Ok(Some(constant(name, self.kind(), out)))
    }
}
