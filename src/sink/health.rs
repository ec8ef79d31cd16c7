//! How a push sink is: what its breaker, its spool and the far side say, for the page, the
//! API and `/metrics`.

use super::breaker;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Refusals that are kept to be looked at.
const REFUSED_MAX: usize = 20;
/// Characters kept of a thing's name, and of the far side's words.
const SHOWN_MAX: usize = 300;

#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    breaker: breaker::State,
    spool: Spool,
    refused: VecDeque<Refused>,
}

/// How full a spool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spool {
    /// Of the disk, by whole blocks.
    pub bytes_used: u64,
    /// When so many are used, the oldest are dropped.
    pub bytes_max: u64,
    /// Since when its oldest block waits, in seconds since 1970; `None`: it is empty.
    pub oldest: Option<i64>,
}

/// One measurement or annotation that the far side refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// A series or an annotation's title.
    pub what: String,
    /// Its own time, in seconds since 1970.
    pub time: i64,
    /// When it was refused, in seconds since 1970.
    pub at: i64,
    /// The far side's words.
    pub why: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    pub breaker: &'static str,
    pub spool: Spool,
    /// The newest last.
    pub refused: Vec<Refused>,
}

impl Health {
    pub fn set_breaker(&self, state: breaker::State) {
        self.lock().breaker = state;
    }

    pub fn set_spool(&self, spool: Spool) {
        self.lock().spool = spool;
    }

    pub fn refused(&self, what: String, time: Timestamp, at: Timestamp, why: &str) {
        let mut state = self.lock();
        if state.refused.len() == REFUSED_MAX {
            state.refused.pop_front();
        }
        state.refused.push_back(Refused {
            what: what.chars().take(SHOWN_MAX).collect(),
            time: time.as_secs(),
            at: at.as_secs(),
            why: why.chars().take(SHOWN_MAX).collect(),
        });
    }

    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            breaker: state.breaker.as_str(),
            spool: state.spool,
            refused: state.refused.iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each field is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
