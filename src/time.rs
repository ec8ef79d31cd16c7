//! Points in time, as plain numbers.
//!
//! Nothing here asks what time it is; [`crate::clock`] does, at the edges.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds ignored as POSIX does.
///
/// HAProxy logs milliseconds and RFC 5424 up to microseconds, so nothing that a
/// log says is lost. Covers some 290,000 years either side of 1970.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    pub const fn from_secs(secs: i64) -> Self {
        Timestamp(secs.saturating_mul(1_000_000))
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds, rounded towards the past.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds, rounded towards the past.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The last multiple of `span`, counted from 1970, at or before this time:
    /// the start of the tumbling window that this time falls into.
    ///
    /// `span` must not be zero.
    pub fn floor(self, span: Duration) -> Self {
        Timestamp(self.0 - self.0.rem_euclid(micros(span)))
    }

    /// So many milliseconds later: as adding a duration, without making one.
    #[must_use]
    #[inline]
    pub const fn after_millis(self, millis: u64) -> Self {
        let millis = if millis > i64::MAX as u64 {
            i64::MAX
        } else {
            millis as i64
        };
        Timestamp(self.0.saturating_add(millis.saturating_mul(1_000)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(micros(rhs)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, rhs: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(micros(rhs)))
    }
}

/// RFC 3339 in UTC with milliseconds, or the bare number where no calendar reaches.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_rounds_towards_the_past_on_both_sides_of_1970() {
        let ten = Duration::from_secs(10);
        for (micros, start) in [
            (0, 0),
            (9_999_999, 0),
            (10_000_000, 10_000_000),
            (-1, -10_000_000),
        ] {
            assert_eq!(
                Timestamp::from_micros(micros).floor(ten),
                Timestamp::from_micros(start)
            );
        }
    }

    #[test]
    fn display_is_rfc_3339() {
        let time = Timestamp::from_millis(1_767_268_861_042);
        assert_eq!(time.to_string(), "2026-01-01T12:01:01.042Z");
    }
}
