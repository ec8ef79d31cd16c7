//! What a finished number is called: the leaf that every stage may name.

use crate::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
