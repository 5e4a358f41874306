//! Lists that are too long for a log entry, kept in Parquet files beside the data.
//!
//! A side file lies in the attempt of its commit, is complete before the entry that names it, and lives as
//! long as the commit. Its readable columns are for people and other tools; the `record` column decides.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::UInt32Type;
use bytes::Bytes;
use object_store::ObjectStore;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::create::{Created, create_once};
use crate::error::{Error, contents};
use crate::ids::{AttemptId, CheckpointName, Checksum};
use crate::layout::{self, Layout};
use crate::log::read_object;
use crate::manifest::{
    DataFile, FileList, Manifest, SourceObject, SourceVersion, StoredManifest, StoredSources,
};

/// More data files, or more source objects, than this go to a side file.
pub const MAX_INLINE: usize = 1_000;

/// More column chunks than this go to a side file with their data files.
const MAX_INLINE_CHUNKS: usize = 20_000;

/// Where a list lies, and how to know that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideFile {
    /// Path relative to the checkpoint's directory.
    pub path: String,
    /// How long the list is.
    pub rows: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The BLAKE3 hash of the whole file.
    pub checksum: Checksum,
}

/// Reads and writes the side files of one checkpoint.
#[derive(Clone, Copy)]
pub(crate) struct SideFiles<'a> {
    pub(crate) objects: &'a dyn ObjectStore,
    pub(crate) layout: &'a Layout,
    pub(crate) name: &'a CheckpointName,
}

impl SideFiles<'_> {
    /// Writes what is too long of a manifest, and gives its stored form.
    pub(crate) async fn store(
        &self,
        attempt: AttemptId,
        mut id: impl FnMut() -> ulid::Ulid,
        manifest: &Manifest,
    ) -> Result<StoredManifest, Error> {
        let chunks: usize = manifest.files.iter().flat_map(|file| &file.chunks).map(Vec::len).sum();
        let files = if manifest.files.len() > MAX_INLINE || chunks > MAX_INLINE_CHUNKS {
            let path = layout::side_file(attempt, "files", id());
            FileList::Side(self.write(path, &file_columns(&manifest.files)?).await?)
        } else {
            FileList::Inline(manifest.files.clone())
        };
        let sources = &manifest.identity.sources;
        let sources = if sources.iter().map(|source| source.objects.len()).sum::<usize>() > MAX_INLINE {
            let path = layout::side_file(attempt, "sources", id());
            let objects = self.write(path, &source_columns(sources)?).await?;
            let bare = |source: &SourceVersion| SourceVersion { objects: vec![], ..source.clone() };
            StoredSources::Side { sources: sources.iter().map(bare).collect(), objects }
        } else {
            StoredSources::Inline(sources.clone())
        };
        Ok(StoredManifest::new(manifest, files, sources))
    }

    /// Reads a stored manifest's lists, and gives the whole manifest.
    pub(crate) async fn load(&self, stored: StoredManifest) -> Result<Manifest, Error> {
        let files = match stored.files() {
            FileList::Inline(files) => files.clone(),
            FileList::Side(side) => self.read(side).await?.into_iter().map(|(_, file)| file).collect(),
        };
        let sources = match stored.sources() {
            StoredSources::Inline(sources) => sources.clone(),
            StoredSources::Side { sources, objects } => {
                let mut sources = sources.clone();
                for (index, object) in self.read::<SourceObject>(objects).await? {
                    let source = sources.get_mut(index as usize).ok_or_else(|| Error::ForeignObject {
                        object: objects.path.clone(),
                        detail: format!("there is no source {index}"),
                    })?;
                    source.objects.push(object);
                }
                sources
            }
        };
        stored.into_manifest(files, sources).map_err(|detail| Error::ForeignObject {
            object: format!("a manifest of {}", self.name),
            detail: format!("its schema cannot be read: {detail}"),
        })
    }

    async fn write(&self, path: String, batch: &RecordBatch) -> Result<SideFile, Error> {
        let bytes = encode(batch).map_err(|source| Error::parquet("encode", &path, source))?;
        let side = SideFile {
            rows: batch.num_rows() as u64,
            size: bytes.len() as u64,
            checksum: Checksum::of(&bytes),
            path,
        };
        let location = self.layout.relative(self.name, &side.path);
        match create_once(self.objects, &location, &bytes).await? {
            Created::Ours => Ok(side),
            Created::Theirs(_) => Err(Error::ForeignObject {
                object: location.to_string(),
                detail: "another object has the new name of a side file".to_owned(),
            }),
        }
    }

    async fn read<T: DeserializeOwned>(&self, side: &SideFile) -> Result<Vec<(u32, T)>, Error> {
        let location = self.layout.relative(self.name, &side.path);
        let expected = || contents(side.size, &side.checksum);
        let bytes = read_object(self.objects, &location).await?;
        let bytes = bytes.ok_or_else(|| Error::damaged(&location, expected(), "nothing"))?;
        let found = Checksum::of(&bytes);
        if found != side.checksum || bytes.len() as u64 != side.size {
            let found = contents(bytes.len() as u64, &found);
            return Err(Error::damaged(&location, expected(), found));
        }
        let records = decode(bytes).map_err(|source| Error::parquet("decode", &location, source))?;
        if records.len() as u64 != side.rows {
            let found = format!("{} rows", records.len());
            return Err(Error::damaged(&location, format!("{} rows", side.rows), found));
        }
        Ok(records)
    }
}

fn file_columns(files: &[DataFile]) -> Result<RecordBatch, Error> {
    let numbers = |value: fn(&DataFile) -> u64| {
        Arc::new(UInt64Array::from_iter_values(files.iter().map(value))) as ArrayRef
    };
    batch(vec![
        ("place", Arc::new(UInt32Array::from_iter_values((0..).take(files.len())))),
        ("path", Arc::new(StringArray::from_iter_values(files.iter().map(|file| &file.path)))),
        ("unit", Arc::new(UInt32Array::from_iter_values(files.iter().map(|file| file.unit.0)))),
        ("rows", numbers(|file| file.rows)),
        ("size", numbers(|file| file.size)),
        ("record", records(files)?),
    ])
}

fn source_columns(sources: &[SourceVersion]) -> Result<RecordBatch, Error> {
    let all: Vec<(u32, &SourceObject)> = (0..)
        .zip(sources)
        .flat_map(|(index, source)| source.objects.iter().map(move |object| (index, object)))
        .collect();
    batch(vec![
        ("place", Arc::new(UInt32Array::from_iter_values(all.iter().map(|(index, _)| *index)))),
        ("path", Arc::new(StringArray::from_iter_values(all.iter().map(|(_, object)| &object.path)))),
        ("size", Arc::new(UInt64Array::from_iter_values(all.iter().map(|(_, object)| object.size)))),
        ("record", records(all.iter().map(|(_, object)| *object))?),
    ])
}

fn records<'a, T: Serialize + 'a>(values: impl IntoIterator<Item = &'a T>) -> Result<ArrayRef, Error> {
    let texts: Vec<String> = values
        .into_iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()
        .map_err(|source| Error::Encode { object: "a side file".to_owned(), source: source.into() })?;
    Ok(Arc::new(StringArray::from_iter_values(texts)))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter(columns).map_err(|source| Error::parquet("encode", "a side file", source))
}

fn encode(batch: &RecordBatch) -> parquet::errors::Result<Bytes> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    Ok(writer.into_inner()?.into())
}

fn decode<T: DeserializeOwned>(bytes: Bytes) -> Result<Vec<(u32, T)>, crate::error::Cause> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    let mut found = vec![];
    for batch in reader {
        let batch = batch?;
        let places = batch.column_by_name("place").and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let records = batch.column_by_name("record").and_then(|column| column.as_string_opt::<i32>());
        let (Some(places), Some(records)) = (places, records) else {
            return Err("the columns place and record are not there".into());
        };
        for row in 0..batch.num_rows() {
            found.push((places.value(row), serde_json::from_str(records.value(row))?));
        }
    }
    Ok(found)
}
