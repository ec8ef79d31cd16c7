//! What becomes of rows when rules are loaded again.

use super::grouping::GroupingWindows;
use crate::delta::{Entry, GroupKey, GroupingId, Layout, Row};
use crate::time::Timestamp;
use std::collections::HashMap;

/// Where the rules of one layout are in another: those with the same definition.
pub(super) struct Moves<'a> {
    from: &'a Layout,
    /// By grouping and rule of the first layout; `None` where the other does not have it.
    to: Vec<Vec<Option<RulePlace>>>,
}

/// A grouping and the place of a rule in it.
type RulePlace = (usize, usize);

impl<'a> Moves<'a> {
    pub fn between(from: &'a Layout, to: &Layout) -> Self {
        let mut places = HashMap::new();
        for (place, grouping) in to.groupings.iter().enumerate() {
            for (rule, layout) in grouping.rules.iter().enumerate() {
                places.insert(&*layout.definition, (place, rule));
            }
        }
        let groupings = from.groupings.iter().map(|grouping| {
            let rules = grouping.rules.iter();
            rules
                .map(|rule| places.get(&*rule.definition).copied())
                .collect()
        });
        Moves {
            to: groupings.collect(),
            from,
        }
    }

    /// Entries as the other layout has them, and how many events none of its rules wants.
    pub fn entries(&self, entries: Vec<Entry>, to: &Layout) -> (Vec<Entry>, u64) {
        let (mut moved, mut gone) = (Vec::with_capacity(entries.len()), 0);
        for entry in entries {
            let rows = self.rows(usize::from(entry.grouping.0), entry.row, to);
            // The first row accounts for the events.
            let mut events = entry.events;
            for (grouping, row) in rows {
                moved.push(Entry {
                    grouping: GroupingId(grouping as u16),
                    key: entry.key.clone(),
                    start: entry.start,
                    events: std::mem::take(&mut events),
                    placed: entry.placed,
                    row,
                });
            }
            gone += events;
        }
        (moved, gone)
    }

    /// The windows as the other layout has them. Rules that are new have seen nothing before
    /// `now`.
    pub fn groupings(
        &self,
        old: Vec<GroupingWindows>,
        to: &Layout,
        now: Timestamp,
    ) -> Vec<GroupingWindows> {
        let new = to.groupings.iter().map(GroupingWindows::new);
        let mut new: Vec<GroupingWindows> = new.collect();
        for own in &mut new {
            own.covered_from.fill(Some(now));
        }
        for (from, own) in old.into_iter().enumerate() {
            self.grouping(from, own, to, &mut new);
        }
        new
    }

    fn grouping(
        &self,
        from: usize,
        own: GroupingWindows,
        to: &Layout,
        new: &mut [GroupingWindows],
    ) {
        for (rule, place) in self.to[from].iter().enumerate() {
            let Some((grouping, new_rule)) = *place else {
                continue;
            };
            let target = &mut new[grouping];
            target.covered_from[new_rule] = own.covered_from[rule];
            target.closed_to = target.closed_to.max(own.closed_to);
            target.heard = target.heard.max(own.heard);
            target.forgotten_to = target.forgotten_to.max(own.forgotten_to);
            for (_, group) in own.groups.iter() {
                let heard = group.heard[rule];
                if heard.last.is_none() {
                    continue;
                }
                let number = find_or_insert(target, &to.groupings[grouping], group.key());
                if group.is_admitted() {
                    target.groups.admit(number);
                }
                if let Some(group) = target.groups.get_mut(number) {
                    group.heard[new_rule] = heard;
                }
            }
        }
        for (pane, rows) in own.panes {
            for (number, row) in rows {
                let Some(group) = own.groups.get(number) else {
                    continue;
                };
                for (grouping, row) in self.rows(from, row, to) {
                    let target = &mut new[grouping];
                    let number = find_or_insert(target, &to.groupings[grouping], group.key());
                    target.insert_row(pane, number, row);
                }
            }
        }
        for (number, start) in own.amended {
            let Some(group) = own.groups.get(number) else {
                continue;
            };
            for (grouping, _) in self.to[from].iter().flatten() {
                if let Some(number) = new[*grouping].find(group.key()) {
                    new[*grouping].amended.insert((number, start));
                }
            }
        }
    }

    /// A row's cells, each rule's in the row of the grouping that has the rule now. Rows in
    /// which no rule has matched are left out.
    fn rows(&self, from: usize, mut row: Row, to: &Layout) -> Vec<(usize, Row)> {
        let mut rows: Vec<(usize, Row)> = Vec::new();
        let rules = self.from.groupings[from].rules.iter().zip(&self.to[from]);
        for (rule, place) in rules {
            let Some((grouping, new_rule)) = *place else {
                continue;
            };
            if row.is_silent(rule) {
                continue;
            }
            let layout = &to.groupings[grouping];
            let at = rows.iter().position(|(known, _)| *known == grouping);
            let at = at.unwrap_or_else(|| {
                rows.push((grouping, layout.empty_row()));
                rows.len() - 1
            });
            let cells = layout.rules[new_rule].cells.clone();
            for (old, new) in rule.cells.clone().zip(cells) {
                std::mem::swap(&mut row[old], &mut rows[at].1[new]);
            }
        }
        rows
    }
}

fn find_or_insert(
    target: &mut GroupingWindows,
    grouping: &crate::delta::Grouping,
    key: &GroupKey,
) -> usize {
    let known = target.find(key);
    known.unwrap_or_else(|| target.groups.insert(grouping, key.clone()))
}
