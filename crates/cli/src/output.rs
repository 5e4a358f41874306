//! Where results go: standard output, or a file that `\o` named.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::failure::Failure;

/// A buffered place for results. It remembers the first error of writing, because the formats above it turn errors
/// into text, and a closed pipe must be told apart from a failed query.
pub(crate) struct Output {
    sink: BufWriter<Box<dyn Write + Send>>,
    error: Option<io::Error>,
}

impl Output {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        Self::to(Box::new(io::stdout()))
    }

    /// A new file, or an old one that is overwritten.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|source| Failure::File {
            operation: "write",
            path: path.to_path_buf(),
            source,
            next: "choose another file",
        })?;
        Ok(Self::to(Box::new(file)))
    }

    /// Any sink.
    pub(crate) fn to(sink: Box<dyn Write + Send>) -> Self {
        Self { sink: BufWriter::with_capacity(64 << 10, sink), error: None }
    }

    /// The error of writing, if there was one since the last call.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.error.take().map(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Output(error),
        })
    }

    /// Writes one line and hands over all that is buffered.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        let written = writeln!(self, "{text}").and_then(|()| self.flush());
        written.map_err(|error| self.take_failure().unwrap_or(Failure::Output(error)))
    }

    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && self.error.is_none()
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.error = Some(io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.sink.write(bytes);
        self.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.sink.flush();
        self.remember(result)
    }
}
