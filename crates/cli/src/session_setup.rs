//! Builds the session: limits, object stores, DataFusion's shell functions, and the checkpoint store.

use std::env;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::config::ConfigOptions;
use datafusion::datasource::dynamic_file::DynamicListTableFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::ExplainFormat;
use datafusion::prelude::SessionConfig;
use datafusion_cli::catalog::DynamicObjectStoreCatalog;
use datafusion_cli::functions::{
    ListFilesCacheFunc, MetadataCacheFunc, ParquetMetadataFunc, StatisticsCacheFunc,
};
use datafusion_cli::object_storage::StdinCarriesCommands;
use datafusion_cli::object_storage::instrumented::{
    InstrumentedObjectStoreMode, InstrumentedObjectStoreRegistry,
};
use datafusion_cli::pool_type::PoolType;
use milepost::scan::name_place;
use milepost::{Session, SessionBuilder, Store, StoreOptions};

use crate::args::LimitArgs;
use crate::environment;
use crate::failure::Failure;
use crate::registry::{OnceRegistry, set_mode};

/// The store that is used when none is named, in the folder where the program was started.
const DEFAULT_STORE: &str = ".milepost";

/// What a session is made of.
pub(crate) struct Setup {
    limits: LimitArgs,
    store_url: String,
    stdin_is_sql: bool,
    /// Counts requests to object stores when profiling is on.
    pub(crate) stores: Arc<InstrumentedObjectStoreRegistry>,
}

impl Setup {
    /// Settles what the session will use. `stdin_is_sql` says that standard input carries statements, so that it
    /// can carry no table. Call this before the working folder is changed.
    pub(crate) fn new(
        limits: &LimitArgs,
        store: Option<&str>,
        stdin_is_sql: bool,
        profiling: InstrumentedObjectStoreMode,
    ) -> Self {
        let stores = InstrumentedObjectStoreRegistry::new();
        set_mode(&stores, profiling);
        Self {
            limits: limits.clone(),
            store_url: absolute_store(store.unwrap_or(DEFAULT_STORE)),
            stdin_is_sql,
            stores: Arc::new(stores),
        }
    }

    /// Opens the store and builds the session.
    ///
    /// # Errors
    /// Limits or settings that cannot be, or a store that cannot be opened.
    pub(crate) async fn open(&self) -> Result<Session, Failure> {
        self.session(Session::builder().with_store(self.store().await?)).await
    }

    /// As [`Setup::open`], also over a store whose `milepost.json` is damaged, for a verification to tell of it.
    ///
    /// # Errors
    /// As [`Setup::open`], but for that.
    pub(crate) async fn open_to_verify(&self) -> Result<Session, Failure> {
        let opened = Store::open_to_verify(&self.store_url, StoreOptions::default()).await;
        let store = opened.map_err(|error| Failure::Store(Box::new(error.into())))?;
        self.session(Session::builder().with_store(store)).await
    }

    /// Opens the store.
    ///
    /// # Errors
    /// A store that cannot be opened.
    pub(crate) async fn store(&self) -> Result<Store, Failure> {
        let opened = Store::open(&self.store_url, StoreOptions::default()).await;
        opened.map_err(|error| Failure::Store(Box::new(error.into())))
    }

    /// Builds the session from `parts`, which hold the store.
    ///
    /// # Errors
    /// Limits or settings that cannot be.
    pub(crate) async fn session(&self, parts: SessionBuilder) -> Result<Session, Failure> {
        let setup = |error: DataFusionError| Failure::Setup(Box::new(error));
        let session = parts
            .with_config(self.config().map_err(setup)?)
            .with_runtime(self.runtime().map_err(setup)?)
            .build()
            .await
            .map_err(|error| Failure::Store(Box::new(error)))?;
        session.refresh_catalogs().await.map_err(setup)?;
        read_files_by_name(&session);
        register_functions(&session);
        Ok(session)
    }

    /// The settings that statements are parsed under.
    ///
    /// # Errors
    /// Settings of the environment that cannot be.
    pub(crate) fn options(&self) -> Result<ConfigOptions, Failure> {
        let config = self.config().map_err(|error| Failure::Setup(Box::new(error)))?;
        Ok(config.options().as_ref().clone())
    }

    fn config(&self) -> Result<SessionConfig> {
        let mut options = environment::options()?;
        if let Some(rows) = self.limits.batch_size {
            options.execution.batch_size = ConfigNonZeroUsize::try_new(rows)?;
        }
        if env::var_os("DATAFUSION_EXPLAIN_FORMAT").is_none() {
            options.explain.format = ExplainFormat::Tree;
        }
        if env::var_os("DATAFUSION_FORMAT_NULL").is_none() {
            options.format.null = "NULL".to_string();
        }
        let config = SessionConfig::from(options).with_information_schema(true);
        Ok(if self.stdin_is_sql { config.with_extension(Arc::new(StdinCarriesCommands)) } else { config })
    }

    fn runtime(&self) -> Result<Arc<RuntimeEnv>> {
        let registry = OnceRegistry::new(Arc::clone(&self.stores));
        // A listing that is kept would hide files that come later, and a checkpoint's sources are listed afresh.
        let mut builder = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(registry))
            .with_object_list_cache_limit(0);
        if let Some(bytes) = self.limits.memory_limit {
            builder = builder.with_memory_pool(self.memory_pool(bytes));
        }
        if let Some(bytes) = self.limits.disk_limit {
            let disk = DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::OsTmpDirectory)
                .with_max_temp_directory_size(bytes as u64);
            builder = builder.with_disk_manager_builder(disk);
        }
        builder.build_arc()
    }

    fn memory_pool(&self, bytes: usize) -> Arc<dyn MemoryPool> {
        let fair = self.limits.mem_pool_type == PoolType::Fair;
        match NonZeroUsize::new(self.limits.top_memory_consumers) {
            None if fair => Arc::new(FairSpillPool::new(bytes)),
            None => Arc::new(GreedyMemoryPool::new(bytes)),
            Some(top) if fair => Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), top)),
            Some(top) => Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(bytes), top)),
        }
    }
}

/// A path of the command line as it is meant: beginning in the folder where the program was started.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Goes to a folder of the command line, in which the relative paths of statements begin from here on.
///
/// # Errors
/// A folder that cannot be entered.
pub(crate) fn enter(folder: &Path) -> std::result::Result<(), Failure> {
    env::set_current_dir(folder).map_err(|source| Failure::File {
        operation: "work in",
        path: folder.to_path_buf(),
        source,
        next: "give a folder that can be entered",
    })
}

/// A store as it is meant: URLs stay, paths begin where the program was started.
fn absolute_store(store: &str) -> String {
    if store.contains("://") || store.starts_with("file:") {
        return store.to_string();
    }
    absolute(Path::new(store)).to_string_lossy().into_owned()
}

/// Lets a query name a file where a table stands, and finds the object store that the name needs.
fn read_files_by_name(session: &Session) {
    let files = Arc::new(DynamicListTableFactory::default());
    let factory = Arc::new(FilesOnly(Arc::clone(&files)));
    let catalogs = Arc::clone(session.context().state_ref().read().catalog_list());
    session.context().register_catalog_list(Arc::new(DynamicFileCatalog::new(catalogs, factory)));
    files.session_store().with_state(session.context().state_weak_ref());

    let catalogs = Arc::clone(session.context().state_ref().read().catalog_list());
    let remote = DynamicObjectStoreCatalog::new(catalogs, session.context().state_weak_ref());
    session.context().register_catalog_list(Arc::new(remote));
}

/// Files by what can only be a path or URL. A plain name is a table's: a folder that happens to have it must not stand in for
/// a table that is missing, least of all when a stored definition is run again.
#[derive(Debug)]
struct FilesOnly(Arc<DynamicListTableFactory>);

#[async_trait]
impl UrlTableFactory for FilesOnly {
    async fn try_new(&self, url: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !url.contains(['/', '.', '\\', ':', '~']) {
            return Ok(None);
        }
        self.0.try_new(url).await.map_err(|error| name_place(error, url))
    }
}

fn register_functions(session: &Session) {
    let context = session.context();
    let cache = || Arc::clone(&context.runtime_env().cache_manager);
    context.register_udtf("parquet_metadata", Arc::new(ParquetMetadataFunc {}));
    context.register_udtf("metadata_cache", Arc::new(MetadataCacheFunc::new(cache())));
    context.register_udtf("statistics_cache", Arc::new(StatisticsCacheFunc::new(cache())));
    context.register_udtf("list_files_cache", Arc::new(ListFilesCacheFunc::new(cache())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_settled_before_the_folder_changes() {
        let here = env::current_dir().unwrap();
        assert_eq!(absolute_store("checkpoints"), here.join("checkpoints").to_string_lossy());
        for url in ["s3://bucket/checkpoints", "memory://", "file:///tmp/x"] {
            assert_eq!(absolute_store(url), url);
        }
    }
}
