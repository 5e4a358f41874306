//! Every type that can be a key, on both sides of a join, and types that cannot.

use super::{exchanges, session};
use crate::support::{ANY_ORDER, assert_same, run, table, unique};

const TYPES: &[&str] = &[
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Date32",
    "Date64",
    "Timestamp(Second, None)",
    "Timestamp(Nanosecond, Some(\"+02:00\"))",
    "Timestamp(Microsecond, Some(\"UTC\"))",
    "Decimal128(9, 2)",
    "Decimal128(38, 0)",
    "Utf8",
    "LargeUtf8",
    "Utf8View",
    "Binary",
    "LargeBinary",
    "BinaryView",
];

/// Keys of a type: small numbers, as text some short and some long, and NULL.
fn rows(data_type: &str, from: i64) -> String {
    let number = "value % 60";
    let value = match data_type {
        "Date32" | "Utf8" | "LargeUtf8" | "Utf8View" | "Binary" | "LargeBinary" | "BinaryView" => {
            if data_type == "Date32" {
                format!("arrow_cast(arrow_cast({number}, 'Int32'), 'Date32')")
            } else {
                let text = format!("repeat('x', CAST({number} AS BIGINT)) || ({number})");
                let plain = if data_type.contains("Binary") {
                    format!("arrow_cast(arrow_cast({text}, 'Utf8'), 'Binary')")
                } else {
                    text
                };
                format!("arrow_cast({plain}, '{data_type}')")
            }
        }
        other => format!("arrow_cast({number}, '{other}')"),
    };
    format!(
        "SELECT value AS id, CASE WHEN value % 9 = 0 THEN NULL ELSE {value} END AS k \
         FROM generate_series({from}, {from} + 200) AS t(value)"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_every_type_meet_their_equals() {
    let session = session(&unique("types")).await;
    for data_type in TYPES {
        for (name, from) in [("l", 1), ("r", 30)] {
            run(&session, &format!("CREATE OR REPLACE TABLE {name}_rows AS {}", rows(data_type, from)))
                .await
                .unwrap();
            let write = format!("CHECKPOINT {name} WITH (partition_by = 'k') AS SELECT * FROM {name}_rows");
            run(&session, &write).await.unwrap();
        }
        for (sql, needed) in [
            ("SELECT l.id, r.id FROM l FULL JOIN r ON l.k = r.k", 0),
            ("SELECT k, count(*) FROM l GROUP BY k", 0),
            ("SELECT l.id, r_rows.id FROM l JOIN r_rows ON l.k = r_rows.k", 1),
        ] {
            let plain = sql.replace("r_rows", "r").replace("l.", "l_rows.").replace("r.", "r_rows.");
            let plain = plain.replace("FROM l", "FROM l_rows").replace("JOIN r ", "JOIN r_rows ");
            let expected = table(&session, &plain).await.unwrap();
            let what = format!("{data_type}: {sql}");
            assert_same(&expected, &table(&session, sql).await.unwrap(), ANY_ORDER, &what);
            assert_eq!(exchanges(&session, sql).await, needed, "{what}");
        }
    }
}

/// Where the types of two keys differ, one side is cast, and what is cast is exchanged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_two_types_meet_their_equals() {
    let session = session(&unique("mixed")).await;
    for (left, right) in [
        ("Int32", "Int64"),
        ("Int8", "UInt64"),
        ("Int64", "Decimal128(38, 0)"),
        ("Decimal128(9, 2)", "Decimal128(38, 0)"),
        ("Utf8", "Utf8View"),
        ("LargeUtf8", "Utf8"),
        ("Utf8View", "LargeUtf8"),
        ("Binary", "BinaryView"),
        ("Date32", "Date64"),
        ("Timestamp(Second, None)", "Timestamp(Nanosecond, Some(\"+02:00\"))"),
        ("Timestamp(Microsecond, Some(\"UTC\"))", "Timestamp(Nanosecond, Some(\"+02:00\"))"),
    ] {
        for (name, data_type, from) in [("l", left, 1), ("r", right, 30)] {
            run(&session, &format!("CREATE OR REPLACE TABLE {name}_rows AS {}", rows(data_type, from)))
                .await
                .unwrap();
            let write = format!("CHECKPOINT {name} WITH (partition_by = 'k') AS SELECT * FROM {name}_rows");
            run(&session, &write).await.unwrap();
        }
        let sql = "SELECT l.id, r.id FROM l FULL JOIN r ON l.k = r.k";
        let plain = "SELECT l_rows.id, r_rows.id FROM l_rows FULL JOIN r_rows ON l_rows.k = r_rows.k";
        let what = format!("{left} and {right}");
        let expected = table(&session, plain).await.unwrap();
        assert!(expected.rows.len() > 300, "{what}");
        assert_same(&expected, &table(&session, sql).await.unwrap(), ANY_ORDER, &what);
        for sql in ["SELECT k FROM l UNION SELECT k FROM r", "SELECT k FROM l INTERSECT SELECT k FROM r"] {
            let plain = sql.replace("FROM l", "FROM l_rows").replace("FROM r", "FROM r_rows");
            let expected = table(&session, &plain).await.unwrap();
            assert_same(
                &expected,
                &table(&session, sql).await.unwrap(),
                ANY_ORDER,
                &format!("{what}: {sql}"),
            );
        }
    }
}
