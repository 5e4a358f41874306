//! Random queries: two that differ anywhere have different fingerprints, two that differ in spelling have one.

use std::fmt::Write;

use super::*;

/// A query in a form of which different values are different queries.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Query {
    columns: Vec<Value>,
    join: Option<(JoinKind, Column)>,
    filter: Option<Condition>,
    order: Vec<(Column, bool, bool)>,
    limit: Option<(u8, u8)>,
    distinct: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    A,
    B,
    C,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Column(Column),
    Number(u8),
    Arithmetic(char, Box<Value>, Box<Value>),
    Call(&'static str, Box<Value>),
    Cast(&'static str, Box<Value>),
    Window(&'static str, Column, bool, u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    left: Value,
    operator: &'static str,
    right: Value,
}

/// A spelling of a query: what SQL leaves to taste.
#[derive(Debug, Clone, Copy)]
struct Spelling {
    relation: &'static str,
    other: &'static str,
    output: &'static str,
    gap: &'static str,
    upper: bool,
}

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![Just(Column::A), Just(Column::B), Just(Column::C)]
}

fn value() -> impl Strategy<Value = Value> {
    let number = || prop_oneof![Just(Column::A), Just(Column::C)];
    let leaf = prop_oneof![number().prop_map(Value::Column), (0_u8..9).prop_map(Value::Number)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let operator = prop_oneof![Just('+'), Just('-'), Just('*')];
        let function = prop_oneof![Just("abs"), Just("sqrt"), Just("signum")];
        let target = prop_oneof![Just("INT"), Just("BIGINT"), Just("DOUBLE"), Just("DECIMAL(9, 2)")];
        prop_oneof![
            (operator, boxed.clone(), boxed.clone()).prop_map(|(op, l, r)| Value::Arithmetic(op, l, r)),
            (function, boxed.clone()).prop_map(|(name, arg)| Value::Call(name, arg)),
            (target, boxed).prop_map(|(target, arg)| Value::Cast(target, arg)),
        ]
    })
}

fn query() -> impl Strategy<Value = Query> {
    let function = prop_oneof![Just("sum"), Just("min"), Just("count")];
    let window = (function, column(), any::<bool>(), 0_u8..3)
        .prop_map(|(name, order, descending, rows)| Value::Window(name, order, descending, rows));
    let output = prop_oneof![4 => value(), 1 => window];
    let kind =
        prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left), Just(JoinKind::Right), Just(JoinKind::Full)];
    let operator = prop_oneof![Just("="), Just("<>"), Just("<"), Just("<="), Just(">"), Just(">=")];
    let condition =
        (value(), operator, value()).prop_map(|(left, operator, right)| Condition { left, operator, right });
    (
        prop::collection::vec(output, 1..4),
        prop::option::of((kind, column())),
        prop::option::of(condition),
        prop::collection::vec((column(), any::<bool>(), any::<bool>()), 0..3),
        prop::option::of((0_u8..5, 1_u8..5)),
        any::<bool>(),
    )
        .prop_map(|(columns, join, filter, mut order, limit, distinct)| {
            // Sorting after DISTINCT needs the columns in the output; a column sorted twice is sorted once.
            if distinct {
                order.clear();
            }
            order.dedup_by_key(|(column, _, _)| *column);
            if order.len() == 3 || order.first().map(|first| first.0) == order.last().map(|last| last.0) {
                order.truncate(1);
            }
            Query { columns, join, filter, order, limit, distinct }
        })
}

fn spelling() -> impl Strategy<Value = Spelling> {
    let relation = prop_oneof![Just("t"), Just("s"), Just("first")];
    let other = prop_oneof![Just("u"), Just("v"), Just("second")];
    let output = prop_oneof![Just("x"), Just("result"), Just("y")];
    let gap = prop_oneof![Just(" "), Just("\n  "), Just(" /* a remark */ "), Just("\t")];
    (relation, other, output, gap, any::<bool>()).prop_map(|(relation, other, output, gap, upper)| Spelling {
        relation,
        other,
        output,
        gap,
        upper,
    })
}

impl Spelling {
    fn word(&self, word: &str) -> String {
        if self.upper { word.to_uppercase() } else { word.to_lowercase() }
    }

    fn column(&self, column: Column) -> String {
        let name = match column {
            Column::A => "a",
            Column::B => "b",
            Column::C => "c",
        };
        format!("{}.{name}", self.relation)
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Column(column) => self.column(*column),
            Value::Number(number) => number.to_string(),
            Value::Arithmetic(operator, left, right) => {
                format!("({}{gap}{operator}{gap}{})", self.value(left), self.value(right), gap = self.gap)
            }
            Value::Call(name, arg) => format!("{}({})", self.word(name), self.value(arg)),
            Value::Cast(target, arg) => format!("{}({} AS {target})", self.word("cast"), self.value(arg)),
            Value::Window(name, order, descending, rows) => format!(
                "{name}({}) OVER (ORDER BY {}{} ROWS BETWEEN {rows} PRECEDING AND CURRENT ROW)",
                self.column(Column::A),
                self.column(*order),
                if *descending { " DESC" } else { "" },
            ),
        }
    }

    fn sql(&self, query: &Query) -> String {
        let gap = self.gap;
        let mut sql = self.word("select");
        if query.distinct {
            write!(sql, "{gap}{}", self.word("distinct")).unwrap();
        }
        let columns = query.columns.iter().enumerate();
        let columns = columns.map(|(at, column)| format!("{} AS {}{at}", self.value(column), self.output));
        write!(sql, "{gap}{}", columns.collect::<Vec<_>>().join(",")).unwrap();
        write!(sql, "{gap}{}{gap}t AS {}", self.word("from"), self.relation).unwrap();
        if let Some((kind, key)) = &query.join {
            let key = self.column(*key);
            let name = key.rsplit('.').next().unwrap();
            write!(sql, "{gap}{kind:?} JOIN u AS {other} ON {key} = {other}.{name}", other = self.other)
                .unwrap();
        }
        if let Some(Condition { left, operator, right }) = &query.filter {
            let (left, right) = (self.value(left), self.value(right));
            write!(sql, "{gap}{}{gap}{left}{gap}{operator}{gap}{right}", self.word("where")).unwrap();
        }
        let order = query.order.iter().map(|(column, descending, first)| {
            let direction = if *descending { "DESC" } else { "ASC" };
            format!("{} {direction} NULLS {}", self.column(*column), if *first { "FIRST" } else { "LAST" })
        });
        let order = order.collect::<Vec<_>>();
        if !order.is_empty() {
            write!(sql, "{gap}{}{gap}{}", self.word("order by"), order.join(", ")).unwrap();
        }
        if let Some((skip, fetch)) = query.limit {
            write!(sql, "{gap}LIMIT {fetch} OFFSET {skip}").unwrap();
        }
        sql
    }
}

static CONTEXT: LazyLock<SessionContext> = LazyLock::new(session);

/// The signature of a query, or nothing where its types do not fit.
fn signature(sql: &str) -> Option<milepost_store::ids::Signature> {
    block_on(async {
        let state = CONTEXT.state();
        let plan = state.create_logical_plan(sql).await.ok()?;
        let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).ok()?;
        Some(identify(&plan, &state, &hasty(), &run()).await.unwrap().signature)
    })
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn another_query_has_another_signature(one in query(), two in query(), spelling in spelling()) {
        if let (Some(first), Some(second)) = (signature(&spelling.sql(&one)), signature(&spelling.sql(&two))) {
            prop_assert_eq!(first == second, one == two, "{}\n{}", spelling.sql(&one), spelling.sql(&two));
        }
    }

    #[test]
    fn another_spelling_has_the_same_signature(query in query(), one in spelling(), two in spelling()) {
        prop_assert_eq!(
            signature(&one.sql(&query)), signature(&two.sql(&query)), "{}\n{}", one.sql(&query), two.sql(&query)
        );
    }

    /// One change at one place, which two random queries seldom are.
    #[test]
    fn one_change_is_enough(query in query(), spelling in spelling(), change in 0_usize..6) {
        let mut changed = query.clone();
        match change {
            0 => changed.distinct = !changed.distinct,
            1 => changed.limit = Some(query.limit.map_or((0, 1), |(skip, fetch)| (skip, fetch + 1))),
            2 => changed.columns.push(Value::Number(1)),
            3 => changed.join = match query.join {
                None | Some((JoinKind::Full, _)) => Some((JoinKind::Inner, Column::A)),
                Some((_, key)) => Some((JoinKind::Full, key)),
            },
            4 => changed.filter = Some(Condition {
                left: query.filter.clone().map_or(Value::Number(0), |filter| filter.left),
                operator: "IS DISTINCT FROM",
                right: Value::Number(7),
            }),
            _ => changed.columns[0] = Value::Cast("SMALLINT", Box::new(changed.columns[0].clone())),
        }
        if changed.distinct {
            changed.order.clear();
        }
        let (before, after) = (spelling.sql(&query), spelling.sql(&changed));
        if let (Some(before), Some(after)) = (signature(&before), signature(&after)) {
            prop_assert_ne!(before, after);
        }
    }
}
