//! Writing: aside first, then under its name.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;
use object_store::{PutPayload, PutResult, Result};

use super::Shared;
use super::error::{at, convert, failed_sync};
use super::read::e_tag;
use super::watch::DiskStep;
use crate::layout::TEMP_PREFIX;

/// How a finished file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    /// Only if nothing has the name.
    Create,
    /// Whatever has the name.
    Replace,
}

/// A file without a name yet; it is removed unless it is published.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) file: File,
    pub(super) path: PathBuf,
    kept: bool,
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: a leftover is hidden, and swept after an hour.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Shared {
    pub(super) fn put(
        &self,
        location: &Path,
        payload: &PutPayload,
        publish: Publish,
        hint: bool,
    ) -> Result<PutResult> {
        self.sweep_once();
        let target = self.file(location)?;
        let mut aside = self.open_aside(&target)?;
        let mut offset = 0;
        for part in payload {
            aside.file.write_all(part).map_err(at("write", &target))?;
            self.tell(|| DiskStep::Write { file: aside.path.clone(), offset, bytes: part.clone() });
            offset += part.len() as u64;
        }
        self.publish(aside, &target, publish, hint)
    }

    pub(super) fn copy(&self, from: &Path, to: &Path, publish: Publish) -> Result<()> {
        self.sweep_once();
        let (source, target) = (self.file(from)?, self.file(to)?);
        let mut reader = File::open(&source).map_err(at("read", &source))?;
        let mut aside = self.open_aside(&target)?;
        std::io::copy(&mut reader, &mut aside.file).map_err(at("write", &target))?;
        self.tell_content(&aside.path)?;
        self.publish(aside, &target, publish, false).map(|_| ())
    }

    pub(super) fn delete(&self, location: &Path) -> Result<()> {
        let target = self.file(location)?;
        std::fs::remove_file(&target).map_err(at("delete", &target))?;
        self.tell(|| DiskStep::Remove(target.clone()));
        match target.parent() {
            Some(parent) => self.sync_after_removal(parent),
            None => Ok(()),
        }
    }

    /// A new file in the target's directory, which is made if it is missing.
    pub(super) fn open_aside(&self, target: &FilePath) -> Result<Aside> {
        let directory = target.parent().unwrap_or(&self.root);
        let path = directory.join(format!("{TEMP_PREFIX}{}", self.clock.ulid()));
        let file = self.create_beside(&path, target)?;
        self.tell(|| DiskStep::CreateFile(path.clone()));
        Ok(Aside { file, path, kept: false })
    }

    /// Creates a new file in the target's directory, which is made if it is missing. A collector may remove it at any
    /// moment while it is empty, also one that this process knows to be there: then it is made anew.
    pub(super) fn create_beside(&self, path: &FilePath, target: &FilePath) -> Result<File> {
        let create = || {
            self.ensure_directory(target.parent().unwrap_or(&self.root))?;
            create_new(path).map_err(at("create", target))
        };
        match create() {
            Err(object_store::Error::NotFound { .. }) => {
                self.forget_directories();
                create()
            }
            result => result,
        }
    }

    /// Gives a finished file its name, and makes both survive.
    pub(super) fn publish(
        &self,
        mut aside: Aside,
        target: &FilePath,
        publish: Publish,
        hint: bool,
    ) -> Result<PutResult> {
        let sync = self.syncs() && !hint;
        if sync {
            let synced = self.tell_sync(&aside.path, || aside.file.sync_all());
            synced.map_err(|source| failed_sync(target, source))?;
        }
        let e_tag = e_tag(&aside.file.metadata().map_err(at("read", target))?);
        match publish {
            Publish::Create => {
                std::fs::hard_link(&aside.path, target).map_err(|error| convert("create", target, error))?;
                self.tell(|| DiskStep::Link { from: aside.path.clone(), to: target.to_owned() });
                drop(aside);
            }
            Publish::Replace => {
                replace(&aside.path, target)?;
                self.tell(|| DiskStep::Rename { from: aside.path.clone(), to: target.to_owned() });
                aside.kept = true;
            }
        }
        if sync && let Some(directory) = target.parent() {
            self.sync_path(directory)?;
        }
        Ok(PutResult { e_tag: Some(e_tag), version: None })
    }
}

#[expect(clippy::disallowed_methods, reason = "only for objects that the caller asked to overwrite")]
fn replace(from: &FilePath, to: &FilePath) -> Result<()> {
    std::fs::rename(from, to).map_err(at("replace", to))
}

fn create_new(path: &FilePath) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}
