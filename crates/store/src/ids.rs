//! Names and numbers of the store, each its own type so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ulid::Ulid;

use crate::error::Error;

/// Longest checkpoint name, in bytes.
pub const MAX_NAME_LEN: usize = 63;

/// The name of a checkpoint: `[a-z_][a-z0-9_]{0,62}`.
///
/// Only a parsed name can become part of an object path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointName(String);

impl CheckpointName {
    /// Checks `name` and takes it over.
    ///
    /// # Errors
    /// [`Error::InvalidName`] says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match broken_rule(name) {
            Some(reason) => Err(Error::InvalidName { name: name.chars().take(80).collect(), reason }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rule for names that a name breaks: `[a-z_][a-z0-9_]{0,62}`.
pub(crate) fn broken_rule(name: &str) -> Option<&'static str> {
    let mut bytes = name.bytes();
    match bytes.next() {
        None => return Some("it is empty"),
        Some(b'a'..=b'z' | b'_') => {}
        Some(_) => return Some("it must start with a lower-case letter or an underscore"),
    }
    if name.len() > MAX_NAME_LEN {
        return Some("it is longer than 63 characters");
    }
    let allowed = bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    (!allowed).then_some("only lower-case letters, digits and underscores may stand in it")
}

impl fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for CheckpointName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for CheckpointName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::parse(name)
    }
}

impl Serialize for CheckpointName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CheckpointName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The number of a snapshot within its checkpoint. The first is 1; a number is never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The place of an entry in its log. The first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u64);

impl Slot {
    /// The slot that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a unit within its attempt. The first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitNumber(pub u32);

macro_rules! display_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_number!(Version, Slot, UnitNumber);

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Ulid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Ulid::from_string(&text).map(Self).map_err(de::Error::custom)
            }
        }
    };
}
ulid_id!(
    /// One try at writing a snapshot. Later attempts have larger ids, up to clock skew.
    AttemptId
);
ulid_id!(
    /// The identity of a log entry: made once, with the entry, so that its writer knows it again.
    EntryId
);
ulid_id!(
    /// One try at running a job to its end, however often it is taken up again.
    RunId
);
ulid_id!(
    /// One process's turn at driving a job.
    DriverId
);

/// 32 bytes of BLAKE3, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Wraps bytes that were hashed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The BLAKE3 hash of `data`.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        Self(blake3::hash(data).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Reads what [`Self::hex`] writes; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let hash = blake3::Hash::from_hex(text).ok().filter(|_| lower)?;
        Some(Self(hash.into()))
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| de::Error::custom("not a digest of 64 hex digits"))
    }
}

macro_rules! digest_kind {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// Wraps bytes that were hashed elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(Digest(bytes))
            }

            /// The BLAKE3 hash of `data`.
            #[must_use]
            pub fn of(data: &[u8]) -> Self {
                Self(Digest::of(data))
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }

            /// 64 lower-case hex digits.
            #[must_use]
            pub fn hex(&self) -> String {
                self.0.hex()
            }

            /// Reads what `hex` writes; `None` for anything else.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                Digest::from_hex(text).map(Self)
            }

            /// The digest without its kind.
            #[must_use]
            pub const fn digest(&self) -> Digest {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Digest> for $name {
            fn from(digest: Digest) -> Self {
                Self(digest)
            }
        }

        impl From<blake3::Hash> for $name {
            fn from(hash: blake3::Hash) -> Self {
                Self(hash.into())
            }
        }
    };
}
digest_kind!(
    /// What is computed: the hash of the canonical form of a plan.
    Fingerprint
);
digest_kind!(
    /// What is computed, and from what: fingerprint and all source versions.
    Signature
);
digest_kind!(
    /// What the rows are, whoever computed them from whatever.
    ContentId
);
digest_kind!(
    /// The hash of stored bytes.
    Checksum
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_before_they_become_paths() {
        for good in ["a", "_", "clean_trips_2024", &"a".repeat(63)] {
            assert_eq!(CheckpointName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "1a", "A", "a-b", "a/b", "../x", "a b", "ä", "aä", "a.b", "a\0", &"a".repeat(64)] {
            assert!(CheckpointName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_stored_name_is_checked_when_it_is_read() {
        assert!(serde_json::from_str::<CheckpointName>("\"../../etc\"").is_err());
        assert_eq!(serde_json::from_str::<CheckpointName>("\"ok\"").unwrap().as_str(), "ok");
    }

    #[test]
    fn digests_keep_their_bytes_in_json() {
        let id = Signature::of(b"abc");
        // The BLAKE3 test vector for "abc".
        assert_eq!(id.hex(), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<Signature>(&text).unwrap(), id);
        assert!(Digest::from_hex("abc").is_none());
        assert!(Digest::from_hex(&id.hex().to_uppercase()).is_none());
    }
}
