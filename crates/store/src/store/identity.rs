//! `milepost.json`: whose store this is, and what is needed to read it.

use std::sync::Arc;

use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::{Inner, Store};
use crate::create::{Created, create_once};
use crate::error::Error;
use crate::local::Durability;
use crate::log::read_object;
use crate::probe::probe;
use crate::sealed::{self, FORMAT};

/// Program and version, as they are written into the store.
pub const PRODUCER: &str = concat!("milepost ", env!("CARGO_PKG_VERSION"));

#[derive(Serialize, Deserialize)]
struct StoredIdentity {
    format: u32,
    features: Vec<String>,
    store: String,
    created_ms: i64,
    producer: String,
}

impl Store {
    /// Whether anything was ever written here. Nothing is written by the question.
    ///
    /// # Errors
    /// [`Error::MissingIdentity`] if checkpoints or jobs are there without `milepost.json`; those of reading it.
    pub async fn exists(&self) -> Result<bool, Error> {
        self.inner.identity_unless_empty().await
    }

    /// Makes sure that the store may be written to: probes it once in the life of this process, and creates
    /// `milepost.json` if nothing was ever written.
    ///
    /// # Errors
    /// [`Error::StoreNotSafe`] if create-if-absent does not hold; [`Error::NotWritable`] if it can only be read;
    /// [`Error::MissingIdentity`] if checkpoints or jobs are there without `milepost.json`.
    pub async fn prepare_write(&self) -> Result<(), Error> {
        let inner = &self.inner;
        let prepare = || async {
            let path = inner.layout.probe(inner.clock.ulid());
            probe(inner.objects.as_ref(), &path, &inner.url).await?;
            inner.ensure_identity().await
        };
        inner.ready.get_or_try_init(prepare).await.copied()
    }
}

impl Inner {
    /// Reads `milepost.json`; whether it is there.
    pub(crate) async fn read_identity(&self) -> Result<bool, Error> {
        let path = self.layout.identity();
        let taken = match read_object(self.objects.as_ref(), &path).await {
            Ok(Some(bytes)) => self.take_identity(&bytes).map(|()| true),
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        taken.map_err(|error| error.at(self.identity_place()))
    }

    /// Where `milepost.json` is, for people: without it nothing says which store an error is about.
    fn identity_place(&self) -> String {
        let path = self.layout.identity();
        format!("{}/{}", self.url.trim_end_matches('/'), path.filename().unwrap_or_default())
    }

    /// To be called when a log was found: it must belong to a store.
    pub(crate) async fn expect_identity(&self) -> Result<(), Error> {
        if self.id.read().is_some() || self.read_identity().await? {
            return Ok(());
        }
        Err(Error::MissingIdentity { object: self.identity_place() })
    }

    /// Reads `milepost.json`; whether it is there. It may be missing only where nothing was ever written.
    ///
    /// # Errors
    /// [`Error::MissingIdentity`] if checkpoints or jobs are there without it.
    pub(crate) async fn identity_unless_empty(&self) -> Result<bool, Error> {
        if self.read_identity().await? {
            return Ok(true);
        }
        for directory in [self.layout.checkpoints(), self.layout.jobs()] {
            let listed = self.objects.list_with_delimiter(Some(&directory)).await;
            let listed = listed.map_err(|source| Error::storage("list", &directory, source))?;
            if listed.common_prefixes.is_empty() {
                continue;
            }
            // Another process may have created the store between the two looks.
            return match self.read_identity().await? {
                true => Ok(true),
                false => Err(Error::MissingIdentity { object: self.identity_place() }),
            };
        }
        Ok(false)
    }

    async fn ensure_identity(&self) -> Result<(), Error> {
        if self.id.read().is_some() || self.identity_unless_empty().await? {
            return Ok(());
        }
        let path = self.layout.identity();
        let stored = StoredIdentity {
            format: FORMAT,
            features: vec![],
            store: self.clock.ulid().to_string(),
            created_ms: self.clock.now_ms(),
            producer: PRODUCER.to_owned(),
        };
        let (bytes, _) = sealed::seal(&path, &stored)?;
        match create_once(self.durable_objects().as_ref(), &path, &bytes).await? {
            Created::Ours => self.take_identity(&bytes),
            Created::Theirs(theirs) => self.take_identity(&theirs),
        }
    }

    /// Every handle of the store relies on its identity, so it is synced also by one that syncs nothing else.
    fn durable_objects(&self) -> Arc<dyn ObjectStore> {
        match &self.local {
            Some(local) => Arc::new(local.with_durability(Durability::Fsync)),
            None => Arc::clone(&self.objects),
        }
    }

    fn take_identity(&self, bytes: &[u8]) -> Result<(), Error> {
        let path = self.layout.identity();
        let (stored, _): (StoredIdentity, _) = sealed::unseal(&path, bytes)?;
        let id = Ulid::from_string(&stored.store).map_err(|error| Error::ForeignObject {
            object: path.to_string(),
            detail: format!("its store id cannot be read: {error}"),
        })?;
        *self.id.write() = Some(id);
        Ok(())
    }
}
