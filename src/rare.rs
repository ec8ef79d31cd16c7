//! Messages that would fill the log if each were written.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two messages of one kind.
const EVERY: Duration = Duration::from_secs(10);

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

#[cfg(test)]
mod tests {
    use super::*;

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
