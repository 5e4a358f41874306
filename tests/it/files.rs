//! The files of a snapshot: how a checkpoint encodes them, and what of them a read asks the store for.

use std::sync::Arc;

use milepost::{CheckpointName, Session, Store, StoreOptions};
use milepost_testkit::{FaultStore, Operation};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::basic::Encoding;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::support::{config, number, open_memory, run};

/// The footers of the newest snapshot's files, in the order of their rows.
async fn footers(session: &Session, name: &str) -> Vec<ParquetMetaData> {
    let (store, name) = (session.store(), CheckpointName::parse(name).unwrap());
    let snapshot = store.newest(&name).await.unwrap().unwrap();
    let mut footers = vec![];
    for file in &snapshot.manifest.files {
        let object = store.object_store().get(&store.path_of(&name, file)).await.unwrap();
        footers.push(ParquetMetaDataReader::new().parse_and_finish(&object.bytes().await.unwrap()).unwrap());
    }
    footers
}

/// What `docs/adr/0014-writing.md` says, from the statement to the file.
#[tokio::test]
async fn a_checkpoint_chooses_how_each_column_is_encoded() {
    let session = open_memory("encodings").await;
    let query =
        "SELECT value * 7919 % 100003 AS key, 'text ' || value AS long, 'kind ' || (value % 3) AS short,
            1.0 + value / 40009.0 AS ratio, value * 7919 % 50 * 1000003 AS apart
        FROM generate_series(1, 40000)";
    // Batches as they usually are: a sample is the first one.
    run(&session, "SET datafusion.execution.batch_size = 8192").await.unwrap();
    run(&session, &format!("CHECKPOINT chosen WITH (row_group_rows = 16384) AS {query}")).await.unwrap();
    let footers = footers(&session, "chosen").await;
    let groups: Vec<_> = footers.iter().flat_map(ParquetMetaData::row_groups).collect();
    assert!(groups.len() >= 3, "{} row groups", groups.len());
    assert!(groups.iter().all(|group| group.num_rows() <= 16_384));
    for (at, group) in groups.iter().enumerate() {
        for (column, expected) in [
            (0, Encoding::DELTA_BINARY_PACKED),
            (1, Encoding::PLAIN),
            (2, Encoding::RLE_DICTIONARY),
            (3, Encoding::BYTE_STREAM_SPLIT),
            (4, Encoding::RLE_DICTIONARY),
        ] {
            let chunk = group.column(column);
            let encodings: Vec<Encoding> = chunk.encodings().collect();
            let what = format!("row group {at}, {}: {encodings:?}", chunk.column_path());
            assert!(encodings.contains(&expected), "{what}");
            assert_eq!(
                chunk.dictionary_page_offset().is_some(),
                expected == Encoding::RLE_DICTIONARY,
                "{what}"
            );
        }
        assert!(group.column(0).statistics().is_some(), "numbers have bounds");
        assert!(group.column(1).statistics().is_none(), "long texts have none");
    }
}

/// What the first read learns of a file's footer holds for good: the second one asks for its columns alone.
#[tokio::test]
async fn a_footer_is_read_once() {
    let requests = FaultStore::new(Arc::new(InMemory::new()));
    let store = Store::with_object_store(
        Arc::new(requests.clone()),
        Path::from("root"),
        "test://store",
        StoreOptions::default(),
    );
    let builder = Session::builder().with_config(config()).with_store(store.await.unwrap());
    let session = builder.build().await.unwrap();
    let query = "SELECT value AS id, 'name ' || value AS name FROM generate_series(1, 5000)";
    run(&session, &format!("CHECKPOINT named AS {query}")).await.unwrap();
    let mut reads = vec![];
    for _ in 0..3 {
        requests.forget_calls();
        let sum = "SELECT sum(id) FROM named WHERE name <> 'name 1'";
        assert_eq!(number(&session, sum).await, 5_000 * 5_001 / 2 - 1);
        reads.push(requests.count(Operation::Get, ".parquet"));
    }
    let [first, second, third] = reads.try_into().unwrap();
    let files = footers(&session, "named").await.len();
    assert_eq!(first, second + files, "the first read has each file's footer on top");
    assert_eq!(second, third);
    assert!(second > 0, "the columns are read each time");
}
