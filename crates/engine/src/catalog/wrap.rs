//! The wrappers around a session's catalog list and default catalog.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider};
use datafusion::common::Result;

use super::schema::CheckpointSchema;
use super::system::SystemSchema;
use crate::context::Milepost;
use crate::sql::SYSTEM_SCHEMA;

/// Where unqualified names are looked up.
#[derive(Debug, Clone)]
struct Defaults {
    catalog: String,
    schema: String,
}

/// The session's catalog list, with checkpoints in its default schema.
#[derive(Debug)]
pub(crate) struct CheckpointCatalogs {
    inner: Arc<dyn CatalogProviderList>,
    milepost: Arc<Milepost>,
    defaults: Defaults,
}

impl CheckpointCatalogs {
    pub(crate) fn new(
        inner: Arc<dyn CatalogProviderList>,
        milepost: Arc<Milepost>,
        catalog: String,
        schema: String,
    ) -> Self {
        Self { inner, milepost, defaults: Defaults { catalog, schema } }
    }
}

impl CatalogProviderList for CheckpointCatalogs {
    fn register_catalog(
        &self,
        name: String,
        catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        self.inner.register_catalog(name, catalog)
    }

    fn catalog_names(&self) -> Vec<String> {
        self.inner.catalog_names()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let inner = self.inner.catalog(name)?;
        if name != self.defaults.catalog {
            return Some(inner);
        }
        let milepost = Arc::clone(&self.milepost);
        Some(Arc::new(CheckpointCatalog { inner, milepost, schema: self.defaults.schema.clone() }))
    }
}

#[derive(Debug)]
struct CheckpointCatalog {
    inner: Arc<dyn CatalogProvider>,
    milepost: Arc<Milepost>,
    schema: String,
}

impl CatalogProvider for CheckpointCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names = self.inner.schema_names();
        if !names.iter().any(|name| name == SYSTEM_SCHEMA) {
            names.push(SYSTEM_SCHEMA.to_string());
        }
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SYSTEM_SCHEMA {
            return Some(Arc::new(SystemSchema::new(Arc::clone(&self.milepost))));
        }
        let inner = self.inner.schema(name)?;
        if name != self.schema {
            return Some(inner);
        }
        Some(Arc::new(CheckpointSchema::new(inner, Arc::clone(&self.milepost))))
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>> {
        self.inner.register_schema(name, schema)
    }

    fn deregister_schema(&self, name: &str, cascade: bool) -> Result<Option<Arc<dyn SchemaProvider>>> {
        self.inner.deregister_schema(name, cascade)
    }
}
