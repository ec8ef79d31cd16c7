//! Events in, deltas out: one worker's state.

use super::Rules;
use crate::delta::{Delta, DeltaMap, GroupKey, GroupingId};
use crate::haproxy::Event;
use crate::time::Timestamp;
use std::sync::Arc;

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
}

impl Evaluator {
    /// It holds at most `max_rows` rows between two hand-overs.
    pub fn new(rules: Arc<Rules>, max_rows: usize) -> Self {
        Evaluator {
            map: DeltaMap::new(Arc::clone(rules.layout()), max_rows),
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
        for (place, group) in self.rules.groups.iter().enumerate() {
            let mut matching = group.matching(event);
            if matching == 0 {
                continue;
            }
            if outcome == Outcome::Skipped {
                self.map.note(at);
                // Until there is room in one of the groupings.
                outcome = Outcome::OverLimit;
            }
            group.key(event, &mut self.key);
            // `load` bounds the number of groups far below the limit of a u16.
            let grouping = GroupingId(place as u16);
            let start = at.floor(group.window.every);
            let Ok(entry) = self.map.entry(grouping, start, &self.key) else {
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
