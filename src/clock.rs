//! The one place that asks what time it is.
//!
//! Everything below the edges (framing, syslog, haproxy, rules, window) is given
//! the time as an argument, so a test replays an hour at once. `clippy.toml`
//! refuses `SystemTime::now` anywhere else.

use crate::time::Timestamp;
use std::time::SystemTime;

/// The wall clock.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}
