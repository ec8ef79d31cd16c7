//! Whether weir began in the middle of what it measures.

use crate::delta::Delta;
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    at: Timestamp,
    earliest: Timestamp,
    latest: Timestamp,
    events: u64,
}

impl Beginning {
    pub fn new(at: Timestamp) -> Self {
        Beginning {
            at,
            earliest: Timestamp::MAX,
            latest: Timestamp::MIN,
            events: 0,
        }
    }

    pub fn at(&self) -> Timestamp {
        self.at
    }

    pub fn note(&mut self, delta: &Delta) {
        self.earliest = self.earliest.min(delta.earliest);
        self.latest = self.latest.max(delta.latest);
        self.events = self.events.saturating_add(delta.events);
    }

    /// From when on all events have been seen; [`Timestamp::MIN`] if none was missed. A sender
    /// may have kept events of the time before weir began: then it is from the first of them.
    pub fn covered_from(&self, now: Timestamp) -> Timestamp {
        match self.was_flowing(now) {
            true => self.at.min(self.earliest),
            false => Timestamp::MIN,
        }
    }

    fn was_flowing(&self, now: Timestamp) -> bool {
        let Some(gaps @ 1..) = self.events.checked_sub(1) else {
            return false;
        };
        let time = self.latest.saturating_since(self.earliest).as_nanos();
        let gap = Duration::from_nanos(u64::try_from(time / u128::from(gaps)).unwrap_or(u64::MAX));
        let patience = gap.saturating_mul(GAPS);
        self.earliest.saturating_since(self.at) <= patience
            && now.saturating_since(self.latest) <= patience.saturating_add(LAG)
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
        // The first and last of so many events, in milliseconds after the beginning.
        for (events, earliest, latest, covered_from) in [
            (0, 0, 0, None),
            // One alone tells nothing.
            (1, 5, 5, None),
            // A hundred a second.
            (1000, 5, 9_995, Some(0)),
            (1000, 79, 9_995, Some(0)),
            (900, 1_000, 9_995, None),
            // One a second.
            (10, 700, 9_700, Some(0)),
            // A burst is over.
            (1000, 5, 1_000, None),
            // The sender kept some.
            (1200, -2_000, 9_995, Some(-2_000)),
        ] {
            let mut beginning = Beginning::new(at(0));
            beginning.note(&Delta {
                layout: Arc::new(Layout::default()),
                entries: Vec::new(),
                earliest: if events > 0 {
                    at(earliest)
                } else {
                    Timestamp::MAX
                },
                latest: if events > 0 {
                    at(latest)
                } else {
                    Timestamp::MIN
                },
                events,
                refused: 0,
            });
            let want = covered_from.map_or(Timestamp::MIN, at);
            let got = beginning.covered_from(at(12_000));
            assert_eq!(got, want, "{events} from {earliest} to {latest}");
        }
    }
}
