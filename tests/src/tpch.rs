//! TPC-H: the queries that people read in `sql/tpch/`, and tables to run them on.

use std::fs::{self, File};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::record_batch::RecordBatchReader;
use datafusion::error::Result;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use parquet::arrow::ArrowWriter;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

macro_rules! queries {
    ($($number:literal),+) => {
        [$((concat!("q", $number), include_str!(concat!("../../sql/tpch/q", $number, ".sql")))),+]
    };
}

/// Name and text of every query, as the files hold them.
pub const QUERIES: [(&str, &str); 22] = queries!(
    "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20", "21", "22"
);

/// The eight tables.
pub const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// Writes every table as `dir/<table>/part-<n>.parquet`, `parts` files for all but the two smallest.
///
/// # Errors
/// A directory or file that cannot be written.
pub fn write_tables(dir: &Path, scale: f64, parts: i32) -> Result<()> {
    write_table(dir, "nation", 0, NationArrow::new(NationGenerator::new(scale, 1, 1)))?;
    write_table(dir, "region", 0, RegionArrow::new(RegionGenerator::new(scale, 1, 1)))?;
    for part in 1..=parts {
        write_table(dir, "customer", part, CustomerArrow::new(CustomerGenerator::new(scale, part, parts)))?;
        write_table(dir, "lineitem", part, LineItemArrow::new(LineItemGenerator::new(scale, part, parts)))?;
        write_table(dir, "orders", part, OrderArrow::new(OrderGenerator::new(scale, part, parts)))?;
        write_table(dir, "part", part, PartArrow::new(PartGenerator::new(scale, part, parts)))?;
        write_table(dir, "partsupp", part, PartSuppArrow::new(PartSuppGenerator::new(scale, part, parts)))?;
        write_table(dir, "supplier", part, SupplierArrow::new(SupplierGenerator::new(scale, part, parts)))?;
    }
    Ok(())
}

fn write_table(dir: &Path, table: &str, part: i32, batches: impl RecordBatchReader) -> Result<()> {
    let folder = dir.join(table);
    fs::create_dir_all(&folder)?;
    let file = File::create(folder.join(format!("part-{part}.parquet")))?;
    let mut writer = ArrowWriter::try_new(file, batches.schema(), None)?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}

/// Registers the tables that [`write_tables`] wrote.
///
/// # Errors
/// A table whose folder cannot be read.
pub async fn register(context: &SessionContext, dir: &Path) -> Result<()> {
    for table in TABLES {
        let path = format!("{}/", dir.join(table).display());
        context.register_parquet(table, path, ParquetReadOptions::default()).await?;
    }
    Ok(())
}

/// All rows of a table, for tests that want them in memory.
///
/// # Errors
/// A table that is not registered or cannot be read.
pub async fn rows(context: &SessionContext, table: &str) -> Result<Vec<RecordBatch>> {
    context.table(table).await?.collect().await
}
