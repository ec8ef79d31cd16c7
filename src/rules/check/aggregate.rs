//! Measures: aggregates of many events, and arithmetic over them.

use super::{Checker, FUNCTIONS, checked};
use crate::delta::Arithmetic;
use crate::rules::cel::{Node, Operator, Syntax};
use crate::rules::expr::{Bool, Number};
use crate::rules::lower::Measured;
use crate::rules::program::KeyPart;
use crate::rules::quantity::{Quantity, Unit};
use crate::rules::schema::{Schema, Type};
use crate::source::{Fault, did_you_mean, listed};

/// What a measure computes, over the events that its rule's condition lets through.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::rules) enum Aggregate {
    Count,
    Rate,
    Ratio(Bool),
    Sum(Number),
    Mean(Number),
    Min(Number),
    Max(Number),
    /// How far the values are from their mean: of all of them, not estimated from a part.
    Stddev(Number),
    /// The percentage is from 0 to 100.
    Percentile(Number, f64),
    /// The buckets' upper bounds, ascending; at least one, at most [`MAX_BOUNDS`].
    Histogram(Number, Box<[f64]>),
    Distinct(KeyPart),
    /// The target is above zero.
    Apdex(Number, f64),
    Top {
        value: KeyPart,
        /// What the series of each value are tagged by.
        tag: Box<str>,
        /// How many values, from 1 to [`MAX_TOP`].
        k: usize,
    },
}

/// More buckets are refused: each is a series.
const MAX_BOUNDS: usize = 64;

/// A larger `k` is refused: each value is a series.
const MAX_TOP: i64 = 100;

/// The buckets of a histogram that names none: for timers, from a millisecond to most of a
/// minute.
const DEFAULT_BOUNDS: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0,
    20_000.0, 50_000.0,
];

/// The tag of `top` where what it takes is no field.
const VALUE_TAG: &str = "value";

/// Each aggregate and how it is written.
const AGGREGATES: [(&str, &str); 13] = [
    ("count", "count()"),
    ("rate", "rate()"),
    ("ratio", "ratio(condition)"),
    ("sum", "sum(value)"),
    ("mean", "mean(value)"),
    ("min", "min(value)"),
    ("max", "max(value)"),
    ("stddev", "stddev(value)"),
    ("percentile", "percentile(value, 95)"),
    ("histogram", "histogram(value)"),
    ("distinct", "distinct(value)"),
    ("apdex", "apdex(value, 500ms)"),
    ("top", "top(value, 10)"),
];

/// What other tools call an aggregate, and what there is here instead.
const ELSEWHERE: [(&str, &str); 16] = [
    ("avg", "the mean is `mean(value)`"),
    ("average", "the mean is `mean(value)`"),
    ("changed", CHANGED),
    ("changes", CHANGED),
    ("ewma", EWMA),
    ("ewma_timeless", EWMA),
    ("median", "the median is `percentile(value, 50)`"),
    ("p50", "it is written `percentile(value, 50)`"),
    ("p90", "it is written `percentile(value, 90)`"),
    ("p95", "it is written `percentile(value, 95)`"),
    ("p99", "it is written `percentile(value, 99)`"),
    (
        "quantile",
        "it is written with a percentage: `percentile(value, 95)`",
    ),
    ("stdev", "it is written `stddev(value)`"),
    ("uniq", DISTINCT),
    ("unique", DISTINCT),
    ("cardinality", DISTINCT),
];

const CHANGED: &str = "nothing here compares an event with the one before; \
                       how many different values there are is `distinct(value)`";
const DISTINCT: &str = "how many different values there are is `distinct(value)`";
const EWMA: &str = "a window that slides smooths as well: \
                    `mean(value)` with the rule's `window: { span: 60s, every: 10s }`";

/// Reads a measure.
pub(in crate::rules) fn measure(node: &Node, schema: &Schema<'_>) -> Result<Measured, Vec<Fault>> {
    checked(schema, |checker| {
        let measured = checker.measured(node, true)?;
        if is_constant(&measured) {
            let message = "this is the same number whatever comes";
            let hint = "a measure has an aggregate, such as `rate()` or `100 * ratio(tls)`";
            return checker.refuse_with(&node.span, message, hint);
        }
        Some(measured)
    })
}

/// What the values of a measure count.
pub(in crate::rules) fn unit(measured: &Measured) -> Unit {
    match measured {
        Measured::Aggregate(aggregate) => match aggregate {
            Aggregate::Sum(number)
            | Aggregate::Mean(number)
            | Aggregate::Min(number)
            | Aggregate::Max(number)
            | Aggregate::Stddev(number)
            | Aggregate::Percentile(number, _) => number.unit(),
            Aggregate::Count
            | Aggregate::Rate
            | Aggregate::Ratio(_)
            | Aggregate::Histogram(..)
            | Aggregate::Distinct(_)
            | Aggregate::Apdex(..)
            | Aggregate::Top { .. } => Unit::None,
        },
        Measured::Const(_) => Unit::None,
        Measured::Negate(inner) => unit(inner),
        Measured::Arithmetic(arithmetic, sides) => {
            let (a, b) = (unit(&sides.0), unit(&sides.1));
            match arithmetic {
                Arithmetic::Add | Arithmetic::Subtract => a.or(b),
                // As in the arithmetic of one event.
                _ if is_constant(&sides.0) || is_constant(&sides.1) => Unit::None,
                Arithmetic::Multiply => a.times(b),
                Arithmetic::Divide => a.per(b),
            }
        }
    }
}

fn is_constant(measured: &Measured) -> bool {
    match measured {
        Measured::Aggregate(_) => false,
        Measured::Const(_) => true,
        Measured::Negate(inner) => is_constant(inner),
        Measured::Arithmetic(_, sides) => is_constant(&sides.0) && is_constant(&sides.1),
    }
}

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|(known, _)| *known == name)
}

fn aggregates() -> String {
    format!(
        "the aggregates are {}",
        listed(&AGGREGATES.map(|(_, usage)| usage))
    )
}

impl Checker<'_> {
    /// `alone`: nothing is computed with it.
    fn measured(&mut self, node: &Node, alone: bool) -> Option<Measured> {
        if let Some((value, _)) = constant(node) {
            return Some(Measured::Const(value));
        }
        Some(match &node.kind {
            Syntax::Negate(inner) => Measured::Negate(Box::new(self.measured(inner, false)?)),
            Syntax::Binary(operator, sides) => self.arithmetic(node, *operator, sides)?,
            Syntax::Call {
                name,
                target: None,
                args,
            } => {
                if !alone && matches!(name.as_str(), "histogram" | "top") {
                    let message = format!(
                        "`{name}` makes several series, and there is no arithmetic with it"
                    );
                    let hint = "it is a measure of its own";
                    return self.refuse_with(&node.span, message, hint);
                }
                Measured::Aggregate(self.aggregate(node, name, args)?)
            }
            Syntax::Name(name) => return self.field_as_measure(node, name),
            _ => {
                let message = "a measure is an aggregate, or arithmetic over aggregates";
                return self.refuse_with(&node.span, message, aggregates());
            }
        })
    }

    fn arithmetic(
        &mut self,
        node: &Node,
        operator: Operator,
        sides: &[Node; 2],
    ) -> Option<Measured> {
        let [left, right] = sides;
        let symbol = operator.symbol();
        let arithmetic = match operator {
            Operator::Add => Arithmetic::Add,
            Operator::Subtract => Arithmetic::Subtract,
            Operator::Multiply => Arithmetic::Multiply,
            Operator::Divide => Arithmetic::Divide,
            _ => {
                let message = format!("`{symbol}` takes no aggregates");
                let hint = "arithmetic over them has `+`, `-`, `*` and `/`; \
                            the share of events for which a condition holds is `ratio(condition)`";
                return self.refuse_with(&node.span, message, hint);
            }
        };
        let (a, b) = (self.measured(left, false), self.measured(right, false));
        let (a, b) = (a?, b?);
        if matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract) {
            // A constant's unit is not in what is computed: only here it says something.
            let unit = |node, measured| match constant(node) {
                Some((_, unit)) => unit,
                None => unit(measured),
            };
            self.same_unit(&node.span, symbol, unit(left, &a), unit(right, &b))?;
        }
        if arithmetic == Arithmetic::Divide && b == Measured::Const(0.0) {
            return self.refuse(&node.span, "a division by zero has no value");
        }
        Some(Measured::Arithmetic(arithmetic, Box::new((a, b))))
    }

    /// A name where an aggregate should be.
    fn field_as_measure(&mut self, node: &Node, name: &str) -> Option<Measured> {
        if let Some((_, usage)) = AGGREGATES.iter().find(|(known, _)| *known == name) {
            return self.refuse(&node.span, format!("`{name}` is written `{usage}`"));
        }
        let kind = self.field(node, name)?.kind();
        let message = format!("`{name}` is a value of one event, and a measure is of many");
        let hint = match kind {
            Type::Int | Type::Double => format!("`mean({name})`, `percentile({name}, 95)`"),
            Type::Bool => format!("`ratio({name})`"),
            Type::String => format!("`distinct({name})`, `top({name}, 10)`"),
            _ => aggregates(),
        };
        self.refuse_with(&node.span, message, hint)
    }

    fn aggregate(&mut self, node: &Node, name: &str, args: &[Node]) -> Option<Aggregate> {
        Some(match (name, args) {
            ("count", []) => Aggregate::Count,
            ("rate", []) => Aggregate::Rate,
            ("ratio", [condition]) => Aggregate::Ratio(self.condition(condition)?),
            ("sum", [value]) => Aggregate::Sum(self.number(value)?),
            ("mean", [value]) => Aggregate::Mean(self.number(value)?),
            ("min", [value]) => Aggregate::Min(self.number(value)?),
            ("max", [value]) => Aggregate::Max(self.number(value)?),
            ("stddev", [value]) => Aggregate::Stddev(self.number(value)?),
            ("percentile", [value, percentage]) => {
                let (value, q) = (self.number(value), self.percentage(percentage));
                Aggregate::Percentile(value?, q?)
            }
            ("histogram", [value]) => {
                Aggregate::Histogram(self.number(value)?, DEFAULT_BOUNDS.into())
            }
            ("histogram", [value, bounds]) => {
                let value = self.number(value);
                let unit = value.as_ref().map_or(Unit::None, Number::unit);
                let bounds = self.bounds(bounds, unit);
                Aggregate::Histogram(value?, bounds?)
            }
            ("distinct", [value]) => Aggregate::Distinct(self.key(value)?),
            ("apdex", [value, target]) => {
                let value = self.number(value);
                let unit = value.as_ref().map_or(Unit::None, Number::unit);
                let target = self.target(target, unit);
                Aggregate::Apdex(value?, target?)
            }
            ("top", [of, k]) => {
                let (value, k) = (self.key(of), self.how_many(k));
                let tag = match &of.kind {
                    Syntax::Name(name) => name.as_str(),
                    _ => VALUE_TAG,
                };
                Aggregate::Top {
                    value: value?,
                    tag: tag.into(),
                    k: k?,
                }
            }
            _ => return self.no_aggregate(node, name),
        })
    }

    fn no_aggregate<T>(&mut self, node: &Node, name: &str) -> Option<T> {
        if let Some((_, usage)) = AGGREGATES.iter().find(|(known, _)| *known == name) {
            return self.refuse(&node.span, format!("`{name}` is written `{usage}`"));
        }
        if FUNCTIONS.iter().any(|(known, _)| *known == name) {
            let message = format!("`{name}` is a function of one event, and a measure is of many");
            return self.refuse_with(&node.span, message, aggregates());
        }
        let message = format!("unknown aggregate `{name}`");
        let hint = match ELSEWHERE.iter().find(|(foreign, _)| *foreign == name) {
            Some((_, instead)) => Some((*instead).to_owned()),
            None => did_you_mean(name, AGGREGATES.map(|(known, _)| known)),
        };
        self.refuse_with(&node.span, message, hint.unwrap_or_else(aggregates))
    }

    fn percentage(&mut self, node: &Node) -> Option<f64> {
        let percentage = match node.kind {
            Syntax::Int(value) => Some(value as f64),
            Syntax::Double(value) => Some(value),
            _ => None,
        };
        match percentage {
            Some(fraction) if fraction > 0.0 && fraction < 1.0 => {
                let message = format!(
                    "a percentage is a number from 0 to 100, and {fraction} is a fraction of one"
                );
                // Three digits, without what binary fractions add to them.
                let percentage = (fraction * 100_000.0).round() / 1000.0;
                let hint = format!(
                    "write {percentage} for {percentage} percent; {fraction} would be nearly the minimum"
                );
                self.refuse_with(&node.span, message, hint)
            }
            Some(percentage) if (0.0..=100.0).contains(&percentage) => Some(percentage),
            _ => self.refuse(
                &node.span,
                "a percentage is a number from 0 to 100, as it is",
            ),
        }
    }

    /// The upper bounds of a histogram's buckets.
    fn bounds(&mut self, node: &Node, unit: Unit) -> Option<Box<[f64]>> {
        let Syntax::List(items) = &node.kind else {
            let message = "the bounds of buckets are a list of numbers, as they are";
            return self.refuse_with(&node.span, message, "`histogram(Ta, [5, 50, 500])`");
        };
        if items.is_empty() || items.len() > MAX_BOUNDS {
            let message = format!(
                "a histogram has 1 to {MAX_BOUNDS} bounds, found {}",
                items.len()
            );
            return self.refuse(&node.span, message);
        }
        let mut bounds: Vec<f64> = Vec::with_capacity(items.len());
        for item in items {
            let Some((bound, of)) = constant(item) else {
                return self.refuse(&item.span, "the bound of a bucket is a number, as it is");
            };
            self.same_unit(&item.span, "histogram", unit, of)?;
            if bounds.last().is_some_and(|last| *last >= bound) {
                let message = "the bounds of buckets ascend, and this one does not";
                return self.refuse(&item.span, message);
            }
            bounds.push(bound);
        }
        Some(bounds.into())
    }

    /// The `t` of an apdex.
    fn target(&mut self, node: &Node, unit: Unit) -> Option<f64> {
        match constant(node) {
            Some((target, of)) if target > 0.0 => {
                self.same_unit(&node.span, "apdex", unit, of)?;
                Some(target)
            }
            _ => {
                let message = "the target of an apdex is a number or duration above zero, as it is";
                self.refuse_with(&node.span, message, "`apdex(Ta, 500ms)`")
            }
        }
    }

    /// The `k` of a top.
    fn how_many(&mut self, node: &Node) -> Option<usize> {
        match node.kind {
            Syntax::Int(k @ 1..=MAX_TOP) => usize::try_from(k).ok(),
            _ => {
                let message = format!("`top` takes a whole number from 1 to {MAX_TOP}, as it is");
                self.refuse_with(&node.span, message, "the ten largest: `top(client_ip, 10)`")
            }
        }
    }
}

/// A number as it is, and its unit. `None` where it is none.
fn constant(node: &Node) -> Option<(f64, Unit)> {
    let quantity = match &node.kind {
        Syntax::Int(value) => return Some((*value as f64, Unit::None)),
        Syntax::Double(value) => return Some((*value, Unit::None)),
        Syntax::Negate(inner) => return constant(inner).map(|(value, unit)| (-value, unit)),
        Syntax::Quantity(quantity) => *quantity,
        Syntax::Call {
            name,
            target: None,
            args,
        } if name == "duration" => match args.as_slice() {
            [
                Node {
                    kind: Syntax::String(text),
                    ..
                },
            ] => Quantity::duration(text)?,
            _ => return None,
        },
        _ => return None,
    };
    Some((quantity.amount.as_f64(), quantity.unit))
}
