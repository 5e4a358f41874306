//! Listing directories. Temporary files are hidden, links that leave the store are passed over.

use std::collections::BTreeSet;
use std::fs::{DirEntry, Metadata};
use std::io::ErrorKind;
use std::path::Path as FilePath;

use object_store::path::{Path, PathPart};
use object_store::{ListResult, ObjectMeta, Result};

use super::Shared;
use super::error::at;
use super::read::{is_gone, object_meta};
use super::resolve::is_temporary;

impl Shared {
    /// All objects below `prefix`, sorted by path.
    pub(super) fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>> {
        let mut found = vec![];
        let mut pending = vec![prefix.clone()];
        while let Some(directory) = pending.pop() {
            let level = self.list_level(&directory)?;
            found.extend(level.objects);
            pending.extend(level.common_prefixes);
        }
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// The objects and directories directly below `prefix`, each sorted by path.
    pub(super) fn list_level(&self, prefix: &Path) -> Result<ListResult> {
        let directory = self.resolve(prefix)?;
        let mut result = ListResult { common_prefixes: vec![], objects: vec![] };
        let mut directories = BTreeSet::new();
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(result);
            }
            entries => entries.map_err(at("list", &directory))?,
        };
        for entry in entries {
            let entry = entry.map_err(at("list", &directory))?;
            let Some((location, metadata)) = self.inspect(prefix, &entry)? else { continue };
            if metadata.is_dir() {
                directories.insert(location);
            } else if metadata.is_file() {
                result.objects.push(object_meta(&metadata, location));
            }
        }
        result.common_prefixes = directories.into_iter().collect();
        result.objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(result)
    }

    /// `None` for what is not ours to show, and for what vanished meanwhile.
    fn inspect(&self, prefix: &Path, entry: &DirEntry) -> Result<Option<(Path, Metadata)>> {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|_| !is_temporary(&name)) else { return Ok(None) };
        // A name that object paths would spell otherwise could not be read back under its listed path.
        let Ok(part) = PathPart::parse(name) else { return Ok(None) };
        let path = entry.path();
        if self.check_link(&path).is_err() {
            return Ok(None);
        }
        let location: Path = prefix.parts().chain([part]).collect();
        match follow(&path) {
            Err(error) if is_gone(&error) => Ok(None),
            metadata => Ok(Some((location, metadata?))),
        }
    }
}

fn follow(path: &FilePath) -> Result<Metadata> {
    path.metadata().map_err(at("read", path))
}
