//! Which settings bear meaning.
//!
//! A setting counts unless it is known to tune only: a setting of a newer DataFusion, of an extension, or of a user
//! counts until it is listed here. The price of a setting that counts in vain is one computation; the price of one
//! left out in error is a wrong row.
//!
//! | left out | because |
//! |---|---|
//! | `datafusion.catalog.default_*`, `create_default_*`, `information_schema`, `location`, `format` | names are resolved in the plan, and each table answers for itself |
//! | `datafusion.execution.*` listed in `TUNING` | sizes of batches, buffers and spill files, parallelism, choice of algorithm |
//! | `datafusion.execution.parquet.*` listed in `TUNING` | pruning and pushdown change what is read, not what is found; writer options do not read |
//! | `datafusion.optimizer.*` listed in `TUNING` | rules keep results |
//! | `datafusion.explain.*`, `datafusion.format.*` | how plans and results are shown |
//! | `datafusion.runtime.*` | memory, caches and spill space |
//! | `datafusion.sql_parser.collect_spans`, `recursion_limit` | places in the text, and a limit |
//! | `milepost.*` | how results are kept |
//!
//! | counts, for instance | because |
//! |---|---|
//! | `datafusion.execution.time_zone` | `now()`, casts and dates |
//! | `datafusion.execution.enable_ansi_mode` | errors in place of nulls |
//! | `datafusion.execution.listing_table_*` | which files a directory holds for us |
//! | `datafusion.execution.parquet.schema_force_view_types`, `binary_as_string`, `coerce_int96*`, `skip_metadata` | types and metadata of what is read |
//! | `datafusion.catalog.has_header`, `newlines_in_values` | how CSV files are read that do not say |
//! | `datafusion.optimizer.expand_views_at_output` | types of output columns |
//! | `datafusion.sql_parser.*` | what a query text means |

use std::collections::BTreeMap;

use datafusion::config::{ConfigOptions, Extensions};
use milepost_store::ids::Digest;

/// Whole families that bear no meaning.
const TUNING_PREFIXES: &[&str] = &[
    "milepost.",
    "datafusion.explain.",
    "datafusion.format.",
    "datafusion.runtime.",
    "datafusion.execution.parquet.content_defined_chunking.",
];

/// Single settings that bear no meaning.
const TUNING: &[&str] = &[
    // Names are resolved when a plan is made.
    "datafusion.catalog.create_default_catalog_and_schema",
    "datafusion.catalog.default_catalog",
    "datafusion.catalog.default_schema",
    "datafusion.catalog.format",
    "datafusion.catalog.information_schema",
    "datafusion.catalog.location",
    // Sizes, parallelism, memory, and the choice among equal algorithms.
    "datafusion.execution.batch_size",
    "datafusion.execution.coalesce_batches",
    "datafusion.execution.collect_statistics",
    "datafusion.execution.enable_file_stream_work_stealing",
    "datafusion.execution.enable_migration_aggregate",
    "datafusion.execution.enable_recursive_ctes",
    "datafusion.execution.enforce_batch_size_in_joins",
    "datafusion.execution.hash_join_buffering_capacity",
    "datafusion.execution.keep_partition_by_columns",
    "datafusion.execution.max_buffered_batches_per_output_file",
    "datafusion.execution.max_spill_file_size_bytes",
    "datafusion.execution.meta_fetch_concurrency",
    "datafusion.execution.minimum_parallel_output_files",
    "datafusion.execution.objectstore_writer_buffer_size",
    "datafusion.execution.perfect_hash_join_min_key_density",
    "datafusion.execution.perfect_hash_join_small_build_threshold",
    "datafusion.execution.planning_concurrency",
    "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold",
    "datafusion.execution.skip_partial_aggregation_probe_rows_threshold",
    "datafusion.execution.skip_physical_aggregate_schema_check",
    "datafusion.execution.soft_max_rows_per_output_file",
    "datafusion.execution.sort_in_place_threshold_bytes",
    "datafusion.execution.sort_pushdown_buffer_capacity",
    "datafusion.execution.sort_spill_reservation_bytes",
    "datafusion.execution.spill_compression",
    "datafusion.execution.split_file_groups_by_statistics",
    "datafusion.execution.target_partitions",
    "datafusion.execution.use_row_number_estimates_to_optimize_partitioning",
    // What a Parquet reader may skip, and how it gets at the rest.
    "datafusion.execution.parquet.bloom_filter_on_read",
    "datafusion.execution.parquet.enable_page_index",
    "datafusion.execution.parquet.force_filter_selections",
    "datafusion.execution.parquet.max_in_list_size",
    "datafusion.execution.parquet.max_predicate_cache_size",
    "datafusion.execution.parquet.metadata_size_hint",
    "datafusion.execution.parquet.pruning",
    "datafusion.execution.parquet.pushdown_filters",
    "datafusion.execution.parquet.reorder_filters",
    // How Parquet files are written.
    "datafusion.execution.parquet.allow_single_file_parallelism",
    "datafusion.execution.parquet.bloom_filter_fpp",
    "datafusion.execution.parquet.bloom_filter_ndv",
    "datafusion.execution.parquet.bloom_filter_on_write",
    "datafusion.execution.parquet.column_index_truncate_length",
    "datafusion.execution.parquet.compression",
    "datafusion.execution.parquet.created_by",
    "datafusion.execution.parquet.data_page_row_count_limit",
    "datafusion.execution.parquet.data_pagesize_limit",
    "datafusion.execution.parquet.dictionary_enabled",
    "datafusion.execution.parquet.dictionary_page_size_limit",
    "datafusion.execution.parquet.encoding",
    "datafusion.execution.parquet.max_row_group_bytes",
    "datafusion.execution.parquet.max_row_group_size",
    "datafusion.execution.parquet.maximum_buffered_record_batches_per_stream",
    "datafusion.execution.parquet.maximum_parallel_row_group_writers",
    "datafusion.execution.parquet.skip_arrow_metadata",
    "datafusion.execution.parquet.statistics_enabled",
    "datafusion.execution.parquet.statistics_truncate_length",
    "datafusion.execution.parquet.write_batch_size",
    "datafusion.execution.parquet.writer_version",
    // Rules of the optimizer keep results as they are.
    "datafusion.optimizer.allow_symmetric_joins_without_pruning",
    "datafusion.optimizer.default_filter_selectivity",
    "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_distinct_aggregation_soft_limit",
    "datafusion.optimizer.enable_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_join_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_leaf_expression_pushdown",
    "datafusion.optimizer.enable_physical_uncorrelated_scalar_subquery",
    "datafusion.optimizer.enable_piecewise_merge_join",
    "datafusion.optimizer.enable_round_robin_repartition",
    "datafusion.optimizer.enable_sort_pushdown",
    "datafusion.optimizer.enable_topk_aggregation",
    "datafusion.optimizer.enable_topk_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_topk_repartition",
    "datafusion.optimizer.enable_unions_to_filter",
    "datafusion.optimizer.enable_window_limits",
    "datafusion.optimizer.enable_window_topn",
    "datafusion.optimizer.filter_null_join_keys",
    "datafusion.optimizer.hash_join_inlist_pushdown_max_distinct_values",
    "datafusion.optimizer.hash_join_inlist_pushdown_max_size",
    "datafusion.optimizer.hash_join_single_partition_threshold",
    "datafusion.optimizer.hash_join_single_partition_threshold_rows",
    "datafusion.optimizer.join_reordering",
    "datafusion.optimizer.max_passes",
    "datafusion.optimizer.prefer_existing_sort",
    "datafusion.optimizer.prefer_existing_union",
    "datafusion.optimizer.prefer_hash_join",
    "datafusion.optimizer.preserve_file_partitions",
    "datafusion.optimizer.repartition_aggregations",
    "datafusion.optimizer.repartition_file_min_size",
    "datafusion.optimizer.repartition_file_scans",
    "datafusion.optimizer.repartition_joins",
    "datafusion.optimizer.repartition_sorts",
    "datafusion.optimizer.repartition_windows",
    "datafusion.optimizer.skip_failed_rules",
    "datafusion.optimizer.subset_repartition_threshold",
    "datafusion.optimizer.top_down_join_key_reordering",
    "datafusion.optimizer.use_statistics_registry",
    // The place of a word in the query's text, and a limit of the parser.
    "datafusion.sql_parser.collect_spans",
    "datafusion.sql_parser.recursion_limit",
];

/// Whether two results made under different values of this setting may differ.
pub fn bears_meaning(key: &str) -> bool {
    !TUNING_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) && !TUNING.contains(&key)
}

/// DataFusion's own settings that bear meaning and have a value, by key: those that a query's text needs to mean the
/// same again. [`ConfigOptions::set`] takes each back.
pub fn meaningful(config: &ConfigOptions) -> BTreeMap<String, String> {
    let mut own = config.clone();
    own.extensions = Extensions::new();
    let own = own.entries().into_iter().filter(|entry| bears_meaning(&entry.key));
    own.filter_map(|entry| Some((entry.key, entry.value?))).collect()
}

/// All settings that bear meaning, for comparing: [`meaningful`] ones and those of extensions.
///
/// Values of extensions are given as hashes. They are not ours to show, and one may be a secret.
pub fn recorded(config: &ConfigOptions) -> BTreeMap<String, String> {
    let mut recorded = meaningful(config);
    recorded.extend(extensions(config).filter(|(key, _)| bears_meaning(key)));
    recorded
}

/// The settings of extensions. DataFusion names their keys with or without the prefix of the extension.
fn extensions(config: &ConfigOptions) -> impl Iterator<Item = (String, String)> {
    config.extensions.iter().flat_map(|(prefix, extension)| {
        extension.entries().into_iter().filter_map(move |entry| {
            let known = entry.key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
            let key = if known { entry.key } else { format!("{prefix}.{}", entry.key) };
            let hash = Digest::of(entry.value?.as_bytes()).hex();
            Some((key, format!("blake3:{}", hash.get(..16)?)))
        })
    })
}

/// Says which settings differ, one line for each: `datafusion.execution.time_zone: unset -> +02:00`.
#[must_use]
pub fn describe_change(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<String> {
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let shown = |value: Option<&String>| value.map_or("unset", String::as_str).to_owned();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| format!("{key}: {} -> {}", shown(old.get(key)), shown(new.get(key))))
        .collect()
}
