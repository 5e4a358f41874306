//! The one place where I/O errors become object store errors.

use std::io::{self, ErrorKind};
use std::path::{Path as FilePath, PathBuf};

use object_store::Error;

/// The name of the backend in its errors.
const STORE: &str = "local disk";

/// An I/O error with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub(super) struct LocalError {
    pub(super) action: &'static str,
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

/// The disk did not confirm a write: what became of it is unknown.
#[derive(Debug, thiserror::Error)]
#[error("the disk did not confirm {}: {source}", path.display())]
pub(super) struct FailedSync {
    path: PathBuf,
    source: io::Error,
}

/// Whether the write failed because the disk did not confirm it.
pub(crate) fn is_failed_sync(error: &Error) -> bool {
    matches!(error, Error::Generic { source, .. } if source.is::<FailedSync>())
}

pub(super) fn failed_sync(path: &FilePath, source: io::Error) -> Error {
    Error::Generic { store: STORE, source: Box::new(FailedSync { path: path.to_owned(), source }) }
}

pub(super) fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: STORE, source: Box::new(source) }
}

/// Turns an I/O error into the object store error that says what to do.
pub(super) fn convert(action: &'static str, path: &FilePath, source: io::Error) -> Error {
    let kind = source.kind();
    let text = path.display().to_string();
    let source = Box::new(LocalError { action, path: path.to_owned(), source });
    match kind {
        // A parent that is a file holds no objects.
        ErrorKind::NotFound | ErrorKind::IsADirectory => Error::NotFound { path: text, source },
        ErrorKind::NotADirectory if action == "read" => Error::NotFound { path: text, source },
        ErrorKind::AlreadyExists => Error::AlreadyExists { path: text, source },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::PermissionDenied { path: text, source }
        }
        ErrorKind::Unsupported => Error::NotSupported { source },
        _ => Error::Generic { store: STORE, source },
    }
}

/// For `map_err`: [`convert`] with its action and path.
pub(super) fn at<'a>(action: &'static str, path: &'a FilePath) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| convert(action, path, source)
}
