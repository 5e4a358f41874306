//! Which settings bear meaning.

use datafusion::config::ConfigOptions;

use super::*;
use crate::identity::settings::{bears_meaning, describe_change, meaningful, recorded};

/// All settings of DataFusion that count, so that a new one is looked at before it is used.
pub(super) const MEANINGFUL: &[&str] = &[
    "datafusion.catalog.has_header",
    "datafusion.catalog.newlines_in_values",
    "datafusion.execution.enable_ansi_mode",
    "datafusion.execution.listing_table_factory_infer_partitions",
    "datafusion.execution.listing_table_ignore_subdirectory",
    "datafusion.execution.parquet.binary_as_string",
    "datafusion.execution.parquet.coerce_int96",
    "datafusion.execution.parquet.coerce_int96_tz",
    "datafusion.execution.parquet.schema_force_view_types",
    "datafusion.execution.parquet.skip_metadata",
    "datafusion.execution.time_zone",
    "datafusion.optimizer.expand_views_at_output",
    "datafusion.spark.map_key_dedup_policy",
    "datafusion.sql_parser.default_null_ordering",
    "datafusion.sql_parser.dialect",
    "datafusion.sql_parser.enable_ident_normalization",
    "datafusion.sql_parser.enable_options_value_normalization",
    "datafusion.sql_parser.enable_subquery_sort_elimination",
    "datafusion.sql_parser.map_string_types_to_utf8view",
    "datafusion.sql_parser.parse_float_as_decimal",
    "datafusion.sql_parser.support_varchar_with_length",
];

#[test]
fn the_settings_that_count_are_known() {
    let mut keys: Vec<_> = ConfigOptions::default().entries().into_iter().map(|entry| entry.key).collect();
    keys.retain(|key| bears_meaning(key));
    keys.sort_unstable();
    assert_eq!(keys, MEANINGFUL);
}

#[tokio::test]
async fn settings_are_recorded_and_compared() {
    let context = session();
    let before = of(&context, "SELECT a FROM t").await;
    context.sql("SET datafusion.execution.time_zone = '+02:00'").await.unwrap();
    let after = of(&context, "SELECT a FROM t").await;
    assert_ne!(before.signature, after.signature);
    let changes = describe_change(&before.settings, &after.settings);
    assert_eq!(changes, ["datafusion.execution.time_zone: unset -> +02:00"]);
}

datafusion::common::extensions_options! {
    struct Secretive {
        /// A value that must not be shown.
        pub token: String, default = "".to_owned()
    }
}

impl datafusion::config::ConfigExtension for Secretive {
    const PREFIX: &'static str = "secretive";
}

#[test]
fn settings_of_extensions_count_and_are_not_shown() {
    let with_token = |token: &str| {
        let mut config = ConfigOptions::default();
        config.extensions.insert(Secretive { token: token.to_owned() });
        recorded(&config)
    };
    let (one, two) = (with_token("hunter2"), with_token("hunter3"));
    assert_ne!(one, two);
    assert!(one.contains_key("secretive.token"));
    assert!(!format!("{one:?}").contains("hunter2"));
}

/// A stored definition is planned again under the settings that were recorded with it.
#[test]
fn settings_can_be_set_again() {
    let mut config = ConfigOptions::default();
    for (key, value) in [
        ("datafusion.execution.time_zone", "+02:00"),
        ("datafusion.sql_parser.dialect", "postgresql"),
        ("datafusion.execution.parquet.coerce_int96", "us"),
        ("datafusion.sql_parser.default_null_ordering", "nulls_first"),
    ] {
        config.set(key, value).unwrap();
    }
    let mut again = ConfigOptions::default();
    for (key, value) in meaningful(&config) {
        again.set(&key, &value).unwrap();
    }
    assert_eq!(meaningful(&again), meaningful(&config));
}
