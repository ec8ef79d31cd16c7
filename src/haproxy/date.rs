//! HAProxy's dates: `21/Nov/2026:04:55:14.120`, in local time and without an offset.
//!
//! Asking the zone's rules for each line would cost more than all the rest of it. But
//! lines come in order, more or less: nearly all share the first 16 characters, which
//! name ten minutes, with the line before. What these ten minutes are in UTC is kept;
//! the other characters are arithmetic.
//!
//! When the clocks go back an hour is there twice, and the line does not say which one
//! it means. HAProxy writes a line when the request has ended: so of the two it is the one
//! from which the request ended nearer to when the line was sent, as [`Repeats::settle`]
//! finds when the whole line is read. Where nobody knows when it was sent it is the first.
//! When the clocks go forward the hour between does not exist; a line that has it
//! nevertheless is read as if the clocks had not yet changed. This is what RFC 5545 says,
//! and jiff calls it the compatible way.

use super::event::Event;
use crate::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::time::Duration;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `21/Nov/2026:04:5`
type Prefix = [u8; 16];

/// Reads dates in one zone, and remembers the last ten minutes that it saw.
#[derive(Clone, Debug)]
pub(super) struct Dates {
    zone: TimeZone,
    /// `None` before the first date. No bytes could stand for that: lines may hold any.
    prefix: Option<Prefix>,
    /// When the ten minutes named by `prefix` begin, in milliseconds since 1970.
    start: i64,
    /// After how many milliseconds they come once more; 0 if they do not.
    repeat: i64,
}

/// When a local time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    /// The first time that the clocks show it.
    pub(super) time: Timestamp,
    /// After how many milliseconds they show it once more; 0 if they do not.
    pub(super) repeat: i64,
}

/// After how many milliseconds the clocks show the dates of a line once more; 0 where they
/// do not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repeats {
    pub(super) accept: i64,
    pub(super) request: i64,
}

impl Repeats {
    /// As for nearly every line of a year.
    #[inline]
    pub(super) fn none(self) -> bool {
        self.accept | self.request == 0
    }

    /// Moves the dates of an event to the second time that the clocks show them, where what
    /// began then ended nearer to `sent_at`.
    #[cold]
    pub(super) fn settle(self, event: &mut Event<'_>, sent_at: Timestamp) {
        let (active, total) = (event.timers.active, event.timers.total);
        for (date, repeat, took) in [
            (&mut event.accept_date, self.accept, total.or(active)),
            (&mut event.request_date, self.request, active.or(total)),
        ] {
            let Some(first) = *date else { continue };
            let second = first + Duration::from_millis(repeat.max(0) as u64);
            let took = Duration::from_millis(took.unwrap_or(0).max(0) as u64);
            let apart = |begun: Timestamp| (begun + took).as_micros().abs_diff(sent_at.as_micros());
            if apart(second) < apart(first) {
                *date = Some(second);
            }
        }
    }
}

impl Dates {
    pub(super) fn new(zone: TimeZone) -> Self {
        Dates {
            zone,
            prefix: None,
            start: 0,
            repeat: 0,
        }
    }

    /// The time that a date says, without its brackets. The milliseconds may be missing,
    /// as in the lines of very old versions. `None` if it is not a date.
    #[inline(always)]
    pub(super) fn read(&mut self, date: &[u8]) -> Option<Local> {
        let (prefix, rest) = date.split_first_chunk::<16>()?;
        let within = match *rest {
            [m, b':', s1, s2] => within(u64::from_le_bytes([
                m, b':', s1, s2, b'.', b'0', b'0', b'0',
            ]))?,
            _ => within(u64::from_le_bytes(*rest.as_array()?))?,
        };
        if self.prefix != Some(*prefix) {
            return self.look_up(prefix, within);
        }
        Some(Local {
            time: Timestamp::from_millis(self.start + within),
            repeat: self.repeat,
        })
    }

    /// The time that a date with an offset says, such as `21/Nov/2026:04:55:14 +0100`.
    pub(super) fn read_with_offset(&self, date: &[u8]) -> Option<Timestamp> {
        let (local, offset) = date.split_at_checked(20)?;
        let &[b' ', sign @ (b'+' | b'-'), h1, h2, m1, m2] = offset else {
            return None;
        };
        let (prefix, &[minute, b':', s1, s2]) = local.split_first_chunk::<16>()? else {
            return None;
        };
        let start = start(prefix)?.to_zoned(TimeZone::UTC).ok()?;
        let seconds = digit(minute)? * 60 + digit(s1)? * 10 + digit(s2)?;
        let hours = digit(h1)? * 10 + digit(h2)?;
        let ahead = (hours * 60 + digit(m1)? * 10 + digit(m2)?) * 60;
        let utc = start.timestamp().as_second() + seconds;
        Some(Timestamp::from_secs(match sign {
            b'+' => utc - ahead,
            _ => utc + ahead,
        }))
    }

    /// `within` is how many milliseconds into its ten minutes the date is.
    #[cold]
    fn look_up(&mut self, prefix: &Prefix, within: i64) -> Option<Local> {
        let start = start(prefix)?;
        let millis = |date: DateTime| {
            let ambiguous = self.zone.to_ambiguous_timestamp(date);
            let repeat = match ambiguous.offset() {
                AmbiguousOffset::Fold { before, after } => before.seconds() - after.seconds(),
                _ => 0,
            };
            let time = ambiguous.compatible().ok()?.as_millisecond();
            Some((time, i64::from(repeat) * 1000))
        };
        let local = |(millis, repeat)| Local {
            time: Timestamp::from_millis(millis),
            repeat,
        };
        let last = start.with().minute(start.minute() + 9).second(59).build();
        let ((first, repeat), last) = (millis(start)?, millis(last.ok()?)?);
        if last == (first + 599_000, repeat) {
            self.prefix = Some(*prefix);
            (self.start, self.repeat) = (first, repeat);
            return Some(local((first + within, repeat)));
        }
        // The clocks change in these very minutes, as they did at one minute past
        // midnight in some places: no common start, so nothing to remember.
        let date = start
            .checked_add(jiff::Span::new().milliseconds(within))
            .ok()?;
        millis(date).map(local)
    }
}

/// How many milliseconds into its ten minutes a date is that ends in `5:14.120`: these eight
/// bytes, the first one lowest.
#[inline(always)]
fn within(rest: u64) -> Option<i64> {
    const LIKE: u64 = u64::from_le_bytes(*b"0:00.000");
    const DIGITS: u64 = 0xffff_ff00_ffff_00ff;
    // Each digit is its value now, and what stands between them is 0.
    let values = rest ^ LIKE;
    let over = values.wrapping_add(0x7676_7676_7676_7676) | values;
    if values & !DIGITS != 0 || over & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // Each byte is now ten times itself and the next one: two digits as one number.
    let pairs = values.wrapping_mul(10 << 8 | 1) >> 8;
    let at = |byte: u32, from: u64| (from >> (8 * byte) & 0xff) as i64;
    let (minute, second) = (at(0, values), at(2, pairs));
    let milli = at(5, values) * 100 + at(6, pairs);
    (second <= 59).then_some((minute * 60 + second) * 1000 + milli)
}

fn start(prefix: &Prefix) -> Option<DateTime> {
    let [
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        b':',
        minute,
    ] = *prefix
    else {
        return None;
    };
    let month = MONTHS.iter().position(|month| **month == [m1, m2, m3])?;
    let two = |tens, ones| Some(digit(tens)? * 10 + digit(ones)?);
    DateTime::new(
        (two(y1, y2)? * 100 + two(y3, y4)?) as i16,
        month as i8 + 1,
        two(d1, d2)? as i8,
        two(h1, h2)? as i8,
        (digit(minute)? * 10) as i8,
        0,
        0,
    )
    .ok()
}

#[inline]
fn digit(byte: u8) -> Option<i64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(i64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(zone: &str, date: &str) -> Option<String> {
        let mut dates = Dates::new(TimeZone::get(zone).unwrap());
        let first = dates.read(date.as_bytes());
        assert_eq!(
            dates.read(date.as_bytes()),
            first,
            "the second time, {date}"
        );
        first.map(|local| local.time.to_string())
    }

    #[test]
    fn dates_are_local_times_of_the_zone() {
        for (zone, date, expected) in [
            (
                "UTC",
                "21/Nov/2026:04:55:14.120",
                "2026-11-21T04:55:14.120Z",
            ),
            (
                "UTC",
                "29/Feb/2024:23:59:59.999",
                "2024-02-29T23:59:59.999Z",
            ),
            ("UTC", "09/Aug/2004:20:26:09", "2004-08-09T20:26:09.000Z"),
            (
                "Europe/Stockholm",
                "21/Nov/2026:04:55:14.120",
                "2026-11-21T03:55:14.120Z",
            ),
            // Twice there: the first. Not there: as if the clocks had not changed.
            (
                "Europe/Stockholm",
                "25/Oct/2026:02:30:00.000",
                "2026-10-25T00:30:00.000Z",
            ),
            (
                "Europe/Stockholm",
                "29/Mar/2026:02:30:00.000",
                "2026-03-29T01:30:00.000Z",
            ),
            // Clocks that changed at one minute past midnight.
            (
                "America/St_Johns",
                "04/Nov/2007:00:00:30.000",
                "2007-11-04T02:30:30.000Z",
            ),
            (
                "America/St_Johns",
                "04/Nov/2007:00:01:30.000",
                "2007-11-04T03:31:30.000Z",
            ),
            (
                "America/St_Johns",
                "11/Mar/2007:00:00:30.000",
                "2007-03-11T03:30:30.000Z",
            ),
            (
                "America/St_Johns",
                "11/Mar/2007:01:01:30.000",
                "2007-03-11T03:31:30.000Z",
            ),
        ] {
            assert_eq!(read(zone, date).as_deref(), Some(expected), "{zone} {date}");
        }
    }

    #[test]
    fn what_is_not_a_date_is_none() {
        for date in [
            "",
            "21/Nov/2026",
            "30/Feb/2026:04:55:14.120",
            "21/nov/2026:04:55:14.120",
            "21/Nov/2026:24:55:14.120",
            "21/Nov/2026:04:65:14.120",
            "21/Nov/2026:04:55:60.120",
            "21/Nov/2026:04:55:14.12",
            "21/Nov/2026:04:55:14.1200",
            "21/Nov/2026:04:55:14,120",
            "2x/Nov/2026:04:55:14.120",
            "21/Nov/2026 04:55:14.120",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x005:14.120",
        ] {
            assert_eq!(read("UTC", date), None, "{date}");
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_changes_nothing(
            zone in prop::sample::select(vec!["UTC", "Europe/Stockholm", "America/St_Johns",
                "Australia/Lord_Howe"]),
            // Around changes of the clocks, and anywhere.
            around in prop::sample::select(vec![1_143_340_200_i64, 1_162_006_200, 1_173_583_800,
                1_792_890_000, 1_774_746_000, 0]),
            steps in prop::collection::vec(-90_000_i64..90_000, 1..20),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let mut dates = Dates::new(zone.clone());
            for step in steps {
                let time = jiff::Timestamp::from_second(around + step).unwrap();
                let printed = time.to_zoned(zone.clone()).strftime("%d/%b/%Y:%H:%M:%S.250").to_string();
                let fresh = Dates::new(zone.clone()).read(printed.as_bytes());
                prop_assert_eq!(dates.read(printed.as_bytes()), fresh);
                let expected = zone.to_ambiguous_timestamp(time.to_zoned(zone.clone()).datetime())
                    .compatible().unwrap().as_millisecond() + 250;
                prop_assert_eq!(fresh.map(|local| local.time), Some(Timestamp::from_millis(expected)));
            }
        }
    }
}
