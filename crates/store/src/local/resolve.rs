//! From object paths to files, without ever leaving the root.

use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;
use object_store::{Error, Result};

use super::Shared;
use super::error::at;
use crate::layout::TEMP_PREFIX;

impl Shared {
    /// The file of an object.
    ///
    /// Refuses the names of temporary files, and any symbolic link on the way that points out of the root.
    pub(super) fn file(&self, location: &Path) -> Result<PathBuf> {
        match location.filename() {
            Some(name) if !name.starts_with(TEMP_PREFIX) => self.resolve(location),
            _ => Err(Error::NotSupported { source: format!("{location:?} is no object's path").into() }),
        }
    }

    /// The file or directory of a path.
    pub(super) fn resolve(&self, location: &Path) -> Result<PathBuf> {
        let mut path = self.root.clone();
        for part in location.parts() {
            path.push(part.as_ref());
            self.check_link(&path)?;
        }
        Ok(path)
    }

    /// Refuses a symbolic link that points out of the root, or to nothing.
    pub(super) fn check_link(&self, path: &FilePath) -> Result<()> {
        let is_link = path.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink());
        if !is_link {
            return Ok(());
        }
        let target = path.canonicalize().map_err(at("follow", path))?;
        let root = self.root.canonicalize().map_err(at("follow", &self.root))?;
        if target.starts_with(&root) {
            return Ok(());
        }
        let source = "it is a symbolic link that leaves the store".into();
        Err(Error::PermissionDenied { path: path.display().to_string(), source })
    }
}

/// Whether a directory entry is one of our temporary files.
pub(super) fn is_temporary(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes())
}
