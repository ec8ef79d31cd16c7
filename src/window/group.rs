//! The groups of one grouping: which series there are, and when they last said something.

use crate::delta::{Coverage, GroupKey, Grouping, Measure, Row, RuleLayout};
use crate::metric::{Series, Tags, with_tags};
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use slab::Slab;
use std::sync::Arc;

/// Groups by their key, each with a number that rows name it by.
#[derive(Default)]
pub struct Groups {
    by_key: HashMap<GroupKey, usize, RandomState>,
    groups: Slab<Group>,
    /// How many are admitted.
    admitted: usize,
}

/// One group: the tags of its series, and what is known of it for each rule.
pub struct Group {
    key: GroupKey,
    tags: Tags,
    /// By the rule's place in the grouping.
    pub heard: Box<[Heard]>,
    /// Whether it has a place of its own under the grouping's limit. One that has none has
    /// rows in open windows alone.
    admitted: bool,
    /// How many panes have a row of it.
    pub rows: usize,
}

/// When a rule last matched in a group. All are ends of panes; `None`: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// In any pane.
    pub last: Option<Timestamp>,
    /// In a pane that a closed window has.
    pub closed: Option<Timestamp>,
    /// In a pane whose rows have been forgotten.
    pub forgotten: Option<Timestamp>,
}

impl Groups {
    pub fn find(&self, key: &GroupKey) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub fn insert(&mut self, grouping: &Grouping, key: GroupKey) -> usize {
        let number = self.groups.insert(Group {
            tags: grouping.tags(&key),
            key: key.clone(),
            heard: vec![Heard::default(); grouping.rules.len()].into(),
            admitted: false,
            rows: 0,
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

    pub fn get_mut(&mut self, number: usize) -> Option<&mut Group> {
        self.groups.get_mut(number)
    }

    /// Gives a group a place of its own.
    pub fn admit(&mut self, number: usize) {
        if let Some(group) = self.groups.get_mut(number)
            && !group.is_admitted()
        {
            group.admitted = true;
            self.admitted += 1;
        }
    }

    /// Whether another group can have a place of its own.
    pub fn has_room(&self, limit: usize) -> bool {
        self.admitted < limit
    }

    /// Notes that a row of that group is gone; says how many it still has.
    pub fn lose_row(&mut self, number: usize) -> usize {
        let Some(group) = self.groups.get_mut(number) else {
            return 0;
        };
        group.rows = group.rows.saturating_sub(1);
        group.rows
    }

    /// Forgets a group; says how many series it had.
    pub fn remove(&mut self, number: usize, grouping: &Grouping) -> usize {
        let group = self.groups.remove(number);
        self.by_key.remove(&group.key);
        self.admitted -= usize::from(group.admitted);
        match group.is_admitted() {
            true => group.series(grouping),
            false => 0,
        }
    }

    /// Forgets the groups that no rule has seen since `before`; says how many series
    /// they had.
    pub fn expire(&mut self, grouping: &Grouping, before: Timestamp) -> usize {
        let expired = self.groups.iter().filter(|(_, group)| {
            let alive = |heard: &Heard| heard.last.is_some_and(|last| last > before);
            group.rows == 0 && !group.heard.iter().any(alive)
        });
        let expired: Vec<usize> = expired.map(|(number, _)| number).collect();
        let series = expired.into_iter();
        series.map(|number| self.remove(number, grouping)).sum()
    }
}

impl Group {
    pub fn key(&self) -> &GroupKey {
        &self.key
    }

    pub fn is_admitted(&self) -> bool {
        self.admitted || self.key.is_other()
    }

    /// What is known of the rules that matched in that row of it.
    pub fn heard_in<'a>(
        &'a mut self,
        grouping: &'a Grouping,
        row: &'a Row,
    ) -> impl Iterator<Item = (&'a RuleLayout, &'a mut Heard)> {
        let rules = grouping.rules.iter().zip(&mut self.heard);
        rules.filter(|(rule, _)| !row.is_silent(rule))
    }

    /// How many series it has, or would have with a place of its own: those of the rules that
    /// have been seen in it.
    pub fn series(&self, grouping: &Grouping) -> usize {
        let rules = grouping.rules.iter().zip(&self.heard);
        let seen = rules.filter(|(_, heard)| heard.last.is_some());
        seen.map(|(rule, _)| rule.series()).sum()
    }

    /// Tells what a rule's series say of a window in which it matched.
    pub fn values(
        &self,
        rule: &RuleLayout,
        row: &Row,
        coverage: Coverage,
        mut emit: impl FnMut(Series, f64),
    ) {
        let tags = self.tags(rule);
        for measure in &rule.measures {
            measure.output.values(row, coverage, |tag, value| {
                let tags = match tag {
                    None => Arc::clone(&tags),
                    Some((name, value)) => with_tags(&tags, [(Arc::clone(name), value)]),
                };
                emit(self.series_of(measure, tags), value);
            });
        }
    }

    /// Tells what a rule's series say of a window in which it did not match.
    pub fn silence(&self, rule: &RuleLayout, mut emit: impl FnMut(Series, f64)) {
        for measure in &rule.measures {
            if let Some(value) = measure.output.value_of_silence() {
                emit(self.series_of(measure, self.tags(rule)), value);
            }
        }
    }

    fn series_of(&self, measure: &Measure, tags: Tags) -> Series {
        let name = measure.name.of(&self.key);
        Series { name, tags }
    }

    fn tags(&self, rule: &RuleLayout) -> Tags {
        with_tags(&self.tags, rule.tags.iter().cloned())
    }
}
