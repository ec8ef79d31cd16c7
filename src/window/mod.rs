//! Windows over event time: [`Delta`]s in, [`ClosedWindow`]s out.
//!
//! One owner holds all windows. A window closes `grace` after its end; until
//! `amend_for` after its end it is kept, and a late delta amends it: it goes out
//! again under the same series and time. After that, events for it are too late.
//!
//! A sliding window is made of panes, each as long as its step: rows are kept by pane, and
//! merged when a window closes. A tumbling window is its own only pane.
//!
//! Nothing here reads a clock or a socket. Time moves only through
//! [`Windows::advance`], so a test replays an hour at once. Nothing here knows what
//! a rule or an event is: the [`Layout`] says what the cells mean.

mod beginning;
mod group;
mod grouping;
mod outage;
mod reload;
mod snapshot;

use crate::delta::{Delta, Entry, GroupKey, Grouping, GroupingId, Layout, Row};
use crate::metric::Measurement;
use crate::time::Timestamp;
use beginning::Beginning;
use grouping::{Closing, GroupingWindows};
use outage::Outages;
use reload::Moves;
pub use snapshot::Unreadable;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
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
    /// How many series there may be at once; events of further ones count in the group of
    /// others of their grouping.
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
/// first five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// In an open window.
    pub counted: u64,
    /// In a closed window, which will be amended.
    pub late: u64,
    /// In none: the window can no longer be amended.
    pub too_late: u64,
    /// Among the others of its grouping: the series would have been more than allowed.
    pub over_limit: u64,
    /// In none: the rules that wanted it have been replaced meanwhile.
    pub skipped: u64,
    /// How often an event is missing from one of its groupings because it was too late
    /// there. An event that counts in another grouping is here and nowhere above.
    pub missing_too_late: u64,
    /// Likewise, because there was no room for it even among the others.
    pub missing_over_limit: u64,
}

/// The owner of all windows.
pub struct Windows {
    layout: Arc<Layout>,
    settings: Settings,
    /// The furthest that time has moved.
    now: Timestamp,
    /// Until it is known from when on events have been seen.
    beginning: Option<Beginning>,
    /// The end of what was seen before: when the checkpoint was taken that this goes on from,
    /// or [`Timestamp::MIN`].
    seen_to: Timestamp,
    outages: Outages,
    /// Nothing closes before.
    awaited_to: Timestamp,
    groupings: Vec<GroupingWindows>,
    room: Room,
}

/// How many series there are, and what becomes of more.
struct Room {
    series: usize,
    series_max: usize,
    /// There is no memory for more, however many there may be.
    is_full: bool,
    /// Events that were counted among the others for want of room, by the rule's name.
    over_limit: BTreeMap<Arc<str>, u64>,
}

impl Room {
    fn left(&self) -> usize {
        match self.is_full {
            true => 0,
            false => self.series_max.saturating_sub(self.series),
        }
    }

    /// Counts the events of a row that goes to the others.
    fn count_over_limit(&mut self, grouping: &Grouping, row: &Row) {
        for rule in &grouping.rules {
            let events = row.count(rule.matched);
            if events > 0 {
                *self.over_limit.entry(Arc::clone(&rule.name)).or_default() += events;
            }
        }
    }
}

enum Fate {
    Counted,
    Late,
    TooLate,
    OverLimit,
}

impl Fate {
    fn of(late: bool) -> Self {
        match late {
            true => Fate::Late,
            false => Fate::Counted,
        }
    }
}

impl Windows {
    pub fn new(layout: Arc<Layout>, settings: Settings) -> Self {
        let groupings = layout.groupings.iter().map(GroupingWindows::new);
        Windows {
            groupings: groupings.collect(),
            layout,
            settings: Settings {
                // An open window is never too late to count in.
                amend_for: settings.amend_for.max(settings.grace),
                ..settings
            },
            now: Timestamp::MIN,
            beginning: None,
            seen_to: Timestamp::MIN,
            outages: Outages::default(),
            awaited_to: Timestamp::MIN,
            room: Room {
                series: 0,
                series_max: settings.series_max,
                is_full: false,
                over_limit: BTreeMap::new(),
            },
        }
    }

    /// Events from before that time have not been received, except those that are still to
    /// come from a sender that has kept them. If they were flowing then, rates of a window
    /// that it falls into are of the time since.
    pub fn beginning_at(self, start: Timestamp) -> Self {
        Windows {
            beginning: Some(Beginning::new(start)),
            ..self
        }
    }

    /// Takes in one worker's part.
    pub fn merge(&mut self, delta: Delta) -> Merged {
        let mut merged = Merged {
            missing_over_limit: delta.refused,
            ..Merged::default()
        };
        if let Some(beginning) = &mut self.beginning {
            beginning.note(&delta);
        }
        let mut entries = delta.entries;
        if !Arc::ptr_eq(&delta.layout, &self.layout) {
            let moves = Moves::between(&delta.layout, &self.layout);
            (entries, merged.skipped) = moves.entries(entries, &self.layout);
        }
        for entry in entries {
            let (events, placed) = (entry.events, entry.placed);
            match self.merge_entry(entry) {
                Fate::Counted => merged.counted += events,
                Fate::Late => merged.late += events,
                Fate::TooLate => {
                    merged.too_late += events;
                    merged.missing_too_late += placed;
                }
                Fate::OverLimit => merged.over_limit += events,
            }
        }
        merged
    }

    fn merge_entry(&mut self, entry: Entry) -> Fate {
        let place = usize::from(entry.grouping.0);
        let (grouping, own) = (&self.layout.groupings[place], &mut self.groupings[place]);
        // What has been forgotten was told with more than this, however long it could be amended
        // now.
        let is_forgotten = own.forgotten_to.is_some_and(|to| entry.start < to);
        let is_old = entry.start + grouping.window.every + self.settings.amend_for <= self.now;
        if is_forgotten || is_old {
            return Fate::TooLate;
        }
        let Entry {
            start,
            mut key,
            mut row,
            ..
        } = entry;
        if grouping.by.is_empty() {
            // There is only one group, and it is no other.
            key = GroupKey::default();
        }
        let (room, expire_after) = (&mut self.room, self.settings.expire_after);
        if key.is_other() {
            room.count_over_limit(grouping, &row);
            own.put_with_others(grouping, start, row, expire_after, room);
            return Fate::OverLimit;
        }
        let known = own.find(&key);
        if own.is_out(grouping, known, start, room) {
            return Fate::of(own.put_with_others(grouping, start, row, expire_after, room));
        }
        if let Some(rest) = own.without_room(grouping, known, start, &mut row, room.left()) {
            room.count_over_limit(grouping, &rest);
            own.put_with_others(grouping, start, rest, expire_after, room);
            if grouping.rules.iter().all(|rule| row.is_silent(rule)) {
                return Fate::OverLimit;
            }
        }
        let group = known.unwrap_or_else(|| own.insert(grouping, key, start));
        Fate::of(own.put(grouping, start, group, row, expire_after, room))
    }

    /// Moves time on: closes what has ended, sends what has been amended once more,
    /// forgets what can no longer be amended and the series that have expired.
    ///
    /// A time before an earlier one changes nothing, unless it is before it by more than
    /// windows can be amended: then a clock has been set back, and what comes now would be too
    /// late for ever. Windows that end after the new time are opened again, with what they have.
    pub fn advance(&mut self, now: Timestamp) -> Vec<ClosedWindow> {
        if now + self.settings.amend_for < self.now {
            self.now = now;
            for (_, grouping, own) in groupings(&self.layout, &mut self.groupings) {
                own.reopen(grouping, now);
            }
        }
        self.now = self.now.max(now);
        let (now, settings) = (self.now, self.settings);
        if self.now < self.awaited_to {
            return Vec::new();
        }
        self.decide_beginning();
        let mut closed = Vec::new();
        for (id, grouping, own) in groupings(&self.layout, &mut self.groupings) {
            let window = grouping.window;
            let until = (now - settings.grace - (window.span - window.every)).floor(window.every);
            let closing = Closing {
                id,
                grouping,
                expire_after: settings.expire_after,
                outages: Some(&self.outages),
            };
            own.close(&closing, until, &mut self.room, &mut closed);
            own.forget(grouping, now - settings.amend_for - window.span);
            // A group outlives its rows: they name it by its number.
            let unseen_for = settings.expire_after.max(settings.amend_for) + window.span;
            self.room.series -= own.expire(grouping, now - unseen_for);
        }
        self.outages
            .forget(now - settings.amend_for - self.layout.longest_span());
        closed
    }

    /// Closes every window there is, ended or not: weir is stopping. What has not ended goes
    /// out with what it has.
    pub fn close_all(&mut self) -> Vec<ClosedWindow> {
        let mut closed = Vec::new();
        let expire_after = self.settings.expire_after;
        for (id, grouping, own) in groupings(&self.layout, &mut self.groupings) {
            if let Some(until) = own.end_of_rows(grouping) {
                let closing = Closing {
                    id,
                    grouping,
                    expire_after,
                    outages: None,
                };
                own.close(&closing, until, &mut self.room, &mut closed);
            }
        }
        closed
    }

    /// Does beforehand, on so many threads, what closing windows costs most: the rest is for
    /// one, in order of time.
    pub fn prepare(&mut self, threads: NonZeroUsize) {
        let panes = self
            .groupings
            .iter_mut()
            .flat_map(|own| own.panes.values_mut());
        let mut panes: Vec<_> = panes.collect();
        let share = panes.len().div_ceil(threads.get()).max(1);
        thread::scope(|scope| {
            for panes in panes.chunks_mut(share) {
                scope.spawn(|| {
                    let rows = panes.iter_mut().flat_map(|rows| rows.values_mut());
                    rows.for_each(Row::prepare);
                });
            }
        });
    }

    /// Closes the windows that end by then, and forgets them at once: what comes for them
    /// later is too late. For whoever has no clock and little memory.
    pub fn settle(&mut self, end: Timestamp) -> Vec<ClosedWindow> {
        self.now = self.now.max(end + self.settings.amend_for);
        let mut closed = Vec::new();
        let expire_after = self.settings.expire_after;
        for (id, grouping, own) in groupings(&self.layout, &mut self.groupings) {
            let window = grouping.window;
            let until = (end - (window.span - window.every)).floor(window.every);
            let closing = Closing {
                id,
                grouping,
                expire_after,
                outages: Some(&self.outages),
            };
            own.close(&closing, until, &mut self.room, &mut closed);
            own.forget(grouping, end - window.span);
        }
        closed
    }

    /// Goes on with another layout. Rules that both have keep their windows; the others'
    /// are forgotten, and rules that are new have seen nothing before `now`.
    pub fn reload(&mut self, layout: Arc<Layout>, now: Timestamp) {
        let moves = Moves::between(&self.layout, &layout);
        let old = std::mem::take(&mut self.groupings);
        self.groupings = moves.groupings(old, &layout, now);
        self.layout = layout;
        self.count_series();
    }

    /// What an earlier run had acknowledged has been merged, or is about to be: from now on
    /// senders come. Windows that ended while weir was away wait for what they have kept, as
    /// long as any window waits after its end.
    pub fn caught_up(&mut self, now: Timestamp) {
        self.awaited_to = now + self.settings.grace;
        if let Some(beginning) = &mut self.beginning {
            beginning.set_at(now);
        }
    }

    /// Decides from when on events have been seen, as late as that does not matter: when the
    /// first window closes that began before weir did.
    fn decide_beginning(&mut self) {
        let Some(beginning) = &self.beginning else {
            return;
        };
        let mut groupings = self.layout.groupings.iter().zip(&self.groupings);
        let closes = self.seen_to > Timestamp::MIN
            || groupings.any(|(grouping, own)| {
                let every = grouping.window.every;
                let pane = own.panes.range(..beginning.at()).next();
                pane.is_some_and(|(&pane, _)| pane + every + self.settings.grace <= self.now)
            });
        if closes {
            self.outages.add(self.seen_to, beginning, self.now);
            self.beginning = None;
        }
    }

    /// When the checkpoint was taken that these go on from, if they do.
    pub fn seen_to(&self) -> Option<Timestamp> {
        Some(self.seen_to).filter(|at| *at > Timestamp::MIN)
    }

    /// How many windows hold events and have not been closed.
    pub fn open(&self) -> usize {
        let own = self.groupings.iter();
        own.map(GroupingWindows::open).sum()
    }

    /// While it is full no series is added: events of new ones count among the others.
    pub fn set_full(&mut self, is_full: bool) {
        self.room.is_full = is_full;
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.room.series
    }

    /// When the first window ends that is the last with some row in it; `None` without rows.
    pub fn first_end(&self) -> Option<Timestamp> {
        let own = self.layout.groupings.iter().zip(&self.groupings);
        let ends = own.filter_map(|(grouping, own)| own.first_end(grouping));
        ends.min()
    }

    /// How many rows there are: one for each group in each pane in which it has events.
    pub fn rows(&self) -> usize {
        self.groupings.iter().map(GroupingWindows::rows).sum()
    }

    /// The events that were counted among the others because there were too many series,
    /// by the name of the rule that wanted them, since the last time.
    pub fn take_over_limit(&mut self) -> BTreeMap<Arc<str>, u64> {
        std::mem::take(&mut self.room.over_limit)
    }
}

fn groupings<'a>(
    layout: &'a Layout,
    windows: &'a mut [GroupingWindows],
) -> impl Iterator<Item = (GroupingId, &'a Grouping, &'a mut GroupingWindows)> {
    let numbered = layout.groupings.iter().zip(windows).enumerate();
    numbered.map(|(place, (grouping, own))| (GroupingId(place as u16), grouping, own))
}

#[cfg(test)]
mod tests;
