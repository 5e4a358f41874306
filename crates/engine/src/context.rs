//! What all parts of one session share: the store, the run, and what people are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::catalog::{CatalogProviderList, Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionConfig;
use milepost_store::{
    AttemptId, CheckpointName, Durability, Origin, Overview, Overviews, Snapshot, Store, StoreOptions,
    Version, Which,
};
use parking_lot::{Mutex, RwLock};
use tokio::task::JoinSet;

use crate::config::MilepostConfig;
use crate::error::{Error, store_error};
use crate::identity::{Registries, RunPin};
use crate::job::Turn;
use crate::scan::FooterCache;
use crate::stage::ProgressBoard;

/// The scheme of the URLs under which scans find a store's files.
pub(crate) const STORE_SCHEME: &str = "milepost://";

/// A store and the URL under which DataFusion's scans find it.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) store: Store,
    url: ObjectStoreUrl,
    footers: Arc<FooterCache>,
    /// Snapshots in which damage was found: not trusted again before they were read whole.
    suspects: Arc<Mutex<BTreeSet<Suspect>>>,
}

/// A snapshot, for as long as no other store takes this one's place.
type Suspect = (CheckpointName, Version, AttemptId);

fn suspect(snapshot: &Snapshot) -> Suspect {
    (snapshot.name.clone(), snapshot.version, snapshot.attempt)
}

impl Home {
    /// Gives the store an URL of its own: two stores of one process never share one.
    pub(crate) fn new(store: Store) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let url =
            ObjectStoreUrl::parse(format!("{STORE_SCHEME}store-{}", NEXT.fetch_add(1, Ordering::Relaxed)))?;
        Ok(Self { store, url, footers: Arc::default(), suspects: Arc::default() })
    }

    /// Footers of this store's files, read and checked before.
    pub(crate) fn footers(&self) -> Arc<FooterCache> {
        Arc::clone(&self.footers)
    }

    /// Looks that every file of a snapshot is there and as long as it was, or, if `whole`, that every byte is as it was. One
    /// in which damage was found is looked at whole in any case.
    pub(crate) async fn check(&self, snapshot: &Snapshot, whole: bool) -> Result<(), milepost_store::Error> {
        let suspected = self.suspects.lock().contains(&suspect(snapshot));
        if !whole && !suspected {
            return self.store.check_files(snapshot).await;
        }
        for file in &snapshot.manifest.files {
            self.store.verify_file(&snapshot.name, file).await?;
        }
        // Somebody has put the files back.
        self.suspects.lock().remove(&suspect(snapshot));
        Ok(())
    }

    /// Remembers that damage was found in a snapshot.
    pub(crate) fn suspect(&self, snapshot: &Snapshot) {
        self.suspects.lock().insert(suspect(snapshot));
    }

    /// Whether this is the same store as `other`.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.url == other.url
    }

    /// The URL, after making sure that `runtime` can resolve it.
    pub(crate) fn url_in(&self, runtime: &RuntimeEnv) -> ObjectStoreUrl {
        // Some registries keep all that they were ever given.
        if runtime.object_store(&self.url).is_err() {
            runtime.register_object_store(self.url.as_ref(), self.store.object_store());
        }
        self.url.clone()
    }
}

/// The shared state of a session with checkpoints. A `SessionConfig` carries it as an extension.
#[derive(Debug)]
pub struct Milepost {
    pub(crate) home: Home,
    pub(crate) run: RunPin,
    pub(crate) registries: Registries,
    pub(crate) progress: ProgressBoard,
    /// What it knows of the job whose steps it runs.
    pub(crate) turn: Turn,
    /// Names this session within its run: sessions of one run count their steps apart.
    origin: String,
    steps: AtomicU64,
    notices: Mutex<Vec<String>>,
    /// Names known to exist, for the synchronous parts of DataFusion's catalog.
    names: RwLock<BTreeSet<String>>,
    /// Checkpoints made while `milepost.enabled` is false are views of their queries.
    views: RwLock<BTreeMap<String, Arc<dyn TableProvider>>>,
    /// The catalog list below ours: what a session holds besides checkpoints.
    beneath: OnceLock<Arc<dyn CatalogProviderList>>,
    scratch: Mutex<Option<Scratch>>,
    clean_ups: Mutex<JoinSet<()>>,
}

/// The store of local checkpoints; its folder goes when the session goes.
#[derive(Debug)]
struct Scratch {
    home: Home,
    _folder: tempfile::TempDir,
}

impl Milepost {
    /// Shares `store` among the parts of a session.
    ///
    /// # Errors
    /// None in practice: the store's URL is formed from a counter.
    pub fn new(store: Store, run_id: Option<String>, registries: Registries) -> Result<Self> {
        let clock = store.clock();
        let id = run_id.unwrap_or_else(|| clock.ulid().to_string());
        let origin = format!("{id}/{}", clock.ulid());
        let run = RunPin { id, now_ns: clock.now_ms().saturating_mul(1_000_000) };
        Ok(Self {
            home: Home::new(store)?,
            run,
            registries,
            progress: ProgressBoard::default(),
            turn: Turn::default(),
            origin,
            steps: AtomicU64::new(0),
            notices: Mutex::default(),
            names: RwLock::default(),
            views: RwLock::default(),
            beneath: OnceLock::new(),
            scratch: Mutex::default(),
            clean_ups: Mutex::default(),
        })
    }

    /// Makes it a turn at a run that others may take up.
    pub(crate) fn in_run(mut self, run: RunPin) -> Self {
        self.origin = format!("{}/{}", run.id, self.store().clock().ulid());
        self.run = run;
        self.turn.goes_on = true;
        self
    }

    /// The shared state that a session was built with.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] for a session without checkpoints.
    pub fn of(session: &dyn Session) -> Result<Arc<Self>> {
        Self::in_config(session.config())
    }

    pub(crate) fn in_config(config: &SessionConfig) -> Result<Arc<Self>> {
        config.get_extension::<Self>().ok_or_else(|| Error::NotInstalled.into())
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.home.store
    }

    /// Why a checkpoint, or one version of it, is not there.
    pub(crate) async fn missing(&self, name: &CheckpointName, version: Option<Version>) -> Result<Error> {
        let exists = || async {
            Ok::<_, DataFusionError>(self.store().newest(name).await.map_err(store_error)?.is_some())
        };
        Ok(match version {
            Some(version) if exists().await? => {
                Error::NoVersion { name: name.to_string(), version: version.0 }
            }
            _ => Error::NoCheckpoint { name: name.to_string(), store: self.store().url().to_string() },
        })
    }

    /// The origin of the next commit outside of a job: run and step name it once and for all, so that a step is never applied twice.
    pub(crate) fn next_origin(&self) -> Origin {
        Origin { run: self.origin.clone(), step: self.steps.fetch_add(1, Ordering::Relaxed) + 1, node: 0 }
    }

    /// Leaves a warning for people.
    pub(crate) fn notify(&self, notice: String) {
        tracing::warn!("{notice}");
        let mut notices = self.notices.lock();
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }

    pub(crate) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock())
    }

    pub(crate) fn known_names(&self) -> Vec<String> {
        self.names.read().iter().cloned().collect()
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.names.read().contains(name)
    }

    pub(crate) fn remember(&self, name: &str) {
        self.names.write().insert(name.to_string());
    }

    pub(crate) fn forget(&self, name: &str) {
        self.names.write().remove(name);
    }

    /// Lists the store's checkpoints anew; those that have a live version. A notice names those that cannot be read.
    pub(crate) async fn refresh_names(&self) -> Result<Vec<String>> {
        let found = self.overview(Which::Names).await?;
        Ok(found.into_iter().map(|checkpoint| checkpoint.name.to_string()).collect())
    }

    /// Every checkpoint that can be read; a notice names those that cannot.
    pub(crate) async fn overview(&self, which: Which) -> Result<Vec<Overview>> {
        let found = self.look_over(which).await?;
        for (name, error) in found.unreadable {
            self.notify(format!("checkpoint {name} is left out: {error}"));
        }
        Ok(found.checkpoints)
    }

    /// Reads every log of the store once, and remembers the names.
    pub(crate) async fn look_over(&self, which: Which) -> Result<Overviews> {
        let found = self.store().overview(which).await.map_err(store_error)?;
        *self.names.write() =
            found.checkpoints.iter().map(|checkpoint| checkpoint.name.to_string()).collect();
        Ok(found)
    }

    /// Remembers the catalog list that checkpoints are laid over; the first one counts.
    pub(crate) fn lay_over(&self, list: &Arc<dyn CatalogProviderList>) {
        let _ = self.beneath.set(Arc::clone(list));
    }

    /// The catalog list that checkpoints are laid over.
    pub(crate) fn beneath(&self) -> Option<&Arc<dyn CatalogProviderList>> {
        self.beneath.get()
    }

    pub(crate) fn view(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.views.read().get(name).cloned()
    }

    pub(crate) fn view_names(&self) -> Vec<String> {
        self.views.read().keys().cloned().collect()
    }

    pub(crate) fn set_view(&self, name: &str, view: Arc<dyn TableProvider>) {
        self.views.write().insert(name.to_string(), view);
    }

    /// From here on a name means the store's checkpoint, and no view that stood for it.
    pub(crate) fn means_checkpoint(&self, name: &str) {
        self.remember(name);
        self.drop_view(name);
    }

    pub(crate) fn drop_view(&self, name: &str) -> bool {
        self.views.write().remove(name).is_some()
    }

    /// The store of local checkpoints, made at their first use in a temporary folder.
    pub(crate) async fn scratch(&self) -> Result<Home> {
        if let Some(scratch) = self.scratch.lock().as_ref() {
            return Ok(scratch.home.clone());
        }
        let folder = tempfile::Builder::new().prefix("milepost-local-").tempdir()?;
        let options = StoreOptions { durability: Durability::None, clock: self.store().clock() };
        let path = folder.path().to_string_lossy().into_owned();
        let home = Home::new(Store::open(&path, options).await.map_err(store_error)?)?;
        let mut slot = self.scratch.lock();
        Ok(slot.get_or_insert(Scratch { home, _folder: folder }).home.clone())
    }

    /// Runs a task that outlives the statement beside the session, such as a clean-up; [`Self::settle`] waits for it. Outside a runtime it is left undone, which
    /// costs garbage collection some waiting and nobody else anything.
    pub(crate) fn clean_up(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut running = self.clean_ups.lock();
            while running.try_join_next().is_some() {}
            running.spawn_on(task, &runtime);
        }
    }

    /// Waits until what cancelled statements have left is gone: their tasks, half-written files, and attempts.
    pub(crate) async fn settle(&self) {
        loop {
            let mut running = std::mem::take(&mut *self.clean_ups.lock());
            if running.is_empty() {
                break;
            }
            // One clean-up may leave another: an attempt that was begun too late is abandoned.
            while running.join_next().await.is_some() {}
        }
        self.store().settle().await;
    }

    /// Waits so long at most until uploads that were given up are ended.
    pub(crate) async fn settle_uploads(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.store().settle()).await.is_err() {
            tracing::debug!("uploads that were given up have not ended yet");
        }
    }
}

/// Milepost's settings in a session's configuration.
pub(crate) fn settings(session: &dyn Session) -> MilepostConfig {
    session.config_options().extensions.get::<MilepostConfig>().cloned().unwrap_or_default()
}
