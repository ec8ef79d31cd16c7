//! Windows over event time: [`Delta`]s in, [`ClosedWindow`]s out.
//!
//! One owner holds all windows. A window closes `grace` after its end; until
//! `amend_for` after its end it is kept, and a late delta amends it: it goes out
//! again under the same series and time. After that, events for it are too late.
//!
//! Nothing here reads a clock or a socket. Time moves only through
//! [`Windows::advance`], so a test replays an hour at once. Nothing here knows what
//! a rule or an event is: the [`Layout`] says what the cells mean.

mod group;

use crate::delta::{Delta, Entry, Grouping, GroupingId, Layout, Row};
use crate::metric::Measurement;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use group::Groups;
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How windows behave in time, and how much they may hold.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long after its end a window stays open for lines on their way.
    pub grace: Duration,
    /// How long after its end a closed window can still be amended.
    pub amend_for: Duration,
    /// How long a series that has gone silent still says that its rate is 0.
    pub expire_after: Duration,
    /// How many series there may be at once; events of further ones are over the limit.
    pub series_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            grace: Duration::from_secs(2),
            amend_for: Duration::from_secs(600),
            expire_after: Duration::from_secs(3600),
            series_max: 100_000,
        }
    }
}

/// A window that has ended, or a closed one that has changed since.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedWindow {
    pub grouping: GroupingId,
    pub start: Timestamp,
    /// The window had been closed before; these values replace those.
    pub amended: bool,
    /// Every live series of the grouping; of an amended window, those that changed.
    pub measurements: Vec<Measurement>,
}

/// What became of the events of merged deltas. Each event is in exactly one of the
/// first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// In an open window.
    pub counted: u64,
    /// In a closed window, which will be amended.
    pub late: u64,
    /// In none: the window can no longer be amended.
    pub too_late: u64,
    /// In none: the series would have been more than allowed.
    pub over_limit: u64,
    /// How often an event is missing from one of its groupings because it was too late
    /// there. An event that counts in another grouping is here and nowhere above.
    pub missing_too_late: u64,
    /// Likewise, because the series would have been more than allowed.
    pub missing_over_limit: u64,
}

/// The owner of all windows.
pub struct Windows {
    layout: Arc<Layout>,
    settings: Settings,
    /// The furthest that time has moved.
    now: Timestamp,
    groupings: Vec<GroupingWindows>,
    series: usize,
}

/// The windows of one grouping.
#[derive(Default)]
struct GroupingWindows {
    groups: Groups,
    /// Those with events that are open or can still be amended, by their start.
    windows: BTreeMap<Timestamp, Rows>,
    /// Every window that starts before this has been closed. `None` until time has moved.
    closed_to: Option<Timestamp>,
    /// What has changed in closed windows since they last went out.
    amended: BTreeSet<(Timestamp, usize)>,
}

/// The rows of one window, by the number of their group.
type Rows = HashMap<usize, Row, RandomState>;

enum Fate {
    Counted,
    Late,
    TooLate,
    OverLimit,
}

impl Windows {
    pub fn new(layout: Arc<Layout>, settings: Settings) -> Self {
        let groupings = layout.groupings.iter().map(|_| GroupingWindows::default());
        Windows {
            groupings: groupings.collect(),
            layout,
            settings,
            now: Timestamp::MIN,
            series: 0,
        }
    }

    /// STUB, replaced by the lead's on merge: starts anew.
    pub fn reload(&mut self, layout: Arc<Layout>, _now: Timestamp) {
        *self = Windows::new(layout, self.settings);
    }

    /// Takes in one worker's part.
    pub fn merge(&mut self, delta: Delta) -> Merged {
        let mut merged = Merged {
            missing_over_limit: delta.refused,
            ..Merged::default()
        };
        for entry in delta.entries {
            let (events, placed) = (entry.events, entry.placed);
            match self.merge_entry(entry) {
                Fate::Counted => merged.counted += events,
                Fate::Late => merged.late += events,
                Fate::TooLate => {
                    merged.too_late += events;
                    merged.missing_too_late += placed;
                }
                Fate::OverLimit => {
                    merged.over_limit += events;
                    merged.missing_over_limit += placed;
                }
            }
        }
        merged
    }

    fn merge_entry(&mut self, entry: Entry) -> Fate {
        let place = usize::from(entry.grouping.0);
        let (grouping, own) = (&self.layout.groupings[place], &mut self.groupings[place]);
        let end = entry.start + grouping.window.span;
        if end + self.settings.amend_for <= self.now {
            return Fate::TooLate;
        }
        let known = own.groups.find(&entry.key);
        let series = own.groups.new_series(known, grouping, &entry.row);
        if series > 0 && self.series + series > self.settings.series_max {
            return Fate::OverLimit;
        }
        self.series += series;
        let group = known.unwrap_or_else(|| own.groups.insert(grouping, entry.key));
        own.groups.note(group, grouping, &entry.row, end);
        let rows = own.windows.entry(entry.start).or_default();
        match rows.entry(group) {
            hashbrown::hash_map::Entry::Occupied(row) => row.into_mut().merge(entry.row),
            hashbrown::hash_map::Entry::Vacant(row) => {
                row.insert(entry.row);
            }
        }
        if own
            .closed_to
            .is_some_and(|closed_to| entry.start < closed_to)
        {
            own.amended.insert((entry.start, group));
            Fate::Late
        } else {
            Fate::Counted
        }
    }

    /// Moves time on: closes what has ended, sends what has been amended once more,
    /// forgets what can no longer be amended and the series that have expired.
    ///
    /// A time before an earlier one changes nothing: a clock that was set back does
    /// not open a window again.
    pub fn advance(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        self.now = self.now.max(now);
        let (now, settings) = (self.now, self.settings);
        let mut closed = Vec::new();
        for (id, grouping, own) in groupings(&self.layout, &mut self.groupings) {
            let until = (now - settings.grace).floor(grouping.window.span);
            own.close(id, grouping, until, settings.expire_after, &mut closed);
            own.forget(now - settings.amend_for - grouping.window.span);
            // A group outlives its rows: they name it by its number.
            let unseen_for = settings.expire_after.max(settings.amend_for) + grouping.window.span;
            self.series -= own.groups.expire(grouping, now - unseen_for);
        }
        closed
    }

    /// Closes every window there is, ended or not: weir is stopping.
    pub fn close_all(&mut self) -> Vec<ClosedWindow> {
        let mut closed = Vec::new();
        for (id, grouping, own) in groupings(&self.layout, &mut self.groupings) {
            if let Some((&last, _)) = own.windows.last_key_value() {
                let until = last + grouping.window.span;
                own.close(id, grouping, until, self.settings.expire_after, &mut closed);
            }
        }
        closed
    }

    /// How many windows hold events and have not been closed.
    pub fn open(&self) -> usize {
        let open = self.groupings.iter().map(|own| {
            let closed_to = own.closed_to.unwrap_or(Timestamp::MIN);
            own.windows.range(closed_to..).count()
        });
        open.sum()
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.series
    }
}

fn groupings<'a>(
    layout: &'a Layout,
    windows: &'a mut [GroupingWindows],
) -> impl Iterator<Item = (GroupingId, &'a Grouping, &'a mut GroupingWindows)> {
    let numbered = layout.groupings.iter().zip(windows).enumerate();
    numbered.map(|(place, (grouping, own))| (GroupingId(place as u16), grouping, own))
}

impl GroupingWindows {
    /// Closes the windows that start before `until`, and sends amended ones again.
    fn close(
        &mut self,
        id: GroupingId,
        grouping: &Grouping,
        until: Timestamp,
        expire_after: Duration,
        closed: &mut Vec<ClosedWindow>,
    ) {
        let mut start = match self.closed_to {
            Some(closed_to) => closed_to,
            // Time moves for the first time: nothing is known of before the first event.
            None => self
                .windows
                .keys()
                .next()
                .map_or(until, |&first| first.min(until)),
        };
        self.amend(id, grouping, expire_after, closed);
        let mut heard = start;
        while start < until {
            let rows = self.windows.get(&start);
            if rows.is_some() {
                heard = start;
            } else if start.saturating_since(heard) > expire_after {
                // Time has leapt, over a suspended night perhaps: every series has
                // expired, so go straight to where one is heard of again.
                let next = self.windows.range(start..until).next();
                start = next.map_or(until, |(&next, _)| next);
                continue;
            }
            let mut window = ClosedWindow {
                grouping: id,
                start,
                amended: false,
                measurements: Vec::new(),
            };
            for (number, group) in self.groups.iter() {
                let row = rows.and_then(|rows| rows.get(&number));
                window.add(grouping, group, row, expire_after);
            }
            if !window.measurements.is_empty() {
                closed.push(window);
            }
            start = start + grouping.window.span;
        }
        self.closed_to = self.closed_to.max(Some(until));
    }

    /// Sends again what has changed in windows that had been closed.
    fn amend(
        &mut self,
        id: GroupingId,
        grouping: &Grouping,
        expire_after: Duration,
        closed: &mut Vec<ClosedWindow>,
    ) {
        for (start, number) in std::mem::take(&mut self.amended) {
            let row = self.windows.get(&start).and_then(|rows| rows.get(&number));
            let Some(group) = self.groups.get(number) else {
                continue;
            };
            if !matches!(closed.last(), Some(last) if last.grouping == id && last.start == start) {
                closed.push(ClosedWindow {
                    grouping: id,
                    start,
                    amended: true,
                    measurements: Vec::new(),
                });
            }
            if let Some(window) = closed.last_mut() {
                window.add(grouping, group, row, expire_after);
            }
        }
    }

    /// Drops the rows of windows that start at or before `last`.
    fn forget(&mut self, last: Timestamp) {
        while let Some(first) = self.windows.first_entry()
            && *first.key() <= last
        {
            first.remove();
        }
    }
}

impl ClosedWindow {
    fn add(
        &mut self,
        grouping: &Grouping,
        group: &group::Group,
        row: Option<&Row>,
        expire_after: Duration,
    ) {
        let end = self.start + grouping.window.span;
        group.values(grouping, row, end, expire_after, |series, value| {
            self.measurements.push(Measurement {
                series,
                time: self.start,
                period: grouping.window.span,
                value,
            });
        });
    }
}

#[cfg(test)]
mod tests;
