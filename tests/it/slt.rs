//! Runs the scripts of `tests/slt/`, one test each.
//!
//! A script gets a new store in a folder of its own and a session on it. `RESTART` is a statement of this runner: it
//! closes the session and opens another one on the same store, as a new process would. `connection name` talks to
//! another session that is open at the same time. In SQL and in `system` commands `{dir}` and `$DIR` are the folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionConfig;
use milepost::Session;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

/// One connection of a script.
struct Connection {
    dir: PathBuf,
    session: Session,
}

impl Connection {
    async fn open(dir: PathBuf) -> Result<Self, DataFusionError> {
        let session = open_session(&dir).await?;
        Ok(Self { dir, session })
    }
}

async fn open_session(dir: &Path) -> Result<Session, DataFusionError> {
    // Scripts run side by side; two partitions are enough to mix rows up where order is not asked for.
    let config = SessionConfig::new().with_target_partitions(2).with_information_schema(true);
    let store = format!("file://{}", dir.join("store").display());
    Ok(Session::builder().with_config(config).with_store_url(&store).build().await?)
}

#[async_trait]
impl AsyncDB for Connection {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        if sql.trim() == "RESTART" {
            self.session = open_session(&self.dir).await?;
            return Ok(DBOutput::StatementComplete(0));
        }
        if sql.trim() == "NOTICES" {
            return Ok(text_rows(self.session.take_notices()));
        }
        let sql = sql.replace("{dir}", &self.dir.display().to_string());
        let frame = self.session.sql(&sql).await?;
        let schema = frame.schema().as_arrow().clone();
        let batches = frame.collect().await?;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        rows(&schema, &batches)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "milepost"
    }

    async fn run_command(mut command: Command) -> std::io::Result<Output> {
        if let Ok(dir) = FOLDER.try_with(Clone::clone) {
            command.env("DIR", dir);
        }
        command.output()
    }
}

tokio::task_local! {
    /// The folder of the script that runs on this task.
    static FOLDER: PathBuf;
}

fn text_rows(lines: Vec<String>) -> DBOutput<DefaultColumnType> {
    let rows = lines.into_iter().map(|line| vec![line]).collect();
    DBOutput::Rows { types: vec![DefaultColumnType::Text], rows }
}

fn rows(schema: &Schema, batches: &[RecordBatch]) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
    let types = schema.fields().iter().map(|field| column_type(field.data_type())).collect();
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().zip(&formatters).map(|(c, f)| cell(c, f, row)).collect());
        }
    }
    Ok(DBOutput::Rows { types, rows })
}

fn cell(column: &dyn Array, formatter: &ArrayFormatter, row: usize) -> String {
    let text = formatter.value(row).to_string();
    if text.is_empty() && !column.is_null(row) { "(empty)".to_string() } else { text }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        t if t.is_integer() => DefaultColumnType::Integer,
        t if t.is_numeric() => DefaultColumnType::FloatingPoint,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

async fn run(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_path_buf();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt").join(script);
    let mut runner = Runner::new(|| Connection::open(dir.clone()));
    runner.with_column_validator(sqllogictest::strict_column_validator);
    let outcome = FOLDER.scope(dir.clone(), runner.run_file_async(path)).await;
    if let Err(error) = outcome {
        panic!("{}", error.display(false));
    }
}

/// One test a script, and a test that none is forgotten.
macro_rules! scripts {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            run(concat!(stringify!($name), ".slt")).await;
        })+

        #[test]
        fn every_script_has_a_test() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
            let mut found: Vec<String> =
                std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            let mut known = vec![$(concat!(stringify!($name), ".slt").to_string()),+];
            found.sort();
            known.sort();
            assert_eq!(found, known);
        }
    };
}

scripts! {
    bloom, checkpoint, determinism, disabled, drop, duplicate_columns, empty, errors, explain, inline, iterate, maintenance,
    materialized, names, nan, partitioned, prepare, pruning, refresh, reuse, selective, settings, snapshot_fn, stale, system_tables,
    transparent, types, units, views,
}
