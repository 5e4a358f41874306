//! Another value of a setting that counts is another signature; another value of one that tunes is the same one.

use datafusion::config::{ConfigEntry, ConfigOptions};
use milepost_store::ids::Signature;

use super::*;
use crate::config::MilepostConfig;
use crate::identity::tests::settings::MEANINGFUL;

/// Some settings decide where a plain name leads, so the table is named in full.
const SQL: &str = "SELECT a FROM datafusion.public.t WHERE a > 1";

/// Values of settings that have none, or a word, or a number that means something.
const WORDS: &[(&str, &str)] = &[
    ("datafusion.catalog.default_catalog", "other"),
    ("datafusion.catalog.default_schema", "other"),
    ("datafusion.catalog.format", "parquet"),
    ("datafusion.catalog.location", "somewhere"),
    ("datafusion.execution.parquet.bloom_filter_fpp", "0.2"),
    ("datafusion.execution.parquet.bloom_filter_ndv", "7"),
    ("datafusion.execution.parquet.coerce_int96", "us"),
    ("datafusion.execution.parquet.coerce_int96_tz", "+01:00"),
    ("datafusion.execution.parquet.compression", "snappy"),
    ("datafusion.execution.parquet.created_by", "somebody"),
    ("datafusion.execution.parquet.encoding", "plain"),
    ("datafusion.execution.parquet.max_predicate_cache_size", "1000"),
    ("datafusion.execution.parquet.max_row_group_bytes", "1000"),
    ("datafusion.execution.parquet.statistics_enabled", "none"),
    ("datafusion.execution.parquet.writer_version", "2.0"),
    ("datafusion.execution.spill_compression", "zstd"),
    ("datafusion.execution.time_zone", "+02:00"),
    ("datafusion.explain.analyze_categories", "rows"),
    ("datafusion.explain.analyze_level", "summary"),
    ("datafusion.explain.format", "tree"),
    ("datafusion.format.date_format", "%d"),
    ("datafusion.format.datetime_format", "%d"),
    ("datafusion.format.duration_format", "iso8601"),
    ("datafusion.format.null", "nothing"),
    ("datafusion.format.time_format", "%H"),
    ("datafusion.format.timestamp_format", "%d"),
    ("datafusion.format.timestamp_tz_format", "%d"),
    ("datafusion.spark.map_key_dedup_policy", "LAST_WIN"),
    ("datafusion.sql_parser.default_null_ordering", "nulls_first"),
    ("datafusion.sql_parser.dialect", "postgresql"),
    ("milepost.bloom_filters", "a"),
    ("milepost.compression", "small"),
    ("milepost.durability", "none"),
    ("milepost.join_order", "measured"),
    ("milepost.on_concurrent", "race"),
    ("milepost.on_damage", "recompute"),
    ("milepost.on_stale", "error"),
    ("milepost.partition_by", "a"),
    ("milepost.reuse", "off"),
    ("milepost.ttl", "7 days"),
];

/// A setting and another value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Changed {
    key: String,
    value: String,
}

impl Changed {
    fn new(entry: ConfigEntry) -> Self {
        let word = WORDS.iter().find(|(key, _)| *key == entry.key).map(|(_, word)| *word);
        let value = match word.or(entry.value.as_deref()) {
            Some(word) if Some(word) != entry.value.as_deref() => word.to_owned(),
            Some("true") => "false".to_owned(),
            Some("false") => "true".to_owned(),
            value => match value.and_then(|number| number.parse::<f64>().ok()) {
                Some(number) => (number + 1.0).to_string(),
                None => panic!("{}: what else than {value:?} can it be?", entry.key),
            },
        };
        Self { key: entry.key, value }
    }

    fn counts(&self) -> bool {
        MEANINGFUL.contains(&self.key.as_str())
    }
}

/// A session's state in which every setting has its default, those of Milepost among them.
static STATE: LazyLock<SessionState> = LazyLock::new(|| {
    let mut state = session().state();
    state.config_mut().options_mut().extensions.insert(MilepostConfig::default());
    state
});

/// Every setting that there is, changed.
static ALL: LazyLock<Vec<Changed>> =
    LazyLock::new(|| STATE.config_options().entries().into_iter().map(Changed::new).collect());

fn set(options: &mut ConfigOptions, Changed { key, value }: &Changed) {
    options.set(key, value).unwrap_or_else(|error| panic!("{key} = {value}: {error}"));
}

fn identity(changed: &[Changed]) -> PlanIdentity {
    let mut state = STATE.clone();
    changed.iter().for_each(|changed| set(state.config_mut().options_mut(), changed));
    block_on(async { identify(&analysed(&state, SQL).await, &state, &hasty(), &run()).await.unwrap() })
}

fn signature(changed: &[Changed]) -> Signature {
    identity(changed).signature
}

#[test]
fn each_setting_counts_unless_it_tunes() {
    let base = identity(&[]);
    for changed in ALL.iter() {
        let identity = identity(std::slice::from_ref(changed));
        assert_eq!(identity.signature != base.signature, changed.counts(), "{changed:?}");
        assert_eq!(identity.fingerprint, base.fingerprint, "{changed:?}");
    }
}

/// A value that reads as another and is the same would show nothing.
#[test]
fn each_changed_value_is_another_one() {
    let shown = |options: &ConfigOptions, wanted: &str| {
        options.entries().into_iter().find(|entry| entry.key == wanted).unwrap().value
    };
    for changed in ALL.iter() {
        let before = STATE.config_options();
        let mut after = before.as_ref().clone();
        set(&mut after, changed);
        assert_ne!(shown(before, &changed.key), shown(&after, &changed.key), "{changed:?}");
    }
}

fn some() -> impl Strategy<Value = Vec<Changed>> {
    prop::sample::subsequence(ALL.clone(), 0..=6)
}

proptest! {
    #![proptest_config(cases(150))]

    /// Several settings at once: which of those that count were changed can be told, and nothing else.
    #[test]
    fn signatures_tell_the_settings_that_count_apart(one in some(), two in some()) {
        let counting = |changed: &[Changed]| -> Vec<Changed> {
            changed.iter().filter(|changed| changed.counts()).cloned().collect()
        };
        prop_assert_eq!(signature(&one) == signature(&two), counting(&one) == counting(&two));
    }
}
