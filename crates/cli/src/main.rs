//! The `milepost` program. Everything it does is in the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    milepost_cli::main()
}
