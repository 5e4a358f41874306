//! Deals the rows of a unit out to buckets.

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;

use super::Buckets;

/// Rows are handed on in batches of so many, since a bucket gets only a few of each batch that comes in.
const BATCH_ROWS: usize = 8192;

/// Takes batches and gives back batches whose rows are all in one bucket. Which one is computed from the rows themselves,
/// by DataFusion's own partitioner.
pub(crate) struct Dealer {
    partitioner: BatchPartitioner,
    waiting: Vec<BatchCoalescer>,
}

impl Dealer {
    /// Deals out rows of `schema`.
    ///
    /// # Errors
    /// DataFusion's.
    pub(crate) fn new(buckets: &Buckets, schema: &SchemaRef) -> Result<Self> {
        let expressions = buckets.expressions(schema);
        let partitioner = BatchPartitioner::new_hash_partitioner(expressions, buckets.count, Time::new())?;
        let waiting = (0..buckets.count).map(|_| {
            let coalescer = BatchCoalescer::new(schema.clone(), BATCH_ROWS);
            coalescer.with_biggest_coalesce_batch_size(Some(BATCH_ROWS / 2))
        });
        Ok(Self { partitioner, waiting: waiting.collect() })
    }

    /// Takes a batch, and gives what is worth writing by now, with its bucket.
    ///
    /// # Errors
    /// Rows of a type that cannot be hashed.
    pub(crate) fn deal(&mut self, batch: RecordBatch) -> Result<Vec<(u32, RecordBatch)>> {
        let mut ready = Vec::new();
        let Self { partitioner, waiting } = self;
        partitioner.partition(batch, |bucket, rows| {
            let Some(of_bucket) = waiting.get_mut(bucket) else { return Ok(()) };
            of_bucket.push_batch(rows)?;
            take_completed(bucket, of_bucket, &mut ready);
            Ok(())
        })?;
        Ok(ready)
    }

    /// What is left, at the end.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn rest(&mut self) -> Result<Vec<(u32, RecordBatch)>> {
        let mut ready = Vec::new();
        for (bucket, of_bucket) in self.waiting.iter_mut().enumerate() {
            of_bucket.finish_buffered_batch()?;
            take_completed(bucket, of_bucket, &mut ready);
        }
        Ok(ready)
    }
}

fn take_completed(bucket: usize, of_bucket: &mut BatchCoalescer, ready: &mut Vec<(u32, RecordBatch)>) {
    let bucket = u32::try_from(bucket).unwrap_or(u32::MAX);
    while let Some(rows) = of_bucket.next_completed_batch() {
        ready.push((bucket, rows));
    }
}
