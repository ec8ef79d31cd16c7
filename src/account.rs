//! The account of all lines up to a checkpoint: with it, the sums go on after a restart.

use crate::haproxy::Reject;
use crate::telemetry::Tally;
use crate::window::Merged;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became of the lines that are in a checkpoint, each counted as in
/// [`telemetry`](crate::telemetry). Of exactly these: none that was counted later is in here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub parsed: u64,
    /// By reason.
    pub rejected: BTreeMap<String, u64>,
    pub cut: u64,
    pub skipped: u64,
    pub notices: u64,
    pub notices_dropped: u64,
    pub future: u64,
    pub counted: u64,
    pub late: u64,
    pub too_late: u64,
    pub over_limit: u64,
    pub missing_too_late: u64,
    pub missing_over_limit: u64,
    /// By rule.
    pub over_limit_by_rule: BTreeMap<String, u64>,
    /// Windows, not lines.
    pub windows_closed: u64,
    pub windows_amended: u64,
}

impl Account {
    /// How many lines there were.
    pub fn received(&self) -> u64 {
        self.parsed + self.rejected.values().sum::<u64>()
    }

    /// Adds lines that have been read.
    pub fn add(&mut self, tally: &Tally) {
        self.parsed += tally.parsed;
        for (reason, n) in Reject::REASONS.iter().zip(tally.rejected) {
            if n > 0 {
                *self.rejected.entry((*reason).to_owned()).or_default() += n;
            }
        }
        self.cut += tally.cut;
        self.skipped += tally.skipped;
        self.notices += tally.notices;
        self.notices_dropped += tally.notices_dropped;
        self.future += tally.future;
        self.over_limit += tally.over_limit;
    }

    /// Adds what became of their events.
    pub fn merged(&mut self, merged: &Merged) {
        self.counted += merged.counted;
        self.late += merged.late;
        self.too_late += merged.too_late;
        self.over_limit += merged.over_limit;
        self.skipped += merged.skipped;
        self.missing_too_late += merged.missing_too_late;
        self.missing_over_limit += merged.missing_over_limit;
    }
}
