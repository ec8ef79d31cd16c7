//! The windows of one grouping.

use super::group::{Group, Groups};
use super::outage::Outages;
use super::{ClosedWindow, Room};
use crate::delta::{Coverage, GroupKey, Grouping, GroupingId, OTHER, Row, RuleLayout};
use crate::metric::Measurement;
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// The rows of one pane, by the number of their group.
pub(super) type Rows = HashMap<usize, Row, RandomState>;

/// Rows of groups that wait for a place under a limit, for each series that there may be: they
/// are no series yet. Further groups go to the others at once.
const WAITING: usize = 10;

/// Late events that change so many windows of groups at once change no more by zeros: the
/// silence after a late event is then told only as far as it was.
const AMENDED_MAX: usize = 1_000_000;

pub(super) struct GroupingWindows {
    pub groups: Groups,
    /// Those with events whose windows are open or can still be amended, by their start.
    pub panes: BTreeMap<Timestamp, Rows>,
    /// Every window that starts before this has been closed. `None` until time has moved.
    pub closed_to: Option<Timestamp>,
    /// Panes that start before this have been forgotten, if there were any.
    pub forgotten_to: Option<Timestamp>,
    /// The end of the last pane with events that a closed window has.
    pub heard: Option<Timestamp>,
    /// What has changed in closed windows since they last went out: groups, and the starts of
    /// windows.
    pub amended: BTreeSet<(usize, Timestamp)>,
    /// How many rows are of groups that wait for a place.
    waiting: usize,
    /// From when on each rule has seen events, by its place. `None`: since weir has.
    pub covered_from: Box<[Option<Timestamp>]>,
    /// The panes that have changed since the last snapshot; `None`: there was none.
    pub changed: Option<BTreeSet<Timestamp>>,
}

impl GroupingWindows {
    pub fn new(grouping: &Grouping) -> Self {
        GroupingWindows {
            groups: Groups::default(),
            panes: BTreeMap::new(),
            closed_to: None,
            forgotten_to: None,
            heard: None,
            amended: BTreeSet::new(),
            waiting: 0,
            covered_from: vec![None; grouping.rules.len()].into(),
            changed: None,
        }
    }

    pub fn find(&self, key: &GroupKey) -> Option<usize> {
        self.groups.find(key)
    }

    /// The group that takes in what no other may.
    pub fn other(&mut self, grouping: &Grouping) -> usize {
        let key = GroupKey::other();
        let known = self.groups.find(&key);
        known.unwrap_or_else(|| self.groups.insert(grouping, key))
    }

    /// A new group. What is in fact called as the others are is one of them: its series
    /// would be theirs.
    pub fn insert(&mut self, grouping: &Grouping, key: GroupKey, pane: Timestamp) -> usize {
        let is_named_other = !key.is_empty() && key.values().all(|v| v == Some(OTHER.as_bytes()));
        if is_named_other {
            return self.other(grouping);
        }
        let waits = self.waits(grouping, None, pane);
        let group = self.groups.insert(grouping, key);
        if !waits {
            self.groups.admit(group);
        }
        group
    }

    /// Whether a group waits for a place until its window closes.
    fn waits(&self, grouping: &Grouping, group: Option<usize>, pane: Timestamp) -> bool {
        let group = group.and_then(|number| self.groups.get(number));
        // A pane that a closed window has is not looked at again.
        grouping.limit.is_some()
            && !group.is_some_and(Group::is_admitted)
            && !self.is_closed(grouping, pane)
    }

    /// Gives a group that waits a place of its own, if there is one.
    fn admit_waiting(&mut self, grouping: &Grouping, number: usize, room: &mut Room) -> bool {
        let Some(group) = self.groups.get(number) else {
            return false;
        };
        if group.is_admitted() {
            return true;
        }
        let series = group.series(grouping);
        if series > room.left() || !self.groups.has_room(grouping.limit.unwrap_or(usize::MAX)) {
            return false;
        }
        room.series += series;
        self.waiting -= group.rows;
        self.groups.admit(number);
        true
    }

    /// Whether a row of a group goes to the others at once: if no window that it is in will
    /// choose any more who has a place, or too many wait for one.
    pub fn is_out(
        &mut self,
        grouping: &Grouping,
        group: Option<usize>,
        pane: Timestamp,
        room: &mut Room,
    ) -> bool {
        let Some(limit) = grouping.limit else {
            return false;
        };
        match group {
            Some(group) if self.is_closed(grouping, pane) => {
                !self.admit_waiting(grouping, group, room)
            }
            Some(_) => false,
            None if self.is_closed(grouping, pane) => !self.groups.has_room(limit),
            None => self.waiting >= room.series_max.saturating_mul(WAITING),
        }
    }

    /// Whether some window with that pane has been closed.
    pub fn is_closed(&self, grouping: &Grouping, pane: Timestamp) -> bool {
        let first = first_window(grouping, pane);
        self.closed_to.is_some_and(|closed_to| first < closed_to)
    }

    /// Takes those rules' cells out of a row whose series would be more than `room`.
    pub fn without_room(
        &self,
        grouping: &Grouping,
        group: Option<usize>,
        pane: Timestamp,
        row: &mut Row,
        mut room: usize,
    ) -> Option<Row> {
        if grouping.by.is_empty() || self.waits(grouping, group, pane) {
            return None;
        }
        let group = group.and_then(|number| self.groups.get(number));
        let mut rest: Option<Row> = None;
        for (place, rule) in grouping.rules.iter().enumerate() {
            let known = group.is_some_and(|group| group.heard[place].last.is_some());
            if known || row.is_silent(rule) {
                continue;
            }
            match room.checked_sub(rule.series()) {
                Some(less) => room = less,
                None => {
                    let rest = rest.get_or_insert_with(|| grouping.empty_row());
                    row.move_rule(grouping, rule, rest);
                }
            }
        }
        rest
    }

    /// Takes a row into its pane, in the group that takes in what no other may. Whether it
    /// changes a closed window.
    pub fn put_with_others(
        &mut self,
        grouping: &Grouping,
        pane: Timestamp,
        row: Row,
        expire_after: Duration,
        room: &mut Room,
    ) -> bool {
        let other = self.other(grouping);
        self.put(grouping, pane, other, row, expire_after, room)
    }

    /// Takes a row into its pane. Whether it changes a closed window.
    pub fn put(
        &mut self,
        grouping: &Grouping,
        pane: Timestamp,
        number: usize,
        row: Row,
        expire_after: Duration,
        room: &mut Room,
    ) -> bool {
        let late = self.is_closed(grouping, pane);
        if late {
            self.amend_silence(grouping, pane, number, &row, expire_after);
            for start in windows_of(grouping, pane) {
                if self.closed_to.is_some_and(|closed_to| start < closed_to) {
                    self.amended.insert((number, start));
                }
            }
        }
        let end = pane + grouping.window.every;
        if let Some(group) = self.groups.get_mut(number) {
            let is_admitted = group.is_admitted();
            for (rule, heard) in group.heard_in(grouping, &row) {
                if is_admitted && heard.last.is_none() {
                    room.series += rule.series();
                }
                heard.last = heard.last.max(Some(end));
                if late {
                    heard.closed = heard.closed.max(Some(end));
                    self.heard = self.heard.max(Some(end));
                }
            }
        }
        self.insert_row(pane, number, row);
        late
    }

    pub fn insert_row(&mut self, pane: Timestamp, number: usize, row: Row) {
        self.note_change(pane);
        let is_new = merge_row(self.panes.entry(pane).or_default(), number, row);
        if is_new && let Some(group) = self.groups.get_mut(number) {
            group.rows += 1;
            self.waiting += usize::from(!group.is_admitted());
        }
    }

    fn note_change(&mut self, pane: Timestamp) {
        if let Some(changed) = &mut self.changed {
            changed.insert(pane);
        }
    }

    /// A late row says that its series were there. The closed windows after it that say
    /// nothing of them, since they had not been heard of or not for long, say 0 now.
    fn amend_silence(
        &mut self,
        grouping: &Grouping,
        pane: Timestamp,
        number: usize,
        row: &Row,
        expire_after: Duration,
    ) {
        let (window, Some(closed_to)) = (grouping.window, self.closed_to) else {
            return;
        };
        let end = pane + window.every;
        for (place, rule) in grouping.rules.iter().enumerate() {
            if row.is_silent(rule) || self.matched(pane, number, rule) {
                continue;
            }
            let mut start = pane + window.every;
            if let Some(before) = self.heard_by(grouping, number, place, pane) {
                // Up to here windows say 0 already.
                start = start.max((before + expire_after - window.span).floor(window.every));
            }
            while start < closed_to && (start + window.span).saturating_since(end) <= expire_after {
                if self.matched(start + window.span - window.every, number, rule) {
                    break;
                }
                if self.amended.len() >= AMENDED_MAX {
                    return;
                }
                self.amended.insert((number, start));
                start = start + window.every;
            }
        }
    }

    /// Whether the rule matched in that group and pane.
    fn matched(&self, pane: Timestamp, number: usize, rule: &RuleLayout) -> bool {
        let rows = self.panes.get(&pane);
        rows.is_some_and(|rows| matched(rows, number, rule))
    }

    /// The end of the last pane before `before` in which the rule matched in that group.
    fn heard_by(
        &self,
        grouping: &Grouping,
        number: usize,
        rule: usize,
        before: Timestamp,
    ) -> Option<Timestamp> {
        let heard = self.groups.get(number)?.heard[rule];
        // Most rules never match in most groups: then there is nothing to look for.
        heard.last?;
        let rule = &grouping.rules[rule];
        let mut panes = self.panes.range(..before).rev();
        match panes.find(|(_, rows)| matched(rows, number, rule)) {
            Some((pane, _)) => Some(*pane + grouping.window.every),
            None => heard.forgotten,
        }
    }

    /// Sends amended windows again, then closes those that start before `until`.
    pub fn close(
        &mut self,
        closing: &Closing<'_>,
        until: Timestamp,
        room: &mut Room,
        closed: &mut Vec<ClosedWindow>,
    ) {
        let Closing {
            id,
            grouping,
            expire_after,
            ..
        } = *closing;
        let window = grouping.window;
        self.amend(closing, closed);
        let first = |pane: Timestamp| first_window(grouping, pane);
        let mut start = match self.closed_to {
            Some(closed_to) => closed_to,
            // Time moves for the first time: nothing is known of before the first event.
            None => {
                let pane = self.panes.keys().next();
                pane.map_or(until, |&pane| first(pane).min(until))
            }
        };
        while start < until {
            let last_pane = start + window.span - window.every;
            let is_silent = self.panes.range(start..=last_pane).next().is_none();
            let heard = self.heard.unwrap_or(Timestamp::MIN);
            if is_silent && start.saturating_since(heard) > expire_after {
                // Time has leapt, over a suspended night perhaps: every series has
                // expired, so go straight to where one is heard of again.
                let next = self.panes.range(last_pane..).next();
                start = next.map_or(until, |(&pane, _)| first(pane).min(until));
                continue;
            }
            self.admit(grouping, last_pane, room);
            self.hear(grouping, last_pane);
            if let Some(rows) = self.panes.get_mut(&last_pane) {
                rows.values_mut().for_each(Row::prepare);
            }
            let measurements = self.measurements(closing, start);
            if !measurements.is_empty() {
                closed.push(ClosedWindow {
                    grouping: id,
                    start,
                    amended: false,
                    measurements,
                });
            }
            start = start + window.every;
        }
        self.closed_to = self.closed_to.max(Some(until));
    }

    /// Gives the new groups of a pane places of their own, those with most events first, and
    /// counts those that find none among the others. In this order, the result depends on
    /// what is in the pane alone.
    fn admit(&mut self, grouping: &Grouping, pane: Timestamp, room: &mut Room) {
        let (Some(_), Some(rows)) = (grouping.limit, self.panes.get(&pane)) else {
            return;
        };
        let events = |row: &Row| -> u64 {
            let rules = grouping.rules.iter();
            rules.map(|rule| row.count(rule.matched)).sum()
        };
        let new = rows.iter().filter_map(|(&number, row)| {
            let group = self
                .groups
                .get(number)
                .filter(|group| !group.is_admitted())?;
            Some((std::cmp::Reverse(events(row)), group.key().clone(), number))
        });
        let mut new: Vec<_> = new.collect();
        new.sort();
        for (.., number) in new {
            if self.admit_waiting(grouping, number, room) {
                continue;
            }
            let rows = self.panes.get_mut(&pane);
            let Some(row) = rows.and_then(|rows| rows.remove(&number)) else {
                continue;
            };
            if self.groups.has_room(grouping.limit.unwrap_or(usize::MAX)) {
                // There would be a place, and no room for its series.
                room.count_over_limit(grouping, &row);
            }
            self.note_change(pane);
            // The pane is in no closed window yet, so nothing has to be amended.
            self.put_with_others(grouping, pane, row, Duration::ZERO, room);
            self.waiting -= 1;
            if self.groups.lose_row(number) == 0 {
                self.groups.remove(number, grouping);
            }
        }
    }

    /// Notes who is in a pane that is about to be in a closed window for the first time.
    fn hear(&mut self, grouping: &Grouping, pane: Timestamp) {
        let Some(rows) = self.panes.get(&pane) else {
            return;
        };
        let end = Some(pane + grouping.window.every);
        self.heard = self.heard.max(end);
        for (&number, row) in rows {
            let Some(group) = self.groups.get_mut(number) else {
                continue;
            };
            for (_, heard) in group.heard_in(grouping, row) {
                heard.closed = heard.closed.max(end);
            }
        }
    }

    /// What all series say of a window that closes.
    fn measurements(&self, closing: &Closing<'_>, start: Timestamp) -> Vec<Measurement> {
        let grouping = closing.grouping;
        let rows = self.rows_of(grouping, start);
        let mut measurements = Vec::new();
        for (number, group) in self.groups.iter() {
            let row = rows.as_ref().and_then(|rows| rows.get(&number));
            let heard = |place: usize| group.heard[place].closed;
            self.say(closing, start, group, row, heard, &mut measurements);
        }
        measurements
    }

    /// Sends again what has changed in windows that had been closed.
    fn amend(&mut self, closing: &Closing<'_>, closed: &mut Vec<ClosedWindow>) {
        let amended = std::mem::take(&mut self.amended);
        let mut changed: BTreeMap<Timestamp, Vec<Measurement>> = BTreeMap::new();
        // Group by group and in order of time, so that panes are looked through once a group.
        let mut of_group: Option<(usize, Vec<Option<Timestamp>>, Timestamp)> = None;
        for (number, start) in amended {
            let Some(group) = self.groups.get(number) else {
                continue;
            };
            let (grouping, end) = (closing.grouping, start + closing.grouping.window.span);
            let heard = match &mut of_group {
                Some((same, heard, to)) if *same == number => {
                    self.hear_on(grouping, number, *to..end, heard);
                    *to = end;
                    heard
                }
                _ => {
                    let rules = 0..grouping.rules.len();
                    let heard = rules.map(|rule| self.heard_by(grouping, number, rule, end));
                    &mut of_group.insert((number, heard.collect(), end)).1
                }
            };
            let mut row: Option<Cow<'_, Row>> = None;
            for (_, rows) in self.panes.range(start..end) {
                match (&mut row, rows.get(&number)) {
                    (_, None) => {}
                    (None, Some(part)) => row = Some(Cow::Borrowed(part)),
                    (Some(row), Some(part)) => row.to_mut().merge(part),
                }
            }
            let measurements = changed.entry(start).or_default();
            let heard = |place: usize| heard[place];
            self.say(closing, start, group, row.as_deref(), heard, measurements);
        }
        let changed = changed.into_iter();
        closed.extend(
            changed
                .filter(|(_, measurements)| !measurements.is_empty())
                .map(|(start, measurements)| ClosedWindow {
                    grouping: closing.id,
                    start,
                    amended: true,
                    measurements,
                }),
        );
    }

    /// Notes when the rules matched in a group in those panes.
    fn hear_on(
        &self,
        grouping: &Grouping,
        number: usize,
        panes: Range<Timestamp>,
        heard: &mut [Option<Timestamp>],
    ) {
        for (&pane, rows) in self.panes.range(panes) {
            let Some(row) = rows.get(&number) else {
                continue;
            };
            for (rule, heard) in grouping.rules.iter().zip(&mut *heard) {
                if !row.is_silent(rule) {
                    *heard = Some(pane + grouping.window.every);
                }
            }
        }
    }

    /// What one group's series say of a window, in which it has `row` or no events at all.
    /// `heard` tells when a rule last matched before the window's end.
    fn say(
        &self,
        closing: &Closing<'_>,
        start: Timestamp,
        group: &Group,
        row: Option<&Row>,
        heard: impl Fn(usize) -> Option<Timestamp>,
        measurements: &mut Vec<Measurement>,
    ) {
        let window = closing.grouping.window;
        let end = start + window.span;
        let mut emit = |series, value: f64| {
            if value.is_finite() {
                measurements.push(Measurement {
                    series,
                    time: start,
                    period: window.every,
                    value,
                });
            }
        };
        let is_hidden = closing
            .outages
            .is_some_and(|outages| outages.hide_silence(start, end));
        for (place, rule) in closing.grouping.rules.iter().enumerate() {
            if self.covered_from[place].is_some_and(|from| end <= from) {
                // It was loaded later: another rule may have told that window.
                continue;
            }
            let seen = self.seen(closing, place, start);
            let is_recent = |heard| end.saturating_since(heard) <= closing.expire_after;
            match row.filter(|row| !row.is_silent(rule)) {
                Some(row) => {
                    let span = window.span;
                    group.values(rule, row, Coverage { span, seen }, &mut emit);
                }
                None if is_hidden => {}
                None if heard(place).is_some_and(is_recent) => group.silence(rule, &mut emit),
                None => {}
            }
        }
    }

    /// For how much of a window the rule has seen its events.
    fn seen(&self, closing: &Closing<'_>, place: usize, start: Timestamp) -> Duration {
        let span = closing.grouping.window.span;
        let Some(outages) = closing.outages else {
            return span;
        };
        let end = start + span;
        // Before it was loaded it has seen nothing, whoever was there.
        let from = self.covered_from[place].map_or(start, |from| from.clamp(start, end));
        let unseen = from.saturating_since(start) + outages.unseen(from, end);
        span.saturating_sub(unseen)
    }

    /// The rows of a window: those of its only pane, or of all of them, merged.
    fn rows_of(&self, grouping: &Grouping, start: Timestamp) -> Option<Cow<'_, Rows>> {
        let mut panes = self.panes.range(start..start + grouping.window.span);
        let (_, first) = panes.next()?;
        let mut rows = Cow::Borrowed(first);
        for (_, pane) in panes {
            let rows = rows.to_mut();
            for (&number, row) in pane {
                merge_row(rows, number, row.clone());
            }
        }
        if let Cow::Owned(rows) = &mut rows {
            rows.values_mut().for_each(Row::prepare);
        }
        Some(rows)
    }

    /// Opens the windows again that end after `now`.
    pub fn reopen(&mut self, grouping: &Grouping, now: Timestamp) {
        let window = grouping.window;
        let open = (now - (window.span - window.every)).floor(window.every);
        self.closed_to = self.closed_to.map(|closed_to| closed_to.min(open));
        self.forgotten_to = self.forgotten_to.map(|forgotten_to| forgotten_to.min(open));
        self.amended.retain(|(_, start)| *start < open);
    }

    /// Drops the rows of panes that start at or before `last`, if all their windows are
    /// closed.
    pub fn forget(&mut self, grouping: &Grouping, last: Timestamp) {
        let Some(closed_to) = self.closed_to else {
            return;
        };
        let forgotten_to = (last + Duration::from_micros(1)).min(closed_to);
        self.forgotten_to = self.forgotten_to.max(Some(forgotten_to));
        while let Some(first) = self.panes.first_entry()
            && *first.key() <= last
            && *first.key() < closed_to
        {
            let (pane, rows) = first.remove_entry();
            if let Some(changed) = &mut self.changed {
                changed.insert(pane);
            }
            let end = Some(pane + grouping.window.every);
            for (number, row) in rows {
                self.groups.lose_row(number);
                let Some(group) = self.groups.get_mut(number) else {
                    continue;
                };
                for (_, heard) in group.heard_in(grouping, &row) {
                    heard.forgotten = heard.forgotten.max(end);
                }
            }
        }
    }

    /// Forgets the groups that no rule has seen since `before`; says how many series
    /// they had.
    pub fn expire(&mut self, grouping: &Grouping, before: Timestamp) -> usize {
        self.groups.expire(grouping, before)
    }

    /// The end of the last window that has the first pane.
    pub fn first_end(&self, grouping: &Grouping) -> Option<Timestamp> {
        let (&first, _) = self.panes.first_key_value()?;
        Some(first + grouping.window.span)
    }

    /// The start of the first window that ends after all rows.
    pub fn end_of_rows(&self, grouping: &Grouping) -> Option<Timestamp> {
        let (&last, _) = self.panes.last_key_value()?;
        Some(first_window(grouping, last) + grouping.window.every)
    }

    /// How many panes hold events and have windows that have not been closed.
    pub fn open(&self) -> usize {
        let closed_to = self.closed_to.unwrap_or(Timestamp::MIN);
        self.panes.range(closed_to..).count()
    }

    pub fn series(&self, grouping: &Grouping) -> usize {
        let groups = self.groups.iter().map(|(_, group)| group);
        let admitted = groups.filter(|group| group.is_admitted());
        admitted.map(|group| group.series(grouping)).sum()
    }

    pub fn rows(&self) -> usize {
        self.panes.values().map(Rows::len).sum()
    }
}

/// What holds for all windows that close at once.
pub(super) struct Closing<'a> {
    pub id: GroupingId,
    pub grouping: &'a Grouping,
    /// How long a silent series says 0.
    pub expire_after: Duration,
    /// When events were missed; `None`: that does not matter.
    pub outages: Option<&'a Outages>,
}

/// Whether the rule matched in that group, in a pane of these rows.
fn matched(rows: &Rows, number: usize, rule: &RuleLayout) -> bool {
    rows.get(&number).is_some_and(|row| !row.is_silent(rule))
}

/// Takes a group's row into those of a pane or window. Whether there was none.
fn merge_row(rows: &mut Rows, number: usize, row: Row) -> bool {
    match rows.entry(number) {
        Entry::Occupied(known) => {
            known.into_mut().merge(&row);
            false
        }
        Entry::Vacant(vacant) => {
            vacant.insert(row);
            true
        }
    }
}

/// The start of the first window that has that pane.
fn first_window(grouping: &Grouping, pane: Timestamp) -> Timestamp {
    pane - (grouping.window.span - grouping.window.every)
}

/// The starts of all windows that have that pane.
fn windows_of(grouping: &Grouping, pane: Timestamp) -> impl Iterator<Item = Timestamp> {
    let every = grouping.window.every;
    let first = first_window(grouping, pane);
    std::iter::successors(Some(first), move |&start| Some(start + every))
        .take_while(move |&start| start <= pane)
}
