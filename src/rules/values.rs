//! What the values of a measure are: their unit, and what may be done with them, for whoever
//! draws them.

use super::check::{self, Aggregate};
use super::expr::Number;
use super::lower::Measured;
use super::quantity::Unit;
use super::unit;
use crate::delta::Arithmetic;

/// What a measure's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    pub unit: ValueUnit,
    pub whole: Whole,
    /// What the bounds of a histogram are in; of no other measure.
    pub bounds: Option<ValueUnit>,
}

/// How the values of parts, such as several groups, become one that stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// They add up to it, as counts do.
    Sum,
    /// It is not known, as of percentiles, and the highest is the worst; of a maximum, the truth.
    Highest,
    /// Likewise of an apdex; of a minimum, the truth.
    Lowest,
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueUnit {
    /// Lines a second.
    PerSecond,
    /// A share of a whole, from 0 to 1.
    Share,
    /// A number of lines or values.
    Count,
    /// A unit as rules write it: `ms`, `KiB`, `percent`.
    Unit(&'static str),
    /// A number of which nothing is known.
    Plain,
}

impl Values {
    pub(super) fn of(measured: &Measured) -> Values {
        Values {
            unit: unit_of(measured),
            whole: match measured {
                measured if adds_up(measured) => Whole::Sum,
                Measured::Aggregate(Aggregate::Apdex(..) | Aggregate::Min(_)) => Whole::Lowest,
                _ => Whole::Highest,
            },
            bounds: match measured {
                Measured::Aggregate(Aggregate::Histogram(value, _)) => Some(of_number(value)),
                _ => None,
            },
        }
    }

    /// In that unit of [`unit`].
    pub(super) fn converted(self, name: &str) -> Values {
        Values {
            unit: unit::known(name).map_or(self.unit, ValueUnit::Unit),
            ..self
        }
    }
}

fn unit_of(measured: &Measured) -> ValueUnit {
    match measured {
        Measured::Aggregate(aggregate) => match aggregate {
            Aggregate::Rate => ValueUnit::PerSecond,
            Aggregate::Ratio(_) | Aggregate::Apdex(..) => ValueUnit::Share,
            Aggregate::Count
            | Aggregate::Distinct(_)
            | Aggregate::Histogram(..)
            | Aggregate::Top { .. } => ValueUnit::Count,
            Aggregate::Sum(number)
            | Aggregate::Mean(number)
            | Aggregate::Min(number)
            | Aggregate::Max(number)
            | Aggregate::Stddev(number)
            | Aggregate::Percentile(number, _) => of_number(number),
        },
        Measured::Const(_) => ValueUnit::Plain,
        Measured::Negate(inner) => unit_of(inner),
        Measured::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, sides) => {
            match (unit_of(&sides.0), unit_of(&sides.1)) {
                (unit, ValueUnit::Plain) | (ValueUnit::Plain, unit) => unit,
                (a, b) if a == b => a,
                _ => ValueUnit::Plain,
            }
        }
        Measured::Arithmetic(..) => of(check::unit(measured)),
    }
}

fn of_number(number: &Number) -> ValueUnit {
    of(number.unit())
}

fn of(unit: Unit) -> ValueUnit {
    match unit {
        Unit::Time => ValueUnit::Unit("ms"),
        Unit::Bytes => ValueUnit::Unit("B"),
        Unit::None => ValueUnit::Plain,
    }
}

fn adds_up(measured: &Measured) -> bool {
    match measured {
        Measured::Aggregate(aggregate) => matches!(
            aggregate,
            Aggregate::Count
                | Aggregate::Rate
                | Aggregate::Sum(_)
                | Aggregate::Histogram(..)
                | Aggregate::Top { .. }
        ),
        Measured::Const(_) => false,
        Measured::Negate(inner) => adds_up(inner),
        Measured::Arithmetic(arithmetic, sides) => {
            let (a, b) = (&sides.0, &sides.1);
            let constant = |side: &Measured| matches!(side, Measured::Const(_));
            match arithmetic {
                Arithmetic::Add | Arithmetic::Subtract => adds_up(a) && adds_up(b),
                Arithmetic::Multiply => constant(a) && adds_up(b) || constant(b) && adds_up(a),
                Arithmetic::Divide => constant(b) && adds_up(a),
            }
        }
    }
}
