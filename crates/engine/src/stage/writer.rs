//! One unit: its rows in, Parquet files and a receipt out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{Result, plan_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryPool;
use futures::StreamExt;
use milepost_store::{Attempt, DataFile, DataFileWriter, Receipt, UnitNumber, file_schema};
use parquet::basic::{BrotliLevel, Compression as ParquetCompression, GzipLevel, ZstdLevel};
use parquet::file::properties::{BloomFilterPosition, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::encodings::{Profile, choose, tells};
use super::files::UnitFiles;
use super::progress::StageCounters;
use super::units::Part;
use crate::buckets::{Buckets, Dealer};
use crate::config::{Codec, Compression};
use crate::error::{Error, store_error};

/// What all units of one attempt share.
pub(super) struct UnitWriter {
    pub(super) attempt: Arc<Attempt>,
    /// The schema with the query's names.
    pub(super) schema: SchemaRef,
    /// Whether the rows of a unit have an order that means something.
    pub(super) ordered: bool,
    /// What the rows are dealt out to.
    pub(super) buckets: Option<Buckets>,
    pub(super) compression: Compression,
    pub(super) row_group_rows: usize,
    /// Columns with Bloom filters, by their names in the files.
    pub(super) bloom_filters: Vec<String>,
    pub(super) pool: Arc<dyn MemoryPool>,
    pub(super) counters: Arc<StageCounters>,
    pub(super) part: Part,
    /// How many threads encode a unit's columns.
    pub(super) lanes: usize,
}

/// The complete files of a unit.
pub(super) struct Written {
    files: Vec<DataFile>,
    elapsed_ms: u64,
}

impl UnitWriter {
    /// Drains `rows` into the files of `unit`. Without rows there is no file, unless `keep_empty` asks for one.
    pub(super) async fn write(
        &self,
        unit: UnitNumber,
        mut rows: SendableRecordBatchStream,
        keep_empty: bool,
    ) -> Result<Written> {
        let started = Instant::now();
        let mut files = UnitFiles::new(self, unit);
        let mut dealer =
            self.buckets.as_ref().map(|buckets| Dealer::new(buckets, &self.schema)).transpose()?;
        let mut computing = Duration::ZERO;
        while let Some(batch) = timed(&mut computing, rows.next()).await {
            let batch = self.restore(&batch?)?;
            if batch.num_rows() == 0 {
                continue;
            }
            match &mut dealer {
                None => files.take(None, &batch).await?,
                Some(dealer) => {
                    let began = Instant::now();
                    let dealt = dealer.deal(batch)?;
                    self.counters.writing().encoded(began.elapsed());
                    for (bucket, rows) in dealt {
                        files.take(Some(bucket), &rows).await?;
                    }
                }
            }
            tokio::task::consume_budget().await;
        }
        if let Some(dealer) = &mut dealer {
            for (bucket, rows) in dealer.rest()? {
                files.take(Some(bucket), &rows).await?;
            }
        }
        let files = files.finish(keep_empty).await?;
        self.counters.took(|times| times.compute += computing);
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Written { files, elapsed_ms })
    }

    /// Writes the unit's receipt. From here on the unit survives a crash.
    pub(super) async fn seal(
        &self,
        unit: UnitNumber,
        slice: serde_json::Value,
        written: Written,
    ) -> Result<Receipt> {
        let Written { files, elapsed_ms } = written;
        let signature = self.attempt.spec().signature;
        let receipt = Receipt::new(self.attempt.id(), unit, signature, slice, files, elapsed_ms);
        let receipt = self.attempt.write_receipt(receipt).await.map_err(store_error)?;
        if self.part != Part::Finish {
            self.counters.unit_done();
        }
        Ok(receipt)
    }

    pub(super) fn count(&self, rows: usize, bytes: u64) {
        if self.part != Part::States {
            self.counters.add(rows as u64, bytes);
        }
    }

    /// Begins a file, whose first rows are `first`.
    pub(super) fn open(&self, unit: UnitNumber, first: &RecordBatch) -> Result<DataFileWriter> {
        let stored = file_schema(&self.schema);
        let named = RecordBatch::try_new(Arc::clone(&stored), first.columns().to_vec())?;
        let (compression, profile) = (self.compression, profile(self.compression));
        let (filtered, group_rows) = (self.bloom_filters.clone(), self.row_group_rows);
        let encodings = move |rows: &RecordBatch| {
            let properties = writer_properties(compression, group_rows, &filtered).ok()?;
            tells(rows).then(|| choose(properties, rows, profile).build())
        };
        // What holds for any rows; the writer asks again at the first ones.
        let properties = writer_properties(compression, group_rows, &self.bloom_filters)?;
        let properties = choose(properties, &named.slice(0, 0), profile);
        DataFileWriter::create(&self.attempt, unit, stored, properties.build())
            .and_then(|writer| writer.ordered(self.ordered))
            .map(|writer| {
                writer.choosing(Arc::new(encodings)).on_lanes(self.lanes).timed(self.counters.writing())
            })
            .map_err(store_error)
    }

    /// The batch under the snapshot's schema. The physical plan agrees with it in types; names and metadata may differ.
    fn restore(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &options)
            .map_err(|error| {
                plan_datafusion_err!(
                    "the rows of this query do not have the types that its plan declares: {error}"
                )
            })
    }
}

async fn timed<T>(total: &mut Duration, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    *total += began.elapsed();
    done
}

fn writer_properties(
    compression: Compression,
    group_rows: usize,
    bloom_filters: &[String],
) -> Result<WriterPropertiesBuilder> {
    let codec = match compression {
        Compression::Fast | Compression::Codec(Codec::Snappy) => ParquetCompression::SNAPPY,
        Compression::Small | Compression::Codec(Codec::Zstd) => {
            ParquetCompression::ZSTD(ZstdLevel::try_new(3)?)
        }
        Compression::None => ParquetCompression::UNCOMPRESSED,
        Compression::Codec(Codec::Lz4) => ParquetCompression::LZ4_RAW,
        Compression::Codec(Codec::Gzip) => ParquetCompression::GZIP(GzipLevel::try_new(6)?),
        Compression::Codec(Codec::Brotli) => ParquetCompression::BROTLI(BrotliLevel::try_new(1)?),
    };
    let mut properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(group_rows))
        // With the footer, whose checksum covers them: a flipped bit would hide rows.
        .set_bloom_filter_position(BloomFilterPosition::End)
        .set_created_by(crate::PRODUCER.to_string());
    for column in bloom_filters {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(column.as_str()), true);
    }
    Ok(properties)
}

/// The columns that `wanted` names, by their names in the files.
///
/// # Errors
/// A name that `schema` does not have, or that is a column of another type than can have a filter.
pub(super) fn bloom_filters(schema: &SchemaRef, wanted: &[String]) -> Result<Vec<String>> {
    let stored = file_schema(schema);
    let fits = |index: &usize| can_have_filter(schema.field(*index).data_type());
    let column = |name: &String| {
        let index = schema.index_of(name).ok().filter(fits);
        index.map(|index| stored.field(index).name().clone()).ok_or_else(|| {
            let fitting =
                (0..schema.fields().len()).filter(fits).map(|index| schema.field(index).name().as_str());
            Error::BadValue {
                key: "bloom_filters".to_string(),
                value: name.clone(),
                expected: format!(
                    "none, or columns of text, bytes, int or bigint: {}",
                    fitting.collect::<Vec<_>>().join(", ")
                ),
            }
        })
    };
    Ok(wanted.iter().map(column).collect::<std::result::Result<_, _>>()?)
}

/// Types whose equal values are the same bytes in Parquet; not so floats, with their two zeros.
fn can_have_filter(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int32
            | DataType::Int64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    )
}

fn profile(compression: Compression) -> Profile {
    let compressible_bits = match compression {
        Compression::None => -1.0,
        // They look for repeated sequences alone.
        Compression::Fast | Compression::Codec(Codec::Snappy | Codec::Lz4) => 1.0,
        // They shorten frequent bytes as well.
        Compression::Small | Compression::Codec(Codec::Zstd | Codec::Gzip | Codec::Brotli) => 6.0,
    };
    Profile { compress_packed: compression != Compression::Fast, compressible_bits }
}
