//! Events in, deltas out: one worker's state.

use super::Rules;
use super::program::cut;
use crate::delta::{Delta, DeltaMap, GroupKey, GroupingId};
use crate::haproxy::Event;
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What became of one event. Each event is accounted for exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in at least one row, and in the `events` of exactly one
    /// [`Entry`](crate::delta::Entry).
    Counted,
    /// No rule's condition let it through.
    Skipped,
    /// Rules wanted it, and the map had no room for it, not even among the others.
    OverLimit,
}

/// One worker's rows and the rules that fill them.
///
/// Applying the rules to an event allocates nothing: conditions run over resolved
/// fields, the group's key is built in a buffer that is kept, and cells are updated
/// in place. The first event of a series in a window since the last hand-over is
/// the exception, see [`DeltaMap`].
pub struct Evaluator {
    rules: Arc<Rules>,
    map: DeltaMap,
    key: GroupKey,
    /// The window of the last event, by the rules' groups: the next one is nearly always in
    /// it, and to know that takes no division.
    windows: Box<[Span]>,
}

/// From the first time up to the other.
#[derive(Clone, Copy)]
struct Span {
    start: Timestamp,
    end: Timestamp,
}

impl Span {
    const EMPTY: Span = Span {
        start: Timestamp::MAX,
        end: Timestamp::MIN,
    };

    /// The window of that length that the time is in; makes it this one.
    #[inline]
    fn start_of(&mut self, at: Timestamp, every: Duration) -> Timestamp {
        if at < self.start || at >= self.end {
            self.start = at.floor(every);
            self.end = self.start + every;
        }
        self.start
    }
}

impl Evaluator {
    /// It holds at most `max_rows` rows between two hand-overs.
    pub fn new(rules: Arc<Rules>, max_rows: usize) -> Self {
        Evaluator {
            map: DeltaMap::new(Arc::clone(rules.layout()), max_rows),
            windows: vec![Span::EMPTY; rules.groups.len()].into(),
            rules,
            key: GroupKey::default(),
        }
    }

    /// Tells events dated before that time from those since, in what it hands over.
    pub fn beginning_at(self, beginning: Timestamp) -> Self {
        Evaluator {
            map: self.map.beginning_at(beginning),
            ..self
        }
    }

    /// Runs every rule over one event. `at` is the event's time: it decides in which
    /// windows the event counts.
    pub fn apply(&mut self, event: &Event<'_>, at: Timestamp) -> Outcome {
        let mut outcome = Outcome::Skipped;
        let groups = self.rules.groups.iter().zip(&mut self.windows);
        for (place, (group, window)) in groups.enumerate() {
            let mut matching = group.matching(event);
            if matching == 0 {
                continue;
            }
            if outcome == Outcome::Skipped {
                self.map.note(at);
                // Until there is room in one of the groupings.
                outcome = Outcome::OverLimit;
            }
            // `load` bounds the number of groups far below the limit of a u16.
            let grouping = GroupingId(place as u16);
            let start = window.start_of(at, group.window.every);
            let entry = match group.only_text() {
                Some(text) => {
                    let value = text.of(event).map(cut);
                    self.map.entry_of_one(grouping, start, value, &mut self.key)
                }
                None => {
                    group.key(event, &mut self.key);
                    self.map.entry(grouping, start, &self.key)
                }
            };
            let Ok(entry) = entry else {
                continue;
            };
            // The first row that takes the event in accounts for it.
            if outcome != Outcome::Counted {
                entry.events += 1;
                outcome = Outcome::Counted;
            }
            while matching != 0 {
                let rule = &group.rules[matching.trailing_zeros() as usize];
                rule.draw(event, &mut entry.row);
                matching &= matching - 1;
            }
        }
        outcome
    }

    /// Hands over all rows and starts anew.
    pub fn take(&mut self) -> Delta {
        self.map.take()
    }
}
