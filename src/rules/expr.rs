//! Typed expressions over an event's fields: what conditions and values compile to.
//!
//! Evaluating one allocates nothing: fields are resolved, constants are in place, and
//! every node's type is known, so that a line costs a few comparisons per rule. Only
//! the names of captured headers and of extra fields are looked up, among the few that
//! the line's format has: each format has them in other places.
//!
//! A value that the line does not have is `None`. It makes a comparison false and
//! arithmetic missing; so do a division by zero and a result out of range. There
//! are no errors at this point.

use super::address::{Address, Property};
use super::pattern::Pattern;
use super::quantity::{Amount, Quantity, Unit};
use super::routes::Routes;
use crate::haproxy::{Captures, Event, ExtraValue, Field, FieldType, Separator, Value};
use bstr::BString;
use ipnet::IpNet;
use std::cmp::Ordering;
use std::sync::Arc;

/// The route of a path that matches no template; templates begin with `/`.
const OTHER_ROUTE: &[u8] = b"other";

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bool {
    Const(bool),
    Field(Field),
    /// A field of a custom format.
    Extra(Box<str>),
    Not(Box<Bool>),
    All(Box<[Bool]>),
    Any(Box<[Bool]>),
    Same(Box<(Bool, Bool)>),
    If(Box<(Bool, Bool, Bool)>),
    Ints(Comparison, Int, Int),
    Doubles(Comparison, Double, Double),
    Texts(Comparison, Text, Text),
    StartsWith(Text, Text),
    EndsWith(Text, Text),
    Contains(Text, Text),
    Matches(Text, Pattern),
    IntIn(Int, Box<[i64]>),
    DoubleIn(Double, Box<[f64]>),
    TextIn(Text, Box<[BString]>),
    /// Whether one of the captured headers is that string.
    TextInField(Text, Field),
    /// Whether both are the same address, or for `NotEqual` whether they are not.
    Addresses(Comparison, Address, Address),
    /// Whether it is in one of the networks.
    InNetworks(Address, Box<[IpNet]>),
    IsAddress(Address),
    AddressIs(Property, Address),
    /// Whether the line has the field.
    HasField(Field),
    /// Whether it has that field of a custom format.
    HasExtra(Box<str>),
    HasText(Text),
    HasNumber(Number),
}

/// A whole number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Int {
    Const(i64),
    /// A constant written with a unit.
    Quantity(i64, Unit),
    Field(Field),
    /// A field of a custom format.
    Extra(Box<str>),
    Negate(Box<Int>),
    Arithmetic(Arithmetic, Box<(Int, Int)>),
    /// A string's length in bytes.
    Length(Box<Text>),
    /// How many headers were captured.
    Count(Field),
    /// Of an address: 4 or 6.
    Family(Box<Address>),
    If(Box<(Bool, Int, Int)>),
}

/// A number with a fraction; always finite.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Double {
    Const(f64),
    /// A constant written with a unit.
    Quantity(f64, Unit),
    Of(Int),
    Negate(Box<Double>),
    Arithmetic(Arithmetic, Box<(Double, Double)>),
    If(Box<(Bool, Double, Double)>),
}

/// A string of bytes; log lines need not be UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Const(BString),
    Field(Field),
    /// One of the captured headers, by its position.
    Capture(Field, usize),
    /// One of the captured headers, by its name in any case.
    Header(Field, Box<str>),
    /// A field of a custom format.
    Extra(Box<str>),
    /// The template that the path matches, or `other`.
    Route(Arc<Routes>),
    If(Box<(Bool, Text, Text)>),
}

/// A value to aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Int(Int),
    Double(Double),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// Of whole numbers only.
    Modulo,
}

impl Bool {
    /// Whether the condition holds for that event.
    pub fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Bool::Const(value) => *value,
            Bool::Field(field) => matches!(field.of(event), Value::Bool(true)),
            Bool::Extra(name) => matches!(event.extra.get(name), Some(ExtraValue::Bool(true))),
            Bool::Not(inner) => !inner.holds(event),
            Bool::All(terms) => terms.iter().all(|term| term.holds(event)),
            Bool::Any(terms) => terms.iter().any(|term| term.holds(event)),
            Bool::Same(sides) => sides.0.holds(event) == sides.1.holds(event),
            Bool::If(parts) => match parts.0.holds(event) {
                true => parts.1.holds(event),
                false => parts.2.holds(event),
            },
            Bool::Ints(comparison, a, b) => {
                both(a.of(event), b.of(event)).is_some_and(|(a, b)| comparison.accepts(a.cmp(&b)))
            }
            // Both are finite, so they compare.
            Bool::Doubles(comparison, a, b) => both(a.of(event), b.of(event))
                .and_then(|(a, b)| a.partial_cmp(&b))
                .is_some_and(|order| comparison.accepts(order)),
            Bool::Texts(comparison, a, b) => {
                both(a.of(event), b.of(event)).is_some_and(|(a, b)| comparison.accepts_bytes(a, b))
            }
            Bool::StartsWith(a, b) => {
                both(a.of(event), b.of(event)).is_some_and(|(a, b)| a.starts_with(b))
            }
            Bool::EndsWith(a, b) => {
                both(a.of(event), b.of(event)).is_some_and(|(a, b)| a.ends_with(b))
            }
            Bool::Contains(a, b) => both(a.of(event), b.of(event))
                .is_some_and(|(a, b)| memchr::memmem::find(a, b).is_some()),
            Bool::Matches(a, pattern) => a.of(event).is_some_and(|a| pattern.matches(a)),
            Bool::IntIn(a, list) => a.of(event).is_some_and(|a| list.contains(&a)),
            Bool::DoubleIn(a, list) => a.of(event).is_some_and(|a| list.contains(&a)),
            Bool::TextIn(a, list) => a
                .of(event)
                .is_some_and(|a| list.iter().any(|item| item.as_slice() == a)),
            Bool::TextInField(a, field) => both(a.of(event), field.strings(event))
                .is_some_and(|(a, captures)| captures.iter().any(|item| item == a)),
            Bool::Addresses(comparison, a, b) => {
                both(a.of(event), b.of(event)).is_some_and(|(a, b)| comparison.accepts(a.cmp(&b)))
            }
            Bool::InNetworks(a, networks) => a
                .of(event)
                .is_some_and(|a| networks.iter().any(|network| network.contains(&a))),
            Bool::IsAddress(a) => a.of(event).is_some(),
            Bool::AddressIs(property, a) => a.of(event).is_some_and(|a| property.holds(a)),
            Bool::HasField(field) => field.of(event) != Value::Missing,
            Bool::HasExtra(name) => event.extra.get(name).is_some(),
            Bool::HasText(text) => text.of(event).is_some(),
            Bool::HasNumber(number) => number.of(event).is_some(),
        }
    }
}

impl Int {
    #[inline]
    pub fn of(&self, event: &Event<'_>) -> Option<i64> {
        match self {
            Int::Const(value) | Int::Quantity(value, _) => Some(*value),
            Int::Field(field) => field.int(event),
            other => other.computed(event),
        }
    }

    fn computed(&self, event: &Event<'_>) -> Option<i64> {
        match self {
            Int::Const(_) | Int::Quantity(..) | Int::Field(_) => self.of(event),
            Int::Extra(name) => match event.extra.get(name)? {
                ExtraValue::Int(value) => Some(value),
                _ => None,
            },
            Int::Negate(inner) => inner.of(event)?.checked_neg(),
            Int::Arithmetic(arithmetic, sides) => {
                let (a, b) = (sides.0.of(event)?, sides.1.of(event)?);
                match arithmetic {
                    Arithmetic::Add => a.checked_add(b),
                    Arithmetic::Subtract => a.checked_sub(b),
                    Arithmetic::Multiply => a.checked_mul(b),
                    Arithmetic::Divide => a.checked_div(b),
                    Arithmetic::Modulo => a.checked_rem(b),
                }
            }
            Int::Length(text) => text.of(event).map(|text| text.len() as i64),
            Int::Count(field) => Some(field.strings(event)?.iter().count() as i64),
            Int::Family(address) => address.family(event),
            Int::If(parts) => match parts.0.holds(event) {
                true => parts.1.of(event),
                false => parts.2.of(event),
            },
        }
    }
}

impl Int {
    /// What it counts.
    pub fn unit(&self) -> Unit {
        match self {
            Int::Const(_) | Int::Extra(_) | Int::Count(_) | Int::Family(_) => Unit::None,
            Int::Quantity(_, unit) => *unit,
            Int::Field(Field::BytesRead | Field::BytesUploaded) | Int::Length(_) => Unit::Bytes,
            Int::Field(field) => match field.field_type() {
                FieldType::Millis => Unit::Time,
                _ => Unit::None,
            },
            Int::Negate(inner) => inner.unit(),
            Int::Arithmetic(arithmetic, sides) => {
                let (a, b) = (&sides.0, &sides.1);
                arithmetic.unit((a.unit(), a.is_constant()), (b.unit(), b.is_constant()))
            }
            Int::If(parts) => parts.1.unit().or(parts.2.unit()),
        }
    }

    fn is_constant(&self) -> bool {
        match self {
            Int::Const(_) => true,
            Int::Negate(inner) => inner.is_constant(),
            Int::Arithmetic(_, sides) => sides.0.is_constant() && sides.1.is_constant(),
            _ => false,
        }
    }
}

impl Double {
    /// What it counts.
    pub fn unit(&self) -> Unit {
        match self {
            Double::Const(_) => Unit::None,
            Double::Quantity(_, unit) => *unit,
            Double::Of(int) => int.unit(),
            Double::Negate(inner) => inner.unit(),
            Double::Arithmetic(arithmetic, sides) => {
                let (a, b) = (&sides.0, &sides.1);
                arithmetic.unit((a.unit(), a.is_constant()), (b.unit(), b.is_constant()))
            }
            Double::If(parts) => parts.1.unit().or(parts.2.unit()),
        }
    }

    fn is_constant(&self) -> bool {
        match self {
            Double::Const(_) => true,
            Double::Of(int) => int.is_constant(),
            Double::Negate(inner) => inner.is_constant(),
            Double::Arithmetic(_, sides) => sides.0.is_constant() && sides.1.is_constant(),
            _ => false,
        }
    }

    pub fn of(&self, event: &Event<'_>) -> Option<f64> {
        match self {
            Double::Const(value) | Double::Quantity(value, _) => Some(*value),
            Double::Of(int) => int.of(event).map(|value| value as f64),
            Double::Negate(inner) => inner.of(event).map(|value| -value),
            Double::Arithmetic(arithmetic, sides) => {
                let (a, b) = (sides.0.of(event)?, sides.1.of(event)?);
                let value = match arithmetic {
                    Arithmetic::Add => a + b,
                    Arithmetic::Subtract => a - b,
                    Arithmetic::Multiply => a * b,
                    Arithmetic::Divide => a / b,
                    Arithmetic::Modulo => a % b,
                };
                value.is_finite().then_some(value)
            }
            Double::If(parts) => match parts.0.holds(event) {
                true => parts.1.of(event),
                false => parts.2.of(event),
            },
        }
    }
}

impl Text {
    #[inline]
    pub fn of<'a>(&'a self, event: &Event<'a>) -> Option<&'a [u8]> {
        match self {
            Text::Const(value) => Some(value.as_slice()),
            Text::Field(field) => field.string(event),
            other => other.computed(event),
        }
    }

    fn computed<'a>(&'a self, event: &Event<'a>) -> Option<&'a [u8]> {
        match self {
            Text::Const(_) | Text::Field(_) => self.of(event),
            Text::Capture(field, index) => field.strings(event)?.get(*index),
            Text::Header(field, name) => header(field.strings(event)?, name),
            Text::Route(routes) => Some(routes.route(event.path?).unwrap_or(OTHER_ROUTE)),
            Text::Extra(name) => match event.extra.get(name)? {
                ExtraValue::String(value) => Some(value),
                _ => None,
            },
            Text::If(parts) => match parts.0.holds(event) {
                true => parts.1.of(event),
                false => parts.2.of(event),
            },
        }
    }
}

impl Arithmetic {
    /// What the result counts. Each side is its unit, and whether it is a constant.
    fn unit(self, (a, a_constant): (Unit, bool), (b, b_constant): (Unit, bool)) -> Unit {
        match self {
            Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Modulo => a.or(b),
            // Whoever writes `Tr / 1000` converts by hand, and knows into what.
            _ if a_constant || b_constant => Unit::None,
            Arithmetic::Multiply => a.times(b),
            Arithmetic::Divide => a.per(b),
        }
    }
}

impl Number {
    /// What it counts.
    pub fn unit(&self) -> Unit {
        match self {
            Number::Int(int) => int.unit(),
            Number::Double(double) => double.unit(),
        }
    }

    #[inline]
    pub fn of(&self, event: &Event<'_>) -> Option<f64> {
        match self {
            Number::Int(int) => int.of(event).map(|value| value as f64),
            Number::Double(double) => double.of(event),
        }
    }
}

impl From<Quantity> for Number {
    fn from(Quantity { amount, unit }: Quantity) -> Self {
        match amount {
            Amount::Int(value) => Number::Int(Int::Quantity(value, unit)),
            Amount::Double(value) => Number::Double(Double::Quantity(value, unit)),
        }
    }
}

impl Comparison {
    #[inline]
    pub fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }

    /// As `accepts`, and without ordering where equality is all that is asked:
    /// strings of different lengths then differ at once.
    #[inline]
    fn accepts_bytes(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            Comparison::Equal => a == b,
            Comparison::NotEqual => a != b,
            other => other.accepts(a.cmp(b)),
        }
    }
}

/// The header's value. HAProxy leaves a capture empty where the request or response had
/// no such header (in an unquoted `%hrl` or `%hsl`, it writes a `-`), so by name that is
/// missing.
fn header<'a>(captures: Captures<'a>, name: &str) -> Option<&'a [u8]> {
    let absent: &[u8] = match captures.separator {
        Separator::Blank => b"-",
        _ => b"",
    };
    captures
        .by_name(name)
        .filter(|value| !value.is_empty() && *value != absent)
}

#[inline]
fn both<A, B>(a: Option<A>, b: Option<B>) -> Option<(A, B)> {
    Some((a?, b?))
}
