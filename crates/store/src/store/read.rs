//! Looking up checkpoints and snapshots.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, ObjectStore, ObjectStoreExt};

use super::{REQUESTS, Store};
use crate::error::{Error, contents};
use crate::ids::{CheckpointName, Checksum, Signature, Version};
use crate::index;
use crate::log::{CheckpointRecord, Entry, LiveVersion};
use crate::manifest::DataFile;
use crate::snapshot::Snapshot;

/// From so many files on a listing costs less than a request for each.
const LISTED: usize = 4;

impl Store {
    /// All checkpoints that have a log, by name. All versions of some may be dropped.
    ///
    /// # Errors
    /// [`Error::Storage`] if listing failed.
    pub async fn checkpoints(&self) -> Result<Vec<CheckpointName>, Error> {
        let names = self.listed_names().await?;
        let found: Vec<_> =
            futures::stream::iter(names)
                .map(|name| async move {
                    Ok::<_, Error>(self.inner.log(&name).is_started().await?.then_some(name))
                })
                .buffered(REQUESTS)
                .try_filter_map(|name| async move { Ok(name) })
                .try_collect()
                .await?;
        if !found.is_empty() {
            self.inner.expect_identity().await?;
        }
        Ok(found)
    }

    /// The names that have a folder, in order, whether or not there is a log in it.
    pub(crate) async fn listed_names(&self) -> Result<Vec<CheckpointName>, Error> {
        let directory = self.inner.layout.checkpoints();
        let listed = self.inner.objects.list_with_delimiter(Some(&directory)).await;
        let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
        let names = listed.common_prefixes.iter();
        let mut names: Vec<_> =
            names.filter_map(|path| CheckpointName::parse(path.filename()?).ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The newest snapshot of a checkpoint; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::is_damage`] errors if the log cannot be relied on; nothing older is given instead.
    pub async fn newest(&self, name: &CheckpointName) -> Result<Option<Snapshot>, Error> {
        let Some(entry) = self.inner.newest_entry(name).await? else { return Ok(None) };
        match entry.body.state.newest().cloned() {
            Some(live) => self.inner.load(name, &live, Some(entry)).await.map(Some),
            None => Ok(None),
        }
    }

    /// One snapshot; `None` if there is no such version, or not any more.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn snapshot(&self, name: &CheckpointName, version: Version) -> Result<Option<Snapshot>, Error> {
        let Some(entry) = self.inner.newest_entry(name).await? else { return Ok(None) };
        match entry.body.state.find(version).cloned() {
            Some(live) => self.inner.load(name, &live, Some(entry)).await.map(Some),
            None => Ok(None),
        }
    }

    /// Everything that ever happened to a checkpoint, oldest first.
    ///
    /// # Errors
    /// As [`Self::newest`]; [`Error::LogGap`] if an entry is missing.
    pub async fn history(&self, name: &CheckpointName) -> Result<Vec<Entry<CheckpointRecord>>, Error> {
        let entries = self.inner.log(name).all_entries().await?;
        if !entries.is_empty() {
            self.inner.expect_identity().await?;
        }
        futures::stream::iter(entries)
            .map(|entry| self.inner.record(name, entry))
            .buffered(REQUESTS)
            .try_collect()
            .await
    }

    /// The snapshots of a checkpoint that are there, oldest first.
    ///
    /// # Errors
    /// As [`Self::newest`].
    pub async fn live(&self, name: &CheckpointName) -> Result<Vec<LiveVersion>, Error> {
        Ok(self.inner.state(name).await?.live)
    }

    /// A snapshot with this signature, of whatever checkpoint; `None` if no hint leads to one.
    ///
    /// Only snapshots that may be reused are found. A hint counts only if its log agrees.
    ///
    /// # Errors
    /// [`Error::Storage`] if the index could not be listed. A checkpoint whose log cannot be read is passed over.
    pub async fn find(&self, signature: Signature) -> Result<Option<Snapshot>, Error> {
        let inner = &self.inner;
        for (name, version) in index::hints(inner.objects.as_ref(), &inner.layout, &signature).await? {
            match self.snapshot(&name, version).await {
                Ok(Some(found))
                    if found.manifest.identity.signature == signature && found.manifest.identity.reusable =>
                {
                    return Ok(Some(found));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(checkpoint = %name, %error, "a hint leads to a log that cannot be read")
                }
            }
        }
        Ok(None)
    }

    /// Checks that every data file of a snapshot is there, with the right size.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the file, the expected size and what was found.
    pub async fn check_files(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let checks: Vec<_> =
            snapshot.manifest.files.iter().map(|file| self.check_file(&snapshot.name, file)).collect();
        futures::stream::iter(checks).buffer_unordered(REQUESTS).try_collect().await
    }

    /// As [`Self::check_files`], with one listing in the place of one request for each file.
    ///
    /// # Errors
    /// As [`Self::check_files`].
    pub async fn check_files_by_listing(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let files = &snapshot.manifest.files;
        if files.len() < LISTED {
            return self.check_files(snapshot).await;
        }
        let directory = self.inner.layout.attempts(&snapshot.name);
        let listed = self.inner.objects.list(Some(&directory)).map_ok(|meta| (meta.location, meta.size));
        let sizes: HashMap<Path, u64> =
            listed.try_collect().await.map_err(|source| Error::storage("list", &directory, source))?;
        for file in files {
            // What does not fit is looked at once more, and named.
            if sizes.get(&self.path_of(&snapshot.name, file)) != Some(&file.size) {
                self.check_file(&snapshot.name, file).await?;
            }
        }
        Ok(())
    }

    /// Checks that a data file is there, with the right size.
    ///
    /// # Errors
    /// As [`Self::check_files`].
    pub async fn check_file(&self, name: &CheckpointName, file: &DataFile) -> Result<(), Error> {
        let path = self.path_of(name, file);
        let expected = || contents(file.size, &file.checksum);
        match self.inner.objects.head(&path).await {
            Ok(meta) if meta.size == file.size => Ok(()),
            Ok(meta) => Err(Error::damaged(path, expected(), format!("{} bytes", meta.size))),
            Err(object_store::Error::NotFound { .. }) => Err(Error::damaged(path, expected(), "no file")),
            Err(source) => Err(Error::storage("read", path, source)),
        }
    }

    /// Reads a data file whole and checks every byte of it.
    ///
    /// # Errors
    /// [`Error::Damaged`] names the file, what was expected and what was found.
    pub async fn verify_file(&self, name: &CheckpointName, file: &DataFile) -> Result<(), Error> {
        self.check_file(name, file).await?;
        let path = self.path_of(name, file);
        let failed = |source| match source {
            object_store::Error::NotFound { .. } => {
                Error::damaged(&path, contents(file.size, &file.checksum), "no file")
            }
            source => Error::storage("read", &path, source),
        };
        let found = self.inner.objects.get(&path).await.map_err(failed)?;
        let (size, found) = hash(found).await.map_err(failed)?;
        if found == file.checksum && size == file.size {
            return Ok(());
        }
        Err(Error::damaged(path, contents(file.size, &file.checksum), contents(size, &found)))
    }
}

/// The size and the checksum of an object. A local file is read and hashed on a thread that may wait, so that several are at
/// the same time.
async fn hash(object: GetResult) -> object_store::Result<(u64, Checksum)> {
    let mut hasher = blake3::Hasher::new();
    match object.payload {
        GetResultPayload::File(file, path) => {
            let read = tokio::task::spawn_blocking(move || {
                hasher.update_reader(file)?;
                Ok::<_, std::io::Error>(hasher)
            });
            hasher = read.await?.map_err(|source| object_store::Error::Generic {
                store: "file",
                source: format!("{}: {source}", path.display()).into(),
            })?;
        }
        GetResultPayload::Stream(mut parts) => {
            while let Some(part) = parts.try_next().await? {
                hasher.update(&part);
            }
        }
    }
    Ok((hasher.count(), hasher.finalize().into()))
}
