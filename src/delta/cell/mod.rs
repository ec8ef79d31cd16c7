//! Cells: partial aggregates that merge.

mod distinct;
mod histogram;
mod samples;
mod sum;
mod top;

pub use distinct::Distinct;
pub use samples::Samples;
pub use sum::{Moments, Sum};
pub use top::Top;

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a cell of a group aggregates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CellKind {
    Count,
    Sum,
    Min,
    Max,
    Moments,
    /// Every value, for percentiles. Values are multiplied by `scale` before they
    /// are rounded to whole numbers: 1 for integers, more for fractions.
    Samples {
        scale: u32,
    },
    /// How many values are up to each of these bounds, which ascend, and how many beyond.
    Buckets(Arc<[f64]>),
    /// How many values are up to the target, and how many up to four times that.
    Apdex {
        target: f64,
    },
    Distinct,
    Top,
}

/// One partial aggregate of one group in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    Count(u64),
    Sum(Sum),
    Min(Option<f64>),
    Max(Option<f64>),
    Moments(Box<Moments>),
    Samples(Samples),
    Buckets(Box<Buckets>),
    Apdex(Box<Apdex>),
    Distinct(Distinct),
    Top(Box<Top>),
}

impl CellKind {
    /// The cell before the first event.
    pub fn empty(&self) -> Cell {
        match self {
            CellKind::Count => Cell::Count(0),
            CellKind::Sum => Cell::Sum(Sum::default()),
            CellKind::Min => Cell::Min(None),
            CellKind::Max => Cell::Max(None),
            CellKind::Moments => Cell::Moments(Box::default()),
            CellKind::Samples { scale } => Cell::Samples(Samples::new(*scale)),
            CellKind::Buckets(bounds) => Cell::Buckets(Box::new(Buckets {
                counts: vec![0; bounds.len() + 1].into(),
                bounds: Arc::clone(bounds),
            })),
            CellKind::Apdex { target } => Cell::Apdex(Box::new(Apdex::new(*target))),
            CellKind::Distinct => Cell::Distinct(Distinct::default()),
            CellKind::Top => Cell::Top(Box::default()),
        }
    }
}

impl CellKind {
    /// Whether a cell that came from elsewhere is of this kind.
    pub fn fits(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (CellKind::Samples { scale }, Cell::Samples(samples)) => samples.scale() == *scale,
            (CellKind::Buckets(bounds), Cell::Buckets(buckets)) => {
                buckets.bounds == *bounds && buckets.counts.len() == bounds.len() + 1
            }
            (CellKind::Apdex { target }, Cell::Apdex(apdex)) => apdex.target == *target,
            (CellKind::Count, Cell::Count(_))
            | (CellKind::Sum, Cell::Sum(_))
            | (CellKind::Min, Cell::Min(_))
            | (CellKind::Max, Cell::Max(_))
            | (CellKind::Moments, Cell::Moments(_))
            | (CellKind::Distinct, Cell::Distinct(_))
            | (CellKind::Top, Cell::Top(_)) => true,
            _ => false,
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

    /// Takes in one number. It must be finite.
    #[inline]
    pub fn sample(&mut self, value: f64) {
        debug_assert!(value.is_finite());
        match self {
            Cell::Count(count) => *count += 1,
            Cell::Sum(sum) => sum.add(value),
            Cell::Min(min) => *min = Some(min.map_or(value, |min| min.min(value))),
            Cell::Max(max) => *max = Some(max.map_or(value, |max| max.max(value))),
            Cell::Moments(moments) => moments.add(value),
            Cell::Samples(samples) => samples.record(value),
            Cell::Buckets(buckets) => buckets.add(value),
            Cell::Apdex(apdex) => apdex.add(value),
            Cell::Distinct(_) | Cell::Top(_) => debug_assert!(false, "these observe values"),
        }
    }

    /// Takes in one whole number, as [`Cell::sample`] does.
    #[inline]
    pub fn sample_int(&mut self, value: i64) {
        match self {
            Cell::Count(count) => *count += 1,
            Cell::Sum(sum) => sum.add_int(value),
            Cell::Samples(samples) => samples.record_int(value),
            _ => self.sample_as_double(value as f64),
        }
    }

    /// Apart from what is common: it would be inlined with that.
    #[inline(never)]
    fn sample_as_double(&mut self, value: f64) {
        self.sample(value);
    }

    /// Takes in one value that is told from others, and not computed with.
    #[inline]
    pub fn observe(&mut self, value: &[u8]) {
        match self {
            Cell::Distinct(distinct) => distinct.observe(value),
            Cell::Top(top) => top.observe(value),
            _ => debug_assert!(false, "these take numbers"),
        }
    }

    /// Makes what is computed of it cheap, where it is to be computed more than once.
    pub fn prepare(&mut self) {
        if let Cell::Samples(samples) = self {
            samples.sort();
        }
    }

    /// Takes in another worker's part of the same cell. Parts of one layout always
    /// have the same kinds; a part of another kind would be a defect, and is left out.
    pub fn merge(&mut self, other: &Cell) {
        match (self, other) {
            (Cell::Count(a), Cell::Count(b)) => *a += b,
            (Cell::Sum(a), Cell::Sum(b)) => a.merge(*b),
            (Cell::Min(a), Cell::Min(b)) => *a = pick(*a, *b, f64::min),
            (Cell::Max(a), Cell::Max(b)) => *a = pick(*a, *b, f64::max),
            (Cell::Moments(a), Cell::Moments(b)) => a.merge(**b),
            (Cell::Samples(a), Cell::Samples(b)) => a.merge(b),
            (Cell::Buckets(a), Cell::Buckets(b)) => a.merge(b),
            (Cell::Apdex(a), Cell::Apdex(b)) => a.merge(b),
            (Cell::Distinct(a), Cell::Distinct(b)) => a.merge(b.clone()),
            (Cell::Top(a), Cell::Top(b)) => a.merge((**b).clone()),
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

/// How many values are between bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buckets {
    bounds: Arc<[f64]>,
    /// Those up to each bound and above the one before, and those above the last.
    counts: Box<[u64]>,
}

impl Buckets {
    fn add(&mut self, value: f64) {
        let place = self.bounds.partition_point(|&bound| bound < value);
        self.counts[place] += 1;
    }

    fn merge(&mut self, other: &Buckets) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
    }

    /// Each bound, and how many values are up to it. The last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((bound, *sum))
        })
    }
}

/// How content users are with how long they wait: 1 with all, 0 with none.
///
/// Apdex Technical Specification 1.1: up to the target they are satisfied, up to four times
/// that they tolerate it, which counts half, and beyond they are frustrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apdex {
    target: f64,
    satisfied: u64,
    tolerating: u64,
    frustrated: u64,
}

impl Apdex {
    fn new(target: f64) -> Self {
        Apdex {
            target,
            satisfied: 0,
            tolerating: 0,
            frustrated: 0,
        }
    }

    fn add(&mut self, value: f64) {
        let count = if value <= self.target {
            &mut self.satisfied
        } else if value <= 4.0 * self.target {
            &mut self.tolerating
        } else {
            &mut self.frustrated
        };
        *count += 1;
    }

    fn merge(&mut self, other: &Apdex) {
        self.satisfied += other.satisfied;
        self.tolerating += other.tolerating;
        self.frustrated += other.frustrated;
    }

    /// `None` of no values.
    pub fn score(&self) -> Option<f64> {
        let all = self.satisfied + self.tolerating + self.frustrated;
        let score = (self.satisfied as f64 + self.tolerating as f64 / 2.0) / all as f64;
        (all > 0).then_some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> Vec<CellKind> {
        vec![
            CellKind::Count,
            CellKind::Sum,
            CellKind::Min,
            CellKind::Max,
            CellKind::Moments,
            CellKind::Samples { scale: 1000 },
            CellKind::Buckets([-1.0, 0.0, 1e8].into()),
            CellKind::Apdex { target: 1e8 },
            CellKind::Distinct,
            CellKind::Top,
        ]
    }

    fn cell(kind: &CellKind, values: &[f64]) -> Cell {
        let mut cell = kind.empty();
        for &value in values {
            match kind {
                CellKind::Distinct | CellKind::Top => {
                    cell.observe((value as i64 % 1000).to_string().as_bytes());
                }
                _ => cell.sample(value),
            }
        }
        cell
    }

    proptest! {
        #[test]
        fn parts_merged_in_any_order_equal_the_whole(
            values in prop::collection::vec(-1e9..1e9f64, 0..1000),
            cuts in prop::collection::vec(0usize..1000, 0..6),
            backwards: bool,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(values.len())).collect();
            cuts.extend([0, values.len()]);
            cuts.sort_unstable();
            for kind in &kinds() {
                let mut parts: Vec<Cell> =
                    cuts.windows(2).map(|w| cell(kind, &values[w[0]..w[1]])).collect();
                if backwards {
                    parts.reverse();
                }
                let mut merged = kind.empty();
                for part in parts {
                    merged.merge(&part);
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

        #[test]
        fn apdex_and_buckets_are_what_counting_gives(
            values in prop::collection::vec(0u32..3000, 1..300),
            target in 1u32..1000,
        ) {
            let numbers: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            let up_to = |bound: u32| values.iter().filter(|&&v| v <= bound).count() as f64;
            let (satisfied, tolerating) = (up_to(target), up_to(4 * target) - up_to(target));
            let Cell::Apdex(apdex) = cell(&CellKind::Apdex { target: target.into() }, &numbers)
            else { unreachable!() };
            let want = (satisfied + tolerating / 2.0) / values.len() as f64;
            prop_assert_eq!(apdex.score(), Some(want));
            let bounds = [f64::from(target), f64::from(2 * target)];
            let Cell::Buckets(buckets) = cell(&CellKind::Buckets(bounds.into()), &numbers)
            else { unreachable!() };
            let counts: Vec<_> = buckets.cumulative().map(|(_, n)| n as f64).collect();
            prop_assert_eq!(counts, [satisfied, up_to(2 * target), values.len() as f64]);
        }
    }

    proptest! {
        #[test]
        fn a_cell_that_is_written_reads_back(
            values in prop::collection::vec(-1e9..1e9f64, 0..1000),
        ) {
            for kind in &kinds() {
                let cell = cell(kind, &values);
                let bytes = postcard::to_stdvec(&cell).unwrap();
                let read: Cell = postcard::from_bytes(&bytes).unwrap();
                prop_assert!(kind.fits(&read));
                prop_assert_eq!(read, cell);
            }
        }
    }

    #[test]
    fn a_cell_fits_its_own_kind_alone() {
        for (i, kind) in kinds().iter().enumerate() {
            for (j, other) in kinds().iter().enumerate() {
                assert_eq!(kind.fits(&other.empty()), i == j, "{kind:?}, {other:?}");
            }
        }
        let buckets = CellKind::Buckets([0.0].into());
        assert!(!CellKind::Buckets([1.0].into()).fits(&buckets.empty()));
        assert!(!CellKind::Samples { scale: 1 }.fits(&CellKind::Samples { scale: 2 }.empty()));
    }

    #[test]
    fn a_cell_is_small() {
        // A row has one for each measure, and there is a row for each group and window.
        assert!(size_of::<Cell>() <= 32, "{}", size_of::<Cell>());
    }
}
