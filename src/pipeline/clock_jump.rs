//! Whether the wall clock goes as time does.

use crate::time::Timestamp;
use std::time::Duration;

/// A clock that is slewed to the right time is off by less in a second, and so is a weir that
/// had to wait for a processor.
const JUMP_MIN: Duration = Duration::from_secs(5);

/// Compares the wall clock with one that only ever goes on.
#[derive(Debug, Default)]
pub struct ClockWatch {
    last: Option<(Timestamp, Duration)>,
}

impl ClockWatch {
    /// By how many seconds the wall clock has jumped since the last time, if it has. `steady` is
    /// the time since some moment that stays the same.
    pub fn jump(&mut self, now: Timestamp, steady: Duration) -> Option<i64> {
        let (then, before) = self.last.replace((now, steady))?;
        let expected = then + steady.saturating_sub(before);
        let (ahead, behind) = (
            now.saturating_since(expected),
            expected.saturating_since(now),
        );
        match (ahead >= JUMP_MIN, behind >= JUMP_MIN) {
            (true, _) => Some(ahead.as_secs() as i64),
            (_, true) => Some(-(behind.as_secs() as i64)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_told_from_a_slow_tick() {
        let mut watch = ClockWatch::default();
        let at = Timestamp::from_secs;
        for (now, steady, jump) in [
            (1000, 10, None),
            (1001, 11, None),
            // It waited for a minute.
            (1061, 71, None),
            (1064, 72, None),
            (4665, 73, Some(3600)),
            (4666, 74, None),
            (1067, 75, Some(-3600)),
            (1068, 76, None),
        ] {
            let got = watch.jump(at(now), Duration::from_secs(steady));
            assert_eq!(got, jump, "at {now}");
        }
    }
}
