//! What people read first runs as it stands: the examples of docs/sql.md, and the tour.

use std::collections::BTreeMap;

use milepost::Session;
use milepost::sql::StatementKind;
use milepost_tests::tpch;

use crate::support::{config, open, unique};

/// The text of the ```sql blocks of a page, as one script.
fn examples(page: &str) -> String {
    let mut script = String::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```sql" => inside = true,
            "```" => inside = false,
            line if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    script
}

/// Runs a script and gives the outcomes of its CHECKPOINT statements, last one last, by name.
async fn run_script(session: &Session, script: &str) -> BTreeMap<String, Vec<String>> {
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in session.statements(script).unwrap() {
        let at = format!("line {}: {}", statement.line, statement.text);
        let frame = session.execute(&statement).await.unwrap_or_else(|error| panic!("{at}\n{error}"));
        let batches = frame.collect().await.unwrap_or_else(|error| panic!("{at}\n{error}"));
        if let StatementKind::Checkpoint(create) = &statement.kind {
            let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
            let outcome =
                ["written", "reused", "adopted", "resumed"].into_iter().find(|o| shown.contains(o)).unwrap();
            outcomes.entry(create.name.to_string()).or_default().push(outcome.to_string());
        }
    }
    outcomes
}

#[tokio::test]
async fn the_examples_of_the_sql_reference_run() {
    let script = examples(include_str!("../../docs/sql.md"));
    assert!(script.lines().count() > 30, "{script}");
    let session = Session::builder()
        .with_config(config())
        .with_store_url(&format!("memory://{}", unique("docs")))
        .build()
        .await
        .unwrap();
    let outcomes = run_script(&session, &script).await;
    // The page says so beside its examples.
    assert_eq!(outcomes["by_day"], ["written", "reused"]);
    assert_eq!(outcomes["steps"], ["written", "written", "written"]);
}

#[tokio::test]
async fn the_tour_computes_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    tpch::write_tables(&folder.path().join("tpch"), 0.01, 2).unwrap();
    let script =
        include_str!("../../sql/tour.sql").replace("'tpch/", &format!("'{}/tpch/", folder.path().display()));
    let first = run_script(&open(folder.path()).await, &script).await;
    assert_eq!(first["revenue"], ["written", "reused"]);
    assert_eq!(first["by_month"], ["written"]);
    let second = run_script(&open(folder.path()).await, &script).await;
    for (name, outcomes) in &second {
        let expected = if name == "passing" { "written" } else { "reused" };
        assert!(outcomes.iter().all(|outcome| outcome == expected), "{name}: {outcomes:?}");
    }
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
}

/// The tour shows every statement and every function once.
#[test]
fn the_tour_leaves_nothing_out() {
    let tour = include_str!("../../sql/tour.sql");
    for words in [
        "\nCHECKPOINT ",
        " WITH (",
        "REFRESH CHECKPOINT",
        "SHOW CHECKPOINTS;",
        "SHOW CHECKPOINTS LIKE",
        "SHOW SNAPSHOTS OF",
        "DESCRIBE CHECKPOINT",
        "EXPLAIN CHECKPOINT",
        "EXPLAIN ANALYZE CHECKPOINT",
        " FORCE;",
        " VERSION 1;",
        "VERIFY CHECKPOINT",
        "VACUUM CHECKPOINTS DRY RUN",
        "checkpoint((",
        "AS MATERIALIZED",
        "snapshot('",
        "milepost.checkpoints",
        "milepost.snapshots",
        "milepost.files",
        "milepost.lineage",
        "SET milepost.",
        "DROP CHECKPOINT",
        "IF EXISTS",
    ] {
        assert!(tour.contains(words), "{words}");
    }
}
