//! What is listed for a span of time: routes, servers, termination states, examples.

use super::exemplar::{self, Exemplar};
use super::latency::Latency;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Rows that a table holds while it is counted, or is left with after a merge: the most
/// requested.
const ROWS_MAX: usize = 100;

/// Routes that are shown.
pub const ROUTES_SHOWN: usize = 50;

/// Servers that are shown.
pub const SERVERS_SHOWN: usize = 64;

/// Something that requests are counted by.
pub trait Tally: Default {
    fn requests(&self) -> u64;
    fn merge(&mut self, other: &Self);
}

/// Rows by name, and what there was no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table<T> {
    pub rows: BTreeMap<Box<str>, T>,
    pub other: T,
}

/// Requests that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub requests: u64,
    pub failed: u64,
    pub latency: Latency,
    /// Milliseconds.
    pub max: u64,
}

/// Requests of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub group: Group,
    pub queue: Mean,
    pub connect: Mean,
    pub response: Mean,
}

/// Of the requests that came so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mean {
    pub sum: u64,
    pub count: u64,
}

/// How a service's requests divide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// By method, a blank, and the path without ids; sessions have none.
    pub routes: Table<Group>,
    /// By backend, a slash, and server.
    pub servers: Table<Server>,
    /// By the state's characters.
    pub terminations: Table<u64>,
    pub slowest: Vec<Exemplar>,
    pub failing: Vec<Exemplar>,
}

impl<T: Tally> Table<T> {
    /// The row of that name, or that of the others where there is no room. `room` is that of
    /// all tables together; what is made is taken from it.
    pub fn row(&mut self, name: &str, room: &mut usize) -> &mut T {
        if !self.rows.contains_key(name) {
            if self.rows.len() >= ROWS_MAX || *room == 0 {
                return &mut self.other;
            }
            *room -= 1;
            self.rows.insert(name.into(), T::default());
        }
        self.rows.get_mut(name).unwrap_or(&mut self.other)
    }

    /// Adds the other's rows. New ones are taken from `room` and are among the others where
    /// there is none left; what the table has too many of then is given back.
    pub fn merge(&mut self, other: &Table<T>, room: &mut usize) {
        for (name, row) in &other.rows {
            if let Some(known) = self.rows.get_mut(name) {
                known.merge(row);
            } else if *room > 0 {
                *room -= 1;
                let mut new = T::default();
                new.merge(row);
                self.rows.insert(name.clone(), new);
            } else {
                self.other.merge(row);
            }
        }
        self.other.merge(&other.other);
        let rows = self.rows.len();
        self.keep(ROWS_MAX);
        *room += rows - self.rows.len();
    }

    /// Leaves the most requested; the rest is among the others then.
    pub fn keep(&mut self, max: usize) {
        if self.rows.len() <= max {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let mut rows: Vec<(Box<str>, T)> = rows.into_iter().collect();
        rows.sort_by(|(name, row), (other, than)| {
            let order = Reverse(row.requests()).cmp(&Reverse(than.requests()));
            order.then_with(|| name.cmp(other))
        });
        for (_, row) in rows.split_off(max) {
            self.other.merge(&row);
        }
        self.rows = rows.into_iter().collect();
    }
}

impl Tally for Group {
    fn requests(&self) -> u64 {
        self.requests
    }

    fn merge(&mut self, other: &Group) {
        // What comes from a disk may be anything.
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.latency.merge(&other.latency);
        self.max = self.max.max(other.max);
    }
}

impl Group {
    pub fn add(&mut self, duration: Option<u64>, failed: bool, weight: u64) {
        self.requests += weight;
        self.failed += if failed { weight } else { 0 };
        if let Some(duration) = duration {
            self.latency.add(duration, weight);
            self.max = self.max.max(duration);
        }
    }
}

impl Tally for Server {
    fn requests(&self) -> u64 {
        self.group.requests
    }

    fn merge(&mut self, other: &Server) {
        self.group.merge(&other.group);
        self.queue.merge(other.queue);
        self.connect.merge(other.connect);
        self.response.merge(other.response);
    }
}

impl Tally for u64 {
    fn requests(&self) -> u64 {
        *self
    }

    fn merge(&mut self, other: &u64) {
        *self = self.saturating_add(*other);
    }
}

impl Mean {
    pub fn add(&mut self, millis: Option<i64>, weight: u64) {
        if let Some(millis) = millis.and_then(|millis| u64::try_from(millis).ok()) {
            self.sum = self.sum.saturating_add(millis.saturating_mul(weight));
            self.count += weight;
        }
    }

    pub fn merge(&mut self, other: Mean) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
    }

    /// `None` of none.
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

impl Details {
    /// Adds the other. `room` is as in [`Table::merge`].
    pub fn merge_within(&mut self, other: &Details, room: &mut usize) {
        self.routes.merge(&other.routes, room);
        self.servers.merge(&other.servers, room);
        self.terminations.merge(&other.terminations, room);
        for exemplar in &other.slowest {
            exemplar::enter(&mut self.slowest, exemplar.clone(), exemplar::slowest);
        }
        for exemplar in &other.failing {
            exemplar::enter(&mut self.failing, exemplar.clone(), exemplar::newest);
        }
    }

    /// Adds the other, with no bound but that of each table.
    pub fn merge(&mut self, other: &Details) {
        self.merge_within(other, &mut (3 * ROWS_MAX));
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.routes.rows.len() + self.servers.rows.len() + self.terminations.rows.len()
    }

    /// Whether it can be what this type has made.
    pub fn is_sound(&self) -> bool {
        let routes = self.routes.rows.values().chain([&self.routes.other]);
        let servers = self.servers.rows.values().chain([&self.servers.other]);
        let mut groups = routes.chain(servers.map(|server| &server.group));
        groups.all(|group| group.latency.is_sound())
            && self.rows() <= 3 * ROWS_MAX
            && self.slowest.len().max(self.failing.len()) <= exemplar::KEPT
    }
}
