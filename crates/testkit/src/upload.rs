//! Uploads in parts that fail on purpose.

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use crate::fault::{FaultStore, Verdict, failure};
use crate::rule::Operation;

#[derive(Debug)]
pub(crate) struct FaultUpload {
    store: FaultStore,
    path: String,
    inner: Box<dyn MultipartUpload>,
}

impl FaultUpload {
    pub(crate) fn new(store: FaultStore, path: String, inner: Box<dyn MultipartUpload>) -> Self {
        Self { store, path, inner }
    }
}

#[async_trait]
impl MultipartUpload for FaultUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.store.judge(Operation::PutPart, &self.path) {
            Verdict::Fail(error) => futures::future::ready(Err(error)).boxed(),
            _ => self.inner.put_part(data),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.store.judge(Operation::Complete, &self.path) {
            Verdict::Fail(error) => Err(error),
            Verdict::Lose | Verdict::Late | Verdict::Tear => {
                self.inner.complete().await?;
                Err(failure("the reply was lost"))
            }
            Verdict::Wait(time) => {
                tokio::time::sleep(time).await;
                self.inner.complete().await
            }
            Verdict::Pass | Verdict::Overwrite => self.inner.complete().await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
