//! File formats and how they are read.

use std::any::{Any, TypeId};
use std::sync::LazyLock;

use datafusion::common::config::{CsvOptions, JsonOptions, TableParquetOptions};
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::arrow::ArrowFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::execution::SessionStateDefaults;

use crate::identity::canonical::Encoder;
use crate::identity::settings;

/// The type of DataFusion's Avro format, which has no options. Only some builds have it, so it is found and not named.
static AVRO: LazyLock<Option<TypeId>> = LazyLock::new(|| {
    let factories = SessionStateDefaults::default_file_formats();
    let avro = factories.into_iter().find(|factory| factory.get_ext() == "avro")?.default();
    Some((avro.as_ref() as &dyn Any).type_id())
});

/// Writes a format with the options that bear on what is read; false when the format is unknown.
pub(super) fn encode(format: &dyn FileFormat, out: &mut Encoder) -> bool {
    let format = format as &dyn Any;
    if let Some(format) = format.downcast_ref::<ParquetFormat>() {
        out.str("parquet");
        parquet(format.options(), out);
    } else if let Some(format) = format.downcast_ref::<CsvFormat>() {
        out.str("csv");
        csv(format.options(), out);
    } else if let Some(format) = format.downcast_ref::<JsonFormat>() {
        out.str("json");
        json(format.options(), out);
    } else if format.is::<ArrowFormat>() {
        out.str("arrow");
    } else if *AVRO == Some(format.type_id()) {
        out.str("avro");
    } else {
        out.str("unknown");
        return false;
    }
    true
}

/// Parquet options are the session's under other names, so the session's rule says which of them bear meaning. Keys
/// to encrypted files are left out: a wrong one fails, and none of them belongs anywhere else.
fn parquet(options: &TableParquetOptions, out: &mut Encoder) {
    let mut entries: Vec<_> = options
        .entries()
        .into_iter()
        .filter(|entry| !entry.key.starts_with("crypto."))
        .filter(|entry| settings::bears_meaning(&format!("datafusion.execution.parquet.{}", entry.key)))
        .filter_map(|entry| Some((entry.key, entry.value?)))
        .collect();
    entries.sort_unstable();
    out.map(entries.iter().map(|(key, value)| (key, value)));
}

fn csv(options: &CsvOptions, out: &mut Encoder) {
    let CsvOptions {
        has_header,
        delimiter,
        quote,
        terminator,
        escape,
        double_quote,
        ignore_leading_whitespace,
        ignore_trailing_whitespace,
        newlines_in_values,
        compression,
        schema_infer_max_rec,
        date_format,
        datetime_format,
        timestamp_format,
        timestamp_tz_format,
        time_format,
        null_value,
        null_regex,
        comment,
        truncated_rows,
        // These two say how to write.
        quote_style: _,
        compression_level: _,
    } = options;
    out.tag(*delimiter);
    out.tag(*quote);
    for byte in [terminator, escape, comment] {
        out.option(*byte, Encoder::tag);
    }
    for flag in [
        has_header,
        double_quote,
        ignore_leading_whitespace,
        ignore_trailing_whitespace,
        newlines_in_values,
        truncated_rows,
    ] {
        out.option(*flag, Encoder::bool);
    }
    compressed(*compression, out);
    out.option(*schema_infer_max_rec, Encoder::len);
    for text in [
        date_format,
        datetime_format,
        timestamp_format,
        timestamp_tz_format,
        time_format,
        null_value,
        null_regex,
    ] {
        out.option(text.as_deref(), Encoder::str);
    }
}

fn json(options: &JsonOptions, out: &mut Encoder) {
    // The level says how to write.
    let JsonOptions { compression, compression_level: _, schema_infer_max_rec, newline_delimited } = options;
    compressed(*compression, out);
    out.option(*schema_infer_max_rec, Encoder::len);
    out.bool(*newline_delimited);
}

fn compressed(compression: CompressionTypeVariant, out: &mut Encoder) {
    out.tag(match compression {
        CompressionTypeVariant::UNCOMPRESSED => 0,
        CompressionTypeVariant::GZIP => 1,
        CompressionTypeVariant::BZIP2 => 2,
        CompressionTypeVariant::XZ => 3,
        CompressionTypeVariant::ZSTD => 4,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_formats_of_datafusion_are_known() {
        for factory in SessionStateDefaults::default_file_formats() {
            assert!(encode(factory.default().as_ref(), &mut Encoder::new()), "{}", factory.get_ext());
        }
    }
}
