//! Builds a [`Session`](super::Session) from parts.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use milepost_store::{Store, StoreOptions};

use super::Session;
use super::install::install;
use crate::context::Milepost;
use crate::error::Error;
use crate::identity::{FunctionVersions, RunPin, SourceIdentity};

/// Parts of a session; each has a default.
#[derive(Default)]
pub struct SessionBuilder {
    config: Option<SessionConfig>,
    runtime: Option<Arc<RuntimeEnv>>,
    state: Option<SessionStateBuilder>,
    store: Option<Store>,
    store_url: Option<String>,
    run_id: Option<String>,
    run: Option<RunPin>,
    sources: Vec<Arc<dyn SourceIdentity>>,
    functions: FunctionVersions,
}

impl SessionBuilder {
    /// DataFusion's settings. Default: its own, with `information_schema`.
    #[must_use]
    pub fn with_config(self, config: SessionConfig) -> Self {
        Self { config: Some(config), ..self }
    }

    /// Memory, disk and caches. Default: DataFusion's own without its listing cache, which would hide new files for ever.
    #[must_use]
    pub fn with_runtime(self, runtime: Arc<RuntimeEnv>) -> Self {
        Self { runtime: Some(runtime), ..self }
    }

    /// A DataFusion session to build upon. Default: one with DataFusion's default features.
    #[must_use]
    pub fn with_state(self, state: SessionStateBuilder) -> Self {
        Self { state: Some(state), ..self }
    }

    /// A store that is open already.
    #[must_use]
    pub fn with_store(self, store: Store) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Where the store is. Default `./.milepost`.
    #[must_use]
    pub fn with_store_url(self, url: &str) -> Self {
        Self { store_url: Some(url.to_string()), ..self }
    }

    /// The run that this session is. Default: a new one. Results that use `now()` or `random()` hold within one run.
    #[must_use]
    pub fn with_run_id(self, run_id: String) -> Self {
        Self { run_id: Some(run_id), ..self }
    }

    /// The run that this session is one driver's turn at, with its `now()`: see [`JobRunner`](crate::job::JobRunner). What
    /// a stage has done when it is stopped is left for the next driver.
    #[must_use]
    pub fn with_run(self, run: RunPin) -> Self {
        Self { run: Some(run), ..self }
    }

    /// One more kind of table that can say which version it is.
    #[must_use]
    pub fn with_source_identity(mut self, identity: Arc<dyn SourceIdentity>) -> Self {
        self.sources.push(identity);
        self
    }

    /// Declared versions of user functions; undeclared ones count as volatile.
    #[must_use]
    pub fn with_function_versions(self, functions: FunctionVersions) -> Self {
        Self { functions, ..self }
    }

    /// Opens the store and builds the session.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn build(self) -> Result<Session, Error> {
        let store = match self.store {
            Some(store) => store,
            None => {
                let url = self.store_url.as_deref().unwrap_or("./.milepost");
                Store::open(url, StoreOptions::default()).await?
            }
        };
        let mut registries = super::install::registries();
        registries.functions = self.functions;
        for identity in self.sources {
            registries.sources = registries.sources.with_first(identity);
        }
        let milepost = Milepost::new(store, self.run_id, registries)?;
        let milepost = Arc::new(match self.run {
            Some(run) => milepost.in_run(run),
            None => milepost,
        });
        let mut state = self.state.unwrap_or_else(|| SessionStateBuilder::new().with_default_features());
        if let Some(config) = self.config {
            state = state.with_config(config);
        } else if state.config().is_none() {
            state = state.with_config(SessionConfig::new().with_information_schema(true));
        }
        if let Some(runtime) = self.runtime {
            state = state.with_runtime_env(runtime);
        } else if state.runtime_env().is_none() {
            state = state.with_runtime_env(default_runtime()?);
        }
        let context = SessionContext::new_with_state(install(state, &milepost).build());
        Ok(Session { context, milepost })
    }
}

fn default_runtime() -> Result<Arc<RuntimeEnv>, Error> {
    let builder = RuntimeEnvBuilder::new().with_object_list_cache_limit(0);
    builder.build_arc().map_err(Error::from)
}
