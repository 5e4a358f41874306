//! Counts the rows of a result on their way to the printer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// What a statement gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its rows.
    pub(crate) rows: u64,
    /// The number in its column `count`, if that is what it gave: so COPY and INSERT say how many rows they wrote.
    pub(crate) counts: Option<u64>,
}

/// What has passed so far.
#[derive(Debug, Default)]
pub(super) struct Counter {
    rows: AtomicU64,
    counts: AtomicU64,
    counted: AtomicBool,
}

impl Counter {
    /// The same stream, watched.
    pub(super) fn watch(stream: SendableRecordBatchStream) -> (SendableRecordBatchStream, Arc<Self>) {
        let counter = Arc::new(Self::default());
        let (schema, seen) = (stream.schema(), Arc::clone(&counter));
        let watched = stream.inspect(move |batch| {
            if let Ok(batch) = batch {
                seen.count(batch);
            }
        });
        (Box::pin(RecordBatchStreamAdapter::new(schema, watched)), counter)
    }

    fn count(&self, batch: &RecordBatch) {
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        let counts = match batch.columns() {
            [only] if batch.schema().field(0).name() == "count" => only.as_primitive_opt::<UInt64Type>(),
            _ => None,
        };
        if let Some(counts) = counts {
            self.counts.fetch_add(counts.iter().flatten().sum(), Ordering::Relaxed);
            self.counted.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Shown {
        let counted = self.counted.load(Ordering::Relaxed);
        Shown {
            rows: self.rows.load(Ordering::Relaxed),
            counts: counted.then(|| self.counts.load(Ordering::Relaxed)),
        }
    }
}
