//! Projections that redefine columns by themselves: every layer counts, however many equal ones lie on each other.
//!
//! DataFusion 55.2 drops a projection that equals the one below it. The rule `keep_redefinitions` keeps sessions with
//! Milepost right; see docs/adr/0006-keep-redefinitions.md. What must come out is computed here, in Rust.

use datafusion::prelude::{SessionContext, col, lit};
use milepost_tests::table::Table;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{number, open_memory, run, table, unique};

/// `base` under `count` layers of `SELECT columns FROM (…)`.
fn layers(columns: &str, count: usize, base: &str) -> String {
    (0..count).fold(base.to_string(), |inner, _| format!("SELECT {columns} FROM ({inner})"))
}

const ONE: &str = "SELECT value AS s, value AS n FROM generate_series(1, 1)";

#[tokio::test]
async fn each_of_equal_layers_counts() {
    let session = open_memory(&unique("projections")).await;
    for (columns, expected) in [
        ("s + 1 AS s", [2, 3, 4, 5]),
        // Used twice, a column stays in place: these layers are not merged at all.
        ("s + s AS s", [2, 4, 8, 16]),
        ("s * 2 AS s, n", [2, 4, 8, 16]),
        ("n + 1 AS s, s + 1 AS n", [2, 3, 4, 5]),
        ("CASE WHEN s < 3 THEN s + 1 ELSE 0 END AS s", [2, 3, 0, 1]),
        ("s + 1 AS s, 's + 1' AS n", [2, 3, 4, 5]),
    ] {
        for (count, expected) in (1..).zip(expected) {
            let sql = format!("SELECT s FROM ({})", layers(columns, count, ONE));
            assert_eq!(number(&session, &sql).await, expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn columns_that_change_places_change_each_time() {
    let session = open_memory(&unique("projections")).await;
    let base = "SELECT value AS a, value + 10 AS b FROM generate_series(1, 1)";
    for count in 1..6 {
        let sql = layers("b AS a, a AS b", count, base);
        let row =
            table(&session, &sql).await.unwrap().rows[0].iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(row, if count % 2 == 0 { ["1", "11"] } else { ["11", "1"] }, "{sql}");
    }
}

/// The two upper layers, merged, are what the third one is.
#[tokio::test]
async fn a_layer_that_equals_those_above_it_merged_counts() {
    let session = open_memory(&unique("projections")).await;
    let sql =
        format!("SELECT t + 1 AS s FROM (SELECT s + 1 AS t FROM ({}))", layers("s + 1 + 1 AS s", 2, ONE));
    assert_eq!(number(&session, &sql).await, 7);
}

#[tokio::test]
async fn layers_in_subqueries_and_around_checkpoints_count() {
    let session = open_memory(&unique("projections")).await;
    let three = layers("s + 1 AS s", 3, ONE);
    let around = format!("SELECT s FROM checkpoint(({three})) AS c");
    for (sql, expected) in [
        (format!("SELECT 1 WHERE 4 IN ({three})"), 1),
        (format!("SELECT ({three}) + 0"), 4),
        (format!("SELECT count(*) FROM ({three}) a JOIN ({three}) b ON a.s = b.s WHERE a.s = 4"), 1),
        (layers("s + 1 AS s", 3, &around), 7),
    ] {
        assert_eq!(number(&session, &sql).await, expected, "{sql}");
    }
    run(&session, &format!("CHECKPOINT four AS {three}")).await.unwrap();
    assert_eq!(number(&session, &layers("s + 1 AS s", 3, "SELECT s FROM four")).await, 7);
}

#[tokio::test]
async fn each_step_of_a_frame_counts() {
    let session = open_memory(&unique("projections")).await;
    let mut frame = session.sql(ONE).await.unwrap();
    for _ in 0..20 {
        frame = frame.with_column("s", col("s") + lit(1)).unwrap();
    }
    let table = Table::collect(frame).await.unwrap();
    assert_eq!(table.rows[0][0].to_string(), "21");
}

/// When this fails, DataFusion does it right by itself, and our rule can go.
#[tokio::test]
async fn datafusion_alone_drops_a_layer() {
    let sql = layers("s + 1 AS s", 3, ONE);
    let table = Table::collect(SessionContext::new().sql(&sql).await.unwrap()).await.unwrap();
    assert_eq!(table.rows[0][0].to_string(), "2");
}

/// The new value of one column, from the three below it.
#[derive(Debug, Clone, Copy)]
enum Change {
    Keep(usize),
    Add(usize, i64),
    Sum(usize, usize),
    Negate(usize),
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Change {
    fn sql(self) -> String {
        match self {
            Self::Keep(x) => NAMES[x].to_string(),
            Self::Add(x, n) => format!("{} + {n}", NAMES[x]),
            Self::Sum(x, y) => format!("{} + {}", NAMES[x], NAMES[y]),
            Self::Negate(x) => format!("-{}", NAMES[x]),
        }
    }

    fn value(self, below: [i64; 3]) -> i64 {
        match self {
            Self::Keep(x) => below[x],
            Self::Add(x, n) => below[x] + n,
            Self::Sum(x, y) => below[x] + below[y],
            Self::Negate(x) => -below[x],
        }
    }
}

type Layer = [Change; 3];

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..3usize).prop_map(Change::Keep),
        (0..3usize, 1..3i64).prop_map(|(x, n)| Change::Add(x, n)),
        (0..3usize, 0..3usize).prop_map(|(x, y)| Change::Sum(x, y)),
        (0..3usize).prop_map(Change::Negate),
    ]
}

/// Chains of few distinct layers, so that equal ones meet.
fn chain() -> impl Strategy<Value = Vec<Layer>> {
    let layer = prop::array::uniform3(change());
    (prop::collection::vec(layer, 1..3), prop::collection::vec(any::<Index>(), 1..7))
        .prop_map(|(layers, places)| places.iter().map(|place| *place.get(&layers)).collect())
}

#[test]
fn any_chain_of_layers_gives_what_it_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = runtime.block_on(open_memory(&unique("projections")));
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&chain(), |chain| {
        let mut sql =
            "SELECT value AS a, value + 10 AS b, value * 100 AS c FROM generate_series(1, 1)".to_string();
        let mut expected = [1, 11, 100];
        for layer in chain {
            let columns: Vec<String> =
                layer.iter().zip(NAMES).map(|(change, name)| format!("{} AS {name}", change.sql())).collect();
            sql = format!("SELECT {} FROM ({sql})", columns.join(", "));
            expected = layer.map(|change| change.value(expected));
        }
        let table = runtime.block_on(async { Table::collect(session.sql(&sql).await?).await });
        let found: Vec<String> = table.unwrap().rows[0].iter().map(ToString::to_string).collect();
        prop_assert_eq!(found, expected.map(|value| value.to_string()), "{}", sql);
        Ok(())
    });
    if let Err(failed) = outcome {
        panic!("{failed}");
    }
}
