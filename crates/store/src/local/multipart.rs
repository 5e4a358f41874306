//! Uploads in parts: into one file aside, which gets its name at the end.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use parking_lot::RwLock;

use super::Shared;
use super::error::at;
use super::publish::{Aside, Publish};
use super::watch::DiskStep;

/// An upload under way. Dropped before its end, it leaves no file.
#[derive(Debug)]
pub(super) struct Upload {
    shared: Arc<Shared>,
    target: PathBuf,
    /// The file's name until it gets the target's.
    path: PathBuf,
    ended: bool,
    /// Emptied when the upload ends.
    aside: Arc<RwLock<Option<Aside>>>,
    offset: u64,
}

impl Upload {
    pub(super) fn begin(shared: Arc<Shared>, location: &Path) -> Result<Self> {
        shared.sweep_once();
        let target = shared.file(location)?;
        let aside = shared.open_aside(&target)?;
        let path = aside.path.clone();
        Ok(Self { shared, target, path, ended: false, aside: Arc::new(RwLock::new(Some(aside))), offset: 0 })
    }

    fn ended() -> Error {
        super::error::generic(std::io::Error::other("the upload has ended"))
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let start = self.offset;
        self.offset += data.content_length() as u64;
        let (aside, target) = (Arc::clone(&self.aside), self.target.clone());
        let shared = Arc::clone(&self.shared);
        let write = move || {
            let guard = aside.read();
            let Aside { file, path, .. } = guard.as_ref().ok_or_else(Self::ended)?;
            let mut offset = start;
            for part in &data {
                file.write_all_at(part, offset).map_err(at("write", &target))?;
                shared.tell(|| DiskStep::Write { file: path.clone(), offset, bytes: part.clone() });
                offset += part.len() as u64;
            }
            Ok(())
        };
        async move { tokio::task::spawn_blocking(write).await? }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (shared, target) = (Arc::clone(&self.shared), self.target.clone());
        let (aside, length) = (Arc::clone(&self.aside), self.offset);
        let publish = move || {
            let aside = aside.write().take().ok_or_else(Self::ended)?;
            let found = aside.file.metadata().map_err(at("read", &target))?.len();
            if found != length {
                let detail = format!("{found} of {length} bytes were written");
                return Err(super::error::generic(std::io::Error::other(detail)));
            }
            shared.publish(aside, &target, Publish::Replace, false)
        };
        let published = tokio::task::spawn_blocking(publish).await?;
        self.ended = published.is_ok();
        published
    }

    async fn abort(&mut self) -> Result<()> {
        let aside = Arc::clone(&self.aside);
        let remove = move || {
            aside.write().take().ok_or_else(Self::ended)?;
            Ok(())
        };
        tokio::task::spawn_blocking(remove).await?
    }
}

impl Drop for Upload {
    /// Parts that are still being written hold the file open: without a name, its bytes go with the last of them.
    fn drop(&mut self) {
        if !self.ended {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
