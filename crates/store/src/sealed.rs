//! JSON documents with a checksum of their own, and with the format that they need to be read.
//!
//! The checksum is the last field. It covers every byte before its own line, so it holds whatever fields
//! a later program adds, and any edit shows.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ids::Checksum;

/// The newest format that this program reads, and the one that it writes.
pub const FORMAT: u32 = 1;

/// Features beyond [`FORMAT`] that this program understands.
pub const FEATURES: &[&str] = &[RENAMED_COLUMNS, EDITED_JOBS];

/// A manifest in which some columns say by which other name files have them.
pub(crate) const RENAMED_COLUMNS: &str = "renamed-columns";

/// An entry of a job that takes earlier ones of its run back.
pub(crate) const EDITED_JOBS: &str = "edited-jobs";

const SEAL_START: &str = ",\n  \"checksum\": \"";
const SEAL_END: &str = "\"\n}\n";
const HEX_LEN: usize = 64;

#[derive(Deserialize)]
struct Header {
    format: u32,
    #[serde(default)]
    features: Vec<String>,
}

/// Writes `value`, which must be a struct with a field `format`, as a sealed document.
pub(crate) fn seal<T: Serialize>(
    object: impl std::fmt::Display,
    value: &T,
) -> Result<(Bytes, Checksum), Error> {
    let encode_error = |source| Error::Encode { object: object.to_string(), source };
    let mut text = serde_json::to_vec_pretty(value).map_err(|source| encode_error(source.into()))?;
    if !text.ends_with(b"\n}") {
        return Err(encode_error("it is not a JSON object with fields".into()));
    }
    text.truncate(text.len() - 2);
    let checksum = Checksum::of(&text);
    text.extend_from_slice(format!("{SEAL_START}{checksum}{SEAL_END}").as_bytes());
    Ok((text.into(), checksum))
}

/// Reads what [`seal`] wrote.
///
/// # Errors
/// As [`Sealed::open`].
pub(crate) fn unseal<T: DeserializeOwned>(
    object: impl std::fmt::Display,
    bytes: &[u8],
) -> Result<(T, Checksum), Error> {
    Sealed::check(bytes).open(object)
}

/// A document whose checksum was looked at, and nothing else yet.
pub(crate) struct Sealed<'b> {
    bytes: &'b [u8],
    /// What was expected and what was found instead, where they differ.
    seal: Result<Checksum, (String, String)>,
}

impl<'b> Sealed<'b> {
    /// Checks every byte of it.
    pub(crate) fn check(bytes: &'b [u8]) -> Self {
        Self { bytes, seal: check_seal(bytes) }
    }

    /// The checksum, if it is that of the bytes.
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        self.seal.as_ref().ok().copied()
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the bytes are not those that were written, [`Error::NewerFormat`] or
    /// [`Error::UnknownFeature`] if a newer program wrote them, [`Error::ForeignObject`] if they are sealed but
    /// are another kind of document.
    pub(crate) fn open<T: DeserializeOwned>(
        self,
        object: impl std::fmt::Display,
    ) -> Result<(T, Checksum), Error> {
        // A newer format may be sealed otherwise, so what it says about itself goes first.
        check_header(&object, self.bytes)?;
        let checksum = self.seal.map_err(|(expected, found)| Error::damaged(&object, expected, found))?;
        let value = serde_json::from_slice(self.bytes).map_err(|error| Error::ForeignObject {
            object: object.to_string(),
            detail: error.to_string(),
        })?;
        Ok((value, checksum))
    }
}

fn check_header(object: &impl std::fmt::Display, bytes: &[u8]) -> Result<(), Error> {
    let Ok(header) = serde_json::from_slice::<Header>(bytes) else { return Ok(()) };
    if header.format > FORMAT {
        return Err(Error::NewerFormat {
            object: object.to_string(),
            found: header.format,
            supported: FORMAT,
        });
    }
    match header.features.into_iter().find(|feature| !FEATURES.contains(&feature.as_str())) {
        Some(feature) => Err(Error::UnknownFeature { object: object.to_string(), feature }),
        None => Ok(()),
    }
}

/// The checksum, or what was expected and what was found instead.
fn check_seal(bytes: &[u8]) -> Result<Checksum, (String, String)> {
    let unsealed = || {
        ("a document that ends with its checksum".to_owned(), format!("{} bytes without one", bytes.len()))
    };
    let rest = bytes.strip_suffix(SEAL_END.as_bytes()).ok_or_else(unsealed)?;
    let (rest, hex) = rest.split_at_checked(rest.len().wrapping_sub(HEX_LEN)).ok_or_else(unsealed)?;
    let text = rest.strip_suffix(SEAL_START.as_bytes()).ok_or_else(unsealed)?;
    let expected = std::str::from_utf8(hex).ok().and_then(Checksum::from_hex).ok_or_else(unsealed)?;
    let found = Checksum::of(text);
    if found == expected {
        return Ok(found);
    }
    Err((format!("text with checksum {expected}"), format!("text with checksum {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Doc {
        format: u32,
        text: String,
    }

    fn doc() -> Doc {
        Doc { format: 1, text: "ends like a seal: \",\n  \"checksum\": \"".into() }
    }

    #[test]
    fn a_document_comes_back_and_is_plain_json() {
        let (bytes, checksum) = seal("x", &doc()).unwrap();
        assert_eq!(unseal::<Doc>("x", &bytes).unwrap(), (doc(), checksum));
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["checksum"], checksum.hex());
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let (bytes, _) = seal("x", &doc()).unwrap();
        for len in 0..bytes.len() {
            assert!(unseal::<Doc>("x", &bytes[..len]).is_err(), "cut to {len} bytes");
        }
        for at in 0..bytes.len() {
            for bit in [1, 4, 32] {
                let mut edited = bytes.to_vec();
                edited[at] ^= bit;
                assert!(unseal::<Doc>("x", &edited).is_err(), "byte {at} flipped");
            }
        }
    }

    #[test]
    fn a_newer_format_and_an_unknown_feature_are_named_even_without_a_seal() {
        let newer = br#"{"format": 7, "anything": []}"#;
        assert!(matches!(unseal::<Doc>("x", newer), Err(Error::NewerFormat { found: 7, .. })));
        let feature = br#"{"format": 1, "features": ["branches"]}"#;
        assert!(
            matches!(unseal::<Doc>("x", feature), Err(Error::UnknownFeature { feature, .. }) if feature == "branches")
        );
    }

    #[test]
    fn a_sealed_document_of_another_kind_is_foreign() {
        #[derive(Serialize)]
        struct Other {
            format: u32,
        }
        let (bytes, _) = seal("x", &Other { format: 1 }).unwrap();
        assert!(matches!(unseal::<Doc>("x", &bytes), Err(Error::ForeignObject { .. })));
    }
}
