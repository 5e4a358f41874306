//! Content identity: whether two snapshots hold the same rows, whoever computed them.
//!
//! A row is encoded by Arrow's row format, which depends on the values alone: not on batch boundaries,
//! dictionary keys or buffer layout. Rows without order are hashed one by one, with XXH3 under two seeds,
//! and summed up in two 128-bit lanes, so that any order gives the same sum and a repeated row counts every
//! time. Rows in order are hashed as one stream, with BLAKE3.
//!
//! The sum tells results apart that came about by themselves. It is no seal against somebody who looks for
//! rows with a given sum: the files' own checksums are.
//!
//! Should Arrow ever encode rows otherwise, equal rows get different identities: a snapshot is computed
//! again, never taken for another.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField as RowField};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::error::Error;
use crate::ids::{ContentId, Digest};
use crate::manifest::SortField;

/// The way in which content is hashed; a part of every identity.
pub const CONTENT_SCHEME: u32 = 2;

const CHAIN_CONTEXT: &str = "milepost content chain 2";
const WHOLE_CONTEXT: &str = "milepost content whole 1";

/// One for each half of a row's hash: the first digits of two square roots, so that nobody has chosen them.
const SEEDS: [u64; 2] = [0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b];

/// The content of one file: a part of the content of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentPart {
    /// How the rows were hashed: [`CONTENT_SCHEME`] when written by this program.
    pub scheme: u32,
    /// Whether the order of the rows counts.
    pub ordered: bool,
    /// How many rows there are.
    pub rows: u64,
    /// The sum or the chain of the row hashes; absent if the rows have no known encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Hashes rows as they go by.
pub struct ContentHasher {
    converter: Option<RowConverter>,
    rows: u64,
    state: State,
}

enum State {
    Sum([u128; 2]),
    Chain(Box<Chain>),
}

struct Chain {
    hasher: blake3::Hasher,
    /// One batch, each row after its length: one large piece is hashed many times faster than its rows.
    batch: Vec<u8>,
}

impl std::fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentHasher").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl ContentHasher {
    /// Starts with no rows; `ordered` if the order of the rows counts.
    ///
    /// A type that the row format does not know leads to a part without a digest.
    ///
    /// # Errors
    /// [`Error::Parquet`] if Arrow refuses the schema for another reason.
    pub fn new(schema: &Schema, ordered: bool) -> Result<Self, Error> {
        let fields: Vec<_> =
            schema.fields().iter().map(|field| RowField::new(field.data_type().clone())).collect();
        let converter = if !fields.is_empty() && RowConverter::supports_fields(&fields) {
            Some(RowConverter::new(fields).map_err(hash_error)?)
        } else {
            None
        };
        let state = if ordered {
            let hasher = blake3::Hasher::new_derive_key(CHAIN_CONTEXT);
            State::Chain(Box::new(Chain { hasher, batch: vec![] }))
        } else {
            State::Sum([0; 2])
        };
        Ok(Self { converter, rows: 0, state })
    }

    /// Takes a batch's rows in.
    ///
    /// # Errors
    /// [`Error::Parquet`] if the batch does not have the schema's types.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        let Some(converter) = &self.converter else { return Ok(()) };
        let rows = converter.convert_columns(batch.columns()).map_err(hash_error)?;
        match &mut self.state {
            State::Sum(lanes) => {
                for row in &rows {
                    add(lanes, SEEDS.map(|seed| xxh3_128_with_seed(row.as_ref(), seed)));
                }
            }
            State::Chain(chain) => {
                let Chain { hasher, batch } = chain.as_mut();
                batch.clear();
                for row in &rows {
                    batch.extend_from_slice(&(row.as_ref().len() as u64).to_le_bytes());
                    batch.extend_from_slice(row.as_ref());
                }
                hasher.update(batch);
            }
        }
        Ok(())
    }

    /// The content of all rows taken in.
    #[must_use]
    pub fn finish(self) -> ContentPart {
        let (ordered, digest) = match self.state {
            State::Sum(lanes) => (false, Digest::from_bytes(to_bytes(lanes))),
            State::Chain(chain) => (true, chain.hasher.finalize().into()),
        };
        let digest = self.converter.is_some().then_some(digest);
        ContentPart { scheme: CONTENT_SCHEME, ordered, rows: self.rows, digest }
    }
}

fn hash_error(source: arrow::error::ArrowError) -> Error {
    Error::parquet("hash", "a batch of rows", source)
}

fn add(lanes: &mut [u128; 2], hash: [u128; 2]) {
    for (lane, half) in lanes.iter_mut().zip(hash) {
        *lane = lane.wrapping_add(half);
    }
}

fn to_bytes(lanes: [u128; 2]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, lane) in bytes.chunks_exact_mut(16).zip(lanes) {
        chunk.copy_from_slice(&lane.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8; 32]) -> [u128; 2] {
    let lane = |half: usize| {
        let mut lane = [0; 16];
        lane.copy_from_slice(&bytes[16 * half..16 * (half + 1)]);
        u128::from_le_bytes(lane)
    };
    [lane(0), lane(1)]
}

impl ContentId {
    /// The identity of a snapshot from the contents of its files.
    ///
    /// Without `ordered` parts the files' order and the split into files do not count. With them both do.
    /// `None` if some part has no digest, another scheme, or if ordered and unordered parts are mixed: then
    /// use [`Self::unique`].
    #[must_use]
    pub fn combine(schema: &Schema, ordering: &[SortField], parts: &[ContentPart]) -> Option<Self> {
        let ordered = parts.first().is_some_and(|part| part.ordered);
        let mut hasher = blake3::Hasher::new_derive_key(WHOLE_CONTEXT);
        hasher.update(&CONTENT_SCHEME.to_le_bytes());
        hash_schema(&mut hasher, schema);
        hash_ordering(&mut hasher, ordering);
        let mut rows = 0;
        let mut sum = [0; 2];
        for part in parts {
            let digest = part.digest.filter(|_| part.scheme == CONTENT_SCHEME && part.ordered == ordered)?;
            rows += part.rows;
            if !ordered {
                add(&mut sum, from_bytes(digest.as_bytes()));
            } else if part.rows > 0 {
                hasher.update(&part.rows.to_le_bytes()).update(digest.as_bytes());
            }
        }
        // No rows are no rows, in whatever order.
        if !ordered && rows > 0 {
            hasher.update(&to_bytes(sum));
        }
        hasher.update(&rows.to_le_bytes()).update(&[u8::from(ordered && rows > 0)]);
        Some(hasher.finalize().into())
    }

    /// An identity that equals no other, for content that cannot be compared.
    #[must_use]
    pub fn unique(id: ulid::Ulid) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("milepost content unique 1");
        hasher.update(&id.to_bytes());
        hasher.finalize().into()
    }
}

fn hash_ordering(hasher: &mut blake3::Hasher, ordering: &[SortField]) {
    hasher.update(&(ordering.len() as u64).to_le_bytes());
    for field in ordering {
        hasher.update(&(field.column as u64).to_le_bytes());
        hasher.update(&[u8::from(field.descending), u8::from(field.nulls_first)]);
    }
}

/// Hashes names, types, nullability and metadata; maps of metadata by sorted key.
fn hash_schema(hasher: &mut blake3::Hasher, schema: &Schema) {
    hash_metadata(hasher, schema.metadata());
    hasher.update(&(schema.fields().len() as u64).to_le_bytes());
    for field in schema.fields() {
        hash_field(hasher, field);
    }
}

fn hash_field(hasher: &mut blake3::Hasher, field: &Field) {
    hash_text(hasher, field.name());
    hasher.update(&[u8::from(field.is_nullable())]);
    hash_metadata(hasher, field.metadata());
    hash_type(hasher, field.data_type());
}

fn hash_type(hasher: &mut blake3::Hasher, data_type: &DataType) {
    let mut nested = |kind: &str, fields: &[&Field]| {
        hash_text(hasher, kind);
        hasher.update(&(fields.len() as u64).to_le_bytes());
        for field in fields {
            hash_field(hasher, field);
        }
    };
    match data_type {
        DataType::List(field) => nested("list", &[field]),
        DataType::LargeList(field) => nested("large_list", &[field]),
        DataType::ListView(field) => nested("list_view", &[field]),
        DataType::LargeListView(field) => nested("large_list_view", &[field]),
        DataType::FixedSizeList(field, size) => nested(&format!("fixed_size_list {size}"), &[field]),
        DataType::Map(field, sorted) => nested(&format!("map {sorted}"), &[field]),
        DataType::RunEndEncoded(ends, values) => nested("run_end", &[ends, values]),
        DataType::Struct(fields) => {
            nested("struct", &fields.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        }
        DataType::Union(fields, mode) => {
            let tags: Vec<_> = fields.iter().map(|(tag, _)| tag).collect();
            let fields: Vec<_> = fields.iter().map(|(_, field)| field.as_ref()).collect();
            nested(&format!("union {mode:?} {tags:?}"), &fields);
        }
        DataType::Dictionary(key, value) => {
            hash_text(hasher, "dictionary");
            hash_type(hasher, key);
            hash_type(hasher, value);
        }
        plain => hash_text(hasher, &format!("{plain:?}")),
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn hash_metadata(hasher: &mut blake3::Hasher, metadata: &std::collections::HashMap<String, String>) {
    let mut pairs: Vec<_> = metadata.iter().collect();
    pairs.sort();
    hasher.update(&(pairs.len() as u64).to_le_bytes());
    for (key, value) in pairs {
        hash_text(hasher, key);
        hash_text(hasher, value);
    }
}
