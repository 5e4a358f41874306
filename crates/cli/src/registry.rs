//! A registry of object stores that takes each store once.
//!
//! Statements and plans announce their stores again and again. The registry that counts requests for profiling wraps
//! and keeps whatever it is given, so that a long session would pile up wrappers around one store.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion_cli::object_storage::instrumented::{
    InstrumentedObjectStoreMode, InstrumentedObjectStoreRegistry,
};
use object_store::ObjectStore;
use parking_lot::Mutex;
use url::{Position, Url};

/// Passes on what it has not been given before.
#[derive(Debug)]
pub(crate) struct OnceRegistry {
    inner: Arc<InstrumentedObjectStoreRegistry>,
    /// The store that was last given for a scheme and host.
    given: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl OnceRegistry {
    /// A registry over the one that counts.
    pub(crate) fn new(inner: Arc<InstrumentedObjectStoreRegistry>) -> Self {
        Self { inner, given: Mutex::default() }
    }
}

impl ObjectStoreRegistry for OnceRegistry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        let place = url[..Position::BeforePath].to_string();
        let mut given = self.given.lock();
        let wrapped = self.inner.get_store(url).ok();
        let is_known =
            |known: Option<&Arc<dyn ObjectStore>>| known.is_some_and(|known| Arc::ptr_eq(known, &store));
        if wrapped.is_some() && (is_known(given.get(&place)) || is_known(wrapped.as_ref())) {
            return wrapped;
        }
        given.insert(place, Arc::clone(&store));
        self.inner.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.given.lock().remove(&url[..Position::BeforePath]);
        self.inner.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.inner.get_store(url)
    }
}

/// Sets what is counted. The registry knows the local disk from the start and counts what it is given, so the local disk is
/// given to it once something is to be counted: until then its files are read by the shortest way.
pub(crate) fn set_mode(stores: &InstrumentedObjectStoreRegistry, mode: InstrumentedObjectStoreMode) {
    if mode != InstrumentedObjectStoreMode::Disabled
        && let Ok(url) = Url::parse("file:///")
        && let Ok(store) = stores.get_store(&url)
        && !store.to_string().starts_with("Instrumented")
    {
        stores.register_store(&url, store);
    }
    stores.set_instrument_mode(mode);
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn a_store_is_taken_once_and_another_one_replaces_it() {
        let counting = Arc::new(InstrumentedObjectStoreRegistry::new());
        let registry = OnceRegistry::new(Arc::clone(&counting));
        let url = Url::parse("mem://here/path").unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for _ in 0..3 {
            registry.register_store(&url, Arc::clone(&store));
            // What a lookup gives is the store too, wrapped.
            registry.register_store(&url, registry.get_store(&url).unwrap());
        }
        assert_eq!(counting.stores().len(), 1);
        registry.register_store(&url, Arc::new(InMemory::new()));
        assert_eq!(counting.stores().len(), 2);
    }

    #[test]
    fn the_local_disk_is_counted_once_it_is_asked_for() {
        let counting = InstrumentedObjectStoreRegistry::new();
        set_mode(&counting, InstrumentedObjectStoreMode::Disabled);
        assert!(counting.stores().is_empty());
        for _ in 0..2 {
            set_mode(&counting, InstrumentedObjectStoreMode::Trace);
        }
        assert_eq!(counting.stores().len(), 1);
    }
}
