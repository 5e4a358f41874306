//! One part of a table as a Parquet file, and what the footers of finished parts say.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::tables::Table;
use crate::failure::Failure;

/// The key under which a footer says what the file is.
const KEY: &str = "milepost.datagen";
/// Rows in a row group at scale 1 and above: enough of them in a file that several threads can read it, and little memory to write
/// one.
const ROWS_IN_A_GROUP: usize = 1 << 18;
/// Smaller row groups are slow to read.
const FEWEST_ROWS_IN_A_GROUP: usize = 1 << 13;

/// Small tables have about as many row groups as at scale 1, so that they are cut into units as large ones are.
fn rows_in_a_group(scale: f64) -> usize {
    let rows = (ROWS_IN_A_GROUP as f64 * scale.min(1.0)) as usize;
    rows.next_power_of_two().clamp(FEWEST_ROWS_IN_A_GROUP, ROWS_IN_A_GROUP)
}

/// A part that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) table: Table,
    pub(super) scale: f64,
    /// From 0.
    pub(super) part: u16,
    pub(super) parts: u16,
    pub(super) folder: PathBuf,
}

impl Part {
    /// Writes the file. Returns whether it was finished before somebody said stop.
    pub(super) fn write(&self, stop: &AtomicBool) -> Result<bool, Failure> {
        let path = self.folder.join(format!("part-{}.parquet", self.part));
        self.write_to(&path, stop).map_err(|source| Failure::File {
            operation: "write",
            path,
            source,
            next: "check space and permissions, then run again",
        })
    }

    fn write_to(&self, path: &Path, stop: &AtomicBool) -> std::io::Result<bool> {
        let batches = self.table.batches(self.scale, self.part, self.parts);
        // Without the hint that names Arrow types, every reader sees plain Parquet types.
        let options =
            ArrowWriterOptions::new().with_properties(self.properties()).with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(File::create(path)?, batches.schema(), options)?;
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            writer.write(&batch.map_err(std::io::Error::other)?)?;
        }
        writer.close()?;
        Ok(true)
    }

    fn properties(&self) -> WriterProperties {
        let about = format!("tpch {} {} {}/{}", self.table.name(), self.scale, self.part, self.parts);
        WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(rows_in_a_group(self.scale)))
            .set_key_value_metadata(Some(vec![KeyValue::new(KEY.to_string(), about)]))
            .build()
    }
}

/// A table that is complete.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Made {
    pub(super) table: String,
    pub(super) scale: f64,
    pub(super) parts: u16,
    pub(super) rows: u64,
    /// On disk.
    pub(super) bytes: u64,
}

impl Made {
    /// Reads the footers of a table's files.
    ///
    /// # Errors
    /// Why this is no complete table, for people.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let first = Footer::read(&folder.join("part-0.parquet"))?;
        let mut made = Self {
            table: first.table,
            scale: first.scale,
            parts: first.parts,
            rows: first.rows,
            bytes: first.bytes,
        };
        for part in 1..made.parts {
            let name = format!("part-{part}.parquet");
            let footer = Footer::read(&folder.join(&name))?;
            if (footer.part, footer.parts, footer.scale) != (part, made.parts, made.scale) {
                return Err(format!("{name} belongs to other data"));
            }
            made.rows += footer.rows;
            made.bytes += footer.bytes;
        }
        let files = fs::read_dir(folder).map_err(|error| error.to_string())?.count();
        if files != usize::from(made.parts) {
            return Err(format!("{files} files where {} belong", made.parts));
        }
        Ok(made)
    }
}

struct Footer {
    table: String,
    scale: f64,
    part: u16,
    parts: u16,
    rows: u64,
    bytes: u64,
}

impl Footer {
    fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = File::open(path).map_err(|error| format!("cannot open {name}: {error}"))?;
        let bytes = file.metadata().map_err(|error| format!("{name}: {error}"))?.len();
        let reader = SerializedFileReader::new(file).map_err(|error| format!("{name}: {error}"))?;
        let metadata = reader.metadata().file_metadata();
        let rows = metadata.num_rows().try_into().unwrap_or_default();
        let about = metadata
            .key_value_metadata()
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY))
            .and_then(|pair| pair.value.clone());
        let parsed = about.as_deref().and_then(parse);
        let (table, scale, part, parts) = parsed.ok_or_else(|| format!("{name} does not say what it is"))?;
        Ok(Self { table, scale, part, parts, rows, bytes })
    }
}

/// Reads `tpch lineitem 0.1 0/1`.
fn parse(about: &str) -> Option<(String, f64, u16, u16)> {
    let words: Vec<&str> = about.split(' ').collect();
    let ["tpch", table, scale, place] = words.as_slice() else { return None };
    let (part, parts) = place.split_once('/')?;
    Some(((*table).to_string(), scale.parse().ok()?, part.parse().ok()?, parts.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of a table, as one part.
    fn only_part(table: Table, folder: &Path) -> Part {
        Part { table, scale: 0.01, part: 0, parts: 1, folder: folder.to_path_buf() }
    }

    fn write(folder: &Path, part: u16, parts: u16, scale: f64) {
        let part = Part { table: Table::Supplier, scale, part, parts, folder: folder.to_path_buf() };
        assert!(part.write(&AtomicBool::new(false)).unwrap());
    }

    #[test]
    fn small_tables_have_row_groups_too() {
        let rows = [0.001, 0.01, 0.1, 0.5, 1.0, 100.0].map(rows_in_a_group);
        assert_eq!(rows, [8_192, 8_192, 32_768, 131_072, 262_144, 262_144]);
        let folder = tempfile::tempdir().unwrap();
        let part = only_part(Table::Lineitem, folder.path());
        assert!(part.write(&AtomicBool::new(false)).unwrap());
        let file = File::open(folder.path().join("part-0.parquet")).unwrap();
        assert_eq!(SerializedFileReader::new(file).unwrap().metadata().num_row_groups(), 8);
    }

    #[test]
    fn a_table_is_complete_when_all_its_parts_are() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, 2, 0.01);
        assert!(Made::read(folder.path()).unwrap_err().contains("part-1.parquet"));
        write(folder.path(), 1, 2, 0.01);
        let made = Made::read(folder.path()).unwrap();
        assert_eq!((made.table.as_str(), made.scale, made.parts, made.rows), ("supplier", 0.01, 2, 100));
    }

    #[test]
    fn parts_of_different_data_make_no_table() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, 2, 0.01);
        write(folder.path(), 1, 2, 0.02);
        assert!(Made::read(folder.path()).unwrap_err().contains("other data"));
    }

    #[test]
    fn writing_stops_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let part = only_part(Table::Supplier, folder.path());
        assert!(!part.write(&AtomicBool::new(true)).unwrap());
        assert!(Made::read(folder.path()).is_err());
    }
}
