//! Content identity: whether two snapshots hold the same rows, whoever computed them.
//!
//! Each row is given a number of 128 bits, which depends on its values alone (`rows`). The numbers of rows without order are
//! hashed with XXH3 and summed up, so that any order gives the same sum and a repeated row counts every time; beside that
//! the numbers themselves are summed. Those of rows in order are hashed as one stream, with BLAKE3.
//!
//! The sum tells results apart that came about by themselves. It is no seal against somebody who looks for
//! rows with a given sum: the files' own checksums are.
//!
//! Should Arrow ever encode nested rows otherwise, equal rows get different identities: a snapshot is computed
//! again, never taken for another.

mod rows;
mod schema;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use self::rows::RowHasher;
use self::schema::{hash_ordering, hash_schema};
use crate::error::Error;
use crate::ids::{ContentId, Digest};
use crate::manifest::SortField;
use crate::statistics::DistinctSketch;
use crate::words::words_of;

/// The way in which content is hashed; a part of every identity.
pub const CONTENT_SCHEME: u32 = 3;

const CHAIN_CONTEXT: &str = "milepost content chain 3";
const WHOLE_CONTEXT: &str = "milepost content whole 1";

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
#[derive(Debug)]
pub struct ContentHasher {
    hasher: Option<RowHasher>,
    rows: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The sums of the rows' hashes and of what these are made from.
    Sum([u128; 2]),
    Chain(Box<blake3::Hasher>),
}

impl ContentHasher {
    /// Starts with no rows; `ordered` if the order of the rows counts.
    ///
    /// A type that cannot be hashed leads to a part without a digest.
    ///
    /// # Errors
    /// [`Error::Parquet`] if Arrow refuses the schema for another reason.
    pub fn new(schema: &Schema, ordered: bool) -> Result<Self, Error> {
        let hasher = RowHasher::new(schema).map_err(hash_error)?;
        let state = if ordered {
            State::Chain(Box::new(blake3::Hasher::new_derive_key(CHAIN_CONTEXT)))
        } else {
            State::Sum([0; 2])
        };
        Ok(Self { hasher, rows: 0, state })
    }

    /// Takes a batch's rows in.
    ///
    /// # Errors
    /// [`Error::Parquet`] if the batch does not have the schema's types.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.update_counting(batch, std::iter::repeat_with(|| None))
    }

    /// The same, and shows the values of each column to its sketch, if it has one: what a value is need be found only once.
    pub(crate) fn update_counting<'s>(
        &mut self,
        batch: &RecordBatch,
        sketches: impl Iterator<Item = Option<&'s mut DistinctSketch>>,
    ) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        let Some(hasher) = &mut self.hasher else {
            for (column, sketch) in batch.columns().iter().zip(sketches) {
                sketch.map(|sketch| words_of(column.as_ref(), sketch));
            }
            return Ok(());
        };
        let rows = hasher.hash(batch, sketches).map_err(hash_error)?;
        match &mut self.state {
            State::Sum(lanes) => {
                for row in rows {
                    add(lanes, [xxh3_128(&row.to_le_bytes()), *row]);
                }
            }
            State::Chain(chain) => {
                let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
                chain.update(&bytes);
            }
        }
        Ok(())
    }

    /// The content of all rows taken in.
    #[must_use]
    pub fn finish(self) -> ContentPart {
        let (ordered, digest) = match self.state {
            State::Sum(lanes) => (false, Digest::from_bytes(to_bytes(lanes))),
            State::Chain(chain) => (true, chain.finalize().into()),
        };
        let digest = self.hasher.is_some().then_some(digest);
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
