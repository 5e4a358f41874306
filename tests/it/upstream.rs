//! Queries for which DataFusion 55.2 alone gives wrong rows: see docs/upstream/. What is expected is worked out by hand.

use datafusion::common::{JoinType, ScalarValue};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::prelude::{SessionConfig, col};
use milepost::Session;

use crate::support::{number, run, table, unique};

async fn session(partitions: usize) -> Session {
    let config = SessionConfig::new().with_target_partitions(partitions);
    let store = format!("memory://{}", unique("upstream"));
    Session::builder().with_config(config).with_store_url(&store).build().await.unwrap()
}

/// Every row as text, in the order in which it comes: `40|41`.
async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let table = table(session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let text = |value: &ScalarValue| if value.is_null() { "-".to_string() } else { value.to_string() };
    table.rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join("|")).collect()
}

/// Asserts what a query gives, and what a checkpoint of it keeps.
async fn assert_rows(session: &Session, sql: &str, expected: &[&str]) {
    assert_eq!(rows(session, sql).await, expected, "{sql}");
    run(session, &format!("CHECKPOINT kept WITH (reuse = 'off') AS {sql}")).await.unwrap();
    let mut kept = rows(session, "SELECT * FROM kept").await;
    let mut expected = expected.to_vec();
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected, "kept of {sql}");
}

/// 400,000 rows in several row groups; the first ones have no `v`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greatest_is_found_behind_rows_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let session = session(2).await;
    let place = dir.path().display();
    for sql in [
        format!(
            "COPY (SELECT value AS id, NULL::bigint AS v FROM generate_series(1, 100)) TO '{place}/t/0.parquet'"
        ),
        format!(
            "COPY (SELECT value AS id, value AS v FROM generate_series(101, 200)) TO '{place}/t/1.parquet'"
        ),
        format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{place}/t/'"),
        "CHECKPOINT units WITH (unit_bytes = '1 KiB') AS SELECT id, v FROM t".to_string(),
    ] {
        run(&session, &sql).await.unwrap();
    }
    for table in ["t", "units"] {
        let plain = format!("SELECT min(id), max(v) FROM {table} WHERE id > 0");
        assert_rows(&session, &plain, &["1|200"]).await;
        let computed = format!("SELECT min(id), max(v + 1) FROM {table}");
        assert_rows(&session, &computed, &["1|201"]).await;
    }
}

/// `p` is each of 1 to 40, and null.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_takes_no_groups_away_that_a_window_counts() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        run(&session, "CREATE TABLE t AS SELECT CASE WHEN value % 41 > 0 THEN value % 41 END AS p FROM generate_series(1, 900)").await.unwrap();
        for (sql, expected) in [
            ("SELECT p, count(p) OVER () FROM (SELECT DISTINCT p FROM t) ORDER BY p LIMIT 1", "1|40"),
            (
                "SELECT p, row_number() OVER (ORDER BY p) FROM (SELECT DISTINCT p FROM t WHERE p > 0) ORDER BY p DESC LIMIT 1",
                "40|40",
            ),
            (
                "SELECT p, sum(p) OVER () FROM (SELECT p FROM t GROUP BY p) ORDER BY p DESC NULLS LAST LIMIT 1",
                "40|820",
            ),
            (
                "SELECT p, rank() OVER (ORDER BY p) FROM (SELECT p, max(p) AS m FROM t GROUP BY p) ORDER BY m DESC NULLS LAST LIMIT 1",
                "40|40",
            ),
            ("SELECT -p AS p FROM (SELECT DISTINCT p FROM t WHERE p > 0) ORDER BY p DESC LIMIT 1", "-1"),
        ] {
            assert_rows(&session, sql, &[expected]).await;
        }
    }
}

/// The groups 0 to 4, of which all of 3 is NaN, and 0 has the greatest number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_finds_the_topmost_groups_beside_nan() {
    let session = session(2).await;
    run(&session, "CREATE TABLE f AS SELECT value % 5 AS g, CASE WHEN value % 5 = 3 THEN 'NaN'::double ELSE value + 0.5 END AS v FROM generate_series(1, 100)").await.unwrap();
    assert_rows(
        &session,
        "SELECT g, max(v) AS m FROM f GROUP BY g ORDER BY m DESC NULLS LAST LIMIT 1",
        &["3|NaN"],
    )
    .await;
    assert_rows(&session, "SELECT g, min(v) AS m FROM f GROUP BY g ORDER BY m LIMIT 1", &["1|1.5"]).await;
}

/// The rule stays where it is right.
#[tokio::test]
async fn an_aggregation_gives_the_topmost_groups_where_only_they_are_needed() {
    let session = session(2).await;
    run(&session, "CREATE TABLE t AS SELECT value % 41 AS p, value AS v FROM generate_series(1, 900)")
        .await
        .unwrap();
    for sql in [
        "SELECT p, max(v) AS m FROM t GROUP BY p ORDER BY m DESC NULLS LAST LIMIT 3",
        "SELECT m, p + 1 AS q FROM (SELECT p, min(v) AS m FROM t GROUP BY p) ORDER BY m LIMIT 3",
        "SELECT DISTINCT p FROM t ORDER BY p DESC LIMIT 3",
    ] {
        let plan = crate::support::physical(session.sql(sql).await.unwrap()).await;
        assert!(plan.contains("lim=[3]"), "{sql}: {plan}");
    }
    assert_eq!(
        number(&session, "SELECT sum(p) FROM (SELECT DISTINCT p FROM t ORDER BY p DESC LIMIT 3)").await,
        117
    );
}

/// 6000 rows sorted by `x`, and groups of them by sets, in which each `x` is there four times: 1 with its `y` and 1 without, and
/// the sum of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_sets_have_the_order_of_no_key() {
    for partitions in [1, 2, 8] {
        let session = session(partitions).await;
        run(&session, "CREATE TABLE t AS SELECT value AS x, value % 3 AS y FROM generate_series(1, 6000)")
            .await
            .unwrap();
        run(&session, "CHECKPOINT s AS SELECT x, y FROM t ORDER BY x").await.unwrap();
        run(&session, "CHECKPOINT r AS SELECT x, y, count(*) AS n FROM s GROUP BY ROLLUP (x, y)")
            .await
            .unwrap();
        let sums = |from: &str| format!("SELECT x, sum(n) AS n FROM {from} GROUP BY x");
        let rollup = "(SELECT x, y, count(*) AS n FROM s GROUP BY ROLLUP (x, y))";
        for from in [rollup, "r"] {
            let count = format!("SELECT count(*), count(DISTINCT x), sum(n) FROM ({})", sums(from));
            // 6000 times the count with and without `y`, and the 6000 of all.
            assert_rows(&session, &count, &["6001|6000|18000"]).await;
            let first = format!("SELECT x, y FROM {from} WHERE y IS NULL ORDER BY x LIMIT 2");
            assert_rows(&session, &first, &["1|-", "2|-"]).await;
        }
        let sets =
            "SELECT x, y, count(*) AS n FROM s GROUP BY GROUPING SETS ((y), (x, y)) ORDER BY x LIMIT 2";
        assert_rows(&session, sets, &["1|1|1", "2|2|1"]).await;
    }
}

/// A key that is one value for all rows, or equal to another one, is null besides in a set without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_sets_are_neither_constant_nor_equal() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        run(
            &session,
            "CREATE TABLE t AS SELECT value % 5 AS x, value % 5 AS y FROM generate_series(1, 20000)",
        )
        .await
        .unwrap();
        let rollup = "(SELECT y, count(*) AS n FROM t WHERE y = 1 GROUP BY ROLLUP (y))";
        let sets = "(SELECT x, y, count(*) AS n FROM t WHERE x = y GROUP BY GROUPING SETS ((x), (y)))";
        for (sql, expected) in [
            (format!("SELECT y, n FROM {rollup} ORDER BY y DESC LIMIT 1"), vec!["-|4000"]),
            (format!("SELECT y, sum(n) FROM {rollup} GROUP BY y ORDER BY y"), vec!["1|4000", "-|4000"]),
            (format!("SELECT y, n FROM {rollup} WHERE y IS NULL"), vec!["-|4000"]),
            (
                format!("SELECT x, y FROM {sets} ORDER BY x, y LIMIT 6"),
                vec!["0|-", "1|-", "2|-", "3|-", "4|-", "-|0"],
            ),
            (format!("SELECT count(*) FROM (SELECT x, y FROM {sets} GROUP BY x, y)"), vec!["10"]),
        ] {
            assert_rows(&session, &sql, &expected).await;
        }
    }
}

/// Dealt out to partitions by `x`, and grouped by sets of which some have no `x`: each such group is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_of_sets_are_dealt_out_anew() {
    let session = session(8).await;
    run(&session, "CHECKPOINT p WITH (partition_by = 'x') AS SELECT value % 10 AS x, value % 3 AS y FROM generate_series(1, 6000)")
        .await
        .unwrap();
    let sql =
        "SELECT x, y, count(*) FROM p GROUP BY CUBE (x, y) ORDER BY x NULLS FIRST, y NULLS FIRST LIMIT 5";
    assert_rows(&session, sql, &["-|-|6000", "-|0|2000", "-|1|2000", "-|2|2000", "0|-|600"]).await;
}

/// The 10 values of `x` = 0 are 7, 14, … 70, and their sum is 385.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_stays_at_its_sort() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        run(&session, "CREATE TABLE t AS SELECT value % 7 AS x, value AS v FROM generate_series(1, 70)")
            .await
            .unwrap();
        let all = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
        let down = format!(
            "SELECT x, v, sum(v) OVER (PARTITION BY x ORDER BY v {all}) FROM t ORDER BY x, v LIMIT 3"
        );
        assert_eq!(rows(&session, &down).await, ["0|7|385", "0|14|385", "0|21|385"]);
        let lost = format!(
            "SELECT * FROM (SELECT x, count(*) OVER (PARTITION BY x ORDER BY x) AS c, count(x) OVER (ORDER BY x {all}) AS d FROM t)
             ORDER BY x, d DESC, c LIMIT 1"
        );
        assert_rows(&session, &lost, &["0|10|70"]).await;
        // Of what both have, the first two, of a join that wants its inputs sorted.
        run(&session, "SET datafusion.optimizer.prefer_hash_join = false").await.unwrap();
        let both = "SELECT x FROM t WHERE v > 7 INTERSECT SELECT v FROM t WHERE v > 3";
        let both = format!("SELECT * FROM ({both}) ORDER BY x NULLS FIRST LIMIT 2");
        assert_rows(&session, &both, &["4", "5"]).await;
    }
}

/// An ordinary sort with a limit keeps only so many rows.
#[tokio::test]
async fn a_sort_with_a_limit_keeps_only_so_many_rows() {
    let session = session(2).await;
    run(&session, "CREATE TABLE t AS SELECT value % 7 AS x, value AS v FROM generate_series(1, 70)")
        .await
        .unwrap();
    for sql in [
        "SELECT v FROM t ORDER BY v DESC LIMIT 3",
        "SELECT a.v, b.x FROM t AS a JOIN t AS b ON a.v = b.v ORDER BY b.x, a.v LIMIT 3",
        "SELECT x, count(*) AS n FROM t GROUP BY x ORDER BY n DESC, x LIMIT 3",
        "SELECT * FROM (SELECT v FROM t ORDER BY v DESC LIMIT 3) AS few JOIN t USING (v)",
    ] {
        let plan = crate::support::physical(session.sql(sql).await.unwrap()).await;
        assert!(plan.contains("TopK(fetch=3)") && !plan.contains("Limit"), "{sql}: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_leaves_windows_what_they_look_ahead_to() {
    let session = session(2).await;
    run(&session, "CREATE TABLE w AS SELECT value AS a FROM generate_series(1, 10)").await.unwrap();
    let next = "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING";
    let sums = format!("SELECT a, sum(a) OVER (ORDER BY a {next}) AS s FROM w");
    let sums = format!("SELECT a, sum(s) OVER (ORDER BY a {next}) AS s FROM ({sums}) ORDER BY a LIMIT 2");
    // 1+2 + 2+3, and 2+3 + 3+4.
    assert_rows(&session, &sums, &["1|8", "2|12"]).await;
    let so_far = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
    let ahead = format!("SELECT a, lag(a, -2) OVER (ORDER BY a {so_far}) FROM w ORDER BY a LIMIT 2");
    assert_rows(&session, &ahead, &["1|3", "2|4"]).await;
}

/// Of 20000 rows with `a` from 0 to 49, those with an even one from 2 to 20 have a partner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constant_of_one_side_is_none_of_an_outer_join() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        for sql in [
            "CREATE TABLE r AS SELECT value AS id, value % 50 AS a FROM generate_series(1, 20000)",
            "CREATE TABLE l AS SELECT value AS a, CASE WHEN value % 2 = 0 THEN 'ab' ELSE 'cd' END AS f FROM generate_series(1, 20)",
        ] {
            run(&session, sql).await.unwrap();
        }
        for setting in ["1048576", "0"] {
            for name in ["threshold", "threshold_rows"] {
                let set = format!("SET datafusion.optimizer.hash_join_single_partition_{name} = {setting}");
                run(&session, &set).await.unwrap();
            }
            let few = "(SELECT * FROM l WHERE f = 'ab') AS l ON r.a = l.a";
            for join in ["LEFT", "FULL"] {
                let joined = format!("r {join} JOIN {few}");
                let first = format!("SELECT f, id FROM {joined} ORDER BY f, id LIMIT 3");
                assert_rows(&session, &first, &["ab|2", "ab|4", "ab|6"]).await;
                let last = format!("SELECT f, id FROM {joined} ORDER BY f DESC, id LIMIT 2");
                assert_rows(&session, &last, &["-|1", "-|3"]).await;
                let groups = format!("SELECT f, count(*) FROM {joined} GROUP BY f ORDER BY f");
                assert_rows(&session, &groups, &["ab|4000", "-|16000"]).await;
            }
        }
    }
}

/// 0 is in `b` beside each `k`, so that it meets each `y`, the 1 first of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_of_two_sorted_snapshots_is_sorted_by_one() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        for sql in [
            "CHECKPOINT s AS SELECT value AS y, value % 5 AS k FROM generate_series(1, 50) ORDER BY y",
            "CHECKPOINT b AS SELECT value % 7 AS x, (value * 3) % 5 AS k FROM generate_series(1, 700) ORDER BY x",
        ] {
            run(&session, sql).await.unwrap();
        }
        for hash in ["true", "false"] {
            run(&session, &format!("SET datafusion.optimizer.prefer_hash_join = {hash}")).await.unwrap();
            // Each of 7 `x` is there 100 times, 20 of them beside each `k`.
            let joined = "s JOIN b ON s.k = b.k";
            let first = format!("SELECT b.x, s.y FROM {joined} ORDER BY b.x, s.y LIMIT 21");
            let mut expected = vec!["0|1"; 20];
            expected.push("0|2");
            assert_rows(&session, &first, &expected).await;
            let groups = format!("SELECT count(*) FROM (SELECT b.x, s.y FROM {joined} GROUP BY b.x, s.y)");
            assert_rows(&session, &groups, &["350"]).await;
        }
    }
}

/// Groups by `d`, in the order of their counts, and within that by `d` once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_place_of_a_key_is_none() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        run(&session, "CREATE TABLE t AS SELECT value % 40 AS d, value AS b FROM generate_series(1, 60)")
            .await
            .unwrap();
        let groups = "SELECT d, count(b) AS cnt FROM t GROUP BY d";
        let placed = format!("SELECT cnt, d, rank() OVER (ORDER BY cnt) AS place FROM ({groups})");
        // 1 to 20 are there twice, and 0 and 21 to 39 once.
        let first = format!("{placed} ORDER BY cnt, d LIMIT 3");
        assert_rows(&session, &first, &["1|0|1", "1|21|1", "1|22|1"]).await;
        let last = format!("{placed} ORDER BY cnt, d DESC LIMIT 2");
        assert_rows(&session, &last, &["1|39|1", "1|38|1"]).await;
        let descending = format!(
            "SELECT cnt, d, rank() OVER (ORDER BY cnt DESC) AS place FROM ({groups}) ORDER BY cnt DESC, d LIMIT 2"
        );
        assert_rows(&session, &descending, &["2|1|1", "2|2|1"]).await;
    }
}

/// Rows are in order by `id` and, as the least value up to each is what it is, by that. It stays the same for 500 of them, of which the
/// even ones are numbered here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_merged_by_one_order_is_not_in_another() {
    for partitions in [1, 2, 4] {
        let session = session(partitions).await;
        for sql in [
            "SET datafusion.execution.batch_size = 100",
            "CREATE TABLE t AS SELECT value AS id, -(value / 500) AS a FROM generate_series(1, 4000)",
            "CREATE VIEW w AS SELECT id, min(a) OVER (ORDER BY id) AS m FROM t",
        ] {
            run(&session, sql).await.unwrap();
        }
        let ranked = "SELECT id, rank() OVER (ORDER BY m DESC NULLS LAST) AS r FROM w WHERE id % 2 = 0";
        let first = format!("SELECT id, r FROM ({ranked}) ORDER BY id LIMIT 3 OFFSET 120");
        assert_rows(&session, &first, &["242|1", "244|1", "246|1"]).await;
        let later = format!("SELECT id, r FROM ({ranked}) ORDER BY id LIMIT 3 OFFSET 300");
        assert_rows(&session, &later, &["602|250", "604|250", "606|250"]).await;
        let groups = format!("SELECT count(*) FROM (SELECT id, r FROM ({ranked}) GROUP BY id, r)");
        assert_rows(&session, &groups, &["2000"]).await;
    }
}

/// `k` is 0, 1 or 2, and `v` is each of 1 to 9: a group for each pair. What joins by `k` alone finds 3 for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_several_determines_nothing_alone() {
    let session = session(2).await;
    run(&session, "CREATE TABLE kv AS SELECT value % 3 AS k, value AS v FROM generate_series(1, 9)")
        .await
        .unwrap();
    // One is known to be a key when the query is planned, the other when it is optimised.
    for keys in ["SELECT k FROM kv GROUP BY k", "SELECT DISTINCT k FROM kv"] {
        let pairs = format!(
            "SELECT u.v, g.k, count(*) AS n FROM ({keys}) AS g JOIN kv AS u ON g.k = u.k GROUP BY u.v, g.k"
        );
        run(&session, &format!("CREATE OR REPLACE VIEW j AS {pairs}")).await.unwrap();
        for (sql, expected) in [
            ("SELECT count(*) FROM (SELECT DISTINCT k, v FROM j)", vec!["9"]),
            ("SELECT count(*) FROM (SELECT k FROM j GROUP BY k, v)", vec!["9"]),
            ("SELECT count(*) FROM (SELECT k FROM j GROUP BY k, v, n)", vec!["9"]),
            ("SELECT k, count(*), sum(v) FROM j GROUP BY k ORDER BY k", vec!["0|3|18", "1|3|12", "2|3|15"]),
            ("SELECT k, v FROM j ORDER BY k, v DESC LIMIT 3", vec!["0|9", "0|6", "0|3"]),
            ("SELECT count(*) FROM kv JOIN j ON kv.k = j.k", vec!["27"]),
            (
                "SELECT k, v, sum(n) OVER (ORDER BY k) AS s FROM j ORDER BY k, v LIMIT 4",
                vec!["0|3|3", "0|6|3", "0|9|3", "1|1|6"],
            ),
        ] {
            assert_rows(&session, sql, &expected).await;
            let inline = sql.replace("FROM j", &format!("FROM checkpoint(({pairs})) AS j"));
            assert_eq!(
                rows(&session, &inline.replace("JOIN j", &format!("JOIN checkpoint(({pairs})) AS j"))).await,
                expected,
                "{inline}"
            );
            let derived = sql.replace("FROM j", &format!("FROM ({pairs}) AS j"));
            assert_rows(&session, &derived, &expected).await;
            let named = format!(
                "WITH c AS ({pairs}) {}",
                sql.replace("FROM j", "FROM c AS j").replace("JOIN j", "JOIN c AS j")
            );
            assert_rows(&session, &named, &expected).await;
        }
    }
}

/// What a statement gives is known well enough to be grouped again. The methods of a frame have added keys before anybody could look:
/// that is an error, and no wrong row.
#[tokio::test]
async fn a_frame_whose_groups_are_unclear_is_refused() {
    let session = session(2).await;
    run(&session, "CREATE TABLE kv AS SELECT value % 3 AS k, value AS v FROM generate_series(1, 9)")
        .await
        .unwrap();
    let pairs = "SELECT u.v, g.k, count(*) AS n FROM (SELECT k FROM kv GROUP BY k) AS g JOIN kv AS u ON g.k = u.k GROUP BY u.v, g.k";
    let clear = session.sql(pairs).await.unwrap().aggregate(vec![col("k")], vec![sum(col("n"))]).unwrap();
    assert_eq!(clear.count().await.unwrap(), 3);

    let keys = session.sql("SELECT k AS g, count(*) AS c FROM kv GROUP BY k").await.unwrap();
    let values = session.sql("SELECT k, v FROM kv").await.unwrap();
    let joined = values.join(keys, JoinType::Inner, &["k"], &["g"], None).unwrap();
    let pairs = joined.aggregate(vec![col("v"), col("g")], vec![sum(col("k")).alias("n")]).unwrap();
    assert_eq!(pairs.clone().count().await.unwrap(), 9);
    let unclear = pairs.aggregate(vec![col("g")], vec![sum(col("n"))]).unwrap();
    let error = unclear.collect().await.unwrap_err().to_string();
    assert!(error.contains("added columns to the keys"), "{error}");
}

/// A list of three values for each of three keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_determines_a_list_determines_none_of_its_values() {
    let session = session(2).await;
    for sql in [
        "CREATE TABLE kv AS SELECT value % 3 AS k, value AS v FROM generate_series(1, 9)",
        "CREATE VIEW un AS SELECT k, unnest(l) AS u FROM (SELECT k, array_agg(v) AS l FROM kv GROUP BY k)",
        "CHECKPOINT uc AS SELECT * FROM un",
    ] {
        run(&session, sql).await.unwrap();
    }
    let inline =
        "checkpoint((SELECT k, unnest(l) AS u FROM (SELECT k, array_agg(v) AS l FROM kv GROUP BY k)))";
    for from in ["un", "uc", inline] {
        for (sql, expected) in [
            ("SELECT count(*) FROM (SELECT DISTINCT k FROM un)", vec!["3"]),
            ("SELECT count(*) FROM (SELECT DISTINCT k, u FROM un)", vec!["9"]),
            ("SELECT k, sum(u) FROM un GROUP BY k ORDER BY k", vec!["0|18", "1|12", "2|15"]),
            ("SELECT k, u FROM un ORDER BY k, u DESC LIMIT 3", vec!["0|9", "0|6", "0|3"]),
            ("SELECT count(*) FROM kv JOIN un ON kv.k = un.k", vec!["27"]),
        ] {
            let sql = sql.replace("FROM un", &format!("FROM {from} AS un"));
            let sql = sql.replace("JOIN un", &format!("JOIN {from} AS un"));
            assert_rows(&session, &sql, &expected).await;
        }
    }
}

/// A column that is unique has as many nulls as it likes.
#[tokio::test]
async fn nulls_of_a_unique_column_determine_nothing() {
    let session = session(2).await;
    run(&session, "CREATE TABLE uq (a BIGINT UNIQUE, b BIGINT) AS VALUES (NULL, 2), (NULL, 1), (1, 5)")
        .await
        .unwrap();
    assert_rows(&session, "SELECT a, b FROM uq ORDER BY a, b", &["1|5", "-|1", "-|2"]).await;
    assert_rows(&session, "SELECT count(*) FROM (SELECT a FROM uq GROUP BY a, b)", &["3"]).await;
}

/// What is determined is still found to be: the one key of an aggregation.
#[tokio::test]
async fn a_key_of_its_own_determines_all() {
    let session = session(2).await;
    run(&session, "CREATE TABLE kv AS SELECT value % 3 AS k, value AS v FROM generate_series(1, 9)")
        .await
        .unwrap();
    let groups = "(SELECT k, count(*) AS n FROM kv GROUP BY k)";
    assert_rows(
        &session,
        &format!("SELECT k, n FROM {groups} GROUP BY k ORDER BY k"),
        &["0|3", "1|3", "2|3"],
    )
    .await;
}

/// 500 rows, 7 keys: of 3 keys there are 72 rows, of 4 there are 71.
#[tokio::test]
async fn a_dictionary_of_integers_joins() {
    let session = session(2).await;
    let dictionary = "arrow_cast(value % 7, 'Dictionary(Int32, Int64)')";
    run(
        &session,
        &format!("CHECKPOINT b AS SELECT value AS id, {dictionary} AS k FROM generate_series(1, 500)"),
    )
    .await
    .unwrap();
    assert_rows(&session, "SELECT count(*) FROM b AS x JOIN b AS y ON x.k = y.k", &["35716"]).await;
}

/// `count(*)` of nothing is a row, which a condition takes away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_without_columns_stays_above_a_count() {
    let session = session(2).await;
    for sql in
        ["CREATE TABLE t (a BIGINT) AS VALUES (1), (2), (NULL)", "CREATE TABLE u (b BIGINT) AS VALUES (3)"]
    {
        run(&session, sql).await.unwrap();
    }
    let counted = "SELECT count(*) AS n FROM t";
    let nothing = [
        format!("{counted} HAVING (SELECT max(a) FROM t) > 100"),
        format!("SELECT n FROM ({counted}) WHERE (SELECT false)"),
        format!("SELECT n FROM ({counted}) WHERE n = 1 AND n = 2"),
        format!("SELECT n FROM ({counted}) WHERE n = 3 AND (SELECT false)"),
        format!("SELECT n, b FROM ({counted}) LEFT JOIN u ON n = b WHERE (SELECT false)"),
        "SELECT a, n FROM (SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)) WHERE (SELECT false)"
            .to_string(),
        "SELECT a, n FROM (SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)) WHERE a = 1 AND a = 2"
            .to_string(),
        "SELECT count(*) AS n FROM t GROUP BY GROUPING SETS ((a), ()) HAVING (SELECT false)".to_string(),
    ];
    for sql in &nothing {
        assert_rows(&session, sql, &[]).await;
    }
    assert_rows(&session, &format!("{counted} HAVING (SELECT max(a) FROM t) < 100"), &["3"]).await;
    let joined = format!("SELECT b, n FROM u LEFT JOIN ({counted}) ON (SELECT false)");
    assert_rows(&session, &joined, &["3|-"]).await;
}

/// Items that are no constants, nulls among them, and nothing in common.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_merged_by_what_their_items_are() {
    let session = session(2).await;
    run(
        &session,
        "CREATE TABLE t (a BIGINT, b BIGINT, c BIGINT) AS VALUES (1, 1, 1), (2, 2, 9), (NULL, 3, 3)",
    )
    .await
    .unwrap();
    for (condition, expected) in [
        ("a IN (b) AND a IN (c)", ["true", "false", "-"]),
        ("a NOT IN (b, 7, 8, 9) OR a NOT IN (c, 4, 5, 6)", ["false", "true", "-"]),
        ("a IN (1, 2) AND a NOT IN (1, NULL)", ["false", "-", "-"]),
        ("a NOT IN (1) OR a NOT IN (2)", ["true", "true", "-"]),
        ("a IN (1) AND a IN (2)", ["false", "false", "-"]),
        ("NOT (a IN (1) AND a IN (2))", ["true", "true", "-"]),
        ("(a = 1 OR a = 2) AND (a = 3 OR a = 4)", ["false", "false", "-"]),
        ("a IN (1, 2, 3) AND a IN (2, 3, 4)", ["false", "true", "-"]),
        ("a IN (1, 2, 3) AND a NOT IN (2, 3, 4)", ["true", "false", "-"]),
    ] {
        assert_rows(&session, &format!("SELECT {condition} AS it FROM t ORDER BY b"), &expected).await;
        let true_ones = expected.iter().filter(|value| **value == "true").count().to_string();
        assert_rows(&session, &format!("SELECT count(*) FROM t WHERE {condition}"), &[&true_ones]).await;
    }
}

/// A filter on one of two columns of one name stays with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_goes_to_its_own_column() {
    let session = session(2).await;
    for sql in [
        "CREATE TABLE t AS SELECT value AS id, value AS b FROM generate_series(1, 10)",
        "CHECKPOINT u AS SELECT value AS id, value AS b FROM generate_series(8, 12)",
        "CHECKPOINT few AS SELECT value AS few_id FROM generate_series(1, 3)",
        "CHECKPOINT many AS SELECT value AS id, value % 7 AS b FROM generate_series(1, 1000)",
        "CHECKPOINT partners AS SELECT value AS k, value + 5000 AS id FROM generate_series(1, 3000)",
    ] {
        run(&session, sql).await.unwrap();
    }
    let right = "SELECT u.id AS id FROM t RIGHT JOIN u ON t.id = u.id WHERE t.id IS NULL ORDER BY id";
    assert_rows(&session, right, &["11", "12"]).await;
    for join in ["RIGHT", "FULL"] {
        let sql = format!(
            "SELECT u.id AS id, t.b AS tb, u.b AS ub FROM t {join} JOIN u ON t.id = u.id \
             WHERE t.b IS NULL AND u.b > 0 ORDER BY id"
        );
        assert_rows(&session, &sql, &["11|-|11", "12|-|12"]).await;
    }
    let partnered = "SELECT * FROM many WHERE EXISTS \
                     (SELECT 1 FROM partners WHERE partners.k = many.id AND partners.id <> many.b)";
    let joined = format!("SELECT few_id, b FROM few JOIN ({partnered}) ON few_id = id ORDER BY few_id");
    assert_rows(&session, &joined, &["1|1", "2|2", "3|3"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_sees_the_random_numbers_that_are_shown() {
    let session = session(2).await;
    run(&session, "CREATE TABLE t AS SELECT value AS id FROM generate_series(1, 1000)").await.unwrap();
    let drawn = "(SELECT id, random() AS r FROM t WHERE id > 0)";
    let sql = format!("SELECT min(r) > 0.5 AS lies_above FROM {drawn} WHERE r > 0.5");
    assert_eq!(rows(&session, &sql).await, ["true"]);
    let sql = format!("SELECT count(*) FROM {drawn} WHERE r > 0.5 AND r <= 0.5");
    assert_eq!(rows(&session, &sql).await, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filtered_aggregate_is_not_that_below_it() {
    let session = session(2).await;
    run(&session, "CREATE TABLE t AS SELECT value AS a FROM generate_series(1, 30)").await.unwrap();
    for (aggregate, expected) in [("sum(n)", "-"), ("max(n)", "-"), ("count(n)", "0"), ("count(*)", "0")] {
        let sql =
            format!("SELECT {aggregate} FILTER (WHERE n > 1000) AS it FROM (SELECT count(*) AS n FROM t)");
        assert_rows(&session, &sql, &[expected]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_looks_ahead_of_its_first_rows() {
    let session = session(2).await;
    for sql in [
        "CREATE TABLE t AS SELECT value AS a, value % 3 AS g FROM generate_series(1, 30)",
        "SET datafusion.optimizer.enable_window_topn = true",
    ] {
        run(&session, sql).await.unwrap();
    }
    let sql = "SELECT g, a, ahead FROM (SELECT g, a, row_number() OVER (PARTITION BY g ORDER BY a) AS place, \
               lead(a) OVER (PARTITION BY g ORDER BY a) AS ahead FROM t) WHERE place <= 2 ORDER BY g, a";
    assert_rows(&session, sql, &["0|3|6", "0|6|9", "1|1|4", "1|4|7", "2|2|5", "2|5|8"]).await;
}

/// What is hidden from DataFusion costs no sort where its claims are true.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_add_no_sorts() {
    let session = session(1).await;
    for sql in [
        "CREATE TABLE m AS SELECT value AS a, value % 7 AS b FROM generate_series(1, 50)",
        "CHECKPOINT x AS SELECT * FROM m ORDER BY a, b",
        "CHECKPOINT y AS SELECT a AS k, b AS w FROM m ORDER BY a",
        "SET datafusion.optimizer.prefer_hash_join = false",
    ] {
        run(&session, sql).await.unwrap();
    }
    for sql in [
        "SELECT a, b FROM (SELECT a, b FROM x UNION ALL SELECT k, w FROM y) ORDER BY a",
        "SELECT x.b, y.w FROM x JOIN y ON x.a = y.k",
    ] {
        let plan = crate::support::physical(session.sql(sql).await.unwrap()).await;
        assert!(!plan.contains("SortExec"), "{plan}");
    }
}
/// Two files, each with a null or NaN as its last row, and two without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_of_files_say_nothing_of_nulls_and_nan() {
    for partitions in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let session = session(partitions).await;
        for (name, kind, first, second) in [
            ("n", "BIGINT", ["'1'", "'2'", "NULL"], ["'5'", "'6'", "NULL"]),
            ("f", "DOUBLE", ["'1.5'", "'2.5'", "'NaN'"], ["'5.5'", "'6.5'", "'NaN'"]),
            ("whole", "BIGINT", ["'1'", "'2'", "'3'"], ["'5'", "'6'", "'7'"]),
        ] {
            let place = dir.path().join(name).display().to_string();
            for (file, [x, y, z]) in [("1", first), ("2", second)] {
                let rows =
                    format!("SELECT CAST(x AS {kind}) AS a FROM (VALUES ({x}), ({y}), ({z})) AS v (x)");
                let sorted = format!("SELECT a FROM ({rows}) ORDER BY a NULLS LAST");
                run(&session, &format!("COPY ({sorted}) TO '{place}/{file}.parquet'")).await.unwrap();
            }
            let table = format!(
                "CREATE EXTERNAL TABLE {name} (a {kind}) STORED AS PARQUET WITH ORDER (a ASC NULLS LAST) LOCATION '{place}/'"
            );
            run(&session, &table).await.unwrap();
        }
        for (name, all, in_third_place) in [
            ("n", ["1", "2", "5", "6", "-", "-"], "5"),
            ("f", ["1.5", "2.5", "5.5", "6.5", "NaN", "NaN"], "5.5"),
            ("whole", ["1", "2", "3", "5", "6", "7"], "3"),
        ] {
            let sorted = format!("SELECT a FROM {name} ORDER BY a NULLS LAST");
            assert_rows(&session, &sorted, &all).await;
            let numbered = format!("SELECT a, row_number() OVER (ORDER BY a NULLS LAST) AS r FROM {name}");
            let third = format!("SELECT a FROM ({numbered}) WHERE r = 3");
            assert_rows(&session, &third, &[in_third_place]).await;
            let distinct = all.iter().collect::<std::collections::BTreeSet<_>>().len().to_string();
            let groups = format!("SELECT count(*) FROM (SELECT a FROM {name} GROUP BY a)");
            assert_rows(&session, &groups, &[&distinct]).await;
            let plan = crate::support::physical(session.sql(&sorted).await.unwrap()).await;
            let in_one = partitions == 1 && name != "whole";
            assert_eq!(plan.contains("SortExec"), in_one, "{name}: {plan}");
        }
        // What was written in order is known to be, and its nulls stand where they belong.
        run(&session, "CHECKPOINT s AS SELECT a FROM n ORDER BY a NULLS LAST").await.unwrap();
        let sorted = "SELECT a FROM s ORDER BY a NULLS LAST";
        assert_rows(&session, sorted, &["1", "2", "5", "6", "-", "-"]).await;
        let plan = crate::support::physical(session.sql(sorted).await.unwrap()).await;
        assert!(!plan.contains("SortExec"), "{plan}");
    }
}

/// The key is the first column, and the first one that is read is not: 1 to 9 have the same `v`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_scan_reads_in_the_place_of_a_key_is_none() {
    for partitions in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let session = session(partitions).await;
        let place = dir.path().display();
        for sql in [
            format!(
                "COPY (SELECT value AS d, value / 10 AS v, (value * 7) % 10 AS w FROM generate_series(1, 29)) TO '{place}/e/1.parquet'"
            ),
            format!(
                "CREATE EXTERNAL TABLE e (d BIGINT, v BIGINT, w BIGINT, PRIMARY KEY (d)) STORED AS PARQUET WITH ORDER (v) LOCATION '{place}/e/'"
            ),
        ] {
            run(&session, &sql).await.unwrap();
        }
        for (sql, expected) in [
            ("SELECT v, w FROM e ORDER BY v, w LIMIT 3", ["0|1", "0|2", "0|3"]),
            ("SELECT v, w FROM e ORDER BY v, w DESC LIMIT 3", ["0|9", "0|8", "0|7"]),
            // Of 10 to 19, each `w` is there once.
            ("SELECT v, w FROM e WHERE d >= 10 ORDER BY v, w LIMIT 3", ["1|0", "1|1", "1|2"]),
            ("SELECT v + 0 AS u, w FROM e ORDER BY v, w LIMIT 3", ["0|1", "0|2", "0|3"]),
        ] {
            assert_rows(&session, sql, &expected).await;
        }
    }
}

/// Every fifth hour for 60 hours, and every hour of ten days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_of_day_begins_again_each_day() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        for sql in [
            "SET datafusion.execution.batch_size = 10",
            "CHECKPOINT o AS SELECT to_timestamp(value * 3600 * 5) AS ts, value AS v FROM generate_series(1, 12) ORDER BY ts",
            "CREATE TABLE hours AS SELECT to_timestamp(value * 3600) AS ts, value AS v FROM generate_series(1, 240)",
            "CHECKPOINT h AS SELECT ts, v FROM hours ORDER BY ts",
        ] {
            run(&session, sql).await.unwrap();
        }
        let times = "SELECT CAST(ts AS TIME) AS y, v FROM o";
        // 25, 50 and 5 hours after midnight: at 1, 2 and 5.
        for sql in [
            format!("SELECT v FROM ({times}) ORDER BY y LIMIT 3"),
            "SELECT v FROM o ORDER BY CAST(ts AS TIME) LIMIT 3".to_string(),
            format!(
                "SELECT v FROM (SELECT v, row_number() OVER (ORDER BY y ROWS UNBOUNDED PRECEDING) AS r FROM ({times})) ORDER BY r LIMIT 3"
            ),
        ] {
            assert_rows(&session, &sql, &["5", "10", "1"]).await;
        }
        // A day comes after the one before.
        let by_day = session.sql("SELECT v FROM o ORDER BY CAST(ts AS DATE)").await.unwrap();
        let plan = crate::support::physical(by_day).await;
        assert!(!plan.contains("SortExec") && !plan.contains("in_no_order"), "{plan}");
        let time = "CAST(ts AS TIME) AS y";
        for table in ["h", "hours"] {
            for groups in [
                format!("SELECT {time}, count(*) AS n FROM {table} GROUP BY 1"),
                // Sorted for the sake of the list.
                format!("SELECT {time}, array_length(array_agg(v ORDER BY ts)) AS n FROM {table} GROUP BY 1"),
                format!(
                    "SELECT y, count(r) AS n FROM (SELECT {time}, rank() OVER (ORDER BY ts) AS r FROM {table}) GROUP BY y"
                ),
            ] {
                let all = format!("SELECT count(*), sum(n) FROM ({groups})");
                assert_rows(&session, &all, &["24|240"]).await;
            }
            let first = format!(
                "SELECT sum(v) FROM {table} GROUP BY CAST(ts AS TIME) ORDER BY CAST(ts AS TIME) LIMIT 2"
            );
            // 24 + 48 + … + 240 at midnight, and 1 + 25 + … + 217 an hour later.
            assert_rows(&session, &first, &["1320", "1090"]).await;
            let counted =
                format!("SELECT count(*) FILTER (WHERE CAST(ts AS TIME) < '02:00:00') FROM {table}");
            assert_rows(&session, &counted, &["20"]).await;
        }
    }
}

/// To a base below one, a greater number has a lesser logarithm; and as a base, the sign of the logarithm changes at one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logarithm_keeps_no_order() {
    for partitions in [1, 2] {
        let session = session(partitions).await;
        for sql in [
            "CREATE TABLE t (id BIGINT, x DOUBLE) AS VALUES (1, 0.5), (2, 2), (3, 4)",
            "CHECKPOINT byx AS SELECT id, x FROM t ORDER BY x",
        ] {
            run(&session, sql).await.unwrap();
        }
        for (sql, expected) in [
            // 1, -1 and -2.
            ("SELECT id FROM byx ORDER BY log(0.5, x)", ["3", "2", "1"]),
            ("SELECT id FROM (SELECT id, log(0.5, x) AS l FROM byx) ORDER BY l", ["3", "2", "1"]),
            // -1, 1 and a half.
            ("SELECT id FROM byx ORDER BY log(x, 2.0) DESC", ["2", "3", "1"]),
        ] {
            assert_rows(&session, sql, &expected).await;
        }
    }
}
