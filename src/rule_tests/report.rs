//! What came of tests, as people read it.

use crate::haproxy::Reject;
use crate::metric::Series;
use crate::telemetry::Tally;
use crate::time::Timestamp;
use crate::window::Merged;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// So many rejected lines are told one by one.
const REJECTS: usize = 5;

/// What came of the tests of one file.
#[derive(Debug)]
pub struct Report {
    pub tests: Vec<Tested>,
    /// The rules of whose series any was expected, or expected to be silent.
    pub touched: BTreeSet<Arc<str>>,
}

/// What came of one test.
#[derive(Debug)]
pub struct Tested {
    pub name: String,
    /// `path:line:column` of its name.
    pub place: String,
    /// What is not as expected. None: it has passed.
    pub failed: Vec<Failed>,
    pub account: Account,
}

/// One value that is not as expected.
#[derive(Debug)]
pub struct Failed {
    /// `path:line:column` of the series.
    pub place: String,
    pub series: Series,
    /// The window's.
    pub start: Timestamp,
    pub expected: Option<f64>,
    pub found: Option<f64>,
    /// What there is of this kind.
    pub instead: Vec<(Timestamp, Series, f64)>,
    pub hint: Option<String>,
}

/// What became of a test's lines.
#[derive(Debug, Default)]
pub struct Account {
    counted: u64,
    late: u64,
    too_late: u64,
    over_limit: u64,
    future: u64,
    skipped: u64,
    notices: u64,
    rejected: u64,
    /// Why, with their places; one that is repeated is here once.
    rejects: Vec<(String, Reject)>,
}

impl Account {
    pub(super) fn tally(&mut self, tally: &Tally) {
        self.future += tally.future;
        self.skipped += tally.skipped;
        self.notices += tally.notices;
        self.over_limit += tally.over_limit;
        self.rejected += tally.rejected.iter().sum::<u64>();
    }

    pub(super) fn with_rejects(self, rejects: Vec<(String, Reject)>) -> Self {
        Account { rejects, ..self }
    }

    pub(super) fn merged(&mut self, merged: Merged) {
        self.counted += merged.counted;
        self.late += merged.late;
        self.too_late += merged.too_late;
        self.over_limit += merged.over_limit;
    }
}

impl Tested {
    pub fn passed(&self) -> bool {
        self.failed.is_empty()
    }
}

/// The test, each value that is not as expected, and what became of the lines.
impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: failed: {}", self.place, self.name)?;
        for failed in &self.failed {
            write!(f, "{failed}")?;
        }
        writeln!(f, "\n  lines: {}", self.account)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {}: {} at {}", self.place, self.series, self.start)?;
        writeln!(f, "    expected  {}", Value(self.expected))?;
        writeln!(f, "    found     {}", Value(self.found))?;
        for (start, series, value) in &self.instead {
            let value = Value(Some(*value));
            match *start == self.start {
                true => writeln!(f, "    there is  {value}  {series}")?,
                false => writeln!(f, "    there is  {value}  at {start}")?,
            }
        }
        match &self.hint {
            Some(hint) => writeln!(f, "    hint: {hint}"),
            None => Ok(()),
        }
    }
}

struct Value(Option<f64>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value}"),
            None => f.write_str("no value"),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} counted", self.counted)?;
        for (lines, what) in [
            (self.late, "late, in closed windows that they amend"),
            (self.too_late, "too late"),
            (self.future, "from the future"),
            (self.over_limit, "over the limit of series"),
            (self.skipped, "that no rule wants"),
            (self.notices, "messages of HAProxy's own"),
            (self.rejected, "rejected"),
        ] {
            if lines > 0 {
                write!(f, ", {lines} {what}")?;
            }
        }
        for (place, reject) in self.rejects.iter().take(REJECTS) {
            write!(f, "\n    {place}: rejected: {reject}")?;
        }
        Ok(())
    }
}
