//! What people should notice, on stderr, so that it never mixes with rows.

use std::io::{self, Write};

use crate::oneline::flatten;

/// Prints each notice on a line of its own.
pub(crate) fn tell(notices: &[String]) {
    let mut stderr = io::stderr().lock();
    for notice in notices {
        // A closed stderr leaves nobody to tell that it is closed.
        let _ = writeln!(stderr, "notice: {}", milepost::redact(&flatten(notice)));
    }
}
