//! What a comparison with constants says of a value, and which two of that no value is.

use crate::rules::expr::Comparison;
use crate::rules::pattern::Pattern;
use bstr::BString;

#[derive(Clone, Debug)]
pub(super) enum Fact<T> {
    Is(Comparison, T),
    In(Vec<T>),
    StartsWith(T),
    EndsWith(T),
    Contains(T),
    Matches(Pattern),
}

/// What values can be compared with: numbers, which are finite, and strings.
pub(super) trait Constant: PartialOrd {
    fn bytes(&self) -> &[u8];
    fn written(&self) -> String;
}

impl Constant for f64 {
    fn bytes(&self) -> &[u8] {
        &[]
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl Constant for BString {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn written(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Constant> Fact<T> {
    /// Whether it is so of that value.
    pub fn accepts(&self, value: &T) -> bool {
        let bytes = value.bytes();
        match self {
            Fact::Is(comparison, constant) => value
                .partial_cmp(constant)
                .is_some_and(|order| comparison.accepts(order)),
            Fact::In(values) => values.iter().any(|one| one == value),
            Fact::StartsWith(part) => bytes.starts_with(part.bytes()),
            Fact::EndsWith(part) => bytes.ends_with(part.bytes()),
            Fact::Contains(part) => memchr::memmem::find(bytes, part.bytes()).is_some(),
            Fact::Matches(pattern) => pattern.matches(bytes),
        }
    }

    /// Every value there is, if they can be counted.
    pub fn values(&self) -> Option<&[T]> {
        match self {
            Fact::Is(Comparison::Equal, value) => Some(std::slice::from_ref(value)),
            Fact::In(values) => Some(values),
            _ => None,
        }
    }

    /// What is so, to be said of a name: a verb, and what belongs to it.
    fn phrase(&self) -> (&'static str, String) {
        match self {
            Fact::Is(comparison, constant) => {
                let words = match comparison {
                    Comparison::Equal => "",
                    Comparison::NotEqual => "not ",
                    Comparison::Less => "below ",
                    Comparison::LessOrEqual => "at most ",
                    Comparison::Greater => "above ",
                    Comparison::GreaterOrEqual => "at least ",
                };
                ("is", format!("{words}{}", constant.written()))
            }
            Fact::In(values) => {
                let values: Vec<String> = values.iter().map(T::written).collect();
                let values = match &values[..] {
                    [others @ .., last] if !others.is_empty() => {
                        format!("{} or {last}", others.join(", "))
                    }
                    values => values.concat(),
                };
                ("is", values)
            }
            Fact::StartsWith(part) => ("starts with", part.written()),
            Fact::EndsWith(part) => ("ends with", part.written()),
            Fact::Contains(part) => ("contains", part.written()),
            Fact::Matches(pattern) => ("matches", format!("{:?}", pattern.as_str())),
        }
    }

    /// `is 200`
    pub fn words(&self) -> String {
        let (verb, what) = self.phrase();
        format!("{verb} {what}")
    }

    /// `is at least 500 and below 400`
    pub fn words_with(&self, other: &Fact<T>, unit: &str) -> String {
        let ((verb, what), (other_verb, other_what)) = (self.phrase(), other.phrase());
        // A list of alternatives goes no further than its comma.
        let comma = match self.values() {
            Some([_, _, ..]) => ",",
            _ => "",
        };
        match verb == other_verb {
            true => format!("{verb} {what}{unit}{comma} and {other_what}{unit}"),
            false => format!("{verb} {what}{unit}{comma} and {other_verb} {other_what}{unit}"),
        }
    }

    /// The bound below, and whether it is itself left out.
    fn lower(&self) -> Option<(&T, bool)> {
        match self {
            Fact::Is(Comparison::Greater, constant) => Some((constant, true)),
            Fact::Is(Comparison::GreaterOrEqual, constant) => Some((constant, false)),
            _ => None,
        }
    }

    /// The bound above, likewise.
    fn upper(&self) -> Option<(&T, bool)> {
        match self {
            Fact::Is(Comparison::Less, constant) => Some((constant, true)),
            Fact::Is(Comparison::LessOrEqual, constant) => Some((constant, false)),
            _ => None,
        }
    }
}

/// Whether no value is as both have it. `whole` if values are whole numbers.
pub(super) fn excludes<T: Constant + Gap>(one: &Fact<T>, other: &Fact<T>, whole: bool) -> bool {
    for (one, other) in [(one, other), (other, one)] {
        if let Some(values) = one.values() {
            return !values.iter().any(|value| other.accepts(value));
        }
        if let (Some((least, above)), Some((most, below))) = (one.lower(), other.upper()) {
            let is_one = least == most && (above || below);
            let is_gap = whole && above && below && T::is_gap(least, most);
            return least > most || is_one || is_gap;
        }
    }
    match (one, other) {
        (Fact::StartsWith(a), Fact::StartsWith(b)) => {
            let (a, b) = (a.bytes(), b.bytes());
            !a.starts_with(b) && !b.starts_with(a)
        }
        (Fact::EndsWith(a), Fact::EndsWith(b)) => {
            let (a, b) = (a.bytes(), b.bytes());
            !a.ends_with(b) && !b.ends_with(a)
        }
        _ => false,
    }
}

/// Whether there is no whole number between two.
pub(super) trait Gap {
    fn is_gap(least: &Self, most: &Self) -> bool;
}

impl Gap for f64 {
    fn is_gap(least: &f64, most: &f64) -> bool {
        least.floor() + 1.0 >= *most
    }
}

impl Gap for BString {
    fn is_gap(_: &BString, _: &BString) -> bool {
        false
    }
}
