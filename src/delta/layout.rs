//! What the cells of a group mean: written by `rules` once at load, read by `window`.

use super::cell::{Cell, CellKind};
use super::map::GroupKey;
use super::row::Row;
use crate::metric::Tags;
use std::sync::Arc;
use std::time::Duration;

/// All groupings of a set of rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub groupings: Vec<Grouping>,
}

/// The place of a grouping in its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupingId(pub u16);

/// Rules that share `by` and `window` share one lookup per event and one row of
/// cells per group and window.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The names of the tags, in the order of the values in a group's key.
    pub by: Vec<Arc<str>>,
    /// The length of the tumbling window.
    pub window: Duration,
    /// The row's cells, all rules' together.
    pub cells: Vec<CellKind>,
    pub rules: Vec<RuleLayout>,
}

/// One rule's part of a grouping.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleLayout {
    pub name: Arc<str>,
    /// The cell that counts the events the rule's condition let through. A rule
    /// has series in those groups only where it has seen some.
    pub matched: usize,
    pub measures: Vec<Measure>,
}

/// One series name and how its value comes from the cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// `<rule>.<measure>`
    pub name: Arc<str>,
    pub formula: Formula,
}

/// How a value comes from a row of cells; the numbers are cells' places in the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Formula {
    /// Events in the window.
    Count(usize),
    /// Events per second of the window.
    Rate(usize),
    /// The share of `part` in `whole`, from 0 to 1.
    Ratio {
        part: usize,
        whole: usize,
    },
    Sum(usize),
    Mean(usize),
    Min(usize),
    Max(usize),
    /// `q` is from 0 to 100.
    Percentile {
        cell: usize,
        q: f64,
    },
}

impl Grouping {
    /// The tags of a group's series. Values that its events lack make no tag. A log line
    /// need not be UTF-8, a tag must.
    pub fn tags(&self, key: &GroupKey) -> Tags {
        let values = self.by.iter().zip(key.values());
        let mut tags: Vec<(Arc<str>, Arc<str>)> = values
            .filter_map(|(name, value)| {
                let value = String::from_utf8_lossy(value?);
                Some((Arc::clone(name), Arc::from(value.as_ref())))
            })
            .collect();
        tags.sort();
        tags.into()
    }

    /// A row before the first event.
    pub fn empty_row(&self) -> Row {
        self.cells.iter().map(|kind| kind.empty()).collect()
    }
}

impl Formula {
    /// The value of a window of that length. `None`, a gap, where the cells hold
    /// nothing that it could come from: no value is ever invented.
    pub fn value(self, row: &Row, window: Duration) -> Option<f64> {
        match self {
            Formula::Count(cell) => Some(row.count(cell) as f64),
            Formula::Rate(cell) => Some(row.count(cell) as f64 / window.as_secs_f64()),
            Formula::Ratio { part, whole } => {
                let whole = row.count(whole);
                (whole > 0).then(|| row.count(part) as f64 / whole as f64)
            }
            Formula::Sum(cell) => match &row[cell] {
                Cell::Sum(sum) if sum.count > 0 => Some(sum.total()),
                _ => None,
            },
            Formula::Mean(cell) => match &row[cell] {
                Cell::Sum(sum) => sum.mean(),
                _ => None,
            },
            Formula::Min(cell) => match row[cell] {
                Cell::Min(min) => min,
                _ => None,
            },
            Formula::Max(cell) => match row[cell] {
                Cell::Max(max) => max,
                _ => None,
            },
            Formula::Percentile { cell, q } => match &row[cell] {
                Cell::Samples(samples) => samples.percentile(q),
                _ => None,
            },
        }
    }

    /// What a series says of a window in which nothing came: counts and rates are
    /// truly zero then, everything else has no value.
    pub fn value_of_silence(self) -> Option<f64> {
        matches!(self, Formula::Count(_) | Formula::Rate(_)).then_some(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_cells_and_gaps_from_empty_ones() {
        let window = Duration::from_secs(10);
        let kinds = [
            CellKind::Count,
            CellKind::Count,
            CellKind::Sum,
            CellKind::Min,
            CellKind::Max,
            CellKind::Samples { scale: 1 },
        ];
        let empty: Row = kinds.iter().map(|kind| kind.empty()).collect();
        let mut row = empty.clone();
        for value in [30.0, 10.0, 20.0, 40.0] {
            row[0].count();
            for cell in &mut row[2..] {
                cell.sample(value);
            }
        }
        row[1].count();
        for (formula, full, of_nothing) in [
            (Formula::Count(0), Some(4.0), Some(0.0)),
            (Formula::Rate(0), Some(0.4), Some(0.0)),
            (Formula::Ratio { part: 1, whole: 0 }, Some(0.25), None),
            (Formula::Sum(2), Some(100.0), None),
            (Formula::Mean(2), Some(25.0), None),
            (Formula::Min(3), Some(10.0), None),
            (Formula::Max(4), Some(40.0), None),
            (Formula::Percentile { cell: 5, q: 50.0 }, Some(20.0), None),
        ] {
            assert_eq!(formula.value(&row, window), full, "{formula:?}");
            assert_eq!(formula.value(&empty, window), of_nothing, "{formula:?}");
            assert_eq!(formula.value_of_silence(), of_nothing, "{formula:?}");
        }
    }
}
