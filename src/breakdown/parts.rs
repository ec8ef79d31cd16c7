//! What has been counted and not been handed on, by slot and service, within bounds.

use super::curves::Curves;
use super::details::Details;
use std::collections::{BTreeMap, HashMap};

/// Services, each in each slot, that are held at once. Lines of a second fall into a slot or
/// two; more come of hosts whose clocks are off, and of lines that come late.
const SERVICES_MAX: usize = 4_000;

/// Rows of all their tables together: beyond, new ones are among the others.
const ROWS_MAX: usize = 20_000;

/// A service in a slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub curves: Curves,
    pub details: Details,
}

/// Parts of all services.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// By the slot's first second, then by service.
    slots: BTreeMap<i64, HashMap<Box<str>, Part>>,
    services: usize,
    /// Rows that tables may still get.
    room: usize,
    /// Requests that there was no room for.
    pub left_out: u64,
}

impl Default for Parts {
    fn default() -> Self {
        Parts {
            slots: BTreeMap::new(),
            services: 0,
            room: ROWS_MAX,
            left_out: 0,
        }
    }
}

impl Parts {
    /// The part of that service, and the room for rows; `None` where there is none for it.
    pub fn part(&mut self, slot: i64, service: &str) -> Option<(&mut Part, &mut usize)> {
        let is_known = self
            .slots
            .get(&slot)
            .is_some_and(|services| services.contains_key(service));
        if !is_known {
            if self.services >= SERVICES_MAX {
                return None;
            }
            self.services += 1;
            let services = self.slots.entry(slot).or_default();
            services.insert(service.into(), Part::default());
        }
        let part = self.slots.get_mut(&slot)?.get_mut(service)?;
        Some((part, &mut self.room))
    }

    pub fn is_empty(&self) -> bool {
        self.services == 0 && self.left_out == 0
    }

    /// Requests of all services.
    pub fn requests(&self) -> u64 {
        self.iter().map(|(_, _, part)| part.curves.requests).sum()
    }

    /// Those that were looked at.
    pub fn looked(&self) -> u64 {
        self.iter().map(|(_, _, part)| part.curves.looked).sum()
    }

    /// By slot; in a slot in no order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &str, &Part)> {
        let slots = self.slots.iter();
        slots.flat_map(|(slot, services)| {
            let services = services.iter();
            services.map(|(service, part)| (*slot, &**service, part))
        })
    }

    pub fn merge(&mut self, other: &Parts) {
        self.left_out = self.left_out.saturating_add(other.left_out);
        for (slot, service, part) in other.iter() {
            let Some((known, room)) = self.part(slot, service) else {
                self.left_out += part.curves.requests;
                continue;
            };
            known.curves.merge(&part.curves);
            known.details.merge_within(&part.details, room);
        }
    }

    /// Takes out all but those of that slot.
    pub fn take_but(&mut self, slot: i64) -> Parts {
        let mut taken = std::mem::take(self);
        if let Some(kept) = taken.slots.remove(&slot) {
            self.services = kept.len();
            let rows: usize = kept.values().map(|part| part.details.rows()).sum();
            taken.room += rows;
            self.room = ROWS_MAX.saturating_sub(rows);
            taken.services -= self.services;
            self.slots.insert(slot, kept);
        }
        taken
    }
}
