//! Durations and sizes: numbers with a unit, as rules write them.
//!
//! A duration is a number of milliseconds, as HAProxy's timers are, and a size is a number
//! of bytes. Both are whole numbers where they come out whole, to the digit.

use crate::source::{Fault, listed};
use std::fmt;
use std::ops::Range;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nothing known: a plain number goes with every other.
    None,
    /// Milliseconds.
    Time,
    Bytes,
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    pub amount: Amount,
    pub unit: Unit,
}

/// A number of milliseconds or bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Amount {
    Int(i64),
    /// Always finite.
    Double(f64),
}

/// How units are written, what they measure, and how many milliseconds or bytes they are,
/// as a fraction.
const UNITS: [(&str, Unit, u64, u64); 13] = [
    ("us", Unit::Time, 1, 1000),
    ("ms", Unit::Time, 1, 1),
    ("s", Unit::Time, 1000, 1),
    ("m", Unit::Time, 60 * 1000, 1),
    ("h", Unit::Time, 60 * 60 * 1000, 1),
    ("d", Unit::Time, 24 * 60 * 60 * 1000, 1),
    ("B", Unit::Bytes, 1, 1),
    ("KB", Unit::Bytes, 1000, 1),
    ("MB", Unit::Bytes, 1000 * 1000, 1),
    ("GB", Unit::Bytes, 1000 * 1000 * 1000, 1),
    ("KiB", Unit::Bytes, 1 << 10, 1),
    ("MiB", Unit::Bytes, 1 << 20, 1),
    ("GiB", Unit::Bytes, 1 << 30, 1),
];

/// More digits after the point are refused: no clock has them.
const MAX_FRACTION: usize = 15;

impl Unit {
    /// Of a sum, or of one of the two.
    pub fn or(self, other: Unit) -> Unit {
        match self {
            Unit::None => other,
            known => known,
        }
    }

    /// Of a product.
    pub fn times(self, other: Unit) -> Unit {
        match (self, other) {
            (unit, Unit::None) | (Unit::None, unit) => unit,
            _ => Unit::None,
        }
    }

    /// Of a quotient.
    pub fn per(self, other: Unit) -> Unit {
        match other {
            Unit::None => self,
            _ => Unit::None,
        }
    }

    /// Whether numbers of both can be compared and added.
    pub fn fits(self, other: Unit) -> bool {
        self == Unit::None || other == Unit::None || self == other
    }
}

/// With its article.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::None => "a number",
            Unit::Time => "a duration",
            Unit::Bytes => "a number of bytes",
        })
    }
}

impl Quantity {
    /// Reads a number and its unit, which stand at `span`.
    pub fn read(number: &str, unit: &str, span: Range<usize>) -> Result<Quantity, Fault> {
        let Some(&(_, unit, numerator, denominator)) =
            UNITS.iter().find(|(name, ..)| *name == unit)
        else {
            let message = format!("unknown unit `{unit}`");
            // They are too short for other likenesses: `min` is not `MiB`.
            let meant = UNITS
                .iter()
                .find(|(name, ..)| name.eq_ignore_ascii_case(unit));
            let hint = meant.map(|(name, ..)| format!("did you mean `{name}`?"));
            return Err(Fault::new(span, message).hint(hint.unwrap_or_else(units)));
        };
        if !number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            let message = format!("`{number}` takes no unit");
            return Err(
                Fault::new(span, message).hint("write it out, as digits with or without a point")
            );
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.len() > MAX_FRACTION {
            let message = format!("more than {MAX_FRACTION} digits after the point");
            return Err(Fault::new(span, message));
        }
        let amount = format!("{whole}{fraction}")
            .parse::<u64>()
            .ok()
            .and_then(|digits| {
                let numerator = u128::from(digits) * u128::from(numerator);
                let denominator = 10u128.pow(fraction.len() as u32) * u128::from(denominator);
                match numerator % denominator {
                    0 => i64::try_from(numerator / denominator).ok().map(Amount::Int),
                    _ => Some(Amount::Double(numerator as f64 / denominator as f64)),
                }
            });
        match amount {
            Some(amount) => Ok(Quantity { amount, unit }),
            None => Err(Fault::new(span, "this number is too large")),
        }
    }

    /// Reads a duration as CEL's `duration` has it: one or several numbers with units, such
    /// as `1h30m`, and a minus sign before all of them. `None` where it is none.
    pub fn duration(text: &str) -> Option<Quantity> {
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let mut total = None;
        while !rest.is_empty() || total.is_none() {
            let number = number_length(rest.as_bytes());
            let (number, after) = rest.split_at(number);
            let unit = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(unit);
            if number.is_empty() {
                return None;
            }
            let part = Quantity::read(number, unit, 0..0).ok()?;
            if part.unit != Unit::Time {
                return None;
            }
            total = Some(match (total.unwrap_or(Amount::Int(0)), part.amount) {
                (Amount::Int(a), Amount::Int(b)) => Amount::Int(a.checked_add(b)?),
                (a, b) => Amount::Double(a.as_f64() + b.as_f64()),
            });
            rest = after;
        }
        let amount = match total? {
            Amount::Int(value) => Amount::Int(value * sign),
            Amount::Double(value) => Amount::Double(value * sign as f64),
        };
        Some(Quantity {
            amount,
            unit: Unit::Time,
        })
    }
}

impl Amount {
    pub fn as_f64(self) -> f64 {
        match self {
            Amount::Int(value) => value as f64,
            Amount::Double(value) => value,
        }
    }
}

/// How many bytes at the start are a number: digits, with a point before other digits.
pub(super) fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let whole = digits(0);
    match (bytes.get(whole), digits(whole + 1)) {
        (Some(b'.'), fraction @ 1..) => whole + 1 + fraction,
        _ => whole,
    }
}

fn units() -> String {
    let of = |wanted| {
        let names = UNITS.iter().filter(|(_, unit, ..)| *unit == wanted);
        listed(&names.map(|(name, ..)| *name).collect::<Vec<_>>())
    };
    format!(
        "durations have {}, sizes {}",
        of(Unit::Time),
        of(Unit::Bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_where_they_come_out_whole() {
        use Amount::{Double, Int};
        for (number, unit, want) in [
            ("500", "ms", Int(500)),
            ("1.001", "s", Int(1001)),
            ("0.25", "ms", Double(0.25)),
            ("250", "us", Double(0.25)),
            ("3000", "us", Int(3)),
            (".5", "m", Int(30_000)),
            ("1", "h", Int(3_600_000)),
            ("1.5", "d", Int(129_600_000)),
            ("10", "B", Int(10)),
            ("1.5", "KB", Int(1500)),
            ("2", "MB", Int(2_000_000)),
            ("1", "GB", Int(1_000_000_000)),
            ("0.5", "KiB", Int(512)),
            ("1", "MiB", Int(1 << 20)),
            ("4", "GiB", Int(4 << 30)),
            ("9223372036854775807", "B", Int(i64::MAX)),
        ] {
            let read = Quantity::read(number, unit, 0..0).unwrap();
            assert_eq!(read.amount, want, "{number}{unit}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let said = |number, unit| {
            let fault = Quantity::read(number, unit, 3..7).unwrap_err();
            assert_eq!(fault.span, 3..7);
            format!("{} / {}", fault.message, fault.hint.unwrap_or_default())
        };
        insta::assert_snapshot!(said("5", "sec"), @"unknown unit `sec` / durations have `us`, `ms`, `s`, `m`, `h` and `d`, sizes `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` and `GiB`");
        insta::assert_snapshot!(said("1e3", "s"), @"`1e3` takes no unit / write it out, as digits with or without a point");
        insta::assert_snapshot!(said("5", "kb"), @"unknown unit `kb` / did you mean `KB`?");
        insta::assert_snapshot!(said("9223372036854775808", "B"), @"this number is too large / ");
        insta::assert_snapshot!(said("99999999999999999999", "ms"), @"this number is too large / ");
        insta::assert_snapshot!(said("0.0000000000000001", "s"), @"more than 15 digits after the point / ");
    }

    #[test]
    fn durations_are_written_as_cel_has_them() {
        for (text, want) in [
            ("500ms", Some(500.0)),
            ("1h30m", Some(5_400_000.0)),
            ("-1.5s", Some(-1500.0)),
            ("1s250us", Some(1000.25)),
            ("0s", Some(0.0)),
            ("", None),
            ("-", None),
            ("5", None),
            ("ms", None),
            ("5 ms", None),
            ("5KB", None),
            ("1h-30m", None),
            ("1.s", None),
        ] {
            let read = Quantity::duration(text).map(|read| read.amount.as_f64());
            assert_eq!(read, want, "{text}");
        }
    }
}
