//! Cells: partial aggregates that merge.

use super::samples::Samples;

/// What a cell of a group aggregates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CellKind {
    Count,
    Sum,
    Min,
    Max,
    /// Every value, for percentiles. Values are multiplied by `scale` before they
    /// are rounded to whole numbers: 1 for integers, more for fractions.
    Samples {
        scale: u32,
    },
}

/// One partial aggregate of one group in one window.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Count(u64),
    Sum(Sum),
    Min(Option<f64>),
    Max(Option<f64>),
    Samples(Samples),
}

impl CellKind {
    /// The cell before the first event.
    pub fn empty(self) -> Cell {
        match self {
            CellKind::Count => Cell::Count(0),
            CellKind::Sum => Cell::Sum(Sum::default()),
            CellKind::Min => Cell::Min(None),
            CellKind::Max => Cell::Max(None),
            CellKind::Samples { scale } => Cell::Samples(Samples::new(scale)),
        }
    }
}

impl Cell {
    /// Counts one event.
    #[inline]
    pub fn count(&mut self) {
        if let Cell::Count(count) = self {
            *count += 1;
        }
    }

    /// Takes in one value. It must be finite.
    #[inline]
    pub fn sample(&mut self, value: f64) {
        debug_assert!(value.is_finite());
        match self {
            Cell::Count(count) => *count += 1,
            Cell::Sum(sum) => sum.add(value),
            Cell::Min(min) => *min = Some(min.map_or(value, |min| min.min(value))),
            Cell::Max(max) => *max = Some(max.map_or(value, |max| max.max(value))),
            Cell::Samples(samples) => samples.record(value),
        }
    }

    /// Takes in another worker's part of the same cell. Parts of one layout always
    /// have the same kinds; a part of another kind would be a defect, and is left out.
    pub fn merge(&mut self, other: Cell) {
        match (self, other) {
            (Cell::Count(a), Cell::Count(b)) => *a += b,
            (Cell::Sum(a), Cell::Sum(b)) => a.merge(b),
            (Cell::Min(a), Cell::Min(b)) => *a = pick(*a, b, f64::min),
            (Cell::Max(a), Cell::Max(b)) => *a = pick(*a, b, f64::max),
            (Cell::Samples(a), Cell::Samples(b)) => a.merge(b),
            (a, b) => debug_assert!(false, "cells of one layout differ: {a:?}, {b:?}"),
        }
    }
}

fn pick(a: Option<f64>, b: Option<f64>, better: fn(f64, f64) -> f64) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(better(a, b)),
        (a, b) => a.or(b),
    }
}

/// A sum and how many values are in it.
///
/// The sum is a fixed-point number with 32 fractional bits: unlike floating-point
/// addition, adding those is associative, so any split of the same events over
/// workers gives the same bits. Integers are exact; a fraction is rounded to 2⁻³².
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub count: u64,
    fixed: i128,
}

const FRACTION_BITS: u32 = 32;
const ONE: f64 = (1u64 << FRACTION_BITS) as f64;

impl Sum {
    fn add(&mut self, value: f64) {
        self.count += 1;
        // The cast saturates: a value beyond 2⁹⁵ counts as 2⁹⁵.
        self.fixed = self.fixed.saturating_add((value * ONE).round() as i128);
    }

    fn merge(&mut self, other: Sum) {
        self.count += other.count;
        self.fixed = self.fixed.saturating_add(other.fixed);
    }

    pub fn total(&self) -> f64 {
        self.fixed as f64 / ONE
    }

    /// `None` of no values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total() / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [CellKind; 5] = [
        CellKind::Count,
        CellKind::Sum,
        CellKind::Min,
        CellKind::Max,
        CellKind::Samples { scale: 1000 },
    ];

    fn cell(kind: CellKind, values: &[f64]) -> Cell {
        let mut cell = kind.empty();
        for &value in values {
            cell.sample(value);
        }
        cell
    }

    proptest! {
        #[test]
        fn parts_merged_in_any_order_equal_the_whole(
            values in prop::collection::vec(-1e9..1e9f64, 0..300),
            cuts in prop::collection::vec(0usize..300, 0..6),
            backwards: bool,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(values.len())).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            for kind in KINDS {
                let mut parts: Vec<Cell> =
                    cuts.windows(2).map(|w| cell(kind, &values[w[0]..w[1]])).collect();
                if backwards {
                    parts.reverse();
                }
                let mut merged = kind.empty();
                for part in parts {
                    merged.merge(part);
                }
                match (&merged, &cell(kind, &values)) {
                    // The list of few samples keeps the order of arrival; what can be
                    // asked of it does not.
                    (Cell::Samples(a), Cell::Samples(b)) => {
                        for q in [0.0, 1.0, 50.0, 95.0, 99.9, 100.0] {
                            prop_assert_eq!(a.percentile(q), b.percentile(q));
                        }
                    }
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }

    #[test]
    fn sums_of_integers_are_exact() {
        let mut sum = Sum::default();
        for value in [9_007_199_254_740_991.0, 1.0, -9_007_199_254_740_991.0] {
            sum.add(value);
        }
        assert_eq!((sum.count, sum.total()), (3, 1.0));
    }
}
