//! What lies in the root beside checkpoints: probes and temporary files of dead processes, and what is not ours.

use std::collections::HashSet;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use super::{DeletedObject, GcOptions, GcReport, StoreTime, UnknownObject};
use crate::error::Error;
use crate::layout;
use crate::local::LEFTOVER_AGE;
use crate::store::Store;

impl Store {
    pub(super) async fn collect_leftovers(
        &self,
        options: &GcOptions,
        now: StoreTime,
        report: &mut GcReport,
    ) -> Result<(), Error> {
        self.collect_probes(options, now, report).await?;
        self.collect_temporaries(options, report).await?;
        self.report_unknown(report).await
    }

    /// Probes are removed by whoever wrote them, unless the process died. A young one may be in use.
    async fn collect_probes(
        &self,
        options: &GcOptions,
        now: StoreTime,
        report: &mut GcReport,
    ) -> Result<(), Error> {
        let directory = self.inner.layout.probes();
        let listed: Vec<ObjectMeta> = self
            .inner
            .objects
            .list(Some(&directory))
            .try_collect()
            .await
            .map_err(|source| Error::storage("list", &directory, source))?;
        let ours = |meta: &ObjectMeta| {
            meta.location.filename().is_some_and(|name| layout::parse_ulid(name).is_some())
        };
        let (probes, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(ours);
        report.unknown.extend(others.iter().map(UnknownObject::of));
        let age = options.grace.max(LEFTOVER_AGE);
        let old = probes.into_iter().filter(|meta| now.since(StoreTime::of(meta)) >= age).collect();
        self.delete_objects(old, options.dry_run, &mut report.leftovers).await
    }

    /// Temporary files of a local disk, which no listing shows. What a dry run has told of already is left out.
    async fn collect_temporaries(&self, options: &GcOptions, report: &mut GcReport) -> Result<(), Error> {
        let Some(disk) = &self.inner.local else { return Ok(()) };
        let failed = |source| Error::storage("remove temporary files from", self.url(), source);
        let told: HashSet<String> = report.deleted().map(|gone| gone.object.clone()).collect();
        for leftover in disk.leftovers(options.grace).await.map_err(failed)? {
            let (object, bytes) = (disk.shown(&leftover), leftover.bytes);
            if told.contains(&object) {
                continue;
            }
            if !options.dry_run {
                disk.remove_leftover(leftover).await.map_err(failed)?;
            }
            report.leftovers.push(DeletedObject { object, bytes });
        }
        Ok(())
    }

    async fn report_unknown(&self, report: &mut GcReport) -> Result<(), Error> {
        let root = self.inner.layout.root();
        let listed = self.inner.objects.list_with_delimiter(Some(root)).await;
        let listed = listed.map_err(|source| Error::storage("list", root, source))?;
        let ours = |name: Option<&str>| name.is_some_and(layout::is_in_root);
        let objects = listed.objects.iter().filter(|meta| !ours(meta.location.filename()));
        report.unknown.extend(objects.map(UnknownObject::of));
        let directories = listed.common_prefixes.iter().filter(|path| !ours(path.filename()));
        report.unknown.extend(directories.map(UnknownObject::directory));
        report.unknown.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(())
    }
}
