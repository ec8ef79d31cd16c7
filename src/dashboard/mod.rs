//! What the page shows: snapshots of the store as plain structs.
//!
//! The store and the time enter, structs for JSON leave. Nothing here asks the clock,
//! writes, or knows HTTP. All of it may read the disk and so blocks.
//!
//! A **service row** is one rule's view of one service: all series `<rule>.<measure>`
//! with the tag `service`, or, when there is none, with the tag `source` where a
//! `<rule>.rate` of that source exists. A row needs one of the measures rate, errors,
//! p50, p95, p99. Where several series make up one measure of a row, because there are
//! further tags, rates are summed and of everything else the highest is shown: a
//! percentile cannot be merged, and the worst is what hurts.

mod breakdown;
mod charts;
mod grid;
mod marks;
mod rows;
mod services;
#[cfg(test)]
mod tests;
mod trouble;

pub use breakdown::{Breakdown, breakdown};
pub use charts::{Chart, NotFound, SeriesList, SeriesRow, ServiceCharts, chart, series, service};
pub use marks::{Mark, MarkKind};
pub use rows::others_touched;
pub use services::{ServiceRow, Services, Spark, services};
pub use trouble::Severity;

/// Seconds that a sparkline covers at most.
pub const SPARK_RANGE: i64 = 900;
/// And at least, however young the store is.
pub const SPARK_RANGE_MIN: i64 = 120;
