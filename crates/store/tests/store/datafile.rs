//! What a data file says about itself, checked against Parquet's own reader and other libraries' sums.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, ListArray, RecordBatch, RecordBatchReader, StringArray,
    StructArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;
use milepost_store::{
    Checksum, DataFile, DataFileWriter, Error, StatValue, Store, UnitNumber, WriteTimes, file_schema,
};
use milepost_testkit::{Fault, Operation, Rule};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::support::*;

fn small_groups() -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(100))
        .set_statistics_enabled(EnabledStatistics::Page)
        .build()
}

async fn write_groups(store: &Store, rows_per_batch: i64, batches: i64) -> (DataFile, Bytes) {
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(3), schema(), small_groups()).unwrap();
    for batch in 0..batches {
        let ids: Vec<i64> = (batch * rows_per_batch..(batch + 1) * rows_per_batch).collect();
        writer.write(&rows(&ids)).await.unwrap();
    }
    let file = writer.finish().await.unwrap();
    let bytes =
        store.object_store().get(&store.path_of(&name(), &file)).await.unwrap().bytes().await.unwrap();
    (file, bytes)
}

fn metadata(bytes: &Bytes) -> ParquetMetaData {
    ParquetMetaDataReader::new().parse_and_finish(bytes).unwrap()
}

#[tokio::test]
async fn every_byte_of_a_file_is_covered_by_a_hash() {
    let (store, _) = faulty().await;
    for (rows, batches) in [(37, 20), (250, 3), (1, 1), (100, 1), (1, 0)] {
        let (file, bytes) = write_groups(&store, rows, batches).await;
        assert_eq!(file.rows, u64::try_from(rows * batches).unwrap());
        assert_eq!(file.size, bytes.len() as u64);
        assert_eq!(file.checksum, Checksum::of(&bytes));
        let metadata = metadata(&bytes);
        assert_eq!(file.chunks.len(), metadata.num_row_groups());
        let mut covered = 4;
        for (group, chunks) in metadata.row_groups().iter().zip(&file.chunks) {
            assert_eq!(group.num_columns(), chunks.len());
            for (column, checksum) in group.columns().iter().zip(chunks) {
                let (start, length) = column.byte_range();
                assert_eq!(start, covered, "chunks follow each other without a hole");
                covered = start + length;
                let chunk = &bytes[usize::try_from(start).unwrap()..usize::try_from(covered).unwrap()];
                assert_eq!(*checksum, Checksum::of(chunk));
            }
        }
        let footer = bytes.slice(bytes.len() - file.footer_len as usize..);
        if metadata.num_row_groups() > 0 {
            assert_eq!(covered + footer.len() as u64, file.size, "the rest is the footer");
        }
        file.check_footer(&footer).unwrap();
    }
}

#[tokio::test]
async fn a_flipped_byte_is_found_in_a_chunk_or_in_the_footer() {
    let (store, _) = faulty().await;
    let (file, bytes) = write_groups(&store, 250, 1).await;
    let (start, length) = metadata(&bytes).row_group(1).column(1).byte_range();
    let range = usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap();
    file.check_chunk(1, 1, &bytes[range.clone()]).unwrap();
    let mut flipped = bytes[range].to_vec();
    flipped[5] ^= 1;
    let error = file.check_chunk(1, 1, &flipped).unwrap_err();
    assert!(matches!(&error, Error::Damaged { object, .. } if *object == file.path), "{error}");
    assert!(file.check_chunk(9, 0, &[]).is_err() && file.check_chunk(0, 9, &[]).is_err());
    let mut footer = bytes[bytes.len() - file.footer_len as usize..].to_vec();
    for at in 0..footer.len() {
        footer[at] ^= 1;
        assert!(file.check_footer(&footer).is_err(), "footer byte {at}");
        footer[at] ^= 1;
    }
    assert!(file.check_footer(&footer[1..]).is_err());
}

/// A writer under memory pressure closes its row groups early.
#[tokio::test]
async fn a_row_group_closed_early_is_covered_as_well() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), schema(), small_groups()).unwrap();
    writer.flush_row_group().await.unwrap();
    for start in [0, 40, 80] {
        writer.write(&rows(&(start..start + 40).collect::<Vec<_>>())).await.unwrap();
        writer.flush_row_group().await.unwrap();
    }
    let file = writer.finish().await.unwrap();
    store.verify_file(&name(), &file).await.unwrap();
    let bytes =
        store.object_store().get(&store.path_of(&name(), &file)).await.unwrap().bytes().await.unwrap();
    let metadata = metadata(&bytes);
    assert_eq!((file.chunks.len(), metadata.num_row_groups()), (3, 3));
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let (start, length) = group.column(0).byte_range();
        let range = usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap();
        file.check_chunk(index, 0, &bytes[range]).unwrap();
    }
    file.check_footer(&bytes[bytes.len() - file.footer_len as usize..]).unwrap();
}

/// The page indexes decide which pages a reader skips, so they must be covered as well.
#[tokio::test]
async fn the_footer_holds_the_page_indexes() {
    let (store, _) = faulty().await;
    let (file, bytes) = write_groups(&store, 250, 2).await;
    let start = file.size - u64::from(file.footer_len);
    for group in metadata(&bytes).row_groups() {
        for column in group.columns() {
            for offset in [column.column_index_offset(), column.offset_index_offset()] {
                assert!(u64::try_from(offset.unwrap()).unwrap() >= start);
            }
        }
    }
}

#[tokio::test]
async fn statistics_are_true_for_every_row() {
    let (store, _) = faulty().await;
    let (file, _) = write_groups(&store, 37, 20).await;
    let [id, label] = &file.statistics[..] else { panic!() };
    assert_eq!((id.rows, id.null_count), (740, Some(0)));
    assert_eq!((&id.min, &id.max), (&Some(StatValue::Int(0)), &Some(StatValue::Int(739))));
    assert_eq!(id.memory_bytes, Some(740 * 8));
    let nulls = (0..740).filter(|id| id % 3 == 0).count() as u64;
    assert_eq!((label.rows, label.null_count), (740, Some(nulls)));
    let labels = (0..740).filter(|id| id % 3 != 0).map(|id| format!("row {id}"));
    let (min, max) = (labels.clone().min().unwrap(), labels.max().unwrap());
    assert_eq!((&label.min, &label.max), (&Some(StatValue::Utf8(min)), &Some(StatValue::Utf8(max))));
    assert_eq!(file.memory_bytes, id.memory_bytes.unwrap() + label.memory_bytes.unwrap());
}

#[tokio::test]
async fn a_result_without_rows_is_a_whole_file_with_the_full_schema() {
    let (store, _) = faulty().await;
    let empty = commit(&store, "empty", &[]).await;
    assert_eq!((empty.manifest.rows, read_ids(&store, &empty).await.len()), (0, 0));
    assert_eq!(empty.manifest.schema, schema());
    // And so is one without files.
    let attempt = store.begin(&name(), spec(signature("none"))).await.unwrap();
    let outcome = attempt.commit(draft(manifest(signature("none"), vec![])), &Unchanged).await.unwrap();
    assert!(matches!(outcome, milepost_store::CommitOutcome::Committed(_)));
    let none = store.newest(&name()).await.unwrap().unwrap();
    assert_eq!((none.manifest.rows, &none.manifest.schema), (0, &schema()));
    assert_eq!(none.manifest.content, empty.manifest.content, "no rows are no rows");
}

#[tokio::test]
async fn columns_of_one_name_get_names_of_their_own() {
    let (store, _) = faulty().await;
    let twins = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("ID", DataType::Utf8, true),
    ]));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec!["x"]))];
    let batch = RecordBatch::try_new(Arc::clone(&twins), columns).unwrap();
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut writer =
        DataFileWriter::create(&attempt, UnitNumber(0), file_schema(&twins), small_groups()).unwrap();
    writer.write(&batch).await.unwrap();
    let file = writer.finish().await.unwrap();
    let bytes =
        store.object_store().get(&store.path_of(&name(), &file)).await.unwrap().bytes().await.unwrap();
    let metadata = metadata(&bytes);
    let columns = metadata.file_metadata().schema_descr().columns().iter();
    assert_eq!(columns.map(|column| column.name().to_owned()).collect::<Vec<_>>(), ["id", "ID_2"]);
}

#[tokio::test]
async fn memory_is_bounded_by_a_row_group_and_the_upload() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).build();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), schema(), properties).unwrap();
    let mut numbers = Numbers(5);
    let mut most = 0;
    while writer.bytes_written() < 60 << 20 {
        let ids: Vec<i64> = (0..50_000).map(|_| numbers.next().cast_signed()).collect();
        writer.write(&rows(&ids)).await.unwrap();
        most = most.max(writer.memory_used());
    }
    assert!(most < 30 << 20, "{most} bytes were held");
    let written = writer.rows_written();
    let file = writer.finish().await.unwrap();
    assert_eq!(file.rows, written);
    store.verify_file(&name(), &file).await.unwrap();
}

#[tokio::test]
async fn a_failed_or_aborted_upload_leaves_no_file() {
    let (store, faults) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let begin = || DataFileWriter::create(&attempt, UnitNumber(0), schema(), small_groups()).unwrap();
    let mut aborted = begin();
    aborted.write(&rows(&(0..1000).collect::<Vec<_>>())).await.unwrap();
    aborted.abort().await.unwrap();
    faults.add(Rule::on(Operation::Put, Fault::Refuse).path(".parquet"));
    let mut failed = begin();
    failed.write(&rows(&[1])).await.unwrap();
    assert!(matches!(failed.finish().await, Err(Error::Storage { .. })));
    let found = objects(faults.inner().as_ref(), "root/checkpoints").await;
    assert!(found.iter().all(|path| !path.ends_with(".parquet")), "{found:?}");
}

#[tokio::test]
async fn rows_of_other_types_are_refused() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut writer = DataFileWriter::create(&attempt, UnitNumber(0), schema(), small_groups()).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("id", Arc::clone(&column)), ("label", column)]).unwrap();
    assert!(matches!(writer.write(&batch).await, Err(Error::Parquet { .. })));
}

/// Rows of several types, some of them nested, so that a column has more than one leaf.
fn mixed(rows: std::ops::Range<i64>) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.clone());
    let labels: StringArray =
        rows.clone().map(|i| (i % 5 > 0).then(|| format!("label {}", i % 97))).collect();
    let pairs = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Int64, true)),
            Arc::new(rows.clone().map(|i| (i % 3 > 0).then_some(i)).collect::<Int64Array>()) as ArrayRef,
        ),
        (
            Arc::new(Field::new("y", DataType::Float64, true)),
            Arc::new(Float64Array::from_iter_values(rows.clone().map(|i| i as f64 / 7.0))) as ArrayRef,
        ),
    ]);
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(
        rows.map(|i| (i % 4 > 0).then(|| (0..i % 4).map(Some).collect::<Vec<_>>())),
    );
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("label", Arc::new(labels)),
        ("pair", Arc::new(pairs)),
        ("list", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

async fn bytes_of(store: &Store, file: &DataFile) -> Bytes {
    store.object_store().get(&store.path_of(&name(), file)).await.unwrap().bytes().await.unwrap()
}

fn read_back(bytes: Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_is_the_same_on_any_number_of_lanes() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let whole = mixed(0..1_000);
    let mut files = Vec::new();
    for lanes in [1, 2, 3, 9] {
        let times = Arc::new(WriteTimes::default());
        let writer = DataFileWriter::create(&attempt, UnitNumber(0), whole.schema(), small_groups()).unwrap();
        let mut writer = writer.on_lanes(lanes).timed(Arc::clone(&times));
        for start in (0..1_000).step_by(70) {
            writer.write(&whole.slice(start, 70.min(1_000 - start))).await.unwrap();
        }
        let file = writer.finish().await.unwrap();
        assert_eq!(file.rows, 1_000);
        assert!(times.encode() > Duration::ZERO && times.sync() > Duration::ZERO);
        store.verify_file(&name(), &file).await.unwrap();
        files.push((bytes_of(&store, &file).await, file.content, file.statistics));
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(read_back(files[0].0.clone()), whole);
}

#[tokio::test]
async fn each_row_group_is_encoded_as_its_first_rows_ask_for() {
    let (store, _) = faulty().await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let whole = mixed(0..300);
    let first_ids: Arc<Mutex<Vec<i64>>> = Arc::default();
    let seen = Arc::clone(&first_ids);
    // Without a dictionary from the second row group on; the third is left to go on in the same way.
    let choose = move |first: &RecordBatch| {
        let id = first.column(0).as_primitive::<Int64Type>().value(0);
        seen.lock().unwrap().push(id);
        (id == 100).then(|| WriterProperties::builder().set_dictionary_enabled(false).build())
    };
    let writer = DataFileWriter::create(&attempt, UnitNumber(0), whole.schema(), small_groups()).unwrap();
    let mut writer = writer.choosing(Arc::new(choose));
    for start in (0..300).step_by(50) {
        writer.write(&whole.slice(start, 50)).await.unwrap();
    }
    let file = writer.finish().await.unwrap();
    assert_eq!(*first_ids.lock().unwrap(), [0, 100, 200]);
    let bytes = bytes_of(&store, &file).await;
    let with_dictionary = |group: usize| {
        let metadata = metadata(&bytes);
        metadata.row_group(group).column(1).dictionary_page_offset().is_some()
    };
    assert_eq!([0, 1, 2].map(with_dictionary), [true, false, false]);
    assert_eq!(read_back(bytes.clone()), whole);
    store.verify_file(&name(), &file).await.unwrap();
}
