//! One worker's map from (group, window) to its row of cells.

use super::layout::{GroupingId, Layout};
use super::row::Row;
use super::times::{Ages, Times};
use crate::time::Timestamp;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

/// One worker's part of some windows, handed over whole.
#[derive(Debug)]
pub struct Delta {
    /// What the cells mean.
    pub layout: Arc<Layout>,
    pub entries: Vec<Entry>,
    /// The events dated before the beginning that the map was told of, by how long before.
    pub before: Ages,
    /// Those since.
    pub since: Times,
    /// How often an event found no room for a row of its group.
    pub refused: u64,
}

impl Delta {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.refused == 0
    }
}

/// One group's row in one window.
#[derive(Clone, Debug)]
pub struct Entry {
    pub grouping: GroupingId,
    pub key: GroupKey,
    /// The window's start.
    pub start: Timestamp,
    /// How many events are accounted for here. An event that counts in several
    /// groupings is accounted for in the first of them only, so that these numbers
    /// add up to the number of events.
    pub events: u64,
    /// How many events are in the row.
    pub placed: u64,
    pub row: Row,
}

/// The values of a group, in the order of its grouping's `by`, in one string of
/// bytes: comparing and hashing a group is comparing and hashing that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKey(Vec<u8>);

/// In place of a length: the event does not have this value.
const MISSING: u32 = u32::MAX;

/// No value is as short: see [`GroupKey::push`].
const OTHER_KEY: [u8; 1] = [0];

impl GroupKey {
    /// The group that takes in what no other may.
    pub fn other() -> Self {
        GroupKey(OTHER_KEY.into())
    }

    pub fn is_other(&self) -> bool {
        self.0 == OTHER_KEY
    }

    /// Whether it has no values: its grouping has one group.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets the values and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends the next value; `None` where the event has none.
    #[inline]
    pub fn push(&mut self, value: Option<&[u8]>) {
        let length = value.map_or(MISSING, |value| value.len() as u32);
        let value = value.unwrap_or_default();
        self.0.reserve(4 + value.len());
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(value);
    }

    /// Whether this is the only value.
    #[inline]
    fn is_only(&self, value: Option<&[u8]>) -> bool {
        let length = value.map_or(MISSING, |value| value.len() as u32);
        let Some((own, rest)) = self.0.split_first_chunk::<4>() else {
            return false;
        };
        u32::from_le_bytes(*own) == length && same(rest, value.unwrap_or_default())
    }

    /// The values, in the order they were pushed.
    pub fn values(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length);
            if length == MISSING {
                rest = tail;
                return Some(None);
            }
            let (value, tail) = tail.split_at_checked(length as usize)?;
            rest = tail;
            Some(Some(value))
        })
    }
}

/// The map is full: no new group is taken in before it is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A worker's rows since the last hand-over.
///
/// Finding a row allocates nothing: the key is built in the caller's buffer and
/// compared in place. Only the first event of a group in a window since the last
/// hand-over allocates, its row and its key; that is once per series and tick,
/// whatever the number of lines.
pub struct DeltaMap {
    layout: Arc<Layout>,
    hasher: RandomState,
    /// Places in `entries`.
    index: HashTable<u32>,
    /// Some of these places, each where the last bits of its key's hash say: what comes often
    /// is found there at once. A place may be of another key, or of no entry any more.
    recent: Box<[u32; RECENT]>,
    entries: Vec<Entry>,
    beginning: Timestamp,
    before: Ages,
    since: Times,
    refused: u64,
    capacity: usize,
}

/// Entries that are found without a search: 16 KiB, which a processor has at hand.
const RECENT: usize = 4096;

/// Rows for what found no room, beside the others: one for each grouping and window.
const OTHER_ROWS: usize = 1_000;

impl DeltaMap {
    /// A map that holds at most `capacity` rows between two hand-overs.
    pub fn new(layout: Arc<Layout>, capacity: usize) -> Self {
        DeltaMap {
            layout,
            hasher: RandomState::default(),
            index: HashTable::new(),
            recent: Box::new([0; RECENT]),
            entries: Vec::new(),
            beginning: Timestamp::MIN,
            before: Ages::default(),
            since: Times::NONE,
            refused: 0,
            capacity: capacity.min(u32::MAX as usize),
        }
    }

    /// The row of that group in the window or pane that starts at `start`, with one more event
    /// placed in it. A new group when the map holds as many rows as it may is placed with
    /// the [others](GroupKey::other).
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no room for those either.
    #[inline]
    pub fn entry(
        &mut self,
        grouping: GroupingId,
        start: Timestamp,
        key: &GroupKey,
    ) -> Result<&mut Entry, Full> {
        let place = self.place(grouping, start, key, self.capacity)?;
        let entry = &mut self.entries[place];
        entry.placed += 1;
        Ok(entry)
    }

    /// The same for a key with this value alone: most have one, and nearly all of them are found
    /// without making a key of it, which `key` does.
    ///
    /// # Errors
    ///
    /// As [`DeltaMap::entry`].
    #[inline]
    pub fn entry_of_one(
        &mut self,
        grouping: GroupingId,
        start: Timestamp,
        value: Option<&[u8]>,
        key: &mut GroupKey,
    ) -> Result<&mut Entry, Full> {
        let recent = brief(grouping, start, value) % RECENT;
        let is_it = |entry: &Entry| {
            entry.grouping == grouping && entry.start == start && entry.key.is_only(value)
        };
        let mut place = self.recent[recent] as usize;
        if !self.entries.get(place).is_some_and(is_it) {
            key.clear();
            key.push(value);
            place = self.place(grouping, start, key, self.capacity)?;
            // As large as the index can tell.
            self.recent[recent] = place as u32;
        }
        let entry = &mut self.entries[place];
        entry.placed += 1;
        Ok(entry)
    }

    /// Tells events dated before that time from those since.
    pub fn beginning_at(self, beginning: Timestamp) -> Self {
        DeltaMap { beginning, ..self }
    }

    /// What the rows' cells mean.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Notes the time of an event that is in some row.
    #[inline]
    pub fn note(&mut self, at: Timestamp) {
        match at < self.beginning {
            true => self.before.note(self.beginning.saturating_since(at)),
            false => self.since.note(at),
        }
    }

    #[inline]
    fn place(
        &mut self,
        grouping: GroupingId,
        start: Timestamp,
        key: &GroupKey,
        capacity: usize,
    ) -> Result<usize, Full> {
        let hash = hash(&self.hasher, grouping, start, key);
        let is_it =
            |entry: &Entry| entry.grouping == grouping && entry.start == start && entry.key == *key;
        let recent = self.recent[hash as usize % RECENT] as usize;
        if self.entries.get(recent).is_some_and(is_it) {
            return Ok(recent);
        }
        let entries = &self.entries;
        let found = self
            .index
            .find(hash, |&place| is_it(&entries[place as usize]));
        let place = match found {
            Some(&place) => place as usize,
            None => self.insert(hash, grouping, start, key, capacity)?,
        };
        // As large as the index can tell.
        self.recent[hash as usize % RECENT] = place as u32;
        Ok(place)
    }

    #[cold]
    fn insert(
        &mut self,
        hash: u64,
        grouping: GroupingId,
        start: Timestamp,
        key: &GroupKey,
        capacity: usize,
    ) -> Result<usize, Full> {
        let place = self.entries.len();
        if place >= capacity {
            if key.is_other() {
                self.refused += 1;
                return Err(Full);
            }
            let capacity = self.capacity + OTHER_ROWS;
            return self.place(grouping, start, &GroupKey::other(), capacity);
        }
        self.entries.push(Entry {
            grouping,
            key: key.clone(),
            start,
            events: 0,
            placed: 0,
            row: self.layout.groupings[usize::from(grouping.0)].empty_row(),
        });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, place as u32, |&place| {
            let entry = &entries[place as usize];
            self::hash(hasher, entry.grouping, entry.start, &entry.key)
        });
        Ok(place)
    }

    /// Hands over everything and starts anew.
    pub fn take(&mut self) -> Delta {
        self.index.clear();
        Delta {
            layout: Arc::clone(&self.layout),
            entries: std::mem::take(&mut self.entries),
            before: std::mem::take(&mut self.before),
            since: std::mem::replace(&mut self.since, Times::NONE),
            refused: std::mem::take(&mut self.refused),
        }
    }
}

/// Whether they are the same bytes. Names are short: to compare them here takes a third of what
/// calling the C library for it does.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && match one.len() {
            0..=16 => ends(one) == ends(other),
            _ => one == other,
        }
}

/// The first bytes and the last ones, which is all of them where there are at most 16.
#[inline(always)]
fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return (u64::from(first), u64::from(last));
    }
    let all = bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
    (all, 0)
}

/// A place for it among the recent ones. Whoever makes values that share one only has them
/// searched for.
#[inline(always)]
fn brief(grouping: GroupingId, start: Timestamp, value: Option<&[u8]>) -> usize {
    let (first, last) = ends(value.unwrap_or_default());
    let bytes = first ^ last.rotate_left(25);
    let window = (start.as_micros() as u64).rotate_left(40) ^ u64::from(grouping.0);
    let mixed = (bytes ^ window).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The highest bits of a product depend on all bits of its factors.
    (mixed >> 48) as usize
}

fn hash(hasher: &RandomState, grouping: GroupingId, start: Timestamp, key: &GroupKey) -> u64 {
    let mut state = hasher.build_hasher();
    grouping.hash(&mut state);
    start.hash(&mut state);
    state.write(&key.0);
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::{Cell, CellKind, Grouping, Window};
    use proptest::prelude::*;
    use std::time::Duration;

    fn layout() -> Arc<Layout> {
        Arc::new(Layout {
            groupings: vec![Grouping {
                by: vec!["service".into()],
                window: Window::tumbling(Duration::from_secs(10)),
                limit: None,
                cells: vec![CellKind::Count],
                rules: vec![],
            }],
        })
    }

    fn key(values: &[Option<&[u8]>]) -> GroupKey {
        let mut key = GroupKey::default();
        for value in values {
            key.push(*value);
        }
        key
    }

    proptest! {
        #[test]
        fn values_are_compared_as_slices_are(one in "[ab]{0,20}", other in "[ab]{0,20}") {
            for (one, other) in [(&one, &other), (&one, &one)] {
                let (one, other) = (one.as_bytes(), other.as_bytes());
                prop_assert_eq!(same(one, other), one == other);
                // Of one length, and different in one place.
                let mut changed = one.to_vec();
                for place in 0..changed.len() {
                    changed[place] ^= 1;
                    prop_assert!(!same(one, &changed));
                    changed[place] ^= 1;
                }
            }
        }
    }

    #[test]
    fn a_key_gives_its_values_back() {
        for values in [
            &[][..],
            &[Some(&b"users"[..])],
            &[Some(b""), None, Some(b"a\xffb"), None],
        ] {
            assert_eq!(key(values).values().collect::<Vec<_>>(), values);
        }
    }

    #[test]
    fn keys_that_only_join_alike_differ() {
        assert_ne!(
            key(&[Some(b"ab"), Some(b"c")]),
            key(&[Some(b"a"), Some(b"bc")])
        );
        assert_ne!(key(&[Some(b"")]), key(&[None]));
    }

    #[test]
    fn groups_and_windows_have_rows_of_their_own() {
        let mut map = DeltaMap::new(layout(), 10);
        let id = GroupingId(0);
        for (service, start) in [("a", 0), ("b", 0), ("a", 10), ("a", 0)] {
            let entry = map.entry(
                id,
                Timestamp::from_secs(start),
                &key(&[Some(service.as_bytes())]),
            );
            let entry = entry.unwrap();
            entry.events += 1;
            entry.row[0].count();
        }
        let rows: Vec<_> = map
            .take()
            .entries
            .iter()
            .map(|e| (e.key.clone(), e.start.as_secs(), e.events, e.row[0].clone()))
            .collect();
        assert_eq!(
            rows,
            [
                (key(&[Some(b"a")]), 0, 2, Cell::Count(2)),
                (key(&[Some(b"b")]), 0, 1, Cell::Count(1)),
                (key(&[Some(b"a")]), 10, 1, Cell::Count(1)),
            ]
        );
        assert!(map.take().entries.is_empty());
    }

    #[test]
    fn one_value_is_found_as_a_key_of_it() {
        let mut map = DeltaMap::new(layout(), 1_000);
        let mut buffer = GroupKey::default();
        let names: Vec<String> = (0..100).map(|n| format!("service-{n}")).collect();
        let values = names.iter().map(|name| Some(name.as_bytes()));
        let values: Vec<_> = values
            .chain([None, Some(&b""[..]), Some(b"\0"), Some(b"a")])
            .collect();
        for round in 0..3 {
            for start in [0, 10] {
                let (id, start) = (GroupingId(0), Timestamp::from_secs(start));
                for &value in &values {
                    let entry = map.entry_of_one(id, start, value, &mut buffer).unwrap();
                    assert_eq!((&entry.key, entry.start), (&key(&[value]), start));
                    assert_eq!(entry.placed, 2 * round + 1);
                    let again = map.entry(id, start, &key(&[value])).unwrap();
                    assert_eq!(again.placed, 2 * round + 2);
                }
            }
        }
        assert_eq!(map.take().entries.len(), 2 * values.len());
        // What was found is gone.
        let entry = map.entry_of_one(
            GroupingId(0),
            Timestamp::from_secs(0),
            values[1],
            &mut buffer,
        );
        assert_eq!(entry.unwrap().placed, 1);
    }

    #[test]
    fn a_full_map_keeps_the_groups_it_has_and_places_others_together() {
        let mut map = DeltaMap::new(layout(), 1);
        let (id, start) = (GroupingId(0), Timestamp::from_secs(0));
        for service in [b"a", b"b", b"c", b"a"] {
            map.entry(id, start, &key(&[Some(service)])).unwrap();
        }
        let delta = map.take();
        let placed: Vec<_> = delta.entries.iter().map(|e| (&e.key, e.placed)).collect();
        assert_eq!(placed, [(&key(&[Some(b"a")]), 2), (&GroupKey::other(), 2)]);
        map.entry(id, start, &key(&[Some(b"b")])).unwrap();
        assert!(!map.take().entries[0].key.is_other());
    }

    #[test]
    fn what_finds_no_room_in_more_windows_than_there_is_room_for_is_refused() {
        let mut map = DeltaMap::new(layout(), 1);
        let at = |second: usize| Timestamp::from_secs(second as i64);
        for second in 0..=OTHER_ROWS {
            assert!(map.entry(GroupingId(0), at(second), &key(&[None])).is_ok());
        }
        assert!(
            map.entry(GroupingId(0), at(OTHER_ROWS + 1), &key(&[None]))
                .is_err()
        );
        let delta = map.take();
        assert_eq!((delta.refused, delta.entries.len()), (1, OTHER_ROWS + 1));
    }
}
