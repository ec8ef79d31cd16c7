//! Calls the command line and turns its outcome into an exit code.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Rows are made by one thread and merged by another. glibc's allocator has them wait for each
/// other then: of a replay with two threads, that was a fifth of the time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    weir::cli::run()
}
