//! The `milepost` program. Everything it does is in the library of this crate.

use std::process::ExitCode;

// DataFusion allocates from many threads at once; this allocator makes its queries noticeably faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    milepost_cli::main()
}
