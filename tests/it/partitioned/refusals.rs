//! Where a snapshot must not be taken for partitioned, and what is refused when one is written.

use std::path::{Path, PathBuf};

use milepost::Session;
use milepost_store::Checksum;

use super::{exchanges, plan, snapshots, tables};
use crate::support::{ANY_ORDER, assert_same, config, number, run, table};

const GROUPED: &str = "SELECT k, count(*) FROM sold GROUP BY k";

const JOINED: &str = "SELECT sold.id, sorts.kind FROM sold JOIN sorts ON sold.k = sorts.k";

async fn open(dir: &Path) -> Session {
    let store = format!("file://{}", dir.join("store").display());
    let session = Session::builder().with_config(config()).with_store_url(&store).build().await.unwrap();
    super::join_by_partitions(&session).await;
    session
}

/// A store with both snapshots.
async fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    snapshots(&open(dir.path()).await).await;
    dir
}

fn entry(dir: &Path) -> PathBuf {
    dir.join("store/checkpoints/sold/log/00000000000000000000.json")
}

/// Writes the commit of `sold` anew with `edit` made, and sealed again as a writer would.
fn edited(dir: &Path, edit: impl Fn(&str) -> String) {
    let text = std::fs::read_to_string(entry(dir)).unwrap();
    let changed = edit(&text);
    assert_ne!(changed, text, "the edit found nothing");
    let (body, _) = changed.rsplit_once(",\n").unwrap();
    let sum = Checksum::of(body.as_bytes());
    std::fs::write(entry(dir), format!("{body},\n  \"checksum\": \"{sum}\"\n}}\n")).unwrap();
}

fn after<'t>(text: &'t str, field: &str) -> &'t str {
    text.split_once(field).unwrap().1.split('"').next().unwrap()
}

/// Both queries with all their exchanges, and with the rows of the tables.
async fn assert_exchanged(session: &Session, what: &str) {
    tables(session).await;
    for (sql, needed) in [(GROUPED, 1), (JOINED, 1)] {
        assert!(exchanges(session, sql).await >= needed, "{what}: {}", plan(session, sql).await);
        let plain = sql.replace("sold", "sales").replace("sorts", "kinds");
        let expected = table(session, &plain).await.unwrap();
        assert_same(&expected, &table(session, sql).await.unwrap(), ANY_ORDER, &format!("{what}: {sql}"));
    }
}

/// Another function, by its name or by what it gives; files without buckets, or of buckets that do not exist.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_manifest_does_not_prove_is_exchanged() {
    let other_digit = |digits: &str| {
        let first = if digits.starts_with('0') { "1" } else { "0" };
        format!("{first}{}", &digits[1..])
    };
    type Edit<'e> = (&'e str, Box<dyn Fn(&str) -> String>);
    let edits: Vec<Edit<'_>> = vec![
        (
            "another probe",
            Box::new(move |text| {
                let probe = after(text, "\"probe\": \"").to_string();
                text.replace(&probe, &other_digit(&probe))
            }),
        ),
        (
            "another release",
            Box::new(|text| text.replace("datafusion 55.2.0 exchange", "datafusion 55.3.0 exchange")),
        ),
        ("another machine", Box::new(|text| text.replace(&format!(" {} little", usize::BITS), " 16 big"))),
        ("another number of buckets", Box::new(|text| text.replace("\"buckets\": 3", "\"buckets\": 4"))),
        ("no bucket", Box::new(|text| text.replacen("\"bucket\": 1,", "", 1))),
        ("a bucket that is not there", Box::new(|text| text.replacen("\"bucket\": 2,", "\"bucket\": 3,", 1))),
        ("another column", Box::new(|text| text.replacen("\"columns\": [\n", "\"columns\": [\n 3,\n", 1))),
        ("no such column", Box::new(|text| text.replacen("\"columns\": [\n", "\"columns\": [\n 9,\n", 1))),
        ("no partitioning", Box::new(|text| text.replacen("\"partitioning\":", "\"partitioned\":", 1))),
    ];
    let dir = written().await;
    let session = open(dir.path()).await;
    tables(&session).await;
    assert_eq!(exchanges(&session, GROUPED).await + exchanges(&session, JOINED).await, 0);
    let original = std::fs::read(entry(dir.path())).unwrap();
    for (what, edit) in edits {
        edited(dir.path(), edit);
        assert_exchanged(&open(dir.path()).await, what).await;
        std::fs::write(entry(dir.path()), &original).unwrap();
    }
    let session = open(dir.path()).await;
    assert_eq!(exchanges(&session, GROUPED).await, 0, "as it was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_settings_exchange() {
    let dir = written().await;
    for setting in [
        "milepost.partitioned_reads = false",
        "datafusion.execution.target_partitions = 2",
        "datafusion.execution.target_partitions = 4",
        // Folders of a table of files are taken for partitions by hash then, and are none.
        "datafusion.optimizer.preserve_file_partitions = 1",
    ] {
        let session = open(dir.path()).await;
        run(&session, &format!("SET {setting}")).await.unwrap();
        assert_exchanged(&session, setting).await;
    }
}

/// A query that does not read the key keeps evenly cut files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_scans_of_the_key_are_kept_in_buckets() {
    let dir = written().await;
    let session = open(dir.path()).await;
    let with_key = plan(&session, "SELECT id, k FROM sold WHERE o = 1").await;
    assert!(with_key.contains("output_partitioning=Hash([k@1], 3)"), "{with_key}");
    let without = plan(&session, "SELECT id FROM sold WHERE o = 1").await;
    assert!(!without.contains("output_partitioning"), "{without}");
}

/// What is already in the store is not written again for a layout; a forced refresh does that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_alone_makes_nothing_stale() {
    let dir = tempfile::tempdir().unwrap();
    let session = open(dir.path()).await;
    tables(&session).await;
    let (plain, by_key) = ("AS SELECT * FROM sales", "WITH (partition_by = 'k') AS SELECT * FROM sales");
    let outcome = async |sql: &str| crate::support::checkpoint(&session, sql).await.unwrap().outcome;
    assert_eq!(outcome(&format!("CHECKPOINT sold {plain}")).await, "written");
    assert_eq!(outcome(&format!("CHECKPOINT sold {by_key}")).await, "reused");
    assert_eq!(exchanges(&session, GROUPED).await, 1);
    run(&session, "DROP CHECKPOINT sold").await.unwrap();
    assert_eq!(outcome(&format!("CHECKPOINT sold {by_key}")).await, "written");
    assert_eq!(exchanges(&session, GROUPED).await, 0);
    assert_eq!(outcome(&format!("CHECKPOINT sold {plain}")).await, "reused");
    assert_eq!(outcome("REFRESH CHECKPOINT sold FORCE").await, "written");
    assert_eq!(exchanges(&session, GROUPED).await, 0, "a refresh keeps the options");
    let contents = number(&session, "SELECT count(DISTINCT content) FROM milepost.snapshots").await;
    assert_eq!(contents, 1, "the rows are the same");
}
