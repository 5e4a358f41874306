//! Files on the local disk, by what the file system itself says of them.
//!
//! DataFusion's own store for `file://` gives an e-tag made of inode, size and modification time. The last can be set
//! back by anyone, the status-change time cannot; so the files are looked at directly.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FilePath, PathBuf};

use datafusion::catalog::Session;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result};
use milepost_store::manifest::SourceObject;
use object_store::path::Path;
use tokio::task::{JoinSet, spawn_blocking};

use super::files::Listing;

/// How DataFusion's store for the whole local disk names itself.
const LOCAL_STORE: &str = "LocalFileSystem(file:///)";

/// Files for one task to look at: enough to outweigh the task.
const CHUNK: usize = 1024;

/// Links below links, directories below directories: more is a mistake.
const MAX_DEPTH: usize = 255;

/// How the files of a table are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Through DataFusion's own store for the local disk.
    Local,
    /// Through a store around that one, for instance one that counts requests. It may show what it likes.
    Wrapped,
    /// Through another store, which is asked itself.
    Remote,
}

/// Finds out from the store's name how the files of a table are reached.
pub(super) fn access(listing: &Listing, state: &dyn Session) -> Access {
    let access =
        |url: &ListingTableUrl| match state.runtime_env().object_store(url).map(|store| store.to_string()) {
            Ok(name) if url.scheme() == "file" && name == LOCAL_STORE => Access::Local,
            Ok(name) if url.scheme() == "file" && name.contains(LOCAL_STORE) => Access::Wrapped,
            _ => Access::Remote,
        };
    // A listing table reads all its paths through one store.
    listing.paths.first().map_or(Access::Remote, access)
}

/// Lists the files of a table as DataFusion would, with what the file system says of each.
pub(super) async fn list(listing: Listing) -> Result<Vec<SourceObject>> {
    let found = spawn_blocking(move || find_all(&listing)).await.map_err(joined)??;
    let mut looking = JoinSet::new();
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        let chunk: Vec<_> = found.by_ref().take(CHUNK).collect();
        looking
            .spawn_blocking(move || chunk.into_iter().filter_map(identify).collect::<io::Result<Vec<_>>>());
    }
    let mut objects = Vec::new();
    while let Some(chunk) = looking.join_next().await {
        objects.extend(chunk.map_err(joined)??);
    }
    Ok(objects)
}

/// A file that belongs to a table: where it is, and its path in the store.
struct Found {
    file: PathBuf,
    location: String,
}

fn find_all(listing: &Listing) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for url in &listing.paths {
        let root = url.get_url().to_file_path().map_err(|()| {
            DataFusionError::Execution(format!("{} is no path of this machine", url.prefix()))
        })?;
        let finder = Finder { url, listing };
        match fs::metadata(&root) {
            Ok(file) if file.is_file() && !url.is_collection() => {
                finder.keep(&root, url.prefix(), &mut found);
            }
            Ok(_) => finder.walk(&root, url.prefix(), &mut Vec::new(), &mut found)?,
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(at(&root, error)),
        }
    }
    Ok(found)
}

/// Finds the files below one path of a table.
struct Finder<'a> {
    url: &'a ListingTableUrl,
    listing: &'a Listing,
}

impl Finder<'_> {
    fn walk(
        &self,
        directory: &FilePath,
        prefix: &Path,
        above: &mut Vec<(u64, u64)>,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(at(directory, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| at(directory, error))?;
            let file = entry.path();
            let mut kind = entry.file_type().map_err(|error| at(&file, error))?;
            if kind.is_symlink() {
                kind = match fs::metadata(&file) {
                    Ok(target) => target.file_type(),
                    Err(error) if is_gone(&error) => continue,
                    Err(error) => return Err(at(&file, error)),
                };
            }
            let location = location(prefix, &file)?;
            if kind.is_dir() {
                self.descend(&file, &location, above, found)?;
            } else if kind.is_file() {
                self.keep(&file, &location, found);
            }
        }
        Ok(())
    }

    fn descend(
        &self,
        directory: &FilePath,
        location: &Path,
        above: &mut Vec<(u64, u64)>,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let here = match fs::metadata(directory) {
            Ok(metadata) => (metadata.dev(), metadata.ino()),
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(at(directory, error)),
        };
        if above.contains(&here) || above.len() >= MAX_DEPTH {
            return Err(at(directory, io::Error::other("the directory contains itself through a link")));
        }
        above.push(here);
        let walked = self.walk(directory, location, above, found);
        above.pop();
        walked
    }

    /// Keeps a file if DataFusion would read it as part of the table.
    fn keep(&self, file: &FilePath, location: &Path, found: &mut Vec<Found>) {
        let belongs = !is_staging(location)
            && location.as_ref().ends_with(&self.listing.extension)
            && self.url.contains(location, self.listing.ignore_subdirectory);
        if belongs {
            found.push(Found { file: file.to_owned(), location: location.to_string() });
        }
    }
}

/// The path in the store of a file below `prefix`.
fn location(prefix: &Path, file: &FilePath) -> Result<Path> {
    let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.=".contains(&b));
    let name = file.file_name().and_then(|name| name.to_str()).filter(plain);
    match name.filter(|name| !matches!(*name, "." | "..")) {
        Some(name) => Ok(prefix.clone().join(name)),
        // The store knows how to write any other name.
        None => Path::from_absolute_path(file)
            .map_err(|error| DataFusionError::ObjectStore(Box::new(error.into()))),
    }
}

/// The local store hides files that it has not finished, named `…#1`.
fn is_staging(location: &Path) -> bool {
    let suffix = location.filename().and_then(|name| name.split_once('#')).map(|(_, suffix)| suffix);
    suffix.is_some_and(|suffix| !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()))
}

/// Looks at a file. One that is gone meanwhile is not there.
fn identify(found: Found) -> Option<io::Result<SourceObject>> {
    match fs::metadata(&found.file) {
        Ok(metadata) => Some(Ok(object(found.location, &metadata))),
        Err(error) if is_gone(&error) => None,
        Err(error) => Some(Err(error)),
    }
}

fn object(path: String, metadata: &Metadata) -> SourceObject {
    SourceObject {
        path,
        size: metadata.size(),
        e_tag: None,
        version: None,
        inode: Some(metadata.ino()),
        mtime_ns: Some(nanoseconds(metadata.mtime(), metadata.mtime_nsec())),
        ctime_ns: Some(nanoseconds(metadata.ctime(), metadata.ctime_nsec())),
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// The time of the file system that holds the table: the birth of a file without a name, which no listing shows.
/// None where the directory cannot be written or has no such files.
pub(super) async fn now_ns(listing: &Listing) -> Option<i64> {
    let root = listing.paths.first().filter(|url| url.scheme() == "file")?.get_url().to_file_path().ok()?;
    spawn_blocking(move || birth_of_nameless_file(&root)).await.ok()?
}

#[cfg(target_os = "linux")]
fn birth_of_nameless_file(root: &FilePath) -> Option<i64> {
    use rustix::fs::{Mode, OFlags, open};
    let directory = if root.is_dir() { root } else { root.parent()? };
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let nameless = fs::File::from(open(directory, flags, Mode::RUSR | Mode::WUSR).ok()?);
    let metadata = nameless.metadata().ok()?;
    Some(nanoseconds(metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(target_os = "linux"))]
fn birth_of_nameless_file(_root: &FilePath) -> Option<i64> {
    None
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn at(path: &FilePath, error: io::Error) -> DataFusionError {
    DataFusionError::IoError(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn joined(error: tokio::task::JoinError) -> DataFusionError {
    DataFusionError::ExecutionJoin(Box::new(error))
}
