//! How values come from cells: the other half of what a measure is.

use super::cell::Cell;
use super::row::Row;
use std::sync::Arc;
use std::time::Duration;

/// How much of a window was seen. weir starts, and rules are loaded, in the middle of one.
///
/// A rate is of the time that was seen: of the whole window it would be too low. A total is
/// of what was seen, so that totals add up to the number of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub span: Duration,
    /// At most `span`.
    pub seen: Duration,
}

/// A rate of less than this share of a window, one part in ten, says nothing.
const SEEN_MIN: u32 = 10;

impl Coverage {
    /// All of a window of that length.
    pub const fn whole(span: Duration) -> Self {
        Coverage { span, seen: span }
    }

    /// `None` where too little was seen.
    fn rate(self, count: u64) -> Option<f64> {
        (self.seen >= self.span / SEEN_MIN).then(|| count as f64 / self.seen.as_secs_f64())
    }
}

/// What a measure makes of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// One series.
    Value(Formula),
    /// A series for each bound, tagged `le`: how many values are up to it.
    Buckets { cell: usize, bounds: usize },
    /// A series for each of the `k` most frequent values, tagged with the value: how often
    /// it was there.
    Top {
        cell: usize,
        k: usize,
        tag: Arc<str>,
    },
}

/// The tag that the bounds of a histogram's series are in, as Prometheus has it.
pub const LE: &str = "le";

impl Output {
    /// How many series it has in one group at the most.
    pub fn series(&self) -> usize {
        match self {
            Output::Value(_) => 1,
            Output::Buckets { bounds, .. } => bounds + 1,
            Output::Top { k, .. } => *k,
        }
    }

    /// Tells each value and the tag that its series has beside those of the group.
    pub fn values(
        &self,
        row: &Row,
        coverage: Coverage,
        mut emit: impl FnMut(Option<(&Arc<str>, Arc<str>)>, f64),
    ) {
        match self {
            Output::Value(formula) => {
                if let Some(value) = formula.value(row, coverage) {
                    emit(None, value);
                }
            }
            Output::Buckets { cell, .. } => {
                if let Cell::Buckets(buckets) = &row[*cell]
                    && buckets.cumulative().any(|(_, count)| count > 0)
                {
                    let le: Arc<str> = LE.into();
                    for (bound, count) in buckets.cumulative() {
                        let bound = match bound.is_finite() {
                            true => bound.to_string(),
                            false => "+Inf".to_owned(),
                        };
                        emit(Some((&le, bound.into())), count as f64);
                    }
                }
            }
            Output::Top { cell, k, tag } => {
                if let Cell::Top(top) = &row[*cell] {
                    for (value, count) in top.largest(*k) {
                        emit(Some((tag, tag_value(value))), count as f64);
                    }
                }
            }
        }
    }

    /// What its series say of a window in which nothing came.
    pub fn value_of_silence(&self) -> Option<f64> {
        match self {
            Output::Value(formula) => formula.value_of_silence(),
            Output::Buckets { .. } | Output::Top { .. } => None,
        }
    }
}

/// A log line need not be UTF-8, a tag must.
pub(super) fn tag_value(value: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(value).as_ref().into()
}

/// How a value comes from a row of cells; the numbers are cells' places in the row.
#[derive(Clone, Debug, PartialEq)]
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
    /// Of the values as a whole population.
    Stddev(usize),
    /// How many different values there were.
    Distinct(usize),
    Apdex(usize),
    Const(f64),
    Negate(Box<Formula>),
    Arithmetic(Arithmetic, Box<(Formula, Formula)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
        }
    }
}

impl Formula {
    /// The value of a window. `None`, a gap, where the cells hold nothing that it could come
    /// from: no value is ever invented.
    pub fn value(&self, row: &Row, coverage: Coverage) -> Option<f64> {
        match self {
            Formula::Const(value) => Some(*value),
            Formula::Negate(inner) => inner.value(row, coverage).map(|value| -value),
            Formula::Arithmetic(arithmetic, sides) => {
                let (a, b) = (sides.0.value(row, coverage)?, sides.1.value(row, coverage)?);
                Some(arithmetic.of(a, b)).filter(|value| value.is_finite())
            }
            Formula::Count(cell) => Some(row.count(*cell) as f64),
            Formula::Rate(cell) => coverage.rate(row.count(*cell)),
            Formula::Ratio { part, whole } => {
                let whole = row.count(*whole);
                (whole > 0).then(|| row.count(*part) as f64 / whole as f64)
            }
            Formula::Sum(cell) => match &row[*cell] {
                Cell::Sum(sum) if sum.count > 0 => Some(sum.total()),
                _ => None,
            },
            Formula::Mean(cell) => match &row[*cell] {
                Cell::Sum(sum) => sum.mean(),
                _ => None,
            },
            Formula::Min(cell) => match row[*cell] {
                Cell::Min(min) => min,
                _ => None,
            },
            Formula::Max(cell) => match row[*cell] {
                Cell::Max(max) => max,
                _ => None,
            },
            Formula::Percentile { cell, q } => match &row[*cell] {
                Cell::Samples(samples) => samples.percentile(*q),
                _ => None,
            },
            Formula::Stddev(cell) => match &row[*cell] {
                Cell::Moments(moments) => moments.stddev(),
                _ => None,
            },
            Formula::Distinct(cell) => match &row[*cell] {
                Cell::Distinct(distinct) => Some(distinct.count()),
                _ => None,
            },
            Formula::Apdex(cell) => match &row[*cell] {
                Cell::Apdex(apdex) => apdex.score(),
                _ => None,
            },
        }
    }

    /// What a series says of a window in which nothing came: counts and rates are
    /// truly zero then, everything else has no value.
    pub fn value_of_silence(&self) -> Option<f64> {
        match self {
            Formula::Count(_) | Formula::Rate(_) | Formula::Distinct(_) => Some(0.0),
            Formula::Const(value) => Some(*value),
            Formula::Negate(inner) => inner.value_of_silence().map(|value| -value),
            Formula::Arithmetic(arithmetic, sides) => {
                let (a, b) = (sides.0.value_of_silence()?, sides.1.value_of_silence()?);
                Some(arithmetic.of(a, b)).filter(|value| value.is_finite())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::CellKind;

    #[test]
    fn values_come_from_cells_and_gaps_from_empty_ones() {
        let whole = Coverage::whole(Duration::from_secs(10));
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
            assert_eq!(formula.value(&row, whole), full, "{formula:?}");
            assert_eq!(formula.value(&empty, whole), of_nothing, "{formula:?}");
            assert_eq!(formula.value_of_silence(), of_nothing, "{formula:?}");
        }
    }
}
