//! Hints from a signature to the snapshots that have it. The log decides; a hint only says where to look.
//!
//! One thing a hint proves: it is written after its commit is in the log, and entries are never deleted. So a log that was
//! read after the hint was there, and that never gave the hint's version, has lost that commit.

use std::collections::BTreeMap;

use futures::{TryStreamExt, future};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, PutMode, PutPayload};

use crate::error::Error;
use crate::ids::{CheckpointName, Checksum, Signature, Slot, Version};
use crate::layout::{self, Layout};
use crate::local;
use crate::log::read_object;
use crate::store::Inner;

/// Writes a hint to a commit that was appended. Nobody reads by it alone, so a failure is only traced.
///
/// It is sealed where the commit is on disk by now. Where it is not, a power cut may take the commit and leave the hint.
pub(crate) async fn write_hint(
    inner: &Inner,
    signature: &Signature,
    name: &CheckpointName,
    version: Version,
    slot: Slot,
) {
    let path = inner.layout.index_hint(signature, name, version);
    let text = if inner.durability().is_fsync() {
        format!("{slot} {}\n", seal_of(&path, slot))
    } else {
        format!("{slot}\n")
    };
    let payload = PutPayload::from(text.into_bytes());
    let written = inner.objects.put_opts(&path, payload, local::hint_options(PutMode::Overwrite)).await;
    if let Err(error) = written {
        tracing::debug!(%path, %error, "the index hint was not written");
    }
}

/// What tells a hint that its writer sealed from a torn one, from another one's text, and from those of earlier programs.
fn seal_of(path: &Path, slot: Slot) -> Checksum {
    Checksum::of(format!("{path} {slot}").as_bytes())
}

/// The slot of the commit that a hint proves to have been written; `None` if it proves nothing.
async fn proven_slot(inner: &Inner, path: &Path) -> Result<Option<Slot>, Error> {
    let bytes = read_object(inner.objects.as_ref(), path).await?;
    let text = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    Ok(text.and_then(|text| {
        let (number, seal) = text.trim().split_once(' ')?;
        let slot = Slot(number.parse().ok()?);
        (Checksum::from_hex(seal) == Some(seal_of(path, slot))).then_some(slot)
    }))
}

/// The hints of a store at one moment.
#[derive(Debug, Default)]
pub(crate) struct Hints(BTreeMap<CheckpointName, Vec<(Version, Path)>>);

/// A commit that was written and that its log does not have.
#[derive(Clone, Debug)]
pub(crate) struct LostCommit {
    pub(crate) version: Version,
    pub(crate) slot: Slot,
    /// The hint that proves it.
    pub(crate) hint: Path,
}

impl Hints {
    /// Those among listed objects. They must be listed before the logs are read that they are held against.
    pub(crate) fn of(layout: &Layout, listed: &[ObjectMeta]) -> Self {
        let mut hints: BTreeMap<CheckpointName, Vec<(Version, Path)>> = BTreeMap::new();
        for (signature, name, version) in listed.iter().filter_map(|meta| layout.parse_hint(&meta.location)) {
            let path = layout.index_hint(&signature, &name, version);
            hints.entry(name).or_default().push((version, path));
        }
        Self(hints)
    }

    /// The checkpoints that hints lead to.
    pub(crate) fn names(&self) -> impl Iterator<Item = &CheckpointName> {
        self.0.keys()
    }

    /// The commits, by slot, that a log has lost whose last version ever is `last`.
    ///
    /// Where nothing is lost this costs no request: a whole log gave every version that a hint leads to.
    pub(crate) async fn lost_commits(
        &self,
        inner: &Inner,
        name: &CheckpointName,
        last: Version,
    ) -> Result<Vec<LostCommit>, Error> {
        let mut lost = vec![];
        for (version, hint) in self.0.get(name).into_iter().flatten() {
            if *version > last
                && let Some(slot) = proven_slot(inner, hint).await?
            {
                lost.push(LostCommit { version: *version, slot, hint: hint.clone() });
            }
        }
        lost.sort_unstable_by_key(|lost| (lost.slot, lost.version));
        Ok(lost)
    }
}

/// All hints for a signature, latest version of each checkpoint first. Objects of other names are passed over.
pub(crate) async fn hints(
    objects: &dyn ObjectStore,
    layout: &Layout,
    signature: &Signature,
) -> Result<Vec<(CheckpointName, Version)>, Error> {
    let directory = layout.index(signature);
    let mut hints: Vec<_> = objects
        .list(Some(&directory))
        .map_err(|source| Error::storage("list", &directory, source))
        .try_filter_map(|meta| future::ready(Ok(meta.location.filename().and_then(layout::parse_index_hint))))
        .try_collect()
        .await?;
    hints.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then(y.cmp(x)));
    Ok(hints)
}
