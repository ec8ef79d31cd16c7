//! Log files to all the values that rules make of them.
//!
//! ```text
//! Input (bytes) -> Blocks -> workers, on all cores -> Delta -> Windows -> Outcome
//! ```
//!
//! The same files give the same numbers, to the bit, at any speed and on any number of
//! threads. Where a block of lines ends depends on the bytes alone, never on the pieces in
//! which they come; what is made of a block does not depend on those before it; and blocks
//! are merged in their order, whoever is done first.
//!
//! The clock is the log's own. Nothing is late or from the future: all windows are closed
//! at the end, in order of time. A line without a date cannot be placed, and is counted.
//!
//! Nothing here prints, and nothing asks what time it is.

mod blocks;
mod charts;
mod engine;
mod input;
mod outcome;
pub mod report;
mod sift;
mod stop;
mod table;
mod whole;

pub use charts::Chart;
pub use engine::{Plan, ReplayError, run};
pub use input::{Input, Unreadable, open};
pub use outcome::{Outcome, Point};
pub use sift::Span;
pub use stop::Stop;
pub use table::{Column, Line, Part, Table};

#[cfg(test)]
mod tests;
