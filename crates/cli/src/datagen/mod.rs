//! `milepost datagen`: a benchmark's tables as Parquet files.
//!
//! Each table becomes a folder `OUT/TABLE` with files `part-0.parquet`, `part-1.parquet`, and so on, so that one
//! location names a table however many files it has. The folder is written under another name and takes its own when
//! it is complete. Every file says in its footer what it is, so that a second call knows what it can leave alone.

mod crew;
mod tables;
mod writer;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crew::Crew;
use tables::Table;
use writer::{Made, Part};

use crate::args::{DatagenArgs, Dataset, FileFormat};
use crate::failure::Failure;
use crate::output::Output;
use crate::run::Interrupts;
use crate::units::{bytes, count, counted, seconds};

/// The smallest scale at which every table has the rows that the others refer to.
const SMALLEST: f64 = 0.001;
/// The largest scale that the benchmark defines.
const LARGEST: f64 = 100_000.0;

/// What to make, and where.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) scale: f64,
    pub(crate) out: PathBuf,
    /// Files in a table; by default one for each million rows.
    pub(crate) parts: Option<u16>,
}

impl From<&DatagenArgs> for Request {
    fn from(args: &DatagenArgs) -> Self {
        let (Dataset::Tpch, FileFormat::Parquet) = (args.dataset, args.format);
        Self { scale: args.scale, out: args.out.clone(), parts: args.parts }
    }
}

/// Makes the tables that are not there yet and prints one line for each table. Returns how many it made.
///
/// # Errors
/// A scale that is none, a folder that holds something else, files that cannot be written, or Ctrl-C. What is not
/// complete by then is taken away.
pub(crate) async fn run(
    request: &Request,
    interrupts: &mut Interrupts,
    output: &mut Output,
    quiet: bool,
) -> Result<usize, Failure> {
    if !(SMALLEST..=LARGEST).contains(&request.scale) {
        let what = format!("--scale must be between {SMALLEST} and {LARGEST}, and {} is not", request.scale);
        return Err(Failure::Usage(what));
    }
    let started = Instant::now();
    let lock = lock(&request.out)?;
    let mut missing = Vec::new();
    for table in Table::ALL {
        match existing(request, table)? {
            Some(made) if !quiet => output.line(&line(table, &made, "already there"))?,
            Some(_) => {}
            None => missing.push(table),
        }
    }
    let mut tell = |table: Table, made: &Made| {
        if quiet { Ok(()) } else { output.line(&line(table, made, "written")) }
    };
    let made = make(request, &missing, interrupts, &mut tell).await;
    for table in &missing {
        remove(&partial(request, *table))?;
    }
    made?;
    drop(lock);
    if !quiet && !missing.is_empty() {
        output.line(&format!(
            "{} in {}",
            counted(missing.len() as u64, "table"),
            seconds(started.elapsed())
        ))?;
    }
    Ok(missing.len())
}

fn line(table: Table, made: &Made, state: &str) -> String {
    let rows = count(made.rows);
    let files = counted(made.parts.into(), "file");
    format!("{:10} {rows:>13} rows {files:>9} {:>12}  {state}", table.name(), bytes(made.bytes))
}

/// Keeps two processes from making the same tables at once. The system lets go of it when a process ends.
fn lock(out: &Path) -> Result<File, Failure> {
    fs::create_dir_all(out).map_err(|source| cannot("create", out, source))?;
    let path = out.join(".datagen.lock");
    let file = File::create(&path).map_err(|source| cannot("create", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = "another datagen is writing here; wait for it, or choose another folder".to_string();
            Err(Failure::Unexpected { path: out.to_path_buf(), what })
        }
        Err(TryLockError::Error(source)) => Err(cannot("lock", &path, source)),
    }
}

/// The table that is there already, if it is the one that is asked for.
fn existing(request: &Request, table: Table) -> Result<Option<Made>, Failure> {
    let folder = request.out.join(table.name());
    if !folder.exists() {
        return Ok(None);
    }
    let unexpected = |what: String| Failure::Unexpected { path: folder.clone(), what };
    let made = Made::read(&folder).map_err(|reason| {
        unexpected(format!(
            "it is not a table that datagen made ({reason}); remove it, or choose another folder"
        ))
    })?;
    let parts_differ =
        request.parts.is_some_and(|parts| table.parts(request.scale, Some(parts)) != made.parts);
    if made.table != table.name() || made.scale != request.scale || parts_differ {
        let Made { table, scale, parts, .. } = made;
        let files = counted(parts.into(), "file");
        return Err(unexpected(format!(
            "it holds {table} at scale {scale} in {files}; remove it, or choose another folder"
        )));
    }
    Ok(Some(made))
}

/// Writes tables aside, as many files at a time as there are processors, and gives each its name when it is complete.
async fn make(
    request: &Request,
    tables: &[Table],
    interrupts: &mut Interrupts,
    tell: &mut impl FnMut(Table, &Made) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut queue = Vec::new();
    for table in tables {
        let folder = partial(request, *table);
        remove(&folder)?;
        fs::create_dir(&folder).map_err(|source| cannot("create", &folder, source))?;
        queue.extend(parts(request, *table, &folder));
    }
    // Workers take from the end, and the largest tables come first.
    queue.reverse();
    let mut crew = Crew::start(queue);
    let written = interrupts.guard(collect(request, tables, &mut crew, tell)).await;
    crew.dismiss().await;
    written?
}

fn parts(request: &Request, table: Table, folder: &Path) -> impl Iterator<Item = Part> {
    let (scale, parts) = (request.scale, table.parts(request.scale, request.parts));
    let folder = folder.to_path_buf();
    (0..parts).map(move |part| Part { table, scale, part, parts, folder: folder.clone() })
}

/// Takes finished parts from the crew until every table is complete.
async fn collect(
    request: &Request,
    tables: &[Table],
    crew: &mut Crew,
    tell: &mut impl FnMut(Table, &Made) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut left: Vec<(Table, u16)> =
        tables.iter().map(|table| (*table, table.parts(request.scale, request.parts))).collect();
    while let Some(finished) = crew.next().await {
        let finished = finished?;
        for (table, parts) in left.iter_mut().filter(|(table, _)| *table == finished) {
            *parts -= 1;
            if *parts == 0 {
                tell(*table, &publish(request, *table)?)?;
            }
        }
    }
    Ok(())
}

/// Gives a complete table its name.
fn publish(request: &Request, table: Table) -> Result<Made, Failure> {
    let aside = partial(request, table);
    let made = Made::read(&aside)
        .map_err(|what| Failure::Unexpected { path: aside.clone(), what: format!("{what}; run again") })?;
    rename(&aside, &request.out.join(table.name()))?;
    Ok(made)
}

fn partial(request: &Request, table: Table) -> PathBuf {
    request.out.join(format!(".{}.partial", table.name()))
}

/// Takes away a folder that an earlier call left unfinished. The lock says that nobody works in it.
fn remove(partial: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(partial) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", partial, source))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "these are tables for queries, not objects of a store")]
fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|source| cannot("rename", from, source))
}

fn cannot(operation: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::File {
        operation,
        path: path.to_path_buf(),
        source,
        next: "check space and permissions, then run again",
    }
}
