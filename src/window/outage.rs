//! When nobody was there to receive events.

use super::beginning::Beginning;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A time for which events are missing, from the last checkpoint or the beginning of time to
/// when weir began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outage {
    from: Timestamp,
    to: Timestamp,
    /// Events up to here are missing: before `to` where senders had kept some, and
    /// [`Timestamp::MIN`] where none were missed.
    unseen_to: Timestamp,
}

/// Those that matter to windows that there are, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outages(Vec<Outage>);

/// Further ones are one with those before.
const OUTAGES_MAX: usize = 100;

impl Outages {
    /// Notes the time from `from` until weir began.
    pub fn add(&mut self, from: Timestamp, beginning: &Beginning, now: Timestamp) {
        let to = beginning.at();
        if from >= to {
            return;
        }
        self.0.push(Outage {
            from,
            to,
            unseen_to: beginning.covered_from(now),
        });
        if self.0.len() > OUTAGES_MAX {
            let first = self.0.remove(0);
            self.0[0].from = first.from;
        }
    }

    /// Forgets those that ended by then.
    pub fn forget(&mut self, end: Timestamp) {
        self.0.retain(|outage| outage.to > end);
    }

    /// For how much of that time events are missing.
    pub fn unseen(&self, start: Timestamp, end: Timestamp) -> Duration {
        let unseen = |outage: &Outage| {
            let (from, to) = (start.max(outage.from), end.min(outage.unseen_to));
            to.saturating_since(from)
        };
        self.0.iter().map(unseen).sum()
    }

    /// Whether weir was away for a part of that time and cannot tell silence from it. Before
    /// its first beginning it knew of nobody who could have been silent.
    pub fn hide_silence(&self, start: Timestamp, end: Timestamp) -> bool {
        let hides = |outage: &Outage| {
            outage.from > Timestamp::MIN && start < outage.to && outage.from < end
        };
        self.0.iter().any(hides)
    }
}
