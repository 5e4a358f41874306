//! How many different values a column has: a HyperLogLog sketch.
//!
//! Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm" (2007);
//! estimated as Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017, section 4), which needs no
//! tables and no special case for small numbers.

use arrow::buffer::NullBuffer;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::words::Words;

/// Bits of a hash that choose a register.
const BITS: u32 = 8;

/// So many registers make a standard error of 1.04 / √256, 6.5%.
const REGISTERS: usize = 1 << BITS;

/// The highest rank: all other bits of a hash are zero.
const HIGHEST: u8 = (64 - BITS + 1) as u8;

/// Counts different values without keeping them: two sketches of parts make the sketch of the whole.
///
/// It takes 256 bytes. As JSON it is its registers in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct DistinctSketch(Box<[u8; REGISTERS]>);

impl Default for DistinctSketch {
    fn default() -> Self {
        Self(Box::new([0; REGISTERS]))
    }
}

impl std::fmt::Debug for DistinctSketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DistinctSketch({})", self.estimate())
    }
}

impl DistinctSketch {
    /// Takes in all that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        for (register, rank) in self.0.iter_mut().zip(other.0.iter()) {
            *register = (*register).max(*rank);
        }
    }

    /// About how many different values it has seen; none only if it has seen none.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        let mut counts = [0_u32; HIGHEST as usize + 1];
        for rank in self.0.iter() {
            counts[usize::from(*rank)] += 1;
        }
        let registers = REGISTERS as f64;
        let part = |rank: u8| f64::from(counts[usize::from(rank)]) / registers;
        let mut sum = registers * tau(1.0 - part(HIGHEST));
        for rank in (1..HIGHEST).rev() {
            sum = 0.5 * (sum + f64::from(counts[usize::from(rank)]));
        }
        sum += registers * sigma(part(0));
        // 1 / (2 ln 2): the factor for very many registers.
        (0.5 / std::f64::consts::LN_2 * registers * registers / sum).round() as u64
    }

    /// Takes a value in, by its words.
    #[inline]
    pub(crate) fn insert<const N: usize>(&mut self, words: [u64; N]) {
        let hash = hash(words);
        let register = (hash >> (64 - BITS)) as usize;
        // The bit behind the last one ends the count.
        let rank = (((hash << BITS) | (1 << (BITS - 1))).leading_zeros() + 1) as u8;
        if let Some(highest) = self.0.get_mut(register)
            && *highest < rank
        {
            *highest = rank;
        }
    }
}

impl Words for DistinctSketch {
    fn take<const N: usize>(&mut self, nulls: Option<&NullBuffer>, values: impl Iterator<Item = [u64; N]>) {
        match nulls {
            None => values.for_each(|words| self.insert(words)),
            Some(nulls) => {
                for (words, valid) in values.zip(nulls) {
                    if valid {
                        self.insert(words);
                    }
                }
            }
        }
    }
}

/// A value's words, mixed by multiplying to twice their width and folding.
fn hash<const N: usize>(words: [u64; N]) -> u64 {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xd1b5_4a32_d192_ed03;
    words.iter().fold(0, |hash, word| {
        let product = u128::from(word ^ hash ^ FIRST) * u128::from(SECOND);
        (product as u64 ^ (product >> 64) as u64).wrapping_mul(FIRST)
    })
}

/// Ertl's σ: what registers that nothing has reached say.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut step, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * step;
        step += step;
        if sum == before {
            return sum;
        }
    }
}

/// Ertl's τ: what registers that are at their highest say.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut step, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        step *= 0.5;
        sum -= (1.0 - x).powi(2) * step;
        if sum == before {
            return sum / 3.0;
        }
    }
}

impl Serialize for DistinctSketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(self.0.as_slice()))
    }
}

impl<'de> Deserialize<'de> for DistinctSketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let registers: Box<[u8; REGISTERS]> = bytes
            .into_boxed_slice()
            .try_into()
            .map_err(|_| serde::de::Error::custom(format!("a sketch has {REGISTERS} registers")))?;
        if registers.iter().any(|rank| *rank > HIGHEST) {
            return Err(serde::de::Error::custom(format!("a register is {HIGHEST} at most")));
        }
        Ok(Self(registers))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::words::words_of;

    fn sketch(arrays: &[ArrayRef]) -> DistinctSketch {
        let mut sketch = DistinctSketch::default();
        for array in arrays {
            assert!(words_of(array.as_ref(), &mut sketch));
        }
        sketch
    }

    fn numbers(values: impl Iterator<Item = i64>) -> ArrayRef {
        Arc::new(values.collect::<Int64Array>())
    }

    /// Five standard errors, and a little where there are few.
    fn near(estimate: u64, truth: u64) -> bool {
        estimate.abs_diff(truth) as f64 <= 5.0 * 0.065 * truth as f64 + 1.0
    }

    #[test]
    fn estimates_are_near_the_truth() {
        for distinct in [1, 2, 10, 100, 500, 1_000, 2_500, 5_000, 20_000, 100_000, 1_000_000] {
            // Numbers in a row, far apart, and as text; each twice.
            let row = sketch(&[numbers((0..2 * distinct).map(|i| i % distinct))]);
            let apart = sketch(&[numbers((0..2 * distinct).map(|i| i / 2 * 1_000_000_007))]);
            let text: StringArray = (0..distinct).map(|i| Some(format!("customer number {i}"))).collect();
            let text = sketch(&[Arc::new(text.clone()), Arc::new(text)]);
            for found in [row, apart, text] {
                assert!(near(found.estimate(), distinct as u64), "{distinct}: {found:?}");
            }
        }
    }

    #[test]
    fn no_value_is_no_value() {
        assert_eq!(DistinctSketch::default().estimate(), 0);
        assert_eq!(sketch(&[Arc::new(Int64Array::from(vec![None, None]))]).estimate(), 0);
    }

    #[test]
    fn parts_make_the_whole() {
        let parts = [numbers(0..60_000), numbers(40_000..100_000)];
        let whole = sketch(&parts);
        let mut merged = sketch(&parts[..1]);
        merged.merge(&sketch(&parts[1..]));
        assert_eq!(merged, whole);
        let json = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<DistinctSketch>(&json).unwrap(), whole);
    }

    #[test]
    fn damaged_sketches_are_refused() {
        for registers in [vec![0; REGISTERS - 1], vec![HIGHEST + 1; REGISTERS]] {
            let json = serde_json::to_string(&BASE64_STANDARD.encode(registers)).unwrap();
            assert!(serde_json::from_str::<DistinctSketch>(&json).is_err());
        }
    }
}
