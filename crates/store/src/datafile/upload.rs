//! Sends the bytes of a file to the store while they are made, and hashes them.

use std::sync::Arc;

use bytes::Bytes;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use crate::attempt::Attempt;
use crate::error::{Error, write_error};
use crate::ids::Checksum;
use crate::store::Inner;

/// How many bytes are gathered before a part is uploaded.
const PART_BYTES: usize = 8 << 20;

/// How many parts are under way at once.
const PARTS: usize = 2;

/// Sends bytes to the store, and hashes them all. Dropped before its end, it removes what it sent: at once on a local disk,
/// elsewhere in a task that [`crate::Store::settle`] waits for.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) path: Path,
    store: Arc<Inner>,
    /// Taken when the upload ends.
    writer: Option<BufWriter>,
    hasher: blake3::Hasher,
    pub(super) sent: u64,
}

impl Upload {
    pub(super) fn new(attempt: &Attempt, path: Path) -> Self {
        let store = Arc::clone(&attempt.store().inner);
        let objects = Arc::clone(&store.objects);
        let writer = BufWriter::with_capacity(objects, path.clone(), PART_BYTES).with_max_concurrency(PARTS);
        Self { path, store, writer: Some(writer), hasher: blake3::Hasher::new(), sent: 0 }
    }

    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.hasher.update(&bytes);
        self.sent += bytes.len() as u64;
        match &mut self.writer {
            Some(writer) => writer.put(bytes).await.map_err(|source| write_error(&self.path, source)),
            None => Err(Error::invariant("nothing is sent after the end", self.path.to_string())),
        }
    }

    pub(super) fn memory_used(&self) -> usize {
        let full = PART_BYTES * (PARTS + 1);
        usize::try_from(self.sent).map_or(full, |sent| sent.min(full))
    }

    pub(super) async fn finish(&mut self) -> Result<(u64, Checksum), Error> {
        if let Some(mut writer) = self.writer.take() {
            let ended = writer.shutdown().await;
            ended.map_err(|error| write_error(&self.path, into_store_error(error)))?;
        }
        Ok((self.sent, self.hasher.finalize().into()))
    }

    pub(super) async fn abort(&mut self) -> Result<(), Error> {
        match self.writer.take() {
            Some(mut writer) => {
                let ended = writer.abort().await;
                ended.map_err(|source| Error::storage("abort the upload of", &self.path, source))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take().filter(|_| self.sent > 0) else { return };
        if self.store.local.is_some() {
            // The disk's own upload takes its file away when it is dropped.
            return drop(writer);
        }
        let path = self.path.clone();
        self.store.given_up.end(async move {
            if let Err(error) = writer.abort().await {
                tracing::debug!(%path, %error, "an upload that was given up could not be ended");
            }
        });
    }
}

/// The object store's error within an I/O error, or the I/O error as one.
fn into_store_error(error: std::io::Error) -> object_store::Error {
    match error.downcast::<object_store::Error>() {
        Ok(error) => error,
        Err(error) => object_store::Error::Generic { store: "upload", source: Box::new(error) },
    }
}
