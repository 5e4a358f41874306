//! One number for each row, from its values alone: not from batch boundaries, dictionary keys or how values lie in memory.
//!
//! Every value becomes one or more words of 64 bits, and a row's number is the sum of its words, each times a key of 128 bits that
//! belongs to the column and to the word's place in the value, modulo 2^128. That is multilinear hashing (Lemire and Kaser,
//! "Strongly universal string hashing is fast", 2014); columns are worked through one after the other, so a value costs one
//! multiplication. A null has no words: a key of the column's is added. Values that have none ([`crate::words`]) become XXH3 over
//! Arrow's row format, of all such columns together.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use crate::statistics::DistinctSketch;
use crate::words::{Words, halves, has_words, words_of};

/// Words of the widest value, a decimal of 256 bits.
const WORDS: usize = 4;

/// Gives each row its number.
#[derive(Debug)]
pub(super) struct RowHasher {
    columns: Vec<Keys>,
    /// Columns that go through Arrow's row format.
    others: Option<(Vec<usize>, RowConverter, Keys)>,
    rows: Vec<u128>,
}

impl RowHasher {
    /// `None` if some column cannot be hashed.
    pub(super) fn new(schema: &Schema) -> Result<Option<Self>, ArrowError> {
        let fields = schema.fields();
        if fields.is_empty() {
            return Ok(None);
        }
        let others: Vec<usize> =
            (0..fields.len()).filter(|index| !has_words(fields[*index].data_type())).collect();
        let formats: Vec<SortField> =
            others.iter().map(|index| SortField::new(fields[*index].data_type().clone())).collect();
        if !RowConverter::supports_fields(&formats) {
            return Ok(None);
        }
        let others = if others.is_empty() {
            None
        } else {
            Some((others, RowConverter::new(formats)?, Keys::of(fields.len())))
        };
        Ok(Some(Self { columns: (0..fields.len()).map(Keys::of).collect(), others, rows: vec![] }))
    }

    /// The numbers of a batch's rows. Each column's sketch, if it has one, is shown its values.
    pub(super) fn hash<'s>(
        &mut self,
        batch: &RecordBatch,
        sketches: impl Iterator<Item = Option<&'s mut DistinctSketch>>,
    ) -> Result<&[u128], ArrowError> {
        self.rows.clear();
        self.rows.resize(batch.num_rows(), 0);
        for ((keys, column), sketch) in self.columns.iter().zip(batch.columns()).zip(sketches) {
            let sums = Sums { rows: &mut self.rows, keys };
            match sketch {
                Some(sketch) => words_of(column.as_ref(), &mut CountedSums { sums, sketch }),
                None => words_of(column.as_ref(), &mut { sums }),
            };
        }
        if let Some((others, converter, keys)) = &mut self.others {
            let columns: Vec<ArrayRef> =
                others.iter().filter_map(|index| batch.columns().get(*index)).cloned().collect();
            let encoded = converter.convert_columns(&columns)?;
            let hashes = encoded.iter().map(|row| halves(xxh3_128(row.as_ref())));
            Sums { rows: &mut self.rows, keys }.take(None, hashes);
        }
        Ok(&self.rows)
    }
}

/// The keys of one column.
#[derive(Debug)]
struct Keys {
    words: [u128; WORDS],
    null: u128,
}

impl Keys {
    fn of(column: usize) -> Self {
        let key = |place: usize| {
            let seed = (column as u64).wrapping_mul(WORDS as u64 + 1).wrapping_add(place as u64);
            // Odd, so that no word is lost.
            xxh3_128_with_seed(b"milepost row", seed) | 1
        };
        Self { words: std::array::from_fn(key), null: key(WORDS) }
    }
}

/// The numbers of the rows so far, and the keys of the column that comes next.
struct Sums<'a> {
    rows: &'a mut [u128],
    keys: &'a Keys,
}

impl Sums<'_> {
    #[inline]
    fn product<const N: usize>(keys: &Keys, words: [u64; N]) -> u128 {
        let products = words.iter().zip(&keys.words).map(|(word, key)| key.wrapping_mul(u128::from(*word)));
        products.fold(0, u128::wrapping_add)
    }

    /// Adds each value to its row, and shows it to `also`.
    #[inline]
    fn add<const N: usize>(
        &mut self,
        nulls: Option<&NullBuffer>,
        values: impl Iterator<Item = [u64; N]>,
        mut also: impl FnMut([u64; N]),
    ) {
        let Self { rows, keys } = self;
        let mut product = |words| {
            also(words);
            Self::product(keys, words)
        };
        match nulls {
            None => {
                for (row, words) in rows.iter_mut().zip(values) {
                    *row = row.wrapping_add(product(words));
                }
            }
            Some(nulls) => {
                for ((row, words), valid) in rows.iter_mut().zip(values).zip(nulls) {
                    *row = row.wrapping_add(if valid { product(words) } else { keys.null });
                }
            }
        }
    }
}

impl Words for Sums<'_> {
    fn take<const N: usize>(&mut self, nulls: Option<&NullBuffer>, values: impl Iterator<Item = [u64; N]>) {
        self.add(nulls, values, |_| {});
    }
}

/// The same, and a count of the column's different values.
struct CountedSums<'a, 's> {
    sums: Sums<'a>,
    sketch: &'s mut DistinctSketch,
}

impl Words for CountedSums<'_, '_> {
    fn take<const N: usize>(&mut self, nulls: Option<&NullBuffer>, values: impl Iterator<Item = [u64; N]>) {
        self.sums.add(nulls, values, |words| self.sketch.insert(words));
    }
}
