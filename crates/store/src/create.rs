//! Writing an object that is created once, and finding out what became of a lost reply.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};

use crate::error::{Error, surely_not_written, write_error};
use crate::local;
use crate::log::read_object;

const TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Who created an object.
#[derive(Debug)]
#[must_use = "the object may be another's"]
pub(crate) enum Created {
    /// The object has our bytes.
    Ours,
    /// Another was faster, with these bytes.
    Theirs(Bytes),
}

/// Creates an object, or reads the one that is there.
pub(crate) async fn create_once(
    objects: &dyn ObjectStore,
    path: &Path,
    bytes: &Bytes,
) -> Result<Created, Error> {
    let mut pause = FIRST_PAUSE;
    let mut last: Option<object_store::Error> = None;
    for _ in 0..TRIES {
        if last.is_some() {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let options = PutOptions::from(PutMode::Create);
        let error = match objects.put_opts(path, PutPayload::from(bytes.clone()), options).await {
            Ok(_) => return Ok(Created::Ours),
            Err(error) => error,
        };
        if local::is_failed_sync(&error) {
            last = Some(error);
            break;
        }
        if last.is_none() && surely_not_written(&error) {
            return Err(write_error(path, error));
        }
        match read_object(objects, path).await {
            Ok(Some(found)) if found == *bytes => return Ok(Created::Ours),
            Ok(Some(found)) => return Ok(Created::Theirs(found)),
            Ok(None) | Err(Error::Storage { .. }) => last = Some(error),
            Err(other) => return Err(other),
        }
    }
    let source = last.map_or_else(|| "no try was made".into(), |error| Box::new(error) as _);
    Err(Error::UnknownOutcome { object: path.to_string(), source })
}
