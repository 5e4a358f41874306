//! Text with a name: what `-c`, `-f`, standard input and `\i` bring.

use std::io::{self, Read};
use std::path::Path;

use crate::args::Work;
use crate::failure::Failure;

/// A script before it is parsed.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What errors call it.
    pub(crate) name: String,
    /// The script.
    pub(crate) text: String,
}

impl Source {
    /// The work of the command line, in order.
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8.
    pub(crate) fn of_all(work: &[Work]) -> Result<Vec<Self>, Failure> {
        let commands = work.iter().filter(|work| matches!(work, Work::Command(_))).count();
        let mut number = 0;
        let sources = work.iter().map(|work| match work {
            Work::Command(sql) => {
                number += 1;
                let name = if commands == 1 { "-c".to_string() } else { format!("-c#{number}") };
                Ok(Self { name, text: sql.clone() })
            }
            Work::File(path) if path == Path::new("-") => Self::stdin(),
            Work::File(path) => Self::file(path),
        });
        sources.collect()
    }

    /// A file.
    ///
    /// # Errors
    /// One that cannot be read or is not UTF-8.
    pub(crate) fn file(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
            operation: "read",
            path: path.to_path_buf(),
            source,
            next: "give the path of a script in UTF-8",
        })?;
        // Some editors put a mark in front that says "UTF-8". It is no part of the script.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_string();
        Ok(Self { name: path.display().to_string(), text })
    }

    /// All of standard input.
    ///
    /// # Errors
    /// Input that cannot be read or is not UTF-8.
    pub(crate) fn stdin() -> Result<Self, Failure> {
        let mut text = String::new();
        io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|source| Failure::System { operation: "read a script from standard input", source })?;
        Ok(Self { name: "stdin".to_string(), text })
    }
}
