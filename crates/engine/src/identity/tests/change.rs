//! Changes in words.

use milepost_store::ids::Digest;
use milepost_store::manifest::{SourceObject, SourceVersion};

use super::*;
use crate::identity::{SourceChange, describe_change, describe_plan_change, source_changes};

async fn query_change(old: &str, new: &str) -> Vec<String> {
    let context = session();
    describe_plan_change(&of(&context, old).await.parts, &of(&context, new).await.parts)
}

#[tokio::test]
async fn a_changed_part_of_a_query_is_named() {
    let lines = query_change(
        "SELECT sum(c) FROM t WHERE a > 25 GROUP BY b",
        "SELECT sum(c) FROM t WHERE a > 30 GROUP BY b",
    )
    .await;
    assert_eq!(lines, ["Filter: t.a > Int64(25)  ->  t.a > Int64(30)"]);
}

#[tokio::test]
async fn added_and_removed_parts_are_named() {
    let lines = query_change("SELECT a FROM t ORDER BY a", "SELECT a FROM t LIMIT 3").await;
    assert_eq!(lines, ["removed: Sort: t.a ASC NULLS LAST", "added: Limit: skip=0, fetch=3"]);
}

/// The part that changed stands in a subquery; the filter around it did not change.
#[tokio::test]
async fn a_change_in_a_subquery_is_named_there() {
    let lines = query_change(
        "SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE c > 1)",
        "SELECT a FROM t WHERE a IN (SELECT a FROM u WHERE c > 2)",
    )
    .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("Filter: u.c > "), "{lines:?}");
}

/// A wider projection shifts the positions of what stands above it; only the projection changed.
#[tokio::test]
async fn a_wider_projection_is_one_change() {
    let lines = query_change(
        "SELECT x + 1 FROM (SELECT a + 1 AS x FROM t) AS s WHERE x > 1",
        "SELECT x + 1 FROM (SELECT c, a + 1 AS x FROM t) AS s WHERE x > 1",
    )
    .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("Projection: "), "{lines:?}");
}

#[tokio::test]
async fn there_is_always_something_to_say() {
    let parts = of(&session(), "SELECT a FROM t").await.parts;
    assert_eq!(describe_plan_change(&parts, &parts).len(), 1);
}

fn object(path: &str, size: u64, mtime_s: i64) -> SourceObject {
    SourceObject {
        path: path.to_owned(),
        size,
        e_tag: None,
        version: None,
        inode: Some(1),
        mtime_ns: Some(mtime_s * 1_000_000_000),
        ctime_ns: Some(mtime_s * 1_000_000_000),
    }
}

fn files(objects: Vec<SourceObject>) -> SourceVersion {
    let digest = Digest::of(format!("{objects:?}").as_bytes());
    SourceVersion {
        name: "lineitem".to_owned(),
        kind: "files".to_owned(),
        digest: Some(digest),
        objects,
        note: None,
    }
}

#[test]
fn changed_files_are_named() {
    let old = files(vec![object("data/a.parquet", 10, 0), object("data/b.parquet", 10, 0)]);
    let new = files(vec![object("data/a.parquet", 12, 60), object("data/c.parquet", 10, 0)]);
    assert_eq!(
        describe_change(&old, &new),
        [
            "lineitem: file a.parquet changed (size 10 -> 12, modified 1970-01-01T00:00:00Z -> 1970-01-01T00:01:00Z)",
            "lineitem: file b.parquet removed",
            "lineitem: file c.parquet added",
        ]
    );
    assert!(describe_change(&old, &old).is_empty());
}

#[test]
fn a_file_replaced_in_secret_is_told_from_its_inode_or_change_time() {
    let old = files(vec![object("data/a.parquet", 10, 0)]);
    let mut replaced = object("data/a.parquet", 10, 0);
    replaced.inode = Some(2);
    let lines = describe_change(&old, &files(vec![replaced]));
    assert_eq!(
        lines,
        ["lineitem: file a.parquet changed (replaced by another file of the same size and time)"]
    );
    let mut written = object("data/a.parquet", 10, 0);
    written.ctime_ns = Some(60_000_000_000);
    let lines = describe_change(&old, &files(vec![written]));
    assert_eq!(
        lines,
        ["lineitem: file a.parquet changed (written at 1970-01-01T00:01:00Z with its old size and time)"]
    );
}

#[test]
fn many_changed_files_are_counted() {
    let old = files((0..100).map(|n| object(&format!("data/{n:03}"), 1, 0)).collect());
    let new = files((0..100).map(|n| object(&format!("data/{n:03}"), 2, 0)).collect());
    let lines = describe_change(&old, &new);
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[10], "lineitem: 90 more files changed");
}

/// A commit stands if files were merely added, and not if any that was read is another one now.
#[test]
fn additions_are_told_from_changes() {
    let one = vec![object("data/a.parquet", 10, 0)];
    let two = vec![object("data/a.parquet", 10, 0), object("data/b.parquet", 10, 0)];
    let additions = source_changes(&[files(one.clone())], &[files(two.clone())]);
    assert!(!additions.is_empty() && additions.iter().all(SourceChange::is_addition));
    assert!(source_changes(&[files(two)], &[files(one.clone())]).iter().all(|change| !change.is_addition()));
    assert!(source_changes(&[files(one.clone())], &[]).iter().all(|change| !change.is_addition()));
    let unknown = SourceVersion { digest: None, ..files(one.clone()) };
    assert!(matches!(source_changes(&[files(one)], &[unknown])[..], [SourceChange::Unknown(_)]));
}
