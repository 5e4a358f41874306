//! Before the first write of a process: does create-if-absent hold here?
//!
//! Some servers accept the condition and ignore it. Two writers would then both believe that they had the
//! same slot of a log, and one commit would vanish.

use bytes::Bytes;
use futures::future::join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use crate::error::{Error, surely_not_written, write_error};
use crate::local;
use crate::log::read_object;

/// How many writers try to create the same key at once.
pub const PROBE_WRITERS: usize = 16;

/// Lets [`PROBE_WRITERS`] writers create `path`, which must be new, and removes it again.
///
/// # Errors
/// [`Error::StoreNotSafe`] if more than one of them was told that it had won, or if the object is not the
/// winner's; [`Error::NotWritable`], [`Error::DiskFull`] or [`Error::Storage`] if none could write.
pub(crate) async fn probe(objects: &dyn ObjectStore, path: &Path, store: &str) -> Result<(), Error> {
    let creates = (0..PROBE_WRITERS).map(|writer| {
        // Nothing relies on the object itself, so no disk needs to confirm it.
        let options = local::hint_options(PutMode::Create);
        objects.put_opts(path, PutPayload::from(content(path, writer)), options)
    });
    let results = join_all(creates).await;
    let found = read_object(objects, path).await;
    // Best effort: a leftover probe is a few bytes that nothing reads.
    if let Err(error) = objects.delete(path).await {
        tracing::debug!(%path, %error, "the probe's object was not removed");
    }
    judge(path, store, results, found)
}

fn content(path: &Path, writer: usize) -> Bytes {
    Bytes::from(format!("{path} {writer}\n"))
}

fn judge(
    path: &Path,
    store: &str,
    results: Vec<object_store::Result<object_store::PutResult>>,
    found: Result<Option<Bytes>, Error>,
) -> Result<(), Error> {
    let unsafe_store = |detail: String| Err(Error::StoreNotSafe { store: store.to_owned(), detail });
    let winners: Vec<usize> =
        results.iter().enumerate().filter_map(|(writer, result)| result.is_ok().then_some(writer)).collect();
    if let [first, second, ..] = winners[..] {
        return unsafe_store(format!(
            "{} of {PROBE_WRITERS} concurrent creates of one key won, among them {first} and {second}",
            winners.len()
        ));
    }
    match (winners.first(), found?) {
        (Some(winner), Some(bytes)) if bytes == content(path, *winner) => Ok(()),
        (Some(_), Some(_)) => unsafe_store("a create that lost replaced the one that won".to_owned()),
        (Some(_), None) => unsafe_store("an object that was created could not be read".to_owned()),
        // The winner's reply was lost: the others still lost rightly.
        (None, Some(bytes)) if (0..PROBE_WRITERS).any(|writer| bytes == content(path, writer)) => Ok(()),
        (None, _) => Err(refusal(path, store, results)),
    }
}

/// Why no writer could create the object.
fn refusal(path: &Path, store: &str, results: Vec<object_store::Result<object_store::PutResult>>) -> Error {
    let mut errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    let telling = errors.iter().position(surely_not_written).unwrap_or(0);
    if errors.is_empty() {
        return Error::StoreNotSafe { store: store.to_owned(), detail: "the probe found nothing".to_owned() };
    }
    match errors.swap_remove(telling) {
        error @ (object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. }) => {
            Error::StoreNotSafe { store: store.to_owned(), detail: error.to_string() }
        }
        error => write_error(path, error),
    }
}
