//! Whether weir began in the middle of what it measures.

use crate::delta::{Ages, Delta, Times};
use crate::time::Timestamp;
use std::time::Duration;

/// Traffic was flowing when weir began if the first event came within so many of the mean
/// gaps between events. If events come at random, one begins later by chance in 3,000 cases
/// (e⁻⁸).
const GAPS: u32 = 8;

/// Events of the last so many seconds may not have been handed over yet.
const LAG: Duration = Duration::from_secs(3);

/// What came since weir began: it tells from when on the windows have been seen.
///
/// In the window in which weir begins, it has seen events for a part of the time only. If
/// they were flowing already, the rate of the whole window would be too low, and of the part
/// it is right. If they began later, they were seen all, and there is nothing to correct.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    at: Timestamp,
    before: Ages,
    since: Times,
}

impl Beginning {
    pub fn new(at: Timestamp) -> Self {
        Beginning {
            at,
            before: Ages::default(),
            since: Times::NONE,
        }
    }

    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// It began later than thought.
    pub fn set_at(&mut self, at: Timestamp) {
        self.at = at;
    }

    pub fn note(&mut self, delta: &Delta) {
        self.before.merge(&delta.before);
        self.since.merge(delta.since);
    }

    /// From when on all events have been seen; [`Timestamp::MIN`] if none was missed.
    ///
    /// A sender may have kept events of the time before weir began: then it is from the first
    /// of them. But a few that were long under way are no stream: there have to be half as
    /// many as flow in that time, and such a few do not hide a stream that is younger.
    pub fn covered_from(&self, now: Timestamp) -> Timestamp {
        let Some(gap) = self.gap().filter(|gap| self.was_flowing(*gap, now)) else {
            return Timestamp::MIN;
        };
        self.at - self.before.flowing_for(gap)
    }

    /// The mean time between two events. `None` of less than two.
    fn gap(&self) -> Option<Duration> {
        let gaps = self.since.events.checked_sub(1).filter(|gaps| *gaps > 0)?;
        let time = self
            .since
            .last
            .saturating_since(self.since.first)
            .as_nanos();
        let nanos = u64::try_from(time / u128::from(gaps)).unwrap_or(u64::MAX);
        Some(Duration::from_nanos(nanos))
    }

    fn was_flowing(&self, gap: Duration, now: Timestamp) -> bool {
        let patience = gap.saturating_mul(GAPS);
        self.since.first.saturating_since(self.at) <= patience
            && now.saturating_since(self.since.last) <= patience.saturating_add(LAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::Layout;
    use std::sync::Arc;

    #[test]
    fn what_began_later_was_seen_all() {
        let at = |millis: i64| Timestamp::from_millis(1_767_268_800_000 + millis);
        let times = |(events, first, last): (u64, i64, i64)| match events {
            0 => Times::NONE,
            _ => Times {
                events,
                first: at(first),
                last: at(last),
            },
        };
        // So many, evenly from the first to the last.
        let ages = |before: &[(u64, i64, i64)]| -> Ages {
            let parts = before.iter().flat_map(|&(events, first, last)| {
                let gap = (last - first) / (events.max(2) as i64 - 1);
                (0..events as i64).map(move |n| first + n * gap)
            });
            parts
                .map(|millis| Duration::from_millis(millis.unsigned_abs()))
                .collect()
        };
        // How many events, the first and the last, in milliseconds after the beginning.
        let none = (0, 0, 0);
        for (before, since, covered_from) in [
            (&[][..], none, None),
            // One alone tells nothing.
            (&[], (1, 5, 5), None),
            // A hundred a second.
            (&[], (1000, 5, 9_995), Some(0)),
            (&[], (1000, 79, 9_995), Some(0)),
            (&[], (900, 1_000, 9_995), None),
            // One a second.
            (&[], (10, 700, 9_700), Some(0)),
            // A burst is over.
            (&[], (1000, 5, 1_000), None),
            // The sender kept some.
            (&[(200, -2_000, -1)], (1000, 5, 9_995), Some(-2_000)),
            // Some were long under way.
            (&[(1, -10, -10)], (1000, 5, 9_995), Some(-10)),
            (&[(1, -3_600_000, -3_600_000)], (1000, 5, 9_995), Some(0)),
            (&[(50, -2_000, -1)], (1000, 5, 9_995), Some(0)),
            // Both at once.
            (
                &[(200, -2_000, -1), (5, -60_000, -60_000)],
                (1000, 5, 9_995),
                Some(-2_000),
            ),
        ] {
            let mut beginning = Beginning::new(at(0));
            beginning.note(&Delta {
                layout: Arc::new(Layout::default()),
                entries: Vec::new(),
                before: ages(before),
                since: times(since),
                refused: 0,
            });
            let want = covered_from.map_or(Timestamp::MIN, at);
            let got = beginning.covered_from(at(12_000));
            assert_eq!(got, want, "{before:?} {since:?}");
        }
    }
}
