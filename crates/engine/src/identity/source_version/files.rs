//! The version of a set of files: who they are, and whether they can be told apart from what they were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::Session;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::Result;
use milepost_store::clock::{Clock, SystemClock};
use milepost_store::ids::Digest;
use milepost_store::manifest::SourceObject;

use super::local::Access;
use super::{local, remote};
use crate::context::Milepost;
use crate::identity::canonical::Encoder;
use crate::stage::StageCounters;

/// How to treat files without an e-tag that were written just now: a second write within the same tick of the file
/// system's clock would leave no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePolicy {
    /// A file must be this old before it is trusted. Two seconds by default, the coarsest clock of the file systems
    /// in use.
    pub settle: Duration,
    /// How often to look again at files that keep changing before giving up. Three times by default.
    pub looks: u32,
}

impl Default for FilePolicy {
    fn default() -> Self {
        Self { settle: Duration::from_secs(2), looks: 3 }
    }
}

/// More than the coarse clock that kernels stamp files with moves at a time.
const TICK: Duration = Duration::from_millis(20);

/// The files of a table at one moment.
#[derive(Debug)]
pub(super) enum Look {
    /// Every file, in the order of their paths.
    Settled(Vec<SourceObject>),
    /// Nothing reliable, for a reason in words.
    Unknown(Vec<SourceObject>, String),
}

/// What to list: the directories or files of a table, and which of the files below belong to it.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) paths: Vec<ListingTableUrl>,
    pub(super) extension: String,
    pub(super) ignore_subdirectory: bool,
}

/// Lists the files anew, and again after a pause while some of them are too young to tell.
///
/// A young file is trusted once a look at least [`FilePolicy::settle`] later finds it unchanged: any write after the
/// first look then has another time stamp, whatever that clock shows.
pub(super) async fn look(listing: &Listing, state: &dyn Session, policy: FilePolicy) -> Result<Look> {
    let access = local::access(listing, state);
    let mut objects = list(listing, access, state).await?;
    if access == Access::Wrapped && !shows_the_disk(&objects, &remote::list(listing, state).await?) {
        let note =
            "its store shows other files than the disk; register a SourceIdentity for the table".to_owned();
        return Ok(Look::Unknown(objects, note));
    }
    let mut trusted: Vec<SourceObject> = Vec::new();
    for _ in 0..policy.looks {
        let young = young(&objects, &trusted, now_ns(listing).await, policy.settle);
        let Some(wait) = young.iter().map(|(_, wait)| *wait).max() else {
            return Ok(Look::Settled(objects));
        };
        let _shown = shown(listing, state);
        tokio::time::sleep(wait + TICK).await;
        objects = list(listing, access, state).await?;
        trusted.extend(young.into_iter().map(|(object, _)| object));
        trusted.retain(|object| objects.contains(object));
    }
    match young(&objects, &trusted, now_ns(listing).await, policy.settle).into_iter().next() {
        None => Ok(Look::Settled(objects)),
        Some((object, _)) => {
            let note = format!("file {} is being written; its version cannot be told yet", object.path);
            Ok(Look::Unknown(objects, note))
        }
    }
}

/// Shows the wait among the stages of the session, if it is one of ours.
fn shown(listing: &Listing, state: &dyn Session) -> Option<Arc<StageCounters>> {
    let milepost = Milepost::in_config(state.config()).ok()?;
    let path = listing.paths.first().map(|url| url.prefix().filename().unwrap_or_default().to_owned());
    let counters = milepost.progress.begin(path.unwrap_or_default(), 0);
    counters.waits_for(Some("files that were written a moment ago to settle".to_owned()));
    Some(counters)
}

/// The time of the file system that holds the files, or of this machine where that cannot be had.
async fn now_ns(listing: &Listing) -> i64 {
    match local::now_ns(listing).await {
        Some(now) => now,
        None => SystemClock.now_ms().saturating_mul(1_000_000),
    }
}

/// The files that cannot be told from what they were a moment ago, and how long to wait for each.
fn young(
    objects: &[SourceObject],
    trusted: &[SourceObject],
    now_ns: i64,
    settle: Duration,
) -> Vec<(SourceObject, Duration)> {
    let settle_ns = i64::try_from(settle.as_nanos()).unwrap_or(i64::MAX);
    let wait = |object: &SourceObject| {
        if object.e_tag.is_some() {
            return None;
        }
        let written = object.ctime_ns.or(object.mtime_ns)?;
        let age = now_ns.saturating_sub(written);
        let left = settle_ns.saturating_sub(age).min(settle_ns);
        (left > 0).then(|| Duration::from_nanos(left.unsigned_abs()))
    };
    let candidates = objects.iter().filter_map(|object| Some((object, wait(object)?)));
    candidates
        .filter(|(object, _)| !trusted.contains(object))
        .map(|(object, wait)| (object.clone(), wait))
        .collect()
}

async fn list(listing: &Listing, access: Access, state: &dyn Session) -> Result<Vec<SourceObject>> {
    let mut objects = match access {
        Access::Local | Access::Wrapped => local::list(listing.clone()).await?,
        Access::Remote => remote::list(listing, state).await?,
    };
    // That there is nothing is taken from no one but the store that will be read.
    if objects.is_empty() && access != Access::Remote {
        objects = remote::list(listing, state).await?;
    }
    objects.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    objects.dedup_by(|a, b| a.path == b.path);
    Ok(objects)
}

/// Whether a store around the local one lists the very files that are on the disk.
fn shows_the_disk(disk: &[SourceObject], store: &[SourceObject]) -> bool {
    let seen = |object: &SourceObject| (object.path.clone(), object.size, object.mtime_ns);
    let disk: BTreeSet<_> = disk.iter().map(seen).collect();
    disk == store.iter().map(seen).collect()
}

/// The digest of a set of files: everything that was found out about each.
pub(super) fn digest(objects: &[SourceObject]) -> Digest {
    let mut out = Encoder::new();
    out.str("files");
    out.len(objects.len());
    for SourceObject { path, size, e_tag, version, inode, mtime_ns, ctime_ns } in objects {
        out.str(path);
        out.u64(*size);
        out.option(e_tag.as_deref(), Encoder::str);
        out.option(version.as_deref(), Encoder::str);
        out.option(*inode, Encoder::u64);
        out.option(*mtime_ns, Encoder::i64);
        out.option(*ctime_ns, Encoder::i64);
    }
    Digest::from_bytes(out.hash())
}
