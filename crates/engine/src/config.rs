//! The settings of DESIGN's table: `SET milepost.<key> = value`, and the same keys in `WITH (…)`.
//!
//! One struct holds them all. A statement's effective settings are the session's with the options of its `WITH`
//! list laid over them, parsed by the same code, so that a value means the same in both places.

use std::any::Any;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::error::{DataFusionError, Result};
use milepost_store::Durability;
use milepost_store::gc::parse_age;

use crate::error::Error;

/// Declares an enum whose variants are written as words in SQL.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text.to_ascii_lowercase().as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err([$($word),+].join(", ")),
                }
            }
        }
        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words! {
    /// Which snapshots a checkpoint may reuse.
    Reuse {
        /// Its own newest snapshot, when its signature equals today's (default).
        Explicit = "explicit",
        /// Any live snapshot in the store with today's signature, under whatever name.
        Transparent = "transparent",
        /// None: it is written every time.
        Off = "off",
    }
}
words! {
    /// What a named read of a stale snapshot does.
    OnStale {
        /// Reads it and leaves a notice (default).
        Warn = "warn",
        /// Reads it silently.
        Use = "use",
        /// Fails, naming what changed.
        Error = "error",
        /// Runs the stored definition first and reads the new version.
        Refresh = "refresh",
    }
}
words! {
    /// What a read of a damaged snapshot does.
    OnDamage {
        /// Fails, naming the file (default).
        Error = "error",
        /// Writes a new version from the query at hand or the stored definition.
        Recompute = "recompute",
    }
}
words! {
    /// What a writer does when another one is writing the same checkpoint.
    OnConcurrent {
        /// Waits for it and takes its result, or goes on from its units where it dies (default).
        Wait = "wait",
        /// Computes beside it; whoever commits second adopts the first result.
        Race = "race",
    }
}

words! {
    /// In which order inner joins above a snapshot are done.
    JoinOrder {
        /// As the query has them (default).
        Written = "written",
        /// As the measured sizes of snapshots suggest, where that clearly pays.
        Measured = "measured",
    }
}

/// Compression of a snapshot's Parquet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Snappy: little time, fair size (default).
    Fast,
    /// Zstandard at level 3: smaller and slower.
    Small,
    /// Stored as it is.
    None,
    /// A codec by its Parquet name.
    Codec(Codec),
}

words! {
    /// The codecs that can be named one by one.
    Codec {
        /// Snappy.
        Snappy = "snappy",
        /// Zstandard, level 3.
        Zstd = "zstd",
        /// LZ4 without framing.
        Lz4 = "lz4_raw",
        /// Gzip, level 6.
        Gzip = "gzip",
        /// Brotli, level 1.
        Brotli = "brotli",
    }
}

impl FromStr for Compression {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "fast" => Ok(Self::Fast),
            "small" => Ok(Self::Small),
            "none" | "uncompressed" => Ok(Self::None),
            other => other
                .parse()
                .map(Self::Codec)
                .map_err(|codecs: String| format!("fast, small, none, {codecs}")),
        }
    }
}

impl Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fast => f.write_str("fast"),
            Self::Small => f.write_str("small"),
            Self::None => f.write_str("none"),
            Self::Codec(codec) => codec.fmt(f),
        }
    }
}

/// Milepost's settings, a DataFusion configuration extension with the prefix `milepost`.
#[derive(Debug, Clone, PartialEq)]
pub struct MilepostConfig {
    /// Default true. When false, `CHECKPOINT` makes only a view of its query and an inline checkpoint is its subquery.
    pub enabled: bool,
    /// Default `explicit`.
    pub reuse: Reuse,
    /// Default `warn`.
    pub on_stale: OnStale,
    /// Default `error`.
    pub on_damage: OnDamage,
    /// Default `wait`.
    pub on_concurrent: OnConcurrent,
    /// Default `fast`.
    pub compression: Compression,
    /// Input bytes a unit should cover. Default 128 MiB.
    pub unit_bytes: u64,
    /// The most rows of a row group. Default 262,144.
    pub row_group_rows: usize,
    /// Versions that garbage collection keeps. Default 2.
    pub keep_versions: u32,
    /// Age at which a version may be collected. Default none.
    pub ttl: Option<Duration>,
    /// Default `fsync`.
    pub durability: Durability,
    /// Whether whole files are checked as they are read. Default false.
    pub verify_reads: bool,
    /// Default `written`.
    pub join_order: JoinOrder,
    /// Columns whose row groups get a Bloom filter. Default none.
    pub bloom_filters: Vec<String>,
    /// Columns by whose hash rows are dealt out to files. Default none.
    pub partition_by: Vec<String>,
    /// Whether a snapshot that was written so is read so, where that is safe. Default true.
    pub partitioned_reads: bool,
}

impl Default for MilepostConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            reuse: Reuse::Explicit,
            on_stale: OnStale::Warn,
            on_damage: OnDamage::Error,
            on_concurrent: OnConcurrent::Wait,
            compression: Compression::Fast,
            unit_bytes: 128 << 20,
            row_group_rows: 1 << 18,
            keep_versions: 2,
            ttl: None,
            durability: Durability::Fsync,
            verify_reads: false,
            join_order: JoinOrder::Written,
            bloom_filters: vec![],
            partition_by: vec![],
            partitioned_reads: true,
        }
    }
}

/// Fewer rows tell nothing of how a row group should be encoded.
pub(crate) const LEAST_ROW_GROUP_ROWS: usize = 1_024;

/// Key, values and meaning of every setting, in the order of the documentation.
const KEYS: &[(&str, &str)] = &[
    ("enabled", "true; false: a CHECKPOINT is only a view of its query"),
    ("reuse", "explicit, transparent, off: which snapshots a checkpoint may reuse"),
    ("on_stale", "warn, use, error, refresh: a named read of a stale snapshot"),
    ("on_damage", "error, recompute: a read of a damaged snapshot"),
    ("on_concurrent", "wait, race: another writer of the same checkpoint"),
    ("compression", "fast, small, none, or a codec (snappy, zstd, lz4_raw, gzip, brotli)"),
    ("unit_bytes", "input bytes that a unit of work covers, such as 128 MiB"),
    ("row_group_rows", "the most rows of a row group, from 1024"),
    ("keep_versions", "versions that garbage collection keeps"),
    ("ttl", "age at which a version may be collected, such as '7 days', or none"),
    ("durability", "fsync, none: whether local files are synced to disk"),
    ("verify_reads", "false, true: check whole files as they are read"),
    ("join_order", "written, measured: the order of inner joins above a snapshot"),
    ("bloom_filters", "columns whose row groups get a Bloom filter, such as 'id, customer', or none"),
    ("partition_by", "columns by whose hash rows are dealt out to files, such as 'customer', or none"),
    (
        "partitioned_reads",
        "true, false: spare the exchange above snapshots that were written with partition_by",
    ),
];

impl MilepostConfig {
    /// Sets one key (without prefix) from its text.
    ///
    /// # Errors
    /// An unknown key or value, naming the ones that exist.
    pub fn set_key(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let bad = |expected: &str| Error::BadValue {
            key: key.to_string(),
            value: value.to_string(),
            expected: expected.to_string(),
        };
        let text = value.trim();
        match key {
            "enabled" => self.enabled = parse_bool(text).ok_or_else(|| bad("true, false"))?,
            "reuse" => self.reuse = text.parse().map_err(|e: String| bad(&e))?,
            "on_stale" => self.on_stale = text.parse().map_err(|e: String| bad(&e))?,
            "on_damage" => self.on_damage = text.parse().map_err(|e: String| bad(&e))?,
            "on_concurrent" => self.on_concurrent = text.parse().map_err(|e: String| bad(&e))?,
            "compression" => self.compression = text.parse().map_err(|e: String| bad(&e))?,
            "unit_bytes" => {
                self.unit_bytes = parse_bytes(text).ok_or_else(|| bad("a size such as 128 MiB"))?
            }
            "row_group_rows" => {
                let rows = text.parse().ok().filter(|rows| *rows >= LEAST_ROW_GROUP_ROWS);
                self.row_group_rows =
                    rows.ok_or_else(|| bad(&format!("a whole number of at least {LEAST_ROW_GROUP_ROWS}")))?;
            }
            "keep_versions" => {
                let count = text.parse().ok().filter(|n| *n >= 1);
                self.keep_versions = count.ok_or_else(|| bad("a whole number of at least 1"))?;
            }
            "ttl" => self.ttl = parse_age(text).ok_or_else(|| bad("none, or an age such as 7 days"))?,
            "durability" => {
                self.durability = match text.to_ascii_lowercase().as_str() {
                    "fsync" => Durability::Fsync,
                    "none" => Durability::None,
                    _ => return Err(bad("fsync, none")),
                }
            }
            "verify_reads" => self.verify_reads = parse_bool(text).ok_or_else(|| bad("true, false"))?,
            "join_order" => self.join_order = text.parse().map_err(|e: String| bad(&e))?,
            "bloom_filters" => {
                self.bloom_filters = names(text).ok_or_else(|| bad("none, or names of columns"))?
            }
            "partition_by" => {
                self.partition_by = names(text).ok_or_else(|| bad("none, or names of columns"))?
            }
            "partitioned_reads" => {
                self.partitioned_reads = parse_bool(text).ok_or_else(|| bad("true, false"))?
            }
            _ => return Err(unknown(key, |_| true)),
        }
        Ok(())
    }

    fn get_key(&self, key: &str) -> String {
        match key {
            "enabled" => self.enabled.to_string(),
            "reuse" => self.reuse.to_string(),
            "on_stale" => self.on_stale.to_string(),
            "on_damage" => self.on_damage.to_string(),
            "on_concurrent" => self.on_concurrent.to_string(),
            "compression" => self.compression.to_string(),
            "unit_bytes" => self.unit_bytes.to_string(),
            "row_group_rows" => self.row_group_rows.to_string(),
            "keep_versions" => self.keep_versions.to_string(),
            "ttl" => self.ttl.map_or_else(|| "none".to_string(), |age| format!("{} seconds", age.as_secs())),
            "durability" => match self.durability {
                Durability::Fsync => "fsync".to_string(),
                Durability::None => "none".to_string(),
            },
            "verify_reads" => self.verify_reads.to_string(),
            "join_order" => self.join_order.to_string(),
            "bloom_filters" => shown(&self.bloom_filters),
            "partition_by" => shown(&self.partition_by),
            "partitioned_reads" => self.partitioned_reads.to_string(),
            _ => String::new(),
        }
    }

    /// These settings with a `WITH (…)` list laid over them.
    ///
    /// # Errors
    /// An unknown option or value. `enabled` is a setting of the session and no option of a statement.
    pub fn with_options(&self, options: &[(String, String)]) -> Result<Self, Error> {
        let mut effective = self.clone();
        for (key, value) in options {
            let is_option = |key: &str| key != "enabled";
            if !(is_option(key) && KEYS.iter().any(|(known, _)| known == key)) {
                return Err(unknown(key, is_option));
            }
            effective.set_key(key, value)?;
        }
        Ok(effective)
    }
}

impl ConfigExtension for MilepostConfig {
    const PREFIX: &'static str = "milepost";
}

impl ExtensionOptions for MilepostConfig {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        self.set_key(key, value).map_err(DataFusionError::from)
    }
    fn entries(&self) -> Vec<ConfigEntry> {
        KEYS.iter()
            .map(|(key, description)| ConfigEntry {
                key: format!("milepost.{key}"),
                value: Some(self.get_key(key)),
                description,
            })
            .collect()
    }
}

fn unknown(key: &str, is_meant: impl Fn(&str) -> bool) -> Error {
    let known: Vec<&str> = KEYS.iter().map(|(known, _)| *known).filter(|known| is_meant(known)).collect();
    Error::UnknownOption { key: key.to_string(), known: known.join(", ") }
}

/// The names of a list with commas; those in double quotes may hold anything but these.
fn names(text: &str) -> Option<Vec<String>> {
    if text.eq_ignore_ascii_case("none") || text.is_empty() {
        return Some(vec![]);
    }
    let name = |part: &str| {
        let part = part.trim();
        let name = part.strip_prefix('"').and_then(|part| part.strip_suffix('"')).unwrap_or(part);
        (!name.is_empty()).then(|| name.to_string())
    };
    text.split(',').map(name).collect()
}

fn shown(names: &[String]) -> String {
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Splits `128 MiB` into its number and lower-case unit.
fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim().to_ascii_lowercase()))
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor: u64 = match unit.as_str() {
        "" | "b" | "bytes" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_as_it_was_set() {
        let mut config = MilepostConfig::default();
        for (key, value, shown) in [
            ("reuse", "Transparent", "transparent"),
            ("unit_bytes", "64 MiB", "67108864"),
            ("ttl", "7 days", "604800 seconds"),
            ("ttl", "7 s", "7 seconds"),
            ("ttl", "none", "none"),
            ("compression", "zstd", "zstd"),
            ("durability", "none", "none"),
            ("join_order", "Measured", "measured"),
            ("bloom_filters", " a,\"B c\" ", "a, B c"),
            ("bloom_filters", "none", "none"),
            ("partition_by", "a, b", "a, b"),
            ("partition_by", "none", "none"),
            ("partitioned_reads", "off", "false"),
        ] {
            config.set_key(key, value).unwrap();
            assert_eq!(config.get_key(key), shown);
        }
    }

    #[test]
    fn unknown_keys_and_values_name_what_exists() {
        let mut config = MilepostConfig::default();
        let value = config.set_key("on_stale", "maybe").unwrap_err().to_string();
        assert!(value.contains("warn, use, error, refresh"), "{value}");
        let key = config.set_key("on_stael", "warn").unwrap_err().to_string();
        assert!(key.contains("on_stael") && key.contains("on_stale"), "{key}");
        for (key, value) in [
            ("unit_bytes", "0"),
            ("unit_bytes", "many"),
            ("keep_versions", "0"),
            ("ttl", "7 moons"),
            ("ttl", "3 hs"),
            ("bloom_filters", "a,,b"),
            ("partition_by", ","),
            ("partitioned_reads", "perhaps"),
        ] {
            assert!(config.set_key(key, value).is_err(), "{key} = {value}");
        }
    }

    #[test]
    fn enabled_is_no_option_of_a_statement() {
        for key in ["enabled", "keep"] {
            let options = [(key.to_string(), "false".to_string())];
            let error = MilepostConfig::default().with_options(&options).unwrap_err().to_string();
            assert!(error.contains("are reuse, on_stale") && error.contains(key), "{error}");
        }
    }
}
