//! Uploads that were given up and are being ended.

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Store;

/// The ends of uploads that were dropped on the way.
#[derive(Debug, Default)]
pub(crate) struct GivenUp {
    ends: Mutex<JoinSet<()>>,
}

impl GivenUp {
    /// Runs the end of an upload beside the caller. Outside a runtime it is left undone: the store's own rules for unfinished
    /// uploads remove it.
    pub(crate) fn end(&self, end: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            let mut ends = self.ends.lock();
            while ends.try_join_next().is_some() {}
            ends.spawn_on(end, &runtime);
        }
    }
}

impl Store {
    /// Waits until what was sent of files that were given up is removed, as far as the store can. A process that does not call
    /// this before it ends may leave unfinished uploads behind. No effect on a local disk, where nothing is left to wait for.
    pub async fn settle(&self) {
        let mut ends = std::mem::take(&mut *self.inner.given_up.ends.lock());
        while ends.join_next().await.is_some() {}
    }
}
