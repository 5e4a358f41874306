//! An object store whose times are the test's.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;

use crate::clock::ManualClock;

/// Wraps an object store, and says of every object that it was last modified when the *store's* clock stood where
/// it did at that write. That clock is the test's, and need not agree with the clock of any process. Clones share all.
#[derive(Clone, Debug)]
pub struct StampedStore {
    inner: Arc<dyn ObjectStore>,
    clock: ManualClock,
    stamps: Arc<Mutex<HashMap<Path, i64>>>,
}

impl fmt::Display for StampedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StampedStore({})", self.inner)
    }
}

impl StampedStore {
    /// A store that goes by `clock`. Objects that are in `inner` already have the time at which they are first seen.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, clock: ManualClock) -> Self {
        Self { inner, clock, stamps: Arc::default() }
    }

    /// The store's clock.
    #[must_use]
    pub const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn stamp(&self, path: &Path) {
        self.stamps.lock().insert(path.clone(), self.clock.now_ms());
    }

    fn restamp(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let now = self.clock.now_ms();
        let stamp = *self.stamps.lock().entry(meta.location.clone()).or_insert(now);
        let since_epoch = Duration::from_millis(u64::try_from(stamp).unwrap_or(0));
        meta.last_modified = (SystemTime::UNIX_EPOCH + since_epoch).into();
        meta
    }

    fn restamp_all(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        listed.map_ok(move |meta| store.restamp(meta)).boxed()
    }
}

#[async_trait]
impl ObjectStore for StampedStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let result = self.inner.put_opts(path, payload, options).await?;
        self.stamp(path);
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(StampedUpload { store: self.clone(), path: path.clone(), inner }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut result = self.inner.get_opts(path, options).await?;
        result.meta = self.restamp(result.meta);
        Ok(result)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |path: Path| {
            let store = store.clone();
            async move {
                store.inner.delete(&path).await?;
                store.stamps.lock().remove(&path);
                Ok(path)
            }
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.restamp_all(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.restamp_all(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects = listed.objects.into_iter().map(|meta| self.restamp(meta)).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.stamp(to);
        Ok(())
    }
}

/// An upload in parts: its object is modified when it is completed.
#[derive(Debug)]
struct StampedUpload {
    store: StampedStore,
    path: Path,
    inner: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for StampedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.complete().await?;
        self.store.stamp(&self.path);
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::PutMode;
    use object_store::memory::InMemory;

    use super::*;

    async fn modified(store: &StampedStore, path: &Path) -> i64 {
        store.head(path).await.unwrap().last_modified.timestamp_millis()
    }

    #[tokio::test]
    async fn an_object_is_as_old_as_the_clock_says() {
        let clock = ManualClock::new(1_000, 0);
        let store = StampedStore::new(Arc::new(InMemory::new()), clock.clone());
        let (a, b) = (Path::from("x/a"), Path::from("x/b"));
        store.put(&a, "1".into()).await.unwrap();
        clock.advance(500);
        store.put(&b, "1".into()).await.unwrap();
        assert_eq!((modified(&store, &a).await, modified(&store, &b).await), (1_000, 1_500));
        clock.advance(500);
        store.put(&a, "2".into()).await.unwrap();
        let mut upload = store.put_multipart(&b).await.unwrap();
        upload.put_part("2".into()).await.unwrap();
        clock.advance(500);
        upload.complete().await.unwrap();
        let listed: Vec<ObjectMeta> = store.list(Some(&Path::from("x"))).try_collect().await.unwrap();
        let times: Vec<_> = listed.iter().map(|meta| meta.last_modified.timestamp_millis()).collect();
        assert_eq!(times, [2_000, 2_500]);
    }

    #[tokio::test]
    async fn a_refused_write_changes_no_time() {
        let clock = ManualClock::new(1_000, 0);
        let store = StampedStore::new(Arc::new(InMemory::new()), clock.clone());
        let path = Path::from("a");
        store.put(&path, "1".into()).await.unwrap();
        clock.advance(500);
        assert!(store.put_opts(&path, "2".into(), PutMode::Create.into()).await.is_err());
        assert_eq!(modified(&store, &path).await, 1_000);
        store.delete(&path).await.unwrap();
        assert!(store.head(&path).await.is_err());
    }
}
