//! Windows to bytes and back: what a checkpoint holds of them.
//!
//! Panes are written one by one, so that a checkpoint writes those alone that have changed.
//! Everything else is in the head. Both are in postcard's wire format
//! (<https://postcard.jamesmunns.com/wire-format>); docs/checkpoint-format.md describes them.

use super::group::Heard;
use super::grouping::GroupingWindows;
use super::outage::Outages;
use super::reload::Moves;
use super::{Beginning, Settings, Windows};
use crate::checkpoint::{Changes, Checkpoint};
use crate::delta::{CellKind, GroupKey, Grouping, Layout, Row, RuleLayout, Window};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Of what follows in a head and in panes. Raised with each change of a type that is in them,
/// those of `delta`'s cells too.
const VERSION: u32 = 1;

/// Why windows cannot go on from a checkpoint.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

#[derive(Serialize, Deserialize)]
struct Head {
    /// When it was taken.
    at: Timestamp,
    now: Timestamp,
    outages: Outages,
    groupings: Vec<GroupingHead>,
}

#[derive(Serialize, Deserialize)]
struct GroupingHead {
    window: Window,
    cells: Vec<CellKind>,
    rules: Vec<RuleHead>,
    closed_to: Option<Timestamp>,
    heard: Option<Timestamp>,
    forgotten_to: Option<Timestamp>,
    /// Groups by their numbers, and the starts of windows that are still to be sent again: those
    /// that have changed while windows waited for senders to come back.
    amended: BTreeSet<(usize, Timestamp)>,
    groups: Vec<GroupHead>,
}

#[derive(Serialize, Deserialize)]
struct RuleHead {
    definition: String,
    cells: Range<usize>,
    matched: usize,
    covered_from: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct GroupHead {
    number: usize,
    key: GroupKey,
    admitted: bool,
    heard: Box<[Heard]>,
}

/// The rows of a pane, each with the number of its group.
type Rows<R> = Vec<(usize, R)>;

impl Windows {
    /// What has changed since the last snapshot; everything, if asked for, the first time and
    /// after [`reload`](Windows::reload).
    pub fn snapshot(&mut self, at: Timestamp, everything: bool) -> Changes {
        let whole = everything || self.groupings.iter().any(|own| own.changed.is_none());
        let mut panes = Vec::new();
        for (place, own) in self.groupings.iter_mut().enumerate() {
            let changed = own.changed.replace(BTreeSet::new()).filter(|_| !whole);
            let changed = changed.unwrap_or_else(|| own.panes.keys().copied().collect());
            panes.extend(changed.into_iter().map(|pane| {
                let rows = own.panes.get(&pane).map(|rows| {
                    let rows: Rows<&Row> =
                        rows.iter().map(|(&number, row)| (number, row)).collect();
                    encode(&rows)
                });
                ((place as u16, pane.as_micros()), rows)
            }));
        }
        let groupings = self.layout.groupings.iter().zip(&self.groupings);
        let mut outages = self.outages.clone();
        if let Some(beginning) = &self.beginning {
            outages.add(self.seen_to, beginning, at);
        }
        let head = Head {
            at,
            now: self.now,
            outages,
            groupings: groupings
                .map(|(grouping, own)| GroupingHead::of(grouping, own))
                .collect(),
        };
        Changes {
            head: encode(&(VERSION, head)),
            panes,
            whole,
        }
    }

    /// Windows that go on where a checkpoint left off, with whatever rules there are now: those
    /// that the checkpoint does not have have seen nothing before it was taken. What happened
    /// since then has not been received, but for what is still to come from a journal or from a
    /// sender that has kept it.
    ///
    /// # Errors
    ///
    /// When it was written by a weir with another version of the format, or is no checkpoint.
    pub fn restore(
        layout: Arc<Layout>,
        settings: Settings,
        checkpoint: &Checkpoint,
        start: Timestamp,
    ) -> Result<Windows, Unreadable> {
        let version: u32 = postcard::take_from_bytes(&checkpoint.head)
            .map_err(|_| Unreadable("it has no beginning".to_owned()))?
            .0;
        if version != VERSION {
            return Err(Unreadable(format!(
                "its windows are in version {version}, but this weir reads version {VERSION}"
            )));
        }
        let (_, head): (u32, Head) = decode(&checkpoint.head)?;
        let saved = Layout {
            groupings: head.groupings.iter().map(GroupingHead::layout).collect(),
        };
        check_cells(&saved, &layout)?;
        let mut own = Vec::new();
        let mut numbers = Vec::new();
        for (grouping, head) in saved.groupings.iter().zip(&head.groupings) {
            let (windows, by_number) = head.windows(grouping)?;
            own.push(windows);
            numbers.push(by_number);
        }
        for ((place, start), bytes) in &checkpoint.panes {
            let place = usize::from(*place);
            let grouping = saved.groupings.get(place);
            let grouping =
                grouping.ok_or_else(|| Unreadable("a pane has no grouping".to_owned()))?;
            let rows: Rows<Row> = decode(bytes)?;
            for (number, row) in rows {
                let number = numbers[place].get(&number);
                let number = number.ok_or_else(|| Unreadable("a row has no group".to_owned()))?;
                if !row.fits(&grouping.cells) {
                    return Err(Unreadable(
                        "a row has other cells than its rules".to_owned(),
                    ));
                }
                own[place].insert_row(Timestamp::from_micros(*start), *number, row);
            }
        }
        let groupings = Moves::between(&saved, &layout).groupings(own, &layout, head.at);
        let mut windows = Windows {
            now: head.now,
            seen_to: head.at,
            outages: head.outages,
            beginning: Some(Beginning::new(start)),
            awaited_to: start + settings.grace,
            groupings,
            ..Windows::new(layout, settings)
        };
        windows.count_series();
        Ok(windows)
    }

    /// Counts the series that groups have.
    pub(super) fn count_series(&mut self) {
        let own = self.layout.groupings.iter().zip(&self.groupings);
        let series = own.map(|(grouping, own)| own.series(grouping)).sum();
        self.room.series = series;
    }
}

impl GroupingHead {
    fn of(grouping: &Grouping, own: &GroupingWindows) -> Self {
        let rules = grouping.rules.iter().zip(&own.covered_from);
        let groups = own.groups.iter();
        GroupingHead {
            window: grouping.window,
            cells: grouping.cells.clone(),
            rules: rules
                .map(|(rule, covered_from)| RuleHead {
                    definition: rule.definition.to_string(),
                    cells: rule.cells.clone(),
                    matched: rule.matched,
                    covered_from: *covered_from,
                })
                .collect(),
            closed_to: own.closed_to,
            heard: own.heard,
            forgotten_to: own.forgotten_to,
            amended: own.amended.clone(),
            groups: groups
                .map(|(number, group)| GroupHead {
                    number,
                    key: group.key().clone(),
                    admitted: group.is_admitted(),
                    heard: group.heard.clone(),
                })
                .collect(),
        }
    }

    /// As much of the layout as moving to another one takes.
    fn layout(&self) -> Grouping {
        let rules = self.rules.iter().map(|rule| RuleLayout {
            name: "".into(),
            tags: [].into(),
            definition: rule.definition.as_str().into(),
            cells: rule.cells.clone(),
            matched: rule.matched,
            measures: Vec::new(),
        });
        Grouping {
            by: Vec::new(),
            window: self.window,
            limit: None,
            cells: self.cells.clone(),
            rules: rules.collect(),
        }
    }

    /// Windows without rows, and the numbers that groups have in it by those they had.
    fn windows(
        &self,
        grouping: &Grouping,
    ) -> Result<(GroupingWindows, HashMap<usize, usize>), Unreadable> {
        let in_cells = |rule: &RuleHead| {
            rule.cells.start <= rule.cells.end
                && rule.cells.end <= self.cells.len()
                && rule.matched < self.cells.len()
        };
        if !self.rules.iter().all(in_cells) {
            return Err(Unreadable("a rule has cells that are not there".to_owned()));
        }
        let mut windows = GroupingWindows::new(grouping);
        windows.closed_to = self.closed_to;
        windows.heard = self.heard;
        windows.forgotten_to = self.forgotten_to;
        windows.covered_from = self.rules.iter().map(|rule| rule.covered_from).collect();
        let mut numbers = HashMap::new();
        for head in &self.groups {
            if head.heard.len() != self.rules.len() {
                return Err(Unreadable(
                    "a group has other rules than its grouping".to_owned(),
                ));
            }
            let number = windows.groups.insert(grouping, head.key.clone());
            if head.admitted {
                windows.groups.admit(number);
            }
            if let Some(group) = windows.groups.get_mut(number) {
                group.heard = head.heard.clone();
            }
            numbers.insert(head.number, number);
        }
        let amended = self.amended.iter();
        let amended = amended.filter_map(|(number, start)| Some((*numbers.get(number)?, *start)));
        windows.amended = amended.collect();
        Ok((windows, numbers))
    }
}

/// A rule with the same definition has the same cells, or a weir that computed it otherwise has
/// written the checkpoint.
fn check_cells(saved: &Layout, layout: &Layout) -> Result<(), Unreadable> {
    let cells = |layout: &Layout| -> HashMap<Arc<str>, Vec<CellKind>> {
        let groupings = layout.groupings.iter();
        let rules = groupings.flat_map(|grouping| {
            grouping.rules.iter().map(|rule| {
                let cells = grouping.cells.get(rule.cells.clone());
                (
                    Arc::clone(&rule.definition),
                    cells.unwrap_or_default().to_vec(),
                )
            })
        });
        rules.collect()
    };
    let now = cells(layout);
    for (definition, cells) in cells(saved) {
        if now.get(&definition).is_some_and(|now| *now != cells) {
            return Err(Unreadable(
                "a rule had other cells than it has now".to_owned(),
            ));
        }
    }
    Ok(())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // It fails for sequences of unknown length alone, and memory that is not there.
    postcard::to_stdvec(value).expect("every type here has a known length")
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unreadable> {
    postcard::from_bytes(bytes).map_err(|why| Unreadable(format!("it cannot be read: {why}")))
}
