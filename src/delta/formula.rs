//! How values come from cells: the other half of what a measure is.

use super::cell::Cell;
use super::row::Row;
use std::time::Duration;

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
    /// The value of a window of that length. `None`, a gap, where the cells hold
    /// nothing that it could come from: no value is ever invented.
    pub fn value(&self, row: &Row, window: Duration) -> Option<f64> {
        match self {
            Formula::Const(value) => Some(*value),
            Formula::Negate(inner) => inner.value(row, window).map(|value| -value),
            Formula::Arithmetic(arithmetic, sides) => {
                let (a, b) = (sides.0.value(row, window)?, sides.1.value(row, window)?);
                Some(arithmetic.of(a, b)).filter(|value| value.is_finite())
            }
            Formula::Count(cell) => Some(row.count(*cell) as f64),
            Formula::Rate(cell) => Some(row.count(*cell) as f64 / window.as_secs_f64()),
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
        }
    }

    /// What a series says of a window in which nothing came: counts and rates are
    /// truly zero then, everything else has no value.
    pub fn value_of_silence(&self) -> Option<f64> {
        match self {
            Formula::Count(_) | Formula::Rate(_) => Some(0.0),
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
