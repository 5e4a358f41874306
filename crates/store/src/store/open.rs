//! Opening: from a URL to a store, with no secret kept.

use std::collections::HashMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, LazyLock};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use parking_lot::{Mutex, RwLock};
use tokio::sync::OnceCell;
use url::Url;

use super::{Inner, Store, StoreOptions};
use crate::error::Error;
use crate::layout::Layout;
use crate::local::DurableFileSystem;
use crate::secret::strip;

/// The named in-memory stores of this process. They live as long as it does.
static MEMORY: LazyLock<Mutex<HashMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);

impl Store {
    /// Opens the store at a path, a `file://` URL or a `memory://` URL.
    ///
    /// Every `memory://name` is one store for the whole process; `memory://` is private to this call. Only
    /// `milepost.json` is read; if it is not there the store is empty and is created by the first write.
    ///
    /// # Errors
    /// [`Error::UnsupportedStore`] for other schemes; [`Error::NotADirectory`] if a file is in the way;
    /// [`Error::NewerFormat`], [`Error::UnknownFeature`] or [`Error::Damaged`] if the store cannot be read.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Self, Error> {
        let store = Self::at(url, options)?;
        store.inner.read_identity().await?;
        Ok(store)
    }

    /// Opens the store as [`Self::open`] does, also one whose `milepost.json` is damaged or written by a newer program.
    ///
    /// It is meant for [`Self::verify`], which then tells of that and of everything else. Whatever else relies on the store's
    /// identity fails with the error that opening would have failed with.
    ///
    /// # Errors
    /// [`Error::UnsupportedStore`] and [`Error::NotADirectory`] as by [`Self::open`]; [`Error::Storage`] if the store does not
    /// answer.
    pub async fn open_to_verify(url: &str, options: StoreOptions) -> Result<Self, Error> {
        let store = Self::at(url, options)?;
        match store.inner.read_identity().await {
            Err(error @ Error::Storage { .. }) => Err(error),
            Ok(_) | Err(_) => Ok(store),
        }
    }

    /// The store there, of which nothing is read yet.
    fn at(url: &str, options: StoreOptions) -> Result<Self, Error> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Self::in_directory(FilePath::new(url), options);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Self::in_directory(&file_path(url)?, options),
            "memory" => {
                let name = rest.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
                let url = format!("memory://{}", strip(name));
                Ok(Self::assemble(memory(name), Path::default(), url, options, None))
            }
            _ => Err(Error::UnsupportedStore { scheme: scheme.to_owned() }),
        }
    }

    /// Opens the store below `root` of an object store that is already open.
    ///
    /// `display_url` is what people are shown; user names, passwords and query parameters are cut from it.
    ///
    /// # Errors
    /// [`Error::NewerFormat`], [`Error::UnknownFeature`] or [`Error::Damaged`] if the store cannot be read.
    pub async fn with_object_store(
        objects: Arc<dyn ObjectStore>,
        root: Path,
        display_url: &str,
        options: StoreOptions,
    ) -> Result<Self, Error> {
        let store = Self::assemble(objects, root, strip(display_url), options, None);
        store.inner.read_identity().await?;
        Ok(store)
    }

    fn in_directory(path: &FilePath, options: StoreOptions) -> Result<Self, Error> {
        let refuse = |path: &FilePath, reason: &str| Error::NotADirectory {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        if path.as_os_str().is_empty() {
            return Err(refuse(FilePath::new("\"\""), "it names no place"));
        }
        let root = std::path::absolute(path).map_err(|error| refuse(path, &error.to_string()))?;
        let existing = root.ancestors().find(|path| path.symlink_metadata().is_ok());
        if let Some(file) = existing.filter(|path| !path.is_dir()) {
            return Err(refuse(&root, &format!("{} is not a directory", file.display())));
        }
        let url = Url::from_file_path(&root).map_or_else(|()| root.display().to_string(), String::from);
        let local = DurableFileSystem::new(root, options.durability, Arc::clone(&options.clock));
        let objects = Arc::new(local.clone());
        Ok(Self::assemble(objects, Path::default(), url, options, Some(Arc::new(local))))
    }

    fn assemble(
        objects: Arc<dyn ObjectStore>,
        root: Path,
        url: String,
        options: StoreOptions,
        local: Option<Arc<DurableFileSystem>>,
    ) -> Self {
        let (layout, clock) = (Layout::new(root), options.clock);
        let (id, ready) = (Arc::new(RwLock::new(None)), Arc::new(OnceCell::new()));
        let (given_up, entries) = (Arc::default(), Arc::default());
        let inner = Inner { objects, layout, clock, local, url, id, ready, given_up, entries };
        Self { inner: Arc::new(inner) }
    }
}

fn memory(name: &str) -> Arc<InMemory> {
    if name.is_empty() {
        return Arc::new(InMemory::new());
    }
    let mut stores = MEMORY.lock();
    Arc::clone(stores.entry(name.to_owned()).or_default())
}

fn file_path(url: &str) -> Result<PathBuf, Error> {
    let refuse = |reason: String| Error::NotADirectory { path: strip(url), reason };
    let parsed = Url::parse(url).map_err(|error| refuse(error.to_string()))?;
    parsed.to_file_path().map_err(|()| refuse("it is no local file URL, use file:///path".to_owned()))
}
