//! Hints from a signature to the snapshots that have it. The log decides; a hint only says where to look.

use futures::{TryStreamExt, future};
use object_store::{ObjectStore, PutMode, PutPayload};

use crate::error::Error;
use crate::ids::{CheckpointName, Signature, Slot, Version};
use crate::layout::{self, Layout};
use crate::local;

/// Writes a hint. Nothing relies on it, so a failure is only traced.
pub(crate) async fn write_hint(
    objects: &dyn ObjectStore,
    layout: &Layout,
    signature: &Signature,
    name: &CheckpointName,
    version: Version,
    slot: Slot,
) {
    let path = layout.index_hint(signature, name, version);
    let payload = PutPayload::from(format!("{slot}\n").into_bytes());
    if let Err(error) = objects.put_opts(&path, payload, local::hint_options(PutMode::Overwrite)).await {
        tracing::debug!(%path, %error, "the index hint was not written");
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
