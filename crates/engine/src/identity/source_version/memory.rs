//! Tables without files: rows in memory, and no rows at all.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result};
use milepost_store::content::ContentHasher;
use milepost_store::ids::{ContentId, Digest};
use milepost_store::manifest::SourceVersion;
use parking_lot::Mutex;

use super::{SourceAnswer, SourceIdentity};
use crate::identity::canonical::{Encoder, encode_constraints, encode_schema, encode_table_sorts};

/// Identifies in-memory tables by their rows. Their order counts only where the table declares one: `CREATE TABLE AS` makes
/// another one each time, and in SQL a table has none.
///
/// The columns of a table never change in place, so a table that still holds the same columns is not hashed again.
#[derive(Debug, Default)]
pub struct MemoryIdentity {
    known: Mutex<VecDeque<Known>>,
}

/// How many tables to remember.
const REMEMBERED: usize = 32;

/// Columns that were hashed. The weak references keep their addresses from being given to others.
#[derive(Debug)]
struct Known {
    schema: SchemaRef,
    columns: Vec<Weak<dyn Array>>,
    rows: Vec<usize>,
    ordered: bool,
    content: ContentId,
}

impl Known {
    fn new(schema: &SchemaRef, batches: &[RecordBatch], ordered: bool, content: ContentId) -> Self {
        let columns = batches.iter().flat_map(RecordBatch::columns).map(Arc::downgrade).collect();
        let rows = batches.iter().map(RecordBatch::num_rows).collect();
        Self { schema: Arc::clone(schema), columns, rows, ordered, content }
    }

    fn holds(&self, schema: &SchemaRef, batches: &[RecordBatch], ordered: bool) -> bool {
        let same = |(weak, column): (&Weak<dyn Array>, &ArrayRef)| {
            weak.as_ptr().cast::<()>() == Arc::as_ptr(column).cast::<()>()
        };
        self.ordered == ordered
            && self.schema == *schema
            && self.rows.len() == batches.len()
            && self.rows.iter().zip(batches).all(|(rows, batch)| *rows == batch.num_rows())
            && self.columns.len() == batches.iter().map(RecordBatch::num_columns).sum::<usize>()
            && self.columns.iter().zip(batches.iter().flat_map(RecordBatch::columns)).all(same)
    }
}

impl MemoryIdentity {
    async fn content(
        &self,
        schema: &SchemaRef,
        batches: Vec<RecordBatch>,
        ordered: bool,
    ) -> Result<Option<ContentId>> {
        let holds = |known: &&Known| known.holds(schema, &batches, ordered);
        let known = self.known.lock().iter().find(holds).map(|known| known.content);
        if known.is_some() {
            return Ok(known);
        }
        let (types, rows) = (Arc::clone(schema), batches.clone());
        let hashed = tokio::task::spawn_blocking(move || content(&types, &rows, ordered)).await;
        let hashed = hashed.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
        let content = hashed.map_err(|error| DataFusionError::External(Box::new(error)))?;
        if let Some(content) = content {
            let mut known = self.known.lock();
            known.push_front(Known::new(schema, &batches, ordered, content));
            known.truncate(REMEMBERED);
        }
        Ok(content)
    }
}

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

        let content = self.content(&schema, batches, !orders.is_empty()).await?;
        let note = content
            .is_none()
            .then(|| format!("the columns of table {name} have types that cannot be hashed"));
        let version = SourceVersion {
            name: name.to_string(),
            kind: self.kind().to_owned(),
            digest: content.map(|content| content.digest()),
            objects: Vec::new(),
            note,
        };
        Ok(Some(SourceAnswer { canonical: out.finish(), version }))
    }
}

/// Hashes rows by their values; batch boundaries and the layout of buffers do not matter.
fn content(
    schema: &Schema,
    batches: &[RecordBatch],
    ordered: bool,
) -> milepost_store::Result<Option<ContentId>> {
    let mut hasher = ContentHasher::new(schema, ordered)?;
    for batch in batches {
        hasher.update(batch)?;
    }
    Ok(ContentId::combine(schema, &[], &[hasher.finish()]))
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
