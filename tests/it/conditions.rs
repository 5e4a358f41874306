//! Conditions in three-valued logic: random ones, each worked out here for every row and compared with what a query gives.

use std::fmt::{self, Display, Formatter};

use milepost::Session;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{run, table, unique};

/// A condition over the columns `a`, `b` and `c`.
#[derive(Debug, Clone)]
enum Condition {
    /// `a = 1`, or `a <> 1`.
    Is {
        column: usize,
        item: Item,
        not: bool,
    },
    In {
        column: usize,
        items: Vec<Item>,
        not: bool,
    },
    IsNull(Box<Condition>),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Number(i64),
    Column(usize),
    Null,
}

type Row = [Option<i64>; 3];

const COLUMNS: [&str; 3] = ["a", "b", "c"];

impl Item {
    fn of(self, row: Row) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Column(column) => row[column],
            Self::Null => None,
        }
    }
}

impl Condition {
    /// What SQL says that it is for a row; none is unknown.
    fn of(&self, row: Row) -> Option<bool> {
        let negated = |value: Option<bool>, not: bool| value.map(|value| value != not);
        let equal = |column: usize, item: &Item| Some(row[column]? == item.of(row)?);
        match self {
            Self::Is { column, item, not } => negated(equal(*column, item), *not),
            Self::In { column, items, not } => {
                negated(or(items.iter().map(|item| equal(*column, item))), *not)
            }
            Self::IsNull(inner) => Some(inner.of(row).is_none()),
            Self::Not(inner) => inner.of(row).map(|value| !value),
            Self::Any(terms) => or(terms.iter().map(|term| term.of(row))),
            Self::All(terms) => or(terms.iter().map(|term| term.of(row).map(|value| !value))).map(|it| !it),
        }
    }
}

fn or(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let values: Vec<Option<bool>> = values.collect();
    if values.contains(&Some(true)) {
        Some(true)
    } else if values.contains(&None) {
        None
    } else {
        Some(false)
    }
}

impl Display for Item {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Column(column) => write!(out, "{}", COLUMNS[*column]),
            Self::Null => write!(out, "NULL"),
        }
    }
}

impl Display for Condition {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let joined = |terms: &[Self], by: &str| {
            let terms: Vec<String> = terms.iter().map(|term| format!("({term})")).collect();
            terms.join(by)
        };
        match self {
            Self::Is { column, item, not } => {
                write!(out, "{} {} {item}", COLUMNS[*column], if *not { "<>" } else { "=" })
            }
            Self::In { column, items, not } => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(
                    out,
                    "{} {}IN ({})",
                    COLUMNS[*column],
                    if *not { "NOT " } else { "" },
                    items.join(", ")
                )
            }
            Self::IsNull(inner) => write!(out, "({inner}) IS NULL"),
            Self::Not(inner) => write!(out, "NOT ({inner})"),
            Self::All(terms) => write!(out, "{}", joined(terms, " AND ")),
            Self::Any(terms) => write!(out, "{}", joined(terms, " OR ")),
        }
    }
}

fn conditions() -> impl Strategy<Value = Condition> {
    let item = || prop_oneof![6 => (1..5i64).prop_map(Item::Number), 1 => (0..3usize).prop_map(Item::Column), 1 => Just(Item::Null)];
    // Mostly one column, so that there is something to merge.
    let column = || prop_oneof![4 => Just(0usize), 1 => 1..3usize];
    let leaf = prop_oneof![
        1 => (column(), item(), any::<bool>()).prop_map(|(column, item, not)| Condition::Is { column, item, not }),
        3 => (column(), prop::collection::vec(item(), 1..6), any::<bool>())
            .prop_map(|(column, items, not)| Condition::In { column, items, not }),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let terms = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            4 => terms().prop_map(Condition::All),
            4 => terms().prop_map(Condition::Any),
            2 => inner.clone().prop_map(|it| Condition::Not(Box::new(it))),
            1 => inner.clone().prop_map(|it| Condition::IsNull(Box::new(it))),
        ]
    })
}

/// All rows of three columns that are null or one of 1 to 4, `a` first.
fn all_rows() -> Vec<Row> {
    let values = || [None, Some(1), Some(2), Some(3), Some(4)];
    values()
        .into_iter()
        .flat_map(|a| values().into_iter().flat_map(move |b| values().into_iter().map(move |c| [a, b, c])))
        .collect()
}

async fn session() -> Session {
    let store = format!("memory://{}", unique("conditions"));
    let session = Session::builder().with_store_url(&store).build().await.unwrap();
    let text = |value: Option<i64>| value.map_or_else(|| "NULL".to_string(), |number| number.to_string());
    let rows: Vec<String> = all_rows()
        .into_iter()
        .enumerate()
        .map(|(id, row)| format!("({id}, {})", row.map(text).join(", ")))
        .collect();
    let create =
        format!("CREATE TABLE t (id BIGINT, a BIGINT, b BIGINT, c BIGINT) AS VALUES {}", rows.join(", "));
    run(&session, &create).await.unwrap();
    session
}

/// The condition as a filter, as a column, and as a filter that is kept.
async fn assert_right(session: &Session, condition: &Condition) {
    let wanted: Vec<Option<bool>> = all_rows().into_iter().map(|row| condition.of(row)).collect();
    let filtered: Vec<String> =
        (0..wanted.len()).filter(|id| wanted[*id] == Some(true)).map(|id| id.to_string()).collect();
    let ids = |sql: String| async move {
        let rows = table(session, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).rows;
        rows.iter().map(|row| row[0].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(format!("SELECT id FROM t WHERE {condition} ORDER BY id")).await,
        filtered,
        "WHERE {condition}"
    );
    let column = format!("SELECT ({condition}) AS it FROM t ORDER BY id");
    let shown = ids(column).await;
    let wanted: Vec<String> = wanted
        .into_iter()
        .map(|value| value.map_or_else(|| "NULL".to_string(), |it| it.to_string()))
        .collect();
    assert_eq!(shown, wanted, "SELECT {condition}");
}

#[test]
fn a_condition_is_what_its_logic_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = runtime.block_on(session());
    let mut runner = TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
    let done = runner.run(&conditions(), |condition| {
        runtime.block_on(assert_right(&session, &condition));
        Ok(())
    });
    done.unwrap_or_else(|error| panic!("{error}"));
}
