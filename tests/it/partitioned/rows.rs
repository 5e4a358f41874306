//! The same rows with and without exchanges.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use milepost::Session;
use proptest::prelude::*;

use super::{assert_rows, exchanges, plan, session, session_with, snapshots};
use crate::support::{number, run, table, unique};

/// Queries over `sold` and `sorts`, and whether some exchange by hash can be spared in them.
const QUERIES: &[(&str, bool)] = &[
    ("SELECT k, count(*), sum(id) FROM sold GROUP BY k", true),
    ("SELECT k, o, count(*) FROM sold GROUP BY k, o", true),
    ("SELECT o, count(*) FROM sold GROUP BY o", false),
    ("SELECT k, count(DISTINCT o) FROM sold GROUP BY k", true),
    ("SELECT DISTINCT k FROM sold", true),
    ("SELECT DISTINCT k, o FROM sold", true),
    ("SELECT k, o, count(*) FROM sold GROUP BY GROUPING SETS ((k), (k, o), ())", false),
    ("SELECT k, o, grouping(k), sum(id) FROM sold GROUP BY ROLLUP (k, o)", false),
    ("SELECT k, o, sum(id) FROM sold GROUP BY CUBE (k, o)", false),
    ("SELECT k + 0 AS x, count(*) FROM sold GROUP BY k + 0", false),
    ("SELECT x, count(*) FROM (SELECT k AS x, id FROM sold WHERE o < 3) AS t GROUP BY x", true),
    ("SELECT sold.id, sorts.kind FROM sold JOIN sorts ON sold.k = sorts.k", true),
    ("SELECT sold.id, sorts.kind FROM sold LEFT JOIN sorts ON sold.k = sorts.k", true),
    ("SELECT sold.id, sorts.kind FROM sold RIGHT JOIN sorts ON sold.k = sorts.k", true),
    ("SELECT sold.id, sorts.kind FROM sold FULL JOIN sorts ON sold.k = sorts.k", true),
    ("SELECT sold.id, sorts.kind FROM sold FULL JOIN sorts ON sold.k = sorts.k AND sold.id > 100", true),
    ("SELECT id FROM sold WHERE EXISTS (SELECT 1 FROM sorts WHERE sorts.k = sold.k)", true),
    ("SELECT id FROM sold WHERE NOT EXISTS (SELECT 1 FROM sorts WHERE sorts.k = sold.k)", true),
    ("SELECT id FROM sold WHERE k IN (SELECT k FROM sorts)", true),
    ("SELECT id FROM sold WHERE k NOT IN (SELECT k FROM sorts WHERE k IS NOT NULL)", false),
    ("SELECT id FROM sold WHERE k NOT IN (SELECT k FROM sorts)", false),
    ("SELECT kind FROM sorts WHERE k IN (SELECT k FROM sold) OR o = 1", true),
    ("SELECT a.id, b.id FROM sold AS a JOIN sold AS b ON a.k = b.k WHERE a.id < 50", true),
    ("SELECT sold.id, sorts.kind FROM sold JOIN sorts ON sold.k = sorts.k AND sold.o = sorts.o", false),
    ("SELECT sold.id, sorts.kind FROM sold JOIN sorts ON sold.o = sorts.o WHERE sold.id < 40", false),
    ("SELECT sold.id, sorts.kind FROM sold JOIN sorts ON sold.k = sorts.o", true),
    ("SELECT sold.id, kinds.kind FROM sold JOIN kinds ON sold.k = kinds.k", true),
    ("SELECT sold.id, kinds.kind FROM kinds FULL JOIN sold ON sold.k = kinds.k", true),
    ("SELECT sold.k, count(*) FROM sold JOIN sorts ON sold.k = sorts.k GROUP BY sold.k", true),
    ("SELECT k, n FROM (SELECT k, count(*) AS n FROM sold GROUP BY k) AS g JOIN sorts USING (k)", true),
    ("SELECT k, count(*) FROM (SELECT k FROM sold UNION ALL SELECT k FROM sorts) AS u GROUP BY k", true),
    ("SELECT k FROM sold UNION SELECT k FROM sorts", true),
    ("SELECT k FROM sold INTERSECT SELECT k FROM sorts", true),
    ("SELECT k FROM sold EXCEPT SELECT k FROM sorts", true),
    ("SELECT id, sum(id) OVER (PARTITION BY k ORDER BY id) FROM sold", true),
    ("SELECT id, row_number() OVER (PARTITION BY k, o ORDER BY id) FROM sold", true),
    ("SELECT id, rank() OVER (PARTITION BY o ORDER BY id) FROM sold", false),
    ("SELECT * FROM sold ORDER BY k, id LIMIT 20", false),
    ("SELECT k, max(id) AS m FROM sold GROUP BY k ORDER BY m DESC, k LIMIT 5", true),
    ("SELECT count(*), sum(id), min(k) FROM sold", false),
    ("SELECT k, count(*) FROM sold WHERE k = 11 GROUP BY k", true),
    ("SELECT sold.id FROM sold JOIN sorts ON sold.k = sorts.k WHERE sorts.kind = 'kind 60'", true),
    ("SELECT s.id FROM sold AS s WHERE s.id > (SELECT avg(t.id) FROM sold AS t WHERE t.k = s.k)", true),
];

/// With as many partitions as buckets, with more and with fewer; against snapshots without buckets and no snapshots at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_have_the_same_rows_and_fewer_exchanges() {
    let store = unique("partitioned");
    let writer = session(&store).await;
    snapshots(&writer).await;
    let mut wrong = Vec::new();
    for (sql, spared) in QUERIES {
        let plain = sql.replace("sold", "sales").replace("sorts", "kinds");
        let expected = table(&writer, &plain).await.unwrap();
        assert_rows(&expected, &table(&writer, sql).await.unwrap(), sql);
        let with = exchanges(&writer, sql).await;
        run(&writer, "SET milepost.partitioned_reads = false").await.unwrap();
        let without = exchanges(&writer, sql).await;
        assert_rows(&expected, &table(&writer, sql).await.unwrap(), sql);
        run(&writer, "RESET milepost.partitioned_reads").await.unwrap();
        if (with < without) != *spared {
            wrong.push(format!("{with} of {without}: {sql}\n{}", plan(&writer, sql).await));
        }
        for (setting, other) in [
            ("prefer_hash_join", false),
            ("prefer_existing_union", true),
            ("enable_dynamic_filter_pushdown", false),
        ] {
            run(&writer, &format!("SET datafusion.optimizer.{setting} = {other}")).await.unwrap();
            let found = table(&writer, sql).await.unwrap();
            assert_rows(&expected, &found, &format!("{setting} = {other}: {sql}"));
            run(&writer, &format!("SET datafusion.optimizer.{setting} = {}", !other)).await.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for partitions in [1, 2, 4, 7] {
        let reader = session_with(&store, partitions).await;
        super::tables(&reader).await;
        for (sql, _) in QUERIES {
            let plain = sql.replace("sold", "sales").replace("sorts", "kinds");
            let expected = table(&reader, &plain).await.unwrap();
            assert_rows(&expected, &table(&reader, sql).await.unwrap(), &format!("{partitions}: {sql}"));
        }
    }
}

/// Buckets without a file have an empty group of their own, so that all others keep their places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_buckets_and_empty_snapshots_keep_their_places() {
    let session = session_with(&unique("sparse"), 5).await;
    snapshots(&session).await;
    for (rows, files) in [("k = 11", 1), ("k IN (11, 12)", 2), ("k IS NULL", 1), ("k < 0", 1)] {
        let write = format!("CHECKPOINT few WITH (partition_by = 'k') AS SELECT * FROM sales WHERE {rows}");
        run(&session, &write).await.unwrap();
        let written = number(&session, "SELECT count(*) FROM milepost.files WHERE checkpoint = 'few' AND version = (SELECT max(version) FROM milepost.files WHERE checkpoint = 'few')").await;
        assert!(written <= files, "{written} files for {rows}");
        for sql in [
            "SELECT few.id, sorts.kind FROM few FULL JOIN sorts ON few.k = sorts.k",
            "SELECT sorts.kind, few.id FROM sorts LEFT JOIN few ON few.k = sorts.k",
            "SELECT k, count(*) FROM few GROUP BY k",
            "SELECT k FROM few UNION SELECT k FROM sorts",
        ] {
            let plain = sql.replace("few", "few_plain").replace("sorts", "kinds");
            let plain = format!("WITH few_plain AS (SELECT * FROM sales WHERE {rows}) {plain}");
            let expected = table(&session, &plain).await.unwrap();
            assert_rows(&expected, &table(&session, sql).await.unwrap(), &format!("{rows}: {sql}"));
        }
    }
}

/// What is written from partitioned snapshots, partitioned or not, cut into units or not, has the same rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_over_partitioned_snapshots_write_the_same_rows() {
    let session = session(&unique("stages")).await;
    snapshots(&session).await;
    for unit_bytes in ["128 MiB", "100"] {
        run(&session, &format!("SET milepost.unit_bytes = '{unit_bytes}'")).await.unwrap();
        run(&session, "SET milepost.reuse = 'off'").await.unwrap();
        for by in ["none", "k", "n"] {
            for sql in [
                "SELECT k, count(*) AS n FROM sold GROUP BY k",
                "SELECT sold.k, sorts.o AS n FROM sold JOIN sorts ON sold.k = sorts.k",
                "SELECT k, id AS n FROM sold WHERE o = 1",
                "SELECT k, o AS n, sum(id) FROM sold GROUP BY k, o",
            ] {
                let write = format!("CHECKPOINT c WITH (partition_by = '{by}') AS {sql}");
                run(&session, &write).await.unwrap();
                let plain = sql.replace("sold", "sales").replace("sorts", "kinds");
                let expected = table(&session, &plain).await.unwrap();
                assert_rows(&expected, &table(&session, "SELECT * FROM c").await.unwrap(), &write);
                let grouped = |from: &str| format!("SELECT k, n, count(*) FROM {from} GROUP BY k, n");
                let expected = table(&session, &grouped(&format!("({plain})"))).await.unwrap();
                assert_rows(&expected, &table(&session, &grouped("c")).await.unwrap(), &write);
                let spared = exchanges(&session, "SELECT k, count(*) FROM c GROUP BY k").await == 0;
                assert_eq!(spared, by == "k", "{write}");
            }
        }
    }
}

/// Rows, the columns by which they are dealt out, and a query.
fn any_case() -> impl Strategy<Value = (Vec<Row>, Vec<Row>, usize, usize, usize, usize)> {
    let row = || (prop::option::of(-3_i64..12), prop::option::of(0_i64..3), prop::option::of("[ab]{0,14}"));
    let rows = || prop::collection::vec(row(), 0..60);
    (rows(), rows(), 0..KEYS.len(), 0..KEYS.len(), 0..PAIRED.len(), 2_usize..5)
}

type Row = (Option<i64>, Option<i64>, Option<String>);

const KEYS: &[&str] = &["k", "s", "k, s", "s, k", "k, o", "o, k, s"];

const PAIRED: &[&str] = &[
    "SELECT l.k, l.o, l.s, r.k, r.o, r.s FROM l JOIN r ON l.k = r.k",
    "SELECT l.k, l.o, l.s, r.k, r.o, r.s FROM l FULL JOIN r ON l.k = r.k AND l.s = r.s",
    "SELECT l.k, l.o, l.s, r.o FROM l LEFT JOIN r ON l.s = r.s AND l.k = r.k AND l.o = r.o",
    "SELECT l.k, l.s FROM l WHERE EXISTS (SELECT 1 FROM r WHERE r.s = l.s AND r.k = l.k)",
    "SELECT l.k, l.s FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.o = l.o)",
    "SELECT l.k, r.s, count(*) FROM l JOIN r ON l.k = r.o GROUP BY l.k, r.s",
    "SELECT k, s, count(*) FROM (SELECT * FROM l UNION ALL SELECT * FROM r) AS u GROUP BY s, k",
    "SELECT k, s, o FROM l UNION SELECT k, s, o FROM r",
    "SELECT s, k FROM l INTERSECT SELECT s, k FROM r",
    "SELECT k, count(*) OVER (PARTITION BY k, s), sum(o) OVER (PARTITION BY s) FROM l",
    "SELECT k, s, o, count(*) FROM l GROUP BY ROLLUP (k, s, o)",
    "SELECT g.k, g.n, r.s FROM (SELECT k, count(*) AS n FROM l GROUP BY k) AS g RIGHT JOIN r ON g.k = r.k",
    "SELECT l.s FROM l JOIN r ON l.k = r.k AND l.k = r.o",
    "SELECT a.k, b.s FROM l AS a JOIN l AS b ON a.k = b.k AND a.s = b.s",
];

fn batch(rows: &[Row]) -> RecordBatch {
    let k = Int64Array::from_iter(rows.iter().map(|row| row.0));
    let o = Int64Array::from_iter(rows.iter().map(|row| row.1));
    let s = StringArray::from_iter(rows.iter().map(|row| row.2.as_deref()));
    let column = |name, array: ArrayRef| (name, array, true);
    RecordBatch::try_from_iter_with_nullable([
        column("k", Arc::new(k)),
        column("o", Arc::new(o)),
        column("s", Arc::new(s)),
    ])
    .unwrap()
}

async fn same_without_checkpoints(
    (left, right, left_key, right_key, query, partitions): (Vec<Row>, Vec<Row>, usize, usize, usize, usize),
) {
    let session = session_with(&unique("any"), partitions).await;
    session.register_batch("left_rows", batch(&left)).unwrap();
    session.register_batch("right_rows", batch(&right)).unwrap();
    for (name, rows, key) in [("l", "left_rows", left_key), ("r", "right_rows", right_key)] {
        let by = KEYS[key];
        run(&session, &format!("CHECKPOINT {name} WITH (partition_by = '{by}') AS SELECT * FROM {rows}"))
            .await
            .unwrap();
    }
    let sql = PAIRED[query];
    let found = table(&session, sql).await.unwrap();
    let plain = without(&left, &right).await;
    let expected = table(&plain, sql).await.unwrap();
    let what =
        format!("{} {} {partitions}: {sql}\n{}", KEYS[left_key], KEYS[right_key], plan(&session, sql).await);
    assert_rows(&expected, &found, &what);
}

/// A session in which checkpoints are views.
async fn without(left: &[Row], right: &[Row]) -> Session {
    let plain = session(&unique("without")).await;
    run(&plain, "SET milepost.enabled = false").await.unwrap();
    plain.register_batch("l_rows", batch(left)).unwrap();
    plain.register_batch("r_rows", batch(right)).unwrap();
    for name in ["l", "r"] {
        run(&plain, &format!("CHECKPOINT {name} AS SELECT * FROM {name}_rows")).await.unwrap();
    }
    plain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_and_rows_give_the_same_rows(case in any_case()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(same_without_checkpoints(case));
    }
}
