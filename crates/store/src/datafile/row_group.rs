//! Encodes the columns of one row group: in the caller's task, or on lanes beside it.
//!
//! ```text
//!                 ┌─▶ lane 0: columns 0, 3, 4 ─┐
//! batch of rows ──┼─▶ lane 1: columns 1, 2     ├──▶ chunks in the schema's order
//!                 └─▶ the caller goes on       ─┘
//! ```
//!
//! A lane takes one batch at a time, so a caller is never more than one batch ahead of the slowest.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::SchemaDescriptor;
use tokio::task::JoinHandle;

use super::times::WriteTimes;
use crate::statistics::array_memory_size;

/// The columns of a row group that is being filled.
#[derive(Debug)]
pub(super) struct RowGroupEncoder {
    schema: SchemaRef,
    lanes: Vec<Lane>,
    rows: usize,
    times: Arc<WriteTimes>,
}

/// Some columns of the row group, and who encodes them.
#[derive(Debug)]
enum Lane {
    Idle(Box<Columns>),
    /// Encodes a batch; the sizes are those before it.
    Busy(JoinHandle<Result<Box<Columns>>>, Sizes),
    /// Its task failed.
    Lost,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    memory: usize,
    encoded: usize,
}

#[derive(Debug)]
struct Columns {
    schema: SchemaRef,
    times: Arc<WriteTimes>,
    columns: Vec<Column>,
}

/// The writers of a column's leaves; a column that is not nested has one.
#[derive(Debug)]
struct Column {
    index: usize,
    leaves: Vec<ArrowColumnWriter>,
}

impl RowGroupEncoder {
    /// Starts an empty row group whose first rows are `first`, on so many lanes; with one, nothing runs beside the caller.
    pub(super) fn new(
        factory: &ArrowRowGroupWriterFactory,
        descriptor: &SchemaDescriptor,
        group: usize,
        first: &RecordBatch,
        lanes: usize,
        times: &Arc<WriteTimes>,
    ) -> Result<Self> {
        let mut columns: Vec<Column> =
            (0..first.num_columns()).map(|index| Column { index, leaves: vec![] }).collect();
        for (leaf, writer) in factory.create_column_writers(group)?.into_iter().enumerate() {
            let root = descriptor.get_column_root_idx(leaf);
            let column = columns.get_mut(root).ok_or_else(|| lost("a leaf has no column"))?;
            column.leaves.push(writer);
        }
        let schema = first.schema();
        let lanes = deal(columns, first, lanes.max(1));
        let lane = |columns| {
            Lane::Idle(Box::new(Columns { schema: schema.clone(), times: Arc::clone(times), columns }))
        };
        let lanes = lanes.into_iter().map(lane).collect();
        Ok(Self { schema, lanes, rows: 0, times: Arc::clone(times) })
    }

    /// Takes a batch in. With several lanes it is encoded when the next call to this or to [`Self::close`] returns.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows();
        if let [Lane::Idle(columns)] = self.lanes.as_mut_slice() {
            return columns.write(batch);
        }
        for lane in &mut self.lanes {
            let mut columns = lane.take().await?;
            let sizes = columns.sizes();
            let batch = batch.clone();
            let encode = move || columns.write(&batch).map(|()| columns);
            *lane = Lane::Busy(tokio::task::spawn_blocking(encode), sizes);
        }
        Ok(())
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory held, without those of a batch that is being encoded.
    pub(super) fn memory_size(&self) -> usize {
        self.lanes.iter().map(|lane| lane.sizes().memory).sum()
    }

    /// About how many bytes the row group will take in the file.
    pub(super) fn encoded_size(&self) -> usize {
        self.lanes.iter().map(|lane| lane.sizes().encoded).sum()
    }

    /// The complete chunks, in the schema's order.
    pub(super) async fn close(self) -> Result<Vec<ArrowColumnChunk>> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for mut lane in self.lanes {
            columns.extend(lane.take().await?.columns);
        }
        columns.sort_by_key(|column| column.index);
        // Compresses what is left of each.
        let began = Instant::now();
        let leaves = columns.into_iter().flat_map(|column| column.leaves);
        let chunks = leaves.map(ArrowColumnWriter::close).collect();
        self.times.encoded(began.elapsed());
        chunks
    }
}

impl Lane {
    async fn take(&mut self) -> Result<Box<Columns>> {
        match std::mem::replace(self, Self::Lost) {
            Self::Idle(columns) => Ok(columns),
            Self::Busy(task, _) => task.await.map_err(|stopped| ParquetError::External(Box::new(stopped)))?,
            Self::Lost => Err(lost("it failed before")),
        }
    }

    fn sizes(&self) -> Sizes {
        match self {
            Self::Idle(columns) => columns.sizes(),
            Self::Busy(_, sizes) => *sizes,
            Self::Lost => Sizes::default(),
        }
    }
}

impl Columns {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let began = Instant::now();
        for Column { index, leaves } in &mut self.columns {
            let levels = compute_leaves(self.schema.field(*index), batch.column(*index))?;
            for (writer, leaf) in leaves.iter_mut().zip(&levels) {
                writer.write(leaf)?;
            }
        }
        self.times.encoded(began.elapsed());
        Ok(())
    }

    fn sizes(&self) -> Sizes {
        let leaves = self.columns.iter().flat_map(|column| &column.leaves);
        leaves.fold(Sizes::default(), |sum, leaf| Sizes {
            memory: sum.memory + leaf.memory_size(),
            encoded: sum.encoded + leaf.get_estimated_total_bytes(),
        })
    }
}

/// Deals columns out to lanes: the widest first, each to the lane that has least so far.
fn deal(mut columns: Vec<Column>, first: &RecordBatch, lanes: usize) -> Vec<Vec<Column>> {
    /// What encoding a value costs besides its bytes, in bytes.
    const VALUE: usize = 8;
    let cost =
        |column: &Column| array_memory_size(first.column(column.index).as_ref()) + VALUE * first.num_rows();
    columns.sort_by_key(|column| std::cmp::Reverse(cost(column)));
    let mut dealt: Vec<(usize, Vec<Column>)> =
        (0..lanes.min(columns.len()).max(1)).map(|_| (0, vec![])).collect();
    for column in columns {
        if let Some((load, lane)) = dealt.iter_mut().min_by_key(|(load, _)| *load) {
            *load += cost(&column);
            lane.push(column);
        }
    }
    dealt.into_iter().map(|(_, lane)| lane).collect()
}

fn lost(what: &str) -> ParquetError {
    ParquetError::General(format!("a row group cannot be encoded: {what}"))
}
