//! Deleting, in an order that may stop anywhere.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::collect::Collector;
use super::history::History;
use super::judge::{Standing, object_stays, record_stays};
use super::survey::{Directory, Found, Survey};
use super::{CheckpointGarbage, DeletedObject, KeptObject, KeptReason, StoreTime};
use crate::error::Error;
use crate::ids::{AttemptId, UnitNumber};
use crate::layout::AttemptObject;
use crate::store::{Inner, REQUESTS, Store};

impl Collector<'_> {
    /// Deletes what the log proves deletable, attempt by attempt.
    pub(super) async fn delete_files(
        &self,
        survey: &Survey,
        history: &History,
        judged: &BTreeMap<AttemptId, Standing>,
        garbage: &mut CheckpointGarbage,
    ) -> Result<(), Error> {
        for (attempt, directory) in &survey.attempts {
            let standing = judged.get(attempt);
            let staying = self.remove_temporaries(*attempt, directory, standing, garbage).await?;
            match standing {
                Some(Standing::Closed(at)) => {
                    self.empty(*attempt, *at, directory, staying, history, garbage).await?;
                }
                Some(Standing::Open(reason)) => {
                    garbage.kept.extend(directory.objects.iter().map(|found| kept(found, *reason)));
                }
                // To be closed, and yet not closed: someone else is at work. The next collection will see.
                Some(Standing::Live | Standing::ToClose(_)) | None => {}
            }
        }
        if !self.options.dry_run {
            self.remove_empty_directories().await?;
        }
        Ok(())
    }

    /// Deletes what may go of a closed attempt, of whose temporary files so many stay.
    async fn empty(
        &self,
        attempt: AttemptId,
        closed: StoreTime,
        directory: &Directory,
        temporaries: usize,
        history: &History,
        garbage: &mut CheckpointGarbage,
    ) -> Result<(), Error> {
        let (mut doomed, mut staying, mut record) = (vec![], temporaries, None);
        for found in &directory.objects {
            match object_stays(attempt, closed, found, history, self.options.grace, self.now) {
                Some(_) if found.kind == AttemptObject::Record => record = Some(found),
                Some(reason) => {
                    staying += 1;
                    garbage.kept.push(kept(found, reason));
                }
                None => doomed.push(found.clone()),
            }
        }
        let last = staying == 0
            && !directory.has_unknown
            && !record_stays(attempt, closed, history, self.options.grace, self.now);
        if !doomed.is_empty() || last {
            self.check_receipts(attempt, directory).await?;
        }
        // Rows first and receipts later, so that a receipt tells what an interrupted collection left of its unit.
        doomed.sort_by(|a, b| (phase(a.kind), &a.relative).cmp(&(phase(b.kind), &b.relative)));
        for kinds in doomed.chunk_by(|a, b| phase(a.kind) == phase(b.kind)) {
            self.delete(kinds.iter().map(|found| found.meta.clone()).collect(), garbage).await?;
        }
        let Some(record) = record else { return Ok(()) };
        if last && (self.options.dry_run || self.is_alone(attempt, record).await?) {
            return self.delete(vec![record.meta.clone()], garbage).await;
        }
        garbage.kept.push(kept(record, KeptReason::Describes));
        Ok(())
    }

    /// A receipt that cannot be read, or that a newer program wrote, may mean what this program does not know.
    async fn check_receipts(&self, attempt: AttemptId, directory: &Directory) -> Result<(), Error> {
        let units: Vec<UnitNumber> = directory
            .objects
            .iter()
            .filter_map(|found| match found.kind {
                AttemptObject::Receipt(unit) => Some(unit),
                _ => None,
            })
            .collect();
        futures::stream::iter(units)
            .map(|unit| async move { self.store.receipt(self.name, attempt, unit).await.map(|_| ()) })
            .buffer_unordered(REQUESTS)
            .try_collect()
            .await
    }

    /// Whether nothing is left beside an attempt's record, also nothing that came late.
    async fn is_alone(&self, attempt: AttemptId, record: &Found) -> Result<bool, Error> {
        let inner = &self.store.inner;
        let directory = inner.layout.attempt(self.name, attempt);
        let listed: Vec<ObjectMeta> = inner
            .objects
            .list(Some(&directory))
            .try_collect()
            .await
            .map_err(|source| Error::storage("list", &directory, source))?;
        let alone = listed.iter().all(|meta| meta.location == record.meta.location);
        Ok(alone && self.has_no_temporaries(attempt).await?)
    }

    async fn delete(&self, doomed: Vec<ObjectMeta>, garbage: &mut CheckpointGarbage) -> Result<(), Error> {
        self.store.delete_objects(doomed, self.options.dry_run, &mut garbage.deleted).await
    }

    /// Directories are left behind on local disks only, by this collection or by one that was interrupted.
    ///
    /// Only those of attempts: a process may know one that all attempts share to be synced, and would not look again.
    async fn remove_empty_directories(&self) -> Result<(), Error> {
        let inner = &self.store.inner;
        let Some(disk) = &inner.local else { return Ok(()) };
        let attempts = inner.layout.attempts(self.name);
        let listed = inner.objects.list_with_delimiter(Some(&attempts)).await;
        for directory in listed.map_err(|source| Error::storage("list", &attempts, source))?.common_prefixes {
            if directory.filename().is_some_and(|name| crate::layout::parse_ulid(name).is_some()) {
                disk.remove_if_empty(&directory).await;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Deletes objects, and notes those that were there. What is gone already is no error; what cannot be deleted
    /// does not keep the others.
    pub(super) async fn delete_objects(
        &self,
        doomed: Vec<ObjectMeta>,
        dry_run: bool,
        deleted: &mut Vec<DeletedObject>,
    ) -> Result<(), Error> {
        let note = |meta: ObjectMeta| DeletedObject { object: meta.location.to_string(), bytes: meta.size };
        if dry_run {
            deleted.extend(doomed.into_iter().map(note));
            return Ok(());
        }
        let paths: Vec<Path> = doomed.iter().map(|meta| meta.location.clone()).collect();
        let mut known: HashMap<Path, ObjectMeta> =
            doomed.into_iter().map(|meta| (meta.location.clone(), meta)).collect();
        let mut results = self.inner.objects.delete_stream(futures::stream::iter(paths).map(Ok).boxed());
        let mut failed = None;
        while let Some(result) = results.next().await {
            match result {
                Ok(path) => deleted.extend(known.remove(&path).map(note)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), |source| Err(Inner::not_deleted(source)))
    }
}

impl Inner {
    fn not_deleted(source: object_store::Error) -> Error {
        Error::storage("delete", "an object that nothing needs any more", source)
    }
}

/// What is deleted before the next begins.
const fn phase(kind: AttemptObject) -> u8 {
    match kind {
        AttemptObject::Data(_) | AttemptObject::Side => 0,
        AttemptObject::Receipt(_) => 1,
        AttemptObject::Heartbeat | AttemptObject::Lock => 2,
        AttemptObject::Record => 3,
    }
}

fn kept(found: &Found, reason: KeptReason) -> KeptObject {
    KeptObject { object: found.meta.location.to_string(), bytes: found.meta.size, reason }
}
