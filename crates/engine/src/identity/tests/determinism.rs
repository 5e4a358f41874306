//! How far results hold.

use super::*;
use crate::identity::Determinism;

async fn word(sql: &str) -> &'static str {
    of(&session(), sql).await.determinism.as_str()
}

#[tokio::test]
async fn a_function_counts_wherever_it_stands() {
    for (sql, expected) in [
        ("SELECT a FROM t", "immutable"),
        ("SELECT a FROM t LIMIT 1", "immutable"),
        ("SELECT array_agg(a) FROM t", "immutable"),
        ("SELECT now()", "run"),
        ("SELECT current_date()", "run"),
        ("SELECT current_time()", "run"),
        ("SELECT a FROM t WHERE d < now()", "run"),
        ("SELECT a FROM t ORDER BY now()", "run"),
        ("SELECT random()", "volatile"),
        ("SELECT uuid()", "volatile"),
        ("SELECT a FROM t WHERE random() < 0.5", "volatile"),
        ("SELECT sum(random()) FROM t", "volatile"),
        ("SELECT sum(a) FILTER (WHERE random() < 0.5) FROM t", "volatile"),
        ("SELECT array_agg(a ORDER BY random()) FROM t", "volatile"),
        ("SELECT sum(a) OVER (PARTITION BY random()) FROM t", "volatile"),
        ("SELECT sum(a) OVER (ORDER BY random()) FROM t", "volatile"),
        ("SELECT t.a FROM t JOIN u ON t.a = u.a AND random() < 0.5", "volatile"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE random() < 0.5)", "volatile"),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.c < random())", "volatile"),
        ("SELECT (SELECT random())", "volatile"),
        ("SELECT array_transform(l, (x) -> x + random()) FROM t", "volatile"),
        ("SELECT a FROM t ORDER BY random()", "volatile"),
        ("SELECT * FROM (VALUES (random()))", "volatile"),
        ("SELECT now(), random()", "volatile"),
    ] {
        assert_eq!(word(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn results_of_a_run_hold_in_that_run_only() {
    let context = session();
    let state = context.state();
    for (sql, holds_elsewhere) in
        [("SELECT a FROM t", true), ("SELECT now() FROM t", false), ("SELECT random() FROM t", false)]
    {
        let plan = analysed(&state, sql).await;
        let registries = hasty();
        let here = identify(&plan, &state, &registries, &run()).await.unwrap();
        let again = identify(&plan, &state, &registries, &run()).await.unwrap();
        let other = RunPin { id: "run-2".to_owned(), now_ns: 0 };
        let elsewhere = identify(&plan, &state, &registries, &other).await.unwrap();
        assert!(here.reusable, "{sql}");
        assert_eq!(here.signature, again.signature, "{sql}");
        assert_eq!(here.signature == elsewhere.signature, holds_elsewhere, "{sql}");
        assert_eq!(here.fingerprint, elsewhere.fingerprint, "{sql}");
    }
}

#[tokio::test]
async fn the_reason_names_the_function() {
    let identity = of(&session(), "SELECT a FROM t WHERE d < now()").await;
    assert!(matches!(&identity.determinism, Determinism::Run(reason) if reason.contains("now()")));
}
