//! What a finished number is called: the leaf that every stage may name.

use crate::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// No limit on series can be set higher.
pub const SERIES_MAX: usize = 10_000_000;

/// A name and its tags: what one line on a chart shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// `<rule>.<measure>`, such as `http.p95`.
    pub name: Arc<str>,
    /// Sorted by name; names are unique.
    pub tags: Tags,
}

/// The tags of a series, sorted by name.
pub type Tags = Arc<[(Arc<str>, Arc<str>)]>;

/// All of them, sorted by name. None of `more` has the name of another.
pub fn with_tags(tags: &Tags, more: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Tags {
    let mut more = more.into_iter().peekable();
    if more.peek().is_none() {
        return Arc::clone(tags);
    }
    let mut all: Vec<_> = tags.iter().cloned().chain(more).collect();
    all.sort();
    all.into()
}

/// `http.p95{service="users"}`
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.tags.is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (i, (name, value)) in self.tags.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

/// One value of a series for one window, on its way to the sinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub series: Series,
    /// The window's start.
    pub time: Timestamp,
    /// The window's length.
    pub period: Duration,
    /// Always finite.
    pub value: f64,
}

/// A thing that happened, for marks on charts: Librato's annotation event.
///
/// Whole seconds are its resolution wherever it goes: there, two of one stream, title
/// and source that begin in the same second are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// What it is filed under, such as `haproxy`.
    pub stream: Box<str>,
    /// Short, for people.
    pub title: Box<str>,
    /// Which of several it happened to, such as a host; `None`: nobody said.
    pub source: Option<Box<str>>,
    /// The particulars.
    pub description: Option<Box<str>>,
    pub start: Timestamp,
    /// `None`: it has no length, or has not ended.
    pub end: Option<Timestamp>,
}

/// A name as Prometheus can have it: every character that is no ASCII letter or digit
/// becomes `_`, and one is put before a digit at the start. Case is left alone. Different
/// names may have the same identifier; the rules are refused where series do.
///
/// Prometheus' data model, "Metric names and labels": the older, stricter rules, which
/// every version of it takes; of them we leave out `:`, which is kept for recording rules.
pub fn identifier(name: &str) -> String {
    let mut identifier: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if identifier.starts_with(|c: char| c.is_ascii_digit()) {
        identifier.insert(0, '_');
    }
    identifier
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, want) in [
            ("http.rate", "http_rate"),
            ("a:b-c", "a_b_c"),
            ("5xx", "_5xx"),
            ("Web", "Web"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(identifier(name), want);
        }
    }
}
