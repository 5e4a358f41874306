//! Settings that only tune: they are no part of a signature, so rows that were kept under one value are served under another.
//! Here each of those that DataFusion's engine and optimizer listen to takes another value, and no row of any query changes.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::config::ConfigEntry;
use datafusion::error::Result;
use datafusion::prelude::SessionConfig;
use milepost::Session;
use milepost::identity::settings::bears_meaning;
use milepost_tests::table::{Compare, Table};
use tempfile::TempDir;

use crate::support::{config, run, table, unique};

/// Each gives its rows in one order only, and no floats, whose sums depend on the order of adding.
const CORPUS: &[&str] = &[
    "SELECT name, count(*), sum(v), min(label), max(pair['x']) FROM sales JOIN kinds ON sales.k = kinds.k \
     WHERE v % 3 <> 1 GROUP BY name ORDER BY name",
    "SELECT s.k, s.n, kinds.k AS kind, name FROM (SELECT k, count(*) AS n FROM sales WHERE id < 300 GROUP BY k) AS s \
     FULL JOIN kinds ON s.k = kinds.k AND n > 7 ORDER BY s.k, kinds.k, name",
    "SELECT id, sum(v) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), \
     rank() OVER (ORDER BY v), lag(v) OVER (ORDER BY id) FROM sales ORDER BY id",
    "SELECT id, v, pair['x'] FROM sales WHERE label >= 'label 15' AND k IN (1, 3, 7, 12, 30) \
     ORDER BY v DESC NULLS LAST, id LIMIT 25",
    // A null among the kinds makes the second NOT IN true for nobody.
    "SELECT id, (SELECT max(low) FROM kinds WHERE kinds.k = sales.k), \
     (SELECT count(k) FROM sales WHERE k NOT IN (SELECT k FROM kinds)) FROM sales \
     WHERE k NOT IN (SELECT k FROM kinds WHERE k < 20) AND v > (SELECT avg(v) FROM sales WHERE id < 100) ORDER BY id DESC",
    "SELECT k, label, count(*), sum(v), grouping(k, label) AS g FROM sales \
     GROUP BY GROUPING SETS ((k, label), (k), ()) ORDER BY g, k, label",
    "SELECT low, s.id, place FROM kinds JOIN (SELECT id, v, row_number() OVER (PARTITION BY k ORDER BY id DESC) AS place \
     FROM sales) AS s ON s.v < low WHERE place <= 2 ORDER BY low, s.id, kinds.k",
    "SELECT a.g, max(b.id) AS last, sum(b.v) FROM dealt AS a JOIN dealt AS b ON a.g = b.g AND a.id = b.id + 4 \
     GROUP BY a.g, a.k ORDER BY last DESC LIMIT 5",
    SETS,
];

/// Sets, of which two are parts of one table.
const SETS: &str = "(SELECT k FROM sales WHERE v < 30 UNION SELECT k FROM sales WHERE v > 500 AND k = 3 \
     UNION SELECT low FROM kinds INTERSECT SELECT k FROM sales) EXCEPT SELECT g FROM dealt ORDER BY k";

/// What DataFusion gets wrong: see "Sort-merge joins" in docs/roadmap.md.
const KNOWN: &[(&str, &str)] = &[("datafusion.optimizer.prefer_hash_join", SETS)];

/// Values of settings that have none, or a word.
const WORDS: &[(&str, &str)] = &[
    ("datafusion.execution.spill_compression", "zstd"),
    ("datafusion.execution.parquet.bloom_filter_fpp", "0.2"),
    ("datafusion.execution.parquet.bloom_filter_ndv", "7"),
    ("datafusion.execution.parquet.compression", "snappy"),
    ("datafusion.execution.parquet.created_by", "somebody"),
    ("datafusion.execution.parquet.encoding", "plain"),
    ("datafusion.execution.parquet.max_predicate_cache_size", "0"),
    ("datafusion.execution.parquet.max_row_group_bytes", "1000"),
    ("datafusion.execution.parquet.statistics_enabled", "none"),
    ("datafusion.execution.parquet.writer_version", "2.0"),
    // Less than two is refused.
    ("datafusion.execution.max_buffered_batches_per_output_file", "3"),
];

/// Another value: the other of two, or the smallest number that makes a difference, for it splits and limits most.
fn other_value(entry: &ConfigEntry) -> String {
    if let Some((_, word)) = WORDS.iter().find(|(key, _)| *key == entry.key) {
        return (*word).to_string();
    }
    match entry.value.as_deref() {
        Some("true") => "false".to_string(),
        Some("false") => "true".to_string(),
        Some(number) if number != "1" && number.parse::<f64>().is_ok() => "1".to_string(),
        Some("1") => "2".to_string(),
        value => panic!("{}: what else than {value:?} can it be?", entry.key),
    }
}

/// Files in row groups, pages and folders, and a table in memory.
struct Scene {
    dir: TempDir,
    kinds: Arc<dyn TableProvider>,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let session = open(config()).await;
        for (file, (from, to)) in [(1, 200), (201, 250), (251, 600)].into_iter().enumerate() {
            let rows = format!(
                "SELECT value AS id, nullif(value * 79 % 41, 5) AS k, CASE WHEN value % 13 > 0 THEN value * 31 % 601 END AS v, \
                 'label ' || (value * 17 % 23) AS label, named_struct('x', value % 97) AS pair \
                 FROM generate_series({from}, {to}) ORDER BY value"
            );
            let options = "'format.max_row_group_size' '64', 'format.data_page_row_count_limit' '16', \
                 'format.write_batch_size' '16', 'format.bloom_filter_on_write' 'true'";
            let place = dir.path().join(format!("sales/{file}.parquet"));
            run(&session, &format!("COPY ({rows}) TO '{}' OPTIONS ({options})", place.display()))
                .await
                .unwrap();
        }
        let dealt = "SELECT value AS id, value % 12 AS k, value % 101 AS v, value % 4 AS g FROM generate_series(1, 400)";
        let place = dir.path().join("dealt/");
        let copy = format!("COPY ({dealt}) TO '{}' STORED AS PARQUET PARTITIONED BY (g)", place.display());
        run(&session, &copy).await.unwrap();
        let kinds = "SELECT nullif(value, 7) AS k, 'kind ' || (value % 9) AS name, value * 20 AS low \
             FROM generate_series(1, 30) UNION ALL VALUES (NULL, 'kind of none', NULL), (3, 'kind twice', 50)";
        run(&session, &format!("CREATE TABLE kinds AS {kinds}")).await.unwrap();
        let kinds = session.table_provider("kinds").await.unwrap();
        Self { dir, kinds }
    }

    /// A session with all tables. Nothing that an earlier one has read is remembered.
    async fn session(&self, config: SessionConfig) -> Result<Session> {
        let session = open(config).await;
        session.register_table("kinds", Arc::clone(&self.kinds))?;
        let place = |name: &str| Path::join(self.dir.path(), name).display().to_string();
        for table in [
            format!("sales STORED AS PARQUET WITH ORDER (id) LOCATION '{}/'", place("sales")),
            format!("dealt STORED AS PARQUET PARTITIONED BY (g) LOCATION '{}/'", place("dealt")),
        ] {
            run(&session, &format!("CREATE EXTERNAL TABLE {table}")).await?;
        }
        Ok(session)
    }
}

async fn open(config: SessionConfig) -> Session {
    let store = format!("memory://{}", unique("settings"));
    Session::builder().with_config(config).with_store_url(&store).build().await.unwrap()
}

/// The settings whose key is one of the family's and that count nothing.
fn tuning(family: impl Fn(&str) -> bool) -> Vec<ConfigEntry> {
    let entries = config().options().entries().into_iter();
    let tuning: Vec<_> = entries.filter(|entry| family(&entry.key) && !bears_meaning(&entry.key)).collect();
    assert!(tuning.len() > 20, "only {} settings", tuning.len());
    tuning
}

/// The rows of every query as they should be.
async fn expected(scene: &Scene) -> Vec<Table> {
    let session = scene.session(config()).await.unwrap();
    let mut expected = vec![];
    for sql in CORPUS {
        let rows = table(&session, sql).await.unwrap();
        assert!(!rows.rows.is_empty(), "{sql}");
        expected.push(rows);
    }
    expected
}

/// What becomes of the rows when all these settings have another value.
async fn differences(scene: &Scene, expected: &[Table], changed: &[ConfigEntry]) -> Vec<String> {
    let mut config = config();
    for entry in changed {
        let set = config.options_mut().set(&entry.key, &other_value(entry));
        set.unwrap_or_else(|error| panic!("{}: {error}", entry.key));
    }
    let mut what = changed.iter().map(|entry| format!("{} = {}", entry.key, other_value(entry)));
    let what = if changed.len() == 1 { what.next().unwrap() } else { "all at once".to_string() };
    let known =
        |sql: &str| KNOWN.iter().any(|(key, of)| *of == sql && changed.iter().any(|entry| entry.key == *key));
    let session = scene.session(config).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut differences = vec![];
    for (sql, expected) in CORPUS.iter().zip(expected).filter(|(sql, _)| !known(sql)) {
        let difference = match table(&session, sql).await {
            Ok(found) => expected.difference(&found, Compare { in_order: true, approximate: false }),
            Err(error) => Some(error.to_string()),
        };
        differences.extend(difference.map(|difference| format!("{what}: {sql}\n{difference}")));
    }
    differences
}

async fn assert_only_tunes(family: impl Fn(&str) -> bool) {
    let scene = Scene::new().await;
    let expected = expected(&scene).await;
    let mut found = vec![];
    for entry in tuning(family) {
        found.extend(differences(&scene, &expected, &[entry]).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

const PARQUET: &str = "datafusion.execution.parquet.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_engine_change_no_row() {
    assert_only_tunes(|key| key.starts_with("datafusion.execution.") && !key.starts_with(PARQUET)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_parquet_files_change_no_row() {
    assert_only_tunes(|key| key.starts_with(PARQUET)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_optimizer_change_no_row() {
    assert_only_tunes(|key| key.starts_with("datafusion.optimizer.")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_settings_at_once_change_no_row() {
    let scene = Scene::new().await;
    let expected = expected(&scene).await;
    let all =
        tuning(|key| key.starts_with("datafusion.execution.") || key.starts_with("datafusion.optimizer."));
    let found = differences(&scene, &expected, &all).await;
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
