//! How a push sink is: what its breaker, its spool and the far side say, for the page, the
//! API and `/metrics`.

use super::breaker;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

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
    /// Until then the far side asked for nothing to be sent: by both clocks.
    held: Option<(Instant, Timestamp)>,
    refused: VecDeque<Refused>,
    /// How many were refused before those.
    forgotten: u64,
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
    /// How many others were not sent for that reason.
    pub left_out: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    pub breaker: &'static str,
    /// Until when nothing is sent because the far side asked for that, in seconds since 1970;
    /// `None`: it does not.
    pub held_until: Option<i64>,
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

    /// The far side asks for nothing to be sent until `until`, which comes at `then`.
    pub fn hold(&self, then: Instant, until: Timestamp) {
        self.lock().held = Some((then, until));
    }

    /// The far side has refused something. Gives the number by which [`left_out`] finds it.
    ///
    /// [`left_out`]: Self::left_out
    pub fn refused(&self, what: String, time: Timestamp, at: Timestamp, why: &str) -> u64 {
        let mut state = self.lock();
        if state.refused.len() == REFUSED_MAX {
            state.refused.pop_front();
            state.forgotten += 1;
        }
        state.refused.push_back(Refused {
            what: what.chars().take(SHOWN_MAX).collect(),
            time: time.as_secs(),
            at: at.as_secs(),
            why: why.chars().take(SHOWN_MAX).collect(),
            left_out: 0,
        });
        state.forgotten + state.refused.len() as u64 - 1
    }

    /// One more was not sent because that one was refused.
    pub fn left_out(&self, refused: u64) {
        let mut state = self.lock();
        let place = refused.checked_sub(state.forgotten);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some(refused) = place.and_then(|place| state.refused.get_mut(place)) {
            refused.left_out += 1;
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let now = Instant::now();
        let held = state.held.filter(|(then, _)| now < *then);
        Snapshot {
            breaker: state.breaker.as_str(),
            held_until: held.map(|(_, until)| until.as_secs()),
            spool: state.spool,
            refused: state.refused.iter().cloned().collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each field is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_counts_where_the_refusal_is_still_kept() {
        let health = Health::default();
        let at = Timestamp::from_secs(1);
        let numbers: Vec<u64> = (0..=REFUSED_MAX)
            .map(|i| health.refused(i.to_string(), at, at, "no"))
            .collect();
        for number in [0, 1, 20, 20] {
            health.left_out(numbers[number]);
        }
        let refused = health.snapshot().refused;
        let left_out = refused.iter().filter(|refused| refused.left_out > 0);
        let left_out: Vec<_> = left_out.map(|r| (r.what.as_str(), r.left_out)).collect();
        assert_eq!(left_out, [("1", 1), ("20", 2)]);
    }
}
