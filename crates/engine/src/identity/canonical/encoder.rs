//! The bytes of canonical forms.

/// Appends tagged, length-prefixed values, so that different sequences of values never give the same bytes.
///
/// Numbers are little-endian and of fixed width; strings and byte strings carry their length; lists carry their
/// count. A reader is not needed: the bytes are only ever hashed.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder without content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which alternative follows.
    pub fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// An unsigned number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A signed number.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// How many items follow.
    pub fn len(&mut self, len: usize) {
        self.u64(len as u64);
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// A string.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A value that may be absent.
    pub fn option<T>(&mut self, value: Option<T>, encode: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            encode(self, value);
        }
    }

    /// Strings by strings, in the order of `entries`: sort a map that has none.
    pub fn map<'a>(&mut self, entries: impl ExactSizeIterator<Item = (&'a String, &'a String)>) {
        self.len(entries.len());
        for (key, value) in entries {
            self.str(key);
            self.str(value);
        }
    }

    /// The bytes so far.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// BLAKE3 of the bytes so far.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }
}
