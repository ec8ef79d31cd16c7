//! Tests of rules: files with log lines in, and the values that should come out.
//!
//! ```text
//! file (YAML) -> Suite -> run: lines -> Worker -> Windows, by a clock of its own -> Report
//! ```
//!
//! A test runs what the daemon runs, with a clock that goes from second to second as the
//! daemon's does, and no faster than the lines say. Nothing here prints, and only the
//! caller touches the disk.

mod expect;
mod file;
mod moment;
mod report;
mod run;
mod series;
mod suite;

#[cfg(test)]
pub(crate) use file::known_keys;
pub use report::{Failed, Report, Tested};
pub use run::{Bench, run};
pub use suite::{Format, Suite};

#[cfg(test)]
mod tests;
