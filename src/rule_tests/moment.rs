//! When something is, as tests write it: RFC 3339, or the time of day alone.

use crate::time::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    At(Timestamp),
    /// In the test's time zone, on the day of its first line.
    TimeOfDay(Time),
}

impl Moment {
    /// `None` if it is neither.
    pub fn parse(text: &str) -> Option<Moment> {
        if text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b':' | b'.'))
        {
            return text.parse().ok().map(Moment::TimeOfDay);
        }
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Moment::At(Timestamp::from_micros(at.as_microsecond())))
    }

    /// `None` for a time of day where no day is known.
    pub fn on(self, day: Option<Date>, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Moment::At(at) => Some(at),
            Moment::TimeOfDay(time) => {
                let local = day?.to_datetime(time).to_zoned(zone.clone()).ok()?;
                Some(Timestamp::from_micros(local.timestamp().as_microsecond()))
            }
        }
    }
}

/// The day of that time in that zone; `None` where no calendar reaches.
pub(super) fn day(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(at.to_zoned(zone.clone()).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let zone = TimeZone::get("Europe/Stockholm").unwrap();
        let noon = Timestamp::from_secs(1_767_268_800);
        let today = day(noon, &zone);
        for (text, expected) in [
            ("2026-01-01T12:00:00Z", Some("2026-01-01T12:00:00.000Z")),
            (
                "2026-01-01T12:00:00.25+01:00",
                Some("2026-01-01T11:00:00.250Z"),
            ),
            ("12:01:02.4", Some("2026-01-01T11:01:02.400Z")),
            ("12:01", Some("2026-01-01T11:01:00.000Z")),
            ("2026-01-01T12:00:00", None),
            ("2026-01-01", None),
            ("noon", None),
            ("", None),
        ] {
            let read = Moment::parse(text).and_then(|moment| moment.on(today, &zone));
            assert_eq!(read.map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(Moment::parse("12:01").unwrap().on(None, &zone), None);
    }
}
