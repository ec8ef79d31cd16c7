//! Deltas: what rules draw from events, in parts that merge.
//!
//! Each worker fills a [`DeltaMap`] of its own and hands it over whole once a tick;
//! the window owner merges the parts. Merging is commutative and associative to the
//! bit, so neither the number of workers nor the order of lines shows in a result.
//!
//! `rules` writes deltas and does not know that windows exist; `window` reads them
//! and does not know what a rule is. Both know the [`Layout`].

mod cell;
mod formula;
mod layout;
mod map;
mod row;
mod times;

pub use cell::{Apdex, Buckets, Cell, CellKind, Distinct, Moments, Samples, Sum, Top};
pub use formula::{Arithmetic, Coverage, Formula, LE, Output};
pub use layout::{
    Grouping, GroupingId, Layout, Measure, Name, NamePart, OTHER, RuleLayout, Window,
};
pub use map::{Delta, DeltaMap, Entry, Full, GroupKey};
pub use row::Row;
pub use times::{Ages, Times};
