//! Writing an object that is created once, and finding out what became of a lost reply.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};

use crate::error::{Error, surely_not_written, write_error};
use crate::local;
use crate::log::read_object;

/// How often the same bytes are sent before the writer gives up.
const TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What became of an object that may exist once.
#[derive(Debug)]
pub(crate) enum Tried {
    /// It was created, by this call.
    Created,
    /// It is there, with these bytes. They may be ours: a reply may have been lost.
    Found(Bytes),
}

/// Creates an object, or reads the one that is there.
///
/// After any failure the object is read. If it is not there, the same bytes are sent again, a few times: a create that was
/// only slow must not meet a writer who has moved on.
///
/// # Errors
/// [`Error::NotWritable`] and [`Error::DiskFull`] if it was certainly not written, [`Error::UnknownOutcome`] if that
/// stays unknown.
pub(crate) async fn try_create(
    objects: &dyn ObjectStore,
    path: &Path,
    bytes: &Bytes,
) -> Result<Tried, Error> {
    let mut pause = FIRST_PAUSE;
    let mut last: Option<object_store::Error> = None;
    for _ in 0..TRIES {
        if last.is_some() {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let options = PutOptions::from(PutMode::Create);
        let error = match objects.put_opts(path, PutPayload::from(bytes.clone()), options).await {
            Ok(_) => return Ok(Tried::Created),
            Err(error) => error,
        };
        if local::is_failed_sync(&error) {
            // What the disk did not confirm must not be read back as success.
            last = Some(error);
            break;
        }
        if last.is_none() && surely_not_written(&error) {
            return Err(write_error(path, error));
        }
        tracing::debug!(%path, %error, "it was not created, reading it");
        match read_object(objects, path).await {
            Ok(Some(found)) => return Ok(Tried::Found(found)),
            Ok(None) | Err(Error::Storage { .. }) => last = Some(error),
            Err(other) => return Err(other),
        }
    }
    let source = last.map_or_else(|| "no try was made".into(), |error| Box::new(error) as _);
    Err(Error::UnknownOutcome { object: path.to_string(), source })
}

/// Who created an object.
#[derive(Debug)]
#[must_use = "the object may be another's"]
pub(crate) enum Created {
    /// The object has our bytes.
    Ours,
    /// Another was faster, with these bytes.
    Theirs(Bytes),
}

/// Creates an object, or reads the one that is there, where equal bytes are as good as one's own.
pub(crate) async fn create_once(
    objects: &dyn ObjectStore,
    path: &Path,
    bytes: &Bytes,
) -> Result<Created, Error> {
    Ok(match try_create(objects, path, bytes).await? {
        Tried::Created => Created::Ours,
        Tried::Found(found) if found == *bytes => Created::Ours,
        Tried::Found(found) => Created::Theirs(found),
    })
}
