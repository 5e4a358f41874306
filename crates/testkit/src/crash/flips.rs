//! One byte of what is stored is another one.

use std::sync::Arc;

use bytes::Bytes;
use milepost_store::layout::{Layout, entry_name};
use milepost_store::verify::Damage;
use milepost_store::{CheckpointName, DataFile, Snapshot, Store, VerifyOptions};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::runtime;
use crate::failure::Failure;
use crate::scenario::{ROOT, Script, Step, check, newest_snapshot, open};

/// Flips bits of every byte of the newest manifest, one after the other; gives how many bytes it has.
///
/// # Errors
/// [`Failure::Broken`] if a flip was not noticed as damage of that very object.
pub fn flip_manifest(seed: u64) -> Result<usize, Failure> {
    runtime()?.block_on(async {
        let store = Flipped::prepare().await?;
        let path = store.manifest();
        let whole = store.read(&path).await?;
        let mut numbers = StdRng::seed_from_u64(seed);
        for at in 0..whole.len() {
            let bits = numbers.random_range(1..=255);
            store.write(&path, flipped(&whole, at, bits)).await?;
            // As a process that starts now: nothing older may be served in place of what is damaged.
            let noticed = newest_snapshot(&open(Arc::clone(&store.objects), 9).await?, 0).await;
            must_name(noticed.map(|_| ()), &path).map_err(|failure| {
                failure.case(format!("byte {at} with {bits:#04x}"), "manifest-flips", seed)
            })?;
        }
        store.write(&path, whole.clone()).await?;
        check(&open(store.objects, 9).await?, store.script.end()).await?;
        Ok(whole.len())
    })
}

/// Flips bits of `count` bytes of data files, each alone; gives how many.
///
/// # Errors
/// [`Failure::Broken`] if a flip was not noticed as damage of that very file.
pub fn flip_data_files(seed: u64, count: usize) -> Result<usize, Failure> {
    runtime()?.block_on(async {
        let store = Flipped::prepare().await?;
        let mut numbers = StdRng::seed_from_u64(seed);
        let reader = open(Arc::clone(&store.objects), 9).await?;
        for _ in 0..count {
            let files = &store.snapshot.manifest.files;
            let file = &files[numbers.random_range(0..files.len())];
            let path = reader.path_of(&store.snapshot.name, file);
            let whole = store.read(&path).await?;
            let (at, bits) = (numbers.random_range(0..whole.len()), numbers.random_range(1..=255));
            store.write(&path, flipped(&whole, at, bits)).await?;
            must_notice(&reader, &store.snapshot.name, file, &path)
                .await
                .map_err(|failure| failure.case(format!("byte {at} with {bits:#04x}"), "data-flips", seed))?;
            store.write(&path, whole).await?;
        }
        check(&reader, store.script.end()).await?;
        let found = reader.verify(VerifyOptions::default()).await?.findings;
        if !found.is_empty() {
            return Failure::broken(format!("VERIFY finds {found:?} where nothing is damaged"));
        }
        Ok(count)
    })
}

/// A store with two snapshots, of which the newest is going to be damaged.
struct Flipped {
    objects: Arc<dyn ObjectStore>,
    script: Script,
    snapshot: Snapshot,
}

impl Flipped {
    async fn prepare() -> Result<Self, Failure> {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let script =
            Script::new(vec![Step::Commit { name: 0, content: 2 }, Step::Commit { name: 0, content: 3 }]);
        let store = open(Arc::clone(&objects), 0).await?;
        if let Some(failure) = script.run(&store, 0, |_| {}).await.failure {
            return Err(failure);
        }
        match newest_snapshot(&store, 0).await? {
            Some(snapshot) => Ok(Self { objects, script, snapshot }),
            None => Failure::broken("what was committed is not there"),
        }
    }

    /// The log entry that the manifest stands in.
    fn manifest(&self) -> Path {
        let log = Layout::new(Path::from(ROOT)).log(&self.snapshot.name);
        log.join(entry_name(self.snapshot.slot))
    }

    async fn read(&self, path: &Path) -> Result<Bytes, Failure> {
        let bytes = match self.objects.get(path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        bytes.or_else(|error| Failure::broken(format!("cannot read {path}: {error}")))
    }

    async fn write(&self, path: &Path, bytes: Bytes) -> Result<(), Failure> {
        let written = self.objects.put(path, bytes.into()).await;
        written.map(|_| ()).or_else(|error| Failure::broken(format!("cannot write {path}: {error}")))
    }
}

fn flipped(whole: &Bytes, at: usize, bits: u8) -> Bytes {
    let mut bytes = whole.to_vec();
    bytes[at] ^= bits;
    bytes.into()
}

/// Who reads the file's bytes hears of it, and VERIFY names the file and nothing else.
async fn must_notice(
    store: &Store,
    name: &CheckpointName,
    file: &DataFile,
    path: &Path,
) -> Result<(), Failure> {
    must_name(store.verify_file(name, file).await.map_err(Failure::Store), path)?;
    match &store.verify(VerifyOptions::default()).await?.findings[..] {
        [only] if only.object == path.as_ref() && only.what == Damage::Flipped => Ok(()),
        found => Failure::broken(format!("of a flip in {path} VERIFY finds {found:?}")),
    }
}

fn must_name(noticed: Result<(), Failure>, path: &Path) -> Result<(), Failure> {
    match noticed {
        Err(Failure::Store(error)) if error.to_string().contains(path.as_ref()) => {
            use milepost_store::Error;
            let newer = matches!(error, Error::NewerFormat { .. } | Error::UnknownFeature { .. });
            if error.is_damage() || newer {
                return Ok(());
            }
            Err(Failure::Store(error))
        }
        Err(failure) => Err(failure),
        Ok(()) => Failure::broken(format!("{path} was taken for whole")),
    }
}
