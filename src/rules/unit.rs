//! The units that a measure's values can be converted to.

use super::check::{self, Aggregate};
use super::lower::Measured;
use super::quantity::Unit;
use crate::delta::Arithmetic;
use crate::source::{Fault, did_you_mean, listed};

/// How units are written, what they are of, and how many milliseconds, bytes or parts of a
/// whole one of them is, as a fraction.
const UNITS: [(&str, Unit, f64, f64); 13] = [
    ("us", Unit::Time, 1.0, 1000.0),
    ("ms", Unit::Time, 1.0, 1.0),
    ("s", Unit::Time, 1000.0, 1.0),
    ("min", Unit::Time, 60_000.0, 1.0),
    ("h", Unit::Time, 3_600_000.0, 1.0),
    ("B", Unit::Bytes, 1.0, 1.0),
    ("KB", Unit::Bytes, 1e3, 1.0),
    ("MB", Unit::Bytes, 1e6, 1.0),
    ("GB", Unit::Bytes, 1e9, 1.0),
    ("KiB", Unit::Bytes, 1024.0, 1.0),
    ("MiB", Unit::Bytes, 1_048_576.0, 1.0),
    ("GiB", Unit::Bytes, 1_073_741_824.0, 1.0),
    ("percent", Unit::None, 1.0, 100.0),
];

/// The measure in that unit.
///
/// # Errors
///
/// Where there is no such unit, or it is of another kind than the measure.
pub(super) fn convert(measured: Measured, unit: &str) -> Result<Measured, Fault> {
    let whole = 0..unit.len();
    let Some(&(_, of, one, parts)) = UNITS.iter().find(|(name, ..)| *name == unit) else {
        let hint = did_you_mean(unit, UNITS.map(|(name, ..)| name))
            .unwrap_or_else(|| format!("the units are {}", listed(&UNITS.map(|(name, ..)| name))));
        return Err(Fault::new(whole, format!("unknown unit `{unit}`")).hint(hint));
    };
    let found = check::unit(&measured);
    if of != found || of == Unit::None && counts(&measured) {
        let message = match of {
            Unit::Time => format!("`{unit}` is a unit of time, and this measure is no time"),
            Unit::Bytes => format!("`{unit}` is a unit of size, and this measure is no size"),
            Unit::None => format!("only a share, such as a `ratio`, can be in `{unit}`"),
        };
        let fitting = UNITS.iter().filter(|(_, of, ..)| *of == found);
        let fitting = listed(&fitting.map(|(name, ..)| *name).collect::<Vec<_>>());
        let hint = match found {
            Unit::Time => format!("it is a time, and can be in {fitting}"),
            Unit::Bytes => format!("it is a size, and can be in {fitting}"),
            Unit::None => "leave the unit out: the measure is a plain number".into(),
        };
        return Err(Fault::new(whole, message).hint(hint));
    }
    let by = |arithmetic, factor| {
        Measured::Arithmetic(
            arithmetic,
            Box::new((measured.clone(), Measured::Const(factor))),
        )
    };
    Ok(match (one == 1.0, parts == 1.0) {
        (true, true) => measured,
        (true, false) => by(Arithmetic::Multiply, parts),
        _ => by(Arithmetic::Divide, one),
    })
}

/// The name of a unit that there is.
pub(super) fn known(name: &str) -> Option<&'static str> {
    let unit = UNITS.iter().find(|(known, ..)| *known == name);
    unit.map(|(known, ..)| *known)
}

/// Whether the values are numbers of something, and no share of it.
fn counts(measured: &Measured) -> bool {
    matches!(
        measured,
        Measured::Aggregate(
            Aggregate::Count
                | Aggregate::Rate
                | Aggregate::Distinct(_)
                | Aggregate::Histogram(..)
                | Aggregate::Top { .. }
        )
    )
}

#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    UNITS.iter().map(|(name, ..)| *name).collect()
}
