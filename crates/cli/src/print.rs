//! Results, printed in the format that was asked for.
//!
//! Rows are written as they come. Only a table needs its rows together, to know how wide its columns are; it keeps
//! no more of them than it shows.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow::csv::WriterBuilder;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder as JsonBuilder};
use arrow::record_batch::RecordBatch;
use datafusion::config::FormatOptions;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use datafusion_cli::object_storage::instrumented::{
    InstrumentedObjectStoreMode, InstrumentedObjectStoreRegistry, RequestSummaries,
};
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::MaxRows;
use futures::StreamExt;

use crate::output::Output;
use crate::units::{counted, seconds};

/// The format, its options, and where results go.
pub(crate) struct Printer {
    pub(crate) format: PrintFormat,
    pub(crate) quiet: bool,
    pub(crate) maxrows: MaxRows,
    pub(crate) output: Output,
}

/// One result and what is known about it before its first row.
pub(crate) struct ResultSet {
    pub(crate) stream: SendableRecordBatchStream,
    /// Whether its source never ends, so that no table can wait for its last row.
    pub(crate) endless: bool,
    /// Whether people asked for all of it, as of a plan, whatever `--maxrows` says.
    pub(crate) show_all: bool,
    pub(crate) format_options: FormatOptions,
    pub(crate) memory: Arc<dyn MemoryPool>,
    pub(crate) started: Instant,
}

impl Printer {
    /// Prints a result to its end.
    ///
    /// # Errors
    /// The query's error, or one of writing, which [`Output::take_failure`] tells apart.
    pub(crate) async fn print(&mut self, result: ResultSet) -> Result<()> {
        let format = match self.format {
            PrintFormat::Automatic if result.endless => PrintFormat::Csv,
            PrintFormat::Automatic => PrintFormat::Table,
            format => format,
        };
        if result.stream.schema().fields().is_empty() {
            return self.nothing_to_show(result, format).await;
        }
        match format {
            PrintFormat::Table => self.table(result).await,
            PrintFormat::Csv | PrintFormat::Automatic => self.separated(result, b',').await,
            PrintFormat::Tsv => self.separated(result, b'\t').await,
            PrintFormat::Json => self.json_array(result).await,
            PrintFormat::NdJson => self.json_lines(result).await,
        }
    }

    /// Prints the requests to object stores since the last call, where profiling is on.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn store_requests(&mut self, stores: &InstrumentedObjectStoreRegistry) -> Result<()> {
        let mode = stores.instrument_mode();
        if self.quiet || mode == InstrumentedObjectStoreMode::Disabled {
            return Ok(());
        }
        writeln!(self.output, "Requests to object stores")?;
        for store in stores.stores() {
            let requests = store.take_requests();
            if requests.is_empty() {
                continue;
            }
            writeln!(self.output, "{store}")?;
            if mode == InstrumentedObjectStoreMode::Trace {
                for request in &requests {
                    writeln!(self.output, "{request}")?;
                }
            }
            writeln!(self.output, "{}", RequestSummaries::new(&requests))?;
        }
        Ok(self.output.flush()?)
    }

    async fn nothing_to_show(&mut self, mut result: ResultSet, format: PrintFormat) -> Result<()> {
        while let Some(batch) = result.stream.next().await {
            batch?;
        }
        if !self.quiet && format == PrintFormat::Table {
            writeln!(self.output, "done in {}", seconds(result.started.elapsed()))?;
        }
        Ok(self.output.flush()?)
    }

    async fn table(&mut self, mut result: ResultSet) -> Result<()> {
        let schema = result.stream.schema();
        let most = match self.maxrows {
            MaxRows::Limited(rows) if !result.show_all => rows,
            _ => usize::MAX,
        };
        let reservation = MemoryConsumer::new("rows to print").register(&result.memory);
        let (mut kept, mut shown, mut rows) = (Vec::<RecordBatch>::new(), 0_usize, 0_usize);
        while let Some(batch) = result.stream.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            let wanted = batch.num_rows().min(most - shown);
            if wanted > 0 {
                reservation.try_grow(get_record_batch_memory_size(&batch))?;
                kept.push(batch.slice(0, wanted));
                shown += wanted;
            }
        }
        if most > 0 {
            PrintFormat::Table.print_batches(
                &mut self.output,
                schema,
                &kept,
                MaxRows::Unlimited,
                true,
                &result.format_options,
            )?;
        }
        self.table_footer(rows, shown, result.started)
    }

    fn table_footer(&mut self, rows: usize, shown: usize, started: Instant) -> Result<()> {
        if shown < rows && shown > 0 {
            let hidden = counted((rows - shown) as u64, "more row");
            writeln!(
                self.output,
                "… {hidden}; --maxrows or \\pset maxrows shows more or fewer than {shown}"
            )?;
        }
        if !self.quiet {
            writeln!(self.output, "{} in {}\n", counted(rows as u64, "row"), seconds(started.elapsed()))?;
        }
        Ok(self.output.flush()?)
    }

    async fn separated(&mut self, mut result: ResultSet, delimiter: u8) -> Result<()> {
        let header = RecordBatch::new_empty(result.stream.schema());
        let builder = WriterBuilder::new().with_header(true).with_delimiter(delimiter);
        let mut writer = builder.build(&mut self.output);
        writer.write(&header)?;
        while let Some(batch) = result.stream.next().await {
            writer.write(&batch?)?;
        }
        drop(writer);
        Ok(self.output.flush()?)
    }

    async fn json_array(&mut self, mut result: ResultSet) -> Result<()> {
        let mut writer = json().build::<_, JsonArray>(&mut self.output);
        while let Some(batch) = result.stream.next().await {
            writer.write(&batch?)?;
        }
        writer.finish()?;
        drop(writer);
        writeln!(self.output)?;
        Ok(self.output.flush()?)
    }

    async fn json_lines(&mut self, mut result: ResultSet) -> Result<()> {
        let mut writer = json().build::<_, LineDelimited>(&mut self.output);
        while let Some(batch) = result.stream.next().await {
            writer.write(&batch?)?;
            if result.endless {
                writer.get_mut().flush()?;
            }
        }
        writer.finish()?;
        drop(writer);
        Ok(self.output.flush()?)
    }
}

/// Every row has every key, so that a reader can tell a null from a column that is not there.
fn json() -> JsonBuilder {
    JsonBuilder::new().with_explicit_nulls(true)
}

#[cfg(test)]
mod tests {
    use std::io;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::execution::memory_pool::UnboundedMemoryPool;
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use parking_lot::Mutex;

    use super::*;

    /// A sink that the test reads back.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A sink whose reader has gone.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn printer(format: PrintFormat, sink: impl Write + Send + 'static) -> Printer {
        Printer { format, quiet: true, maxrows: MaxRows::Limited(3), output: Output::to(Box::new(sink)) }
    }

    /// The numbers from 0, in batches of two, with a name beside each.
    fn rows(count: i64) -> ResultSet {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("name", DataType::Utf8, false),
        ]));
        let numbers: Vec<i64> = (0..count).collect();
        let batch = |chunk: &[i64]| {
            let names: StringArray = chunk.iter().map(|n| Some(format!("no, {n}"))).collect();
            RecordBatch::try_new(
                Arc::clone(&schema),
                vec![Arc::new(Int64Array::from(chunk.to_vec())), Arc::new(names)],
            )
        };
        let batches: Vec<_> = numbers.chunks(2).map(|chunk| Ok(batch(chunk)?)).collect();
        ResultSet {
            stream: Box::pin(RecordBatchStreamAdapter::new(schema.clone(), futures::stream::iter(batches))),
            endless: false,
            show_all: false,
            format_options: FormatOptions::default(),
            memory: Arc::new(UnboundedMemoryPool::default()),
            started: Instant::now(),
        }
    }

    async fn printed(format: PrintFormat, result: ResultSet) -> String {
        let sink = Shared::default();
        printer(format, sink.clone()).print(result).await.unwrap();
        String::from_utf8(sink.0.lock().clone()).unwrap()
    }

    #[tokio::test]
    async fn separated_values_have_one_header_even_without_rows() {
        assert_eq!(
            printed(PrintFormat::Csv, rows(3)).await,
            "n,name\n0,\"no, 0\"\n1,\"no, 1\"\n2,\"no, 2\"\n"
        );
        assert_eq!(printed(PrintFormat::Tsv, rows(0)).await, "n\tname\n");
    }

    #[tokio::test]
    async fn json_is_one_array_over_all_batches() {
        let text = printed(PrintFormat::Json, rows(5)).await;
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed.as_array().unwrap().len(), 5);
        assert_eq!(parsed[4]["name"], "no, 4");
        assert_eq!(printed(PrintFormat::Json, rows(0)).await.trim(), "[]");
    }

    #[tokio::test]
    async fn newline_json_is_a_line_a_row() {
        let text = printed(PrintFormat::NdJson, rows(3)).await;
        assert_eq!(text.lines().nth(2), Some(r#"{"n":2,"name":"no, 2"}"#));
    }

    #[tokio::test]
    async fn a_table_shows_as_many_rows_as_it_may() {
        let text = printed(PrintFormat::Table, rows(7)).await;
        assert!(text.contains("| 2 ") && !text.contains("| 3 ") && text.contains("4 more rows"), "{text}");
        let all = printed(PrintFormat::Table, ResultSet { show_all: true, ..rows(7) }).await;
        assert!(all.contains("| 6 ") && !all.contains("more row"), "{all}");
    }

    #[tokio::test]
    async fn an_endless_source_is_not_held_back_for_a_table() {
        let text = printed(PrintFormat::Automatic, ResultSet { endless: true, ..rows(1) }).await;
        assert_eq!(text, "n,name\n0,\"no, 0\"\n");
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_told_from_a_failed_query() {
        for format in [PrintFormat::Csv, PrintFormat::Json, PrintFormat::NdJson, PrintFormat::Table] {
            let mut printer = printer(format, Closed);
            printer.print(rows(2)).await.unwrap_err();
            let failure = printer.output.take_failure().unwrap();
            assert!(matches!(failure, crate::failure::Failure::OutputClosed), "{format:?}");
        }
    }
}
