//! Which queries are the same query.

use std::collections::HashMap;

use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

use super::*;
use crate::identity::Error;

/// Queries that each compute something else.
const DIFFERENT: &[&str] = &[
    "SELECT a FROM t",
    "SELECT a FROM u",
    "SELECT c FROM t",
    "SELECT a, c FROM t",
    "SELECT c, a FROM t",
    "SELECT a, a AS again FROM t",
    "SELECT a + 1 FROM t",
    "SELECT a + 2 FROM t",
    "SELECT a - 1 FROM t",
    "SELECT 1 + a FROM t",
    "SELECT -a FROM t",
    "SELECT a + 1.0 FROM t",
    "SELECT CAST(a AS INT) FROM t",
    "SELECT CAST(a AS SMALLINT) FROM t",
    "SELECT TRY_CAST(a AS INT) FROM t",
    "SELECT CAST(a AS DECIMAL(10, 2)) FROM t",
    "SELECT CAST(a AS DECIMAL(10, 3)) FROM t",
    "SELECT CAST(a AS DECIMAL(11, 2)) FROM t",
    "SELECT a FROM t WHERE a > 1",
    "SELECT a FROM t WHERE a >= 1",
    "SELECT a FROM t WHERE a > 2",
    "SELECT a FROM t WHERE c > 1",
    "SELECT a FROM t WHERE NOT a > 1",
    "SELECT a FROM t WHERE a > 1 AND c > 1",
    "SELECT a FROM t WHERE a > 1 OR c > 1",
    "SELECT a FROM t WHERE a BETWEEN 1 AND 2",
    "SELECT a FROM t WHERE a NOT BETWEEN 1 AND 2",
    "SELECT a FROM t WHERE a IN (1, 2)",
    "SELECT a FROM t WHERE a IN (2, 1)",
    "SELECT a FROM t WHERE a NOT IN (1, 2)",
    "SELECT a FROM t WHERE b = 'x'",
    "SELECT a FROM t WHERE b = 'X'",
    "SELECT a FROM t WHERE b = ' x'",
    "SELECT a FROM t WHERE b LIKE 'x'",
    "SELECT a FROM t WHERE b LIKE 'x' ESCAPE '!'",
    "SELECT a FROM t WHERE b ILIKE 'x'",
    "SELECT a FROM t WHERE b NOT LIKE 'x'",
    "SELECT a FROM t WHERE b SIMILAR TO 'x'",
    "SELECT a FROM t WHERE b ~ 'x'",
    "SELECT a FROM t WHERE b IS NULL",
    "SELECT a FROM t WHERE b IS NOT NULL",
    "SELECT a FROM t WHERE (a > 1) IS TRUE",
    "SELECT a FROM t WHERE (a > 1) IS NOT TRUE",
    "SELECT a FROM t WHERE (a > 1) IS FALSE",
    "SELECT a FROM t WHERE (a > 1) IS NOT FALSE",
    "SELECT a FROM t WHERE (b = 'x') IS UNKNOWN",
    "SELECT a FROM t WHERE (b = 'x') IS NOT UNKNOWN",
    "SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END FROM t",
    "SELECT CASE WHEN a > 1 THEN 2 ELSE 1 END FROM t",
    "SELECT CASE WHEN a > 1 THEN 1 END FROM t",
    "SELECT CASE a WHEN 1 THEN 1 ELSE 2 END FROM t",
    "SELECT abs(a) FROM t",
    "SELECT signum(a) FROM t",
    "SELECT DISTINCT a FROM t",
    "SELECT DISTINCT ON (a) a FROM t ORDER BY a, c",
    "SELECT DISTINCT ON (a) a FROM t ORDER BY a, c DESC",
    "SELECT a FROM t ORDER BY a",
    "SELECT a FROM t ORDER BY a DESC",
    "SELECT a FROM t ORDER BY a NULLS FIRST",
    "SELECT a FROM t ORDER BY c",
    "SELECT a FROM t ORDER BY a, c",
    "SELECT a FROM t LIMIT 1",
    "SELECT a FROM t LIMIT 2",
    "SELECT a FROM t LIMIT 1 OFFSET 1",
    "SELECT a FROM t OFFSET 1",
    "SELECT count(*) FROM t",
    "SELECT count(b) FROM t",
    "SELECT count(DISTINCT b) FROM t",
    "SELECT count(b) FILTER (WHERE a > 1) FROM t",
    "SELECT sum(a) FROM t",
    "SELECT sum(a) FROM t HAVING sum(a) > 1",
    "SELECT sum(a) FROM t GROUP BY b",
    "SELECT sum(a) FROM t GROUP BY c",
    "SELECT sum(a) FROM t GROUP BY b, c",
    "SELECT sum(a) FROM t GROUP BY ROLLUP (b, c)",
    "SELECT sum(a) FROM t GROUP BY CUBE (b, c)",
    "SELECT sum(a) FROM t GROUP BY GROUPING SETS ((b), (c))",
    "SELECT sum(a) FROM t GROUP BY GROUPING SETS ((b, c))",
    "SELECT array_agg(a) FROM t",
    "SELECT array_agg(a ORDER BY c) FROM t",
    "SELECT array_agg(a ORDER BY c DESC) FROM t",
    "SELECT first_value(b) IGNORE NULLS FROM t",
    "SELECT first_value(b) RESPECT NULLS FROM t",
    "SELECT row_number() OVER () FROM t",
    "SELECT row_number() OVER (ORDER BY a) FROM t",
    "SELECT row_number() OVER (ORDER BY a DESC) FROM t",
    "SELECT row_number() OVER (PARTITION BY b ORDER BY a) FROM t",
    "SELECT rank() OVER (PARTITION BY b ORDER BY a) FROM t",
    "SELECT sum(a) OVER (ORDER BY a) FROM t",
    "SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t",
    "SELECT sum(a) OVER (ORDER BY a RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT sum(a) OVER (ORDER BY a GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
    "SELECT t.a FROM t JOIN u ON t.a = u.a",
    "SELECT u.a FROM t JOIN u ON t.a = u.a",
    "SELECT t.a FROM u JOIN t ON t.a = u.a",
    "SELECT t.a FROM t JOIN u ON t.c = u.c",
    "SELECT t.a FROM t JOIN u ON t.a = u.a AND t.c > u.c",
    "SELECT t.a FROM t LEFT JOIN u ON t.a = u.a",
    "SELECT t.a FROM t RIGHT JOIN u ON t.a = u.a",
    "SELECT t.a FROM t FULL JOIN u ON t.a = u.a",
    "SELECT t.a FROM t LEFT SEMI JOIN u ON t.a = u.a",
    "SELECT t.a FROM t LEFT ANTI JOIN u ON t.a = u.a",
    "SELECT t.a FROM t CROSS JOIN u",
    "SELECT t.a FROM t, LATERAL (SELECT u.a FROM u WHERE u.a = t.a) AS v",
    "SELECT t.a FROM t, LATERAL (SELECT u.a FROM u WHERE u.c = t.c) AS v",
    "SELECT a FROM t UNION ALL SELECT a FROM t",
    "SELECT a FROM t UNION SELECT a FROM t",
    "SELECT a FROM t INTERSECT SELECT a FROM t",
    "SELECT a FROM t EXCEPT SELECT a FROM t",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
    "SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.c)",
    "SELECT a FROM t WHERE EXISTS (SELECT 2 FROM u WHERE u.a = t.a)",
    "SELECT a FROM t WHERE a IN (SELECT a FROM u)",
    "SELECT a FROM t WHERE a NOT IN (SELECT a FROM u)",
    "SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE a > 1)",
    "SELECT a FROM t WHERE a > (SELECT max(a) FROM u)",
    "SELECT a FROM t WHERE a > (SELECT min(a) FROM u)",
    "SELECT a FROM t WHERE a > ANY (SELECT a FROM u)",
    "SELECT a FROM t WHERE a > ALL (SELECT a FROM u)",
    "SELECT unnest(l) FROM t",
    "SELECT a, unnest(l) FROM t",
    "SELECT unnest(unnest([l])) FROM t",
    "SELECT l[1] FROM t",
    "SELECT l[2] FROM t",
    "SELECT array_transform(l, (x) -> x + 1) FROM t",
    "SELECT array_transform(l, (x) -> x + 2) FROM t",
    "SELECT named_struct('x', a) FROM t",
    "SELECT named_struct('y', a) FROM t",
    "SELECT named_struct('x', a)['x'] FROM t",
    "SELECT arrow_field(a)['name'] FROM t",
    "SELECT arrow_field(x)['name'] FROM (SELECT a AS x FROM t)",
    "SELECT * FROM (VALUES (1), (2))",
    "SELECT * FROM (VALUES (2), (1))",
    "SELECT * FROM (VALUES (1), (NULL))",
    "SELECT * FROM generate_series(1, 10)",
    "SELECT * FROM generate_series(1, 11)",
    "SELECT * FROM generate_series(1, 10, 2)",
    "SELECT * FROM range(1, 10)",
    "SELECT 1",
    "SELECT '1'",
    "SELECT 0.0",
    "SELECT -0.0",
    "SELECT NULL",
    "SELECT [1, 2]",
    "SELECT [1, 3]",
    "SELECT DATE '2026-01-01'",
    "SELECT TIMESTAMP '2026-01-01T00:00:00'",
    "SELECT INTERVAL '1' DAY",
    "SELECT INTERVAL '24' HOUR",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 8) SELECT i FROM n",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
];

#[tokio::test]
async fn queries_that_differ_have_different_fingerprints() {
    let context = session();
    let mut seen = HashMap::new();
    for sql in DIFFERENT {
        let identity = of(&context, sql).await;
        assert!(identity.reusable, "{sql}: {:?}", identity.why_not_reusable);
        if let Some(other) = seen.insert(identity.fingerprint, sql) {
            panic!("same fingerprint:\n  {other}\n  {sql}");
        }
    }
}

#[tokio::test]
async fn identifying_again_gives_the_same_signature() {
    for sql in DIFFERENT {
        let (first, second) = (of(&session(), sql).await, of(&session(), sql).await);
        assert_eq!(first.fingerprint, second.fingerprint, "{sql}");
        assert_eq!(first.signature, second.signature, "{sql}");
    }
}

/// Pairs of spellings of one query.
const SAME: &[(&str, &str)] = &[
    ("SELECT a FROM t WHERE a > 1", "select  A\nfrom T -- all of them\nwhere(a>1)"),
    ("SELECT a FROM t", "SELECT a AS x FROM t"),
    ("SELECT a FROM t", "SELECT t.a FROM t"),
    ("SELECT a FROM t", "SELECT s.a FROM t AS s"),
    ("SELECT a FROM t", "SELECT x FROM (SELECT a AS x FROM t) AS s"),
    ("SELECT a, c FROM t", "SELECT * FROM (SELECT a, c FROM t) AS s (x, y)"),
    ("SELECT a + 1 FROM t", "SELECT a + 1 AS next FROM t"),
    ("SELECT a FROM t JOIN u USING (a)", "SELECT x.a FROM t AS x JOIN u AS y USING (a)"),
    ("SELECT t.a FROM t JOIN u ON t.a = u.a", "SELECT x.a FROM t AS x INNER JOIN u AS y ON x.a = y.a"),
    (
        "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
        "SELECT o.a FROM t o WHERE EXISTS (SELECT 1 FROM u i WHERE i.a = o.a)",
    ),
    ("WITH s AS (SELECT a FROM t) SELECT a FROM s", "WITH z AS (SELECT a FROM t) SELECT a FROM z"),
    (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
        "WITH RECURSIVE m AS (SELECT 1 AS j UNION ALL SELECT j + 1 FROM m WHERE j < 9) SELECT j FROM m",
    ),
    (
        "SELECT sum(a) AS s FROM t GROUP BY b HAVING sum(a) > 1",
        "SELECT sum(a) FROM t GROUP BY b HAVING sum(a) > 1",
    ),
];

#[tokio::test]
async fn spellings_of_one_query_have_one_signature() {
    let context = session();
    for (one, other) in SAME {
        let (first, second) = (of(&context, one).await, of(&context, other).await);
        assert_eq!(first.fingerprint, second.fingerprint, "{one}\n{other}");
        assert_eq!(first.signature, second.signature, "{one}\n{other}");
    }
}

/// A bare name that two inputs could mean is no position: written with another relation it may be another column.
#[tokio::test]
async fn swapped_relations_are_another_query() {
    let context = session();
    let one = of(&context, "SELECT x.a FROM t AS x, t AS y WHERE x.c = 1").await;
    let other = of(&context, "SELECT y.a FROM t AS x, t AS y WHERE x.c = 1").await;
    let renamed = of(&context, "SELECT p.a FROM t AS p, t AS q WHERE p.c = 1").await;
    assert_ne!(one.fingerprint, other.fingerprint);
    assert_eq!(one.fingerprint, renamed.fingerprint);
}

/// Two levels of subqueries: the inner one may refer to either of the outer two.
#[tokio::test]
async fn outer_references_count_their_distance() {
    let context = session();
    let sql = |reference: &str| {
        format!(
            "SELECT a FROM t AS x WHERE EXISTS (SELECT 1 FROM t AS y WHERE y.a = x.a AND EXISTS \
             (SELECT 1 FROM u WHERE u.a = {reference}))"
        )
    };
    let (near, far) = (of(&context, &sql("y.c")).await, of(&context, &sql("x.c")).await);
    assert_ne!(near.fingerprint, far.fingerprint);
}

#[tokio::test]
async fn commands_have_no_identity() {
    let context = session();
    for (sql, kind) in [
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE"),
        ("COPY t TO 'x.parquet'", "COPY"),
        ("INSERT INTO u SELECT a, b, c FROM t", "INSERT, UPDATE, DELETE or MERGE"),
        ("CREATE TABLE v AS SELECT 1", "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("DROP TABLE t", "DROP TABLE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("DESCRIBE t", "DESCRIBE"),
    ] {
        match try_identify(&context, sql).await {
            Err(Error::NotAQuery { kind: found }) => assert_eq!(found, kind, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_parameter_needs_a_value() {
    let context = session();
    match try_identify(&context, "SELECT a FROM t WHERE a > $1").await {
        Err(Error::UnboundParameter { id }) => assert_eq!(id, "$1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn metadata_of_the_result_counts() {
    let context = session();
    let state = context.state();
    let scan = || LogicalPlanBuilder::from(context.table_provider_plan());
    let plain = scan().project(vec![col("a")]).unwrap().build().unwrap();
    let metadata =
        [("unit".to_owned(), "m".to_owned())].into_iter().collect::<std::collections::HashMap<_, _>>();
    let tagged = col("a").alias_with_metadata("a", Some(metadata.into()));
    let tagged = scan().project(vec![tagged]).unwrap().build().unwrap();
    let registries = hasty();
    let plain = identify(&plain, &state, &registries, &run()).await.unwrap();
    let tagged = identify(&tagged, &state, &registries, &run()).await.unwrap();
    assert_ne!(plain.fingerprint, tagged.fingerprint);
}

/// A long chain of conditions must not exhaust the stack of a worker thread.
#[tokio::test]
async fn deep_expressions_and_plans_are_identified() {
    let context = session();
    let state = context.state();
    let chain = (0..20_000_i64).fold(col("a").eq(lit(-1_i64)), |all, next| all.or(col("a").eq(lit(next))));
    let mut builder = LogicalPlanBuilder::from(context.table_provider_plan()).filter(chain).unwrap();
    for step in 0..300_i64 {
        builder = builder.filter(col("a").not_eq(lit(step))).unwrap();
    }
    let plan = builder.build().unwrap();
    let identity = identify(&plan, &state, &hasty(), &run()).await.unwrap();
    assert_eq!(identity.parts.len(), 302);
    // Expressions this deep overflow the stack when they are dropped one by one on a small one.
    std::mem::forget(plan);
}

trait TablePlan {
    fn table_provider_plan(&self) -> LogicalPlan;
}

impl TablePlan for SessionContext {
    fn table_provider_plan(&self) -> LogicalPlan {
        let provider = futures::executor::block_on(self.table_provider("t")).unwrap();
        let source = datafusion::datasource::provider_as_source(provider);
        LogicalPlanBuilder::scan("t", source, None).unwrap().build().unwrap()
    }
}
