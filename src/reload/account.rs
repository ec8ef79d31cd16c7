//! What is in force, and the last reload that was refused: what the page and `/metrics`
//! tell of the rules.

use crate::load::{Loaded, Wrong};
use crate::time::Timestamp;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Problems of a refused set that are told; of more only the number.
const PROBLEMS_MAX: usize = 20;

/// Kept up to date by whoever loads, read by whoever shows.
#[derive(Debug)]
pub struct Account(Mutex<Snapshot>);

/// The rules in force, under the names that the page reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// The files that they come from, as they are named.
    pub files: Vec<Arc<str>>,
    /// How many rules there are.
    pub rules: usize,
    /// Since when these are in force, in epoch seconds.
    pub loaded: i64,
    /// What was refused since; `None` while the files and what is in force are the same.
    pub refused: Option<Refused>,
    /// What was refused last since the start, whatever has come of it.
    pub last_refused: Option<Refused>,
    /// Reloads since the start that put a new set in force.
    pub accepted: u64,
    /// Reloads since the start that were refused.
    pub refusals: u64,
}

/// A set of files that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// When the first was since the last set that was accepted, in epoch seconds.
    pub since: i64,
    /// When this one was, in epoch seconds.
    pub at: i64,
    /// The first of its problems, each in a line with its place.
    pub problems: Vec<String>,
    /// How many problems it has.
    pub count: usize,
}

impl Account {
    /// Of what weir starts with.
    pub fn new(loaded: &Loaded, now: Timestamp) -> Account {
        Account(Mutex::new(Snapshot {
            files: loaded.rules.files().to_vec(),
            rules: loaded.rules.len(),
            loaded: now.as_secs(),
            refused: None,
            last_refused: None,
            accepted: 0,
            refusals: 0,
        }))
    }

    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// A new set is in force.
    pub fn accepted(&self, loaded: &Loaded, now: Timestamp) {
        let mut own = self.lock();
        *own = Snapshot {
            files: loaded.rules.files().to_vec(),
            rules: loaded.rules.len(),
            loaded: now.as_secs(),
            refused: None,
            last_refused: own.last_refused.take(),
            accepted: own.accepted + 1,
            refusals: own.refusals,
        };
    }

    /// The files are wrong: what was in force stays.
    pub fn refused(&self, wrong: &Wrong, now: Timestamp) {
        let mut own = self.lock();
        let since = own.refused.as_ref().map(|refused| refused.since);
        own.refusals += 1;
        own.refused = Some(Refused {
            since: since.unwrap_or(now.as_secs()),
            at: now.as_secs(),
            problems: wrong.lines().take(PROBLEMS_MAX).collect(),
            count: wrong.count(),
        });
        own.last_refused = own.refused.clone();
    }

    /// The files are again those that are in force.
    pub fn restored(&self) {
        self.lock().refused = None;
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
