//! The groups of one grouping: which series there are, and when they last said something.

use crate::delta::{GroupKey, Grouping, Row};
use crate::metric::{Series, Tags};
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use slab::Slab;
use std::sync::Arc;
use std::time::Duration;

/// Groups by their key, each with a number that rows name it by.
#[derive(Default)]
pub struct Groups {
    by_key: HashMap<GroupKey, usize, RandomState>,
    groups: Slab<Group>,
}

/// One group: the tags of its series and when each rule saw it.
pub struct Group {
    key: GroupKey,
    tags: Tags,
    /// By the rule's place in the grouping; `None` where it never matched.
    seen: Box<[Option<Seen>]>,
}

/// The ends of the first and the last window in which a rule matched.
#[derive(Clone, Copy)]
struct Seen {
    first: Timestamp,
    last: Timestamp,
}

impl Groups {
    pub fn find(&self, key: &GroupKey) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub fn insert(&mut self, grouping: &Grouping, key: GroupKey) -> usize {
        let number = self.groups.insert(Group {
            tags: grouping.tags(&key),
            key: key.clone(),
            seen: vec![None; grouping.rules.len()].into(),
        });
        self.by_key.insert(key, number);
        number
    }

    /// Every group with its number.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Group)> {
        self.groups.iter()
    }

    pub fn get(&self, number: usize) -> Option<&Group> {
        self.groups.get(number)
    }

    /// How many series there would be more with that row: those of the rules that have
    /// not been seen in its group. `number` is `None` for a new group.
    pub fn new_series(&self, number: Option<usize>, grouping: &Grouping, row: &Row) -> usize {
        let seen = number.map(|number| &self.groups[number].seen);
        let rules = grouping.rules.iter().enumerate().filter(|(place, rule)| {
            row.count(rule.matched) > 0 && seen.is_none_or(|seen| seen[*place].is_none())
        });
        rules.map(|(_, rule)| rule.measures.len()).sum()
    }

    /// Notes which rules matched in the window that ends at `end`.
    pub fn note(&mut self, number: usize, grouping: &Grouping, row: &Row, end: Timestamp) {
        let seen = &mut self.groups[number].seen;
        for (rule, seen) in grouping.rules.iter().zip(seen.iter_mut()) {
            if row.count(rule.matched) > 0 {
                *seen = Some(seen.map_or(
                    Seen {
                        first: end,
                        last: end,
                    },
                    |seen| Seen {
                        first: seen.first.min(end),
                        last: seen.last.max(end),
                    },
                ));
            }
        }
    }

    /// Forgets the groups that no rule has seen since `before`; says how many series
    /// they had.
    pub fn expire(&mut self, grouping: &Grouping, before: Timestamp) -> usize {
        let mut series = 0;
        let by_key = &mut self.by_key;
        self.groups.retain(|_, group| {
            let alive = group.seen.iter().flatten().any(|seen| seen.last > before);
            if !alive {
                by_key.remove(&group.key);
                series += group.series(grouping);
            }
            alive
        });
        series
    }
}

impl Group {
    fn series(&self, grouping: &Grouping) -> usize {
        let rules = grouping.rules.iter().zip(&self.seen);
        let seen = rules.filter(|(_, seen)| seen.is_some());
        seen.map(|(rule, _)| rule.measures.len()).sum()
    }

    /// What this group's series say of the window that ends at `end`, in which it has
    /// `row`, or no events at all. Gaps are left out.
    pub fn values(
        &self,
        grouping: &Grouping,
        row: Option<&Row>,
        end: Timestamp,
        expire_after: Duration,
        mut emit: impl FnMut(Series, f64),
    ) {
        for (rule, seen) in grouping.rules.iter().zip(&self.seen) {
            let matched = row.filter(|row| row.count(rule.matched) > 0);
            let silent = seen.is_some_and(|seen| {
                seen.first < end && end.saturating_since(seen.last) <= expire_after
            });
            for measure in &rule.measures {
                let value = match matched {
                    Some(row) => measure.formula.value(row, grouping.window.span),
                    None if silent => measure.formula.value_of_silence(),
                    None => None,
                };
                if let Some(value) = value.filter(|value| value.is_finite()) {
                    let series = Series {
                        name: measure.name.of(&self.key),
                        tags: Arc::clone(&self.tags),
                    };
                    emit(series, value);
                }
            }
        }
    }
}
