//! Messages that would fill the log if each were written.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two messages of one kind.
const EVERY: Duration = Duration::from_secs(10);

/// Between two reasons of one trouble.
const REASON_EVERY: Duration = Duration::from_secs(60);

/// Lets a message pass at most once in ten seconds, and adds up what it is about meanwhile.
#[derive(Debug, Default)]
pub struct Rare(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl Rare {
    /// How many to tell of, these `n` and those since the last message; `None`: not now.
    pub fn pass(&self, n: u64) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.held_back += n;
        if state.last.is_some_and(|last| now < last + EVERY) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

/// Lets the reasons of a trouble pass: the first, and others at most once a minute.
#[derive(Debug, Default)]
pub struct Reasons(Mutex<Option<(Instant, String)>>);

impl Reasons {
    /// Whether to tell this reason. `begins`: the trouble was not there before.
    pub fn pass(&self, why: &str, begins: bool) -> bool {
        let now = Instant::now();
        // Numbers are times and counts more often than not, and never the same.
        let mut bare = why.to_owned();
        bare.retain(|c| !c.is_ascii_digit());
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told
            .as_ref()
            .is_some_and(|(at, told)| *told == bare || now < *at + REASON_EVERY);
        if known && !begins {
            return false;
        }
        *told = Some((now, bare));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reason_is_told_when_it_is_another_and_not_too_often() {
        let reasons = Reasons::default();
        assert!(reasons.pass("502: at 17", true));
        assert!(!reasons.pass("refused", false));
        tokio::time::advance(REASON_EVERY).await;
        assert!(!reasons.pass("502: at 18", false));
        assert!(reasons.pass("refused", false));
        assert!(!reasons.pass("502: at 19", false));
        assert!(reasons.pass("refused", true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_back_is_told_with_the_next() {
        let rare = Rare::default();
        assert_eq!(rare.pass(1), Some(1));
        assert_eq!(rare.pass(2), None);
        tokio::time::advance(EVERY).await;
        assert_eq!(rare.pass(3), Some(5));
        assert_eq!(rare.pass(1), None);
    }
}
