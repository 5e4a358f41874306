//! Tables without files: rows in memory, and no rows at all.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result};
use milepost_store::ids::Digest;
use milepost_store::manifest::SourceVersion;

use super::{SourceAnswer, SourceIdentity};
use crate::identity::canonical::{Encoder, encode_constraints, encode_schema, encode_table_sorts};

/// Identifies in-memory tables by their rows, in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryIdentity;

#[async_trait]
impl SourceIdentity for MemoryIdentity {
    fn kind(&self) -> &'static str {
        "memory"
    }

    async fn identify(
        &self,
        name: &TableReference,
        source: &Arc<dyn TableProvider>,
        state: &dyn Session,
    ) -> Result<Option<SourceAnswer>> {
        let Some(table) = source.downcast_ref::<MemTable>() else { return Ok(None) };
        let schema = table.schema();
        let mut batches = Vec::new();
        for partition in &table.batches {
            batches.extend(partition.read().await.iter().cloned());
        }
        let mut out = Encoder::new();
        out.str("memory");
        encode_schema(&schema, &mut out);
        encode_constraints(table.constraints(), &mut out);
        let orders = table.sort_order.lock().clone();
        encode_table_sorts(&orders, &schema, state.config_options(), &mut out)?;

        let digest = tokio::task::spawn_blocking(move || content(&schema, &batches))
            .await
            .map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
        let note =
            digest.as_ref().err().map(|error| format!("the rows of table {name} cannot be hashed: {error}"));
        let version = SourceVersion {
            name: name.to_string(),
            kind: self.kind().to_owned(),
            digest: digest.ok(),
            objects: Vec::new(),
            note,
        };
        Ok(Some(SourceAnswer { canonical: out.finish(), version }))
    }
}

/// Hashes rows by their values, so that batch boundaries and the layout of buffers do not matter.
fn content(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut rows = 0_u64;
    for batch in batches {
        rows += batch.num_rows() as u64;
        if batch.num_columns() == 0 {
            continue;
        }
        for row in &converter.convert_columns(batch.columns())? {
            let row = row.as_ref();
            hasher.update(&(row.len() as u64).to_le_bytes());
            hasher.update(row);
        }
    }
    hasher.update(&rows.to_le_bytes());
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Identifies tables that hold nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyIdentity;

#[async_trait]
impl SourceIdentity for EmptyIdentity {
    fn kind(&self) -> &'static str {
        "empty"
    }

    async fn identify(
        &self,
        name: &TableReference,
        source: &Arc<dyn TableProvider>,
        _state: &dyn Session,
    ) -> Result<Option<SourceAnswer>> {
        if source.downcast_ref::<EmptyTable>().is_none() {
            return Ok(None);
        }
        let mut out = Encoder::new();
        out.str(self.kind());
        encode_schema(&source.schema(), &mut out);
        Ok(Some(constant(name, self.kind(), out)))
    }
}

/// A source that its canonical form says everything about.
pub(super) fn constant(name: &TableReference, kind: &str, out: Encoder) -> SourceAnswer {
    let version = SourceVersion {
        name: name.to_string(),
        kind: kind.to_owned(),
        digest: Some(Digest::from_bytes(out.hash())),
        objects: Vec::new(),
        note: None,
    };
    SourceAnswer { canonical: out.finish(), version }
}
