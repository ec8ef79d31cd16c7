//! The dates of syslog headers: where one ends, and what time it says.
//!
//! [`bsd`] and [`rfc3339`] find the end of the two usual forms, for every line; they
//! check no more than the form and the range of each number. [`read`] knows the others
//! too. What the calendar thinks of a date is asked only by [`resolve`].

use crate::time::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Names of zones behind a time, with their hours east of Greenwich: those of RFC 2822,
/// section 4.3, and Europe's. Names that mean several zones (`IST`, `BST`) are not here.
const ZONES: [(&[u8], i8); 18] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"UT", 0),
    (b"Z", 0),
    (b"WET", 0),
    (b"WEST", 1),
    (b"CET", 1),
    (b"CEST", 2),
    (b"EET", 2),
    (b"EEST", 3),
    (b"EST", -5),
    (b"EDT", -4),
    (b"CST", -6),
    (b"CDT", -5),
    (b"MST", -7),
    (b"MDT", -6),
    (b"PST", -8),
    (b"PDT", -7),
];

/// Where RFC 3164's `Nov 21 04:55:14` at the start of `bytes` ends. The day may be
/// padded with a zero. `None` also if more of the date follows, for [`read`] to take.
#[inline]
pub(super) fn bsd(bytes: &[u8]) -> Option<usize> {
    let stamp: &[u8; 15] = bytes.first_chunk()?;
    let [_, _, _, b' ', d1, d2, b' ', rest @ ..] = stamp else {
        return None;
    };
    let day = match d1 {
        b' ' => two([b'0', *d2])?,
        _ => two([*d1, *d2])?,
    };
    if month(&stamp[..3]).is_none() || !(1..=31).contains(&day) || clock(rest).is_none() {
        return None;
    }
    match bytes[15..] {
        [b' ', a, b, c, d, b' ', ..] if year([a, b, c, d]).is_some() => None,
        [b' ', b'A'..=b'Z', ..] if zone_name(&bytes[16..]).is_some() => None,
        [b' ', b'+' | b'-', b'0'..=b'9', ..] => None,
        _ => Some(15),
    }
}

/// Where RFC 3339's `2026-11-21T04:55:14.120+01:00` at the start of `bytes` ends. The
/// fraction, at most nine digits, may be missing; the offset may not (RFC 5424,
/// section 6.2.3).
#[inline]
pub(super) fn rfc3339(bytes: &[u8]) -> Option<usize> {
    let stamp: &[u8; 20] = bytes.first_chunk()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', ..] = *stamp else {
        return None;
    };
    let (month, day) = (two([m1, m2])?, two([d1, d2])?);
    year([y1, y2, y3, y4])?;
    clock(&stamp[11..19])?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut end = 19;
    if bytes[end] == b'.' {
        let digits = bytes[end + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        end += 1 + digits;
    }
    match bytes[end..] {
        [b'Z', ..] => Some(end + 1),
        [b'+' | b'-', h1, h2, b':', m1, m2, ..] if two([h1, h2])? <= 23 && two([m1, m2])? <= 59 => {
            Some(end + 6)
        }
        _ => None,
    }
}

/// A date of one of the usual forms is at the start of `bytes`.
pub(super) fn begins(bytes: &[u8]) -> bool {
    match bytes {
        [b'0'..=b'9', _, _, _, b'-', ..] => rfc3339(bytes).is_some(),
        [b'A'..=b'Z', _, _, b' ', ..] => bsd(bytes).is_some(),
        _ => false,
    }
}

/// What a date says, each number in its range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    year: Option<i16>,
    month: i8,
    day: i8,
    /// Hour, minute, second; a leap second is 60.
    clock: [i8; 3],
    nanos: i32,
    offset: Option<Offset>,
}

/// Reads the date at the start of `bytes`, and says where it ends: before a blank, a
/// colon, or the end.
///
/// - `Nov 21 04:55:14`: the month in any case, the day with one digit or two, a year
///   before the month, before the time or behind it; then a fraction of the second and
///   a zone, as syslog-ng and routers write them. A zone is a blank and one of [`ZONES`]
///   or an offset.
/// - `2026-11-21T04:55:14`: with a blank for the `T`, and with or without a fraction and
///   an offset, whose colon may be missing.
pub(super) fn read(bytes: &[u8]) -> Option<(Stamp, usize)> {
    let mut cursor = Cursor { bytes, at: 0 };
    let stamp = match bytes.get(4) {
        Some(b'-') => cursor.iso()?,
        _ => cursor.named_month()?,
    };
    matches!(bytes.get(cursor.at), None | Some(b' ' | b':')).then_some((stamp, cursor.at))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn iso(&mut self) -> Option<Stamp> {
        let date: &[u8; 11] = self.rest().first_chunk()?;
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' '] = *date else {
            return None;
        };
        let (month, day) = (two([m1, m2])?, two([d1, d2])?);
        self.at += date.len();
        let stamp = Stamp {
            year: Some(year([y1, y2, y3, y4])?),
            month,
            day,
            clock: self.clock()?,
            nanos: self.fraction()?,
            offset: self.offset(),
        };
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(stamp)
    }

    fn named_month(&mut self) -> Option<Stamp> {
        let before_month = self.year();
        let month = month(self.rest().get(..3)?)?;
        self.at += 3;
        self.blanks()?;
        let day = match *self.rest() {
            [d1, d2, b' ', ..] => {
                self.at += 2;
                two([d1, d2])?
            }
            [d, b' ', ..] => {
                self.at += 1;
                two([b'0', d])?
            }
            _ => return None,
        };
        self.blanks()?;
        let before_time = self.year();
        let clock = self.clock()?;
        let nanos = self.fraction()?;
        let mut year = before_month.or(before_time);
        if let [b' ', a, b, c, d, ..] = *self.rest()
            && matches!(self.rest().get(5), None | Some(b' ' | b':'))
            && let Some(behind) = self::year([a, b, c, d])
        {
            self.at += 5;
            year = year.or(Some(behind));
        }
        Some(Stamp {
            year,
            month,
            day: (1..=31).contains(&day).then_some(day)?,
            clock,
            nanos,
            offset: self.zone(),
        })
    }

    /// Four digits and a blank.
    fn year(&mut self) -> Option<i16> {
        let [a, b, c, d, b' ', ..] = *self.rest() else {
            return None;
        };
        let year = year([a, b, c, d])?;
        self.at += 5;
        Some(year)
    }

    /// At least one.
    fn blanks(&mut self) -> Option<()> {
        let blanks = self.rest().iter().take_while(|&&byte| byte == b' ').count();
        self.at += blanks;
        (blanks > 0).then_some(())
    }

    fn clock(&mut self) -> Option<[i8; 3]> {
        let clock = clock(self.rest().get(..8)?)?;
        self.at += 8;
        Some(clock)
    }

    /// Nanoseconds, 0 without a fraction. `None` if it has no digit, or more than nine.
    fn fraction(&mut self) -> Option<i32> {
        let [b'.' | b',', digits @ ..] = self.rest() else {
            return Some(0);
        };
        let (mut nanos, mut scale, mut count) = (0, 100_000_000, 0);
        for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
            nanos += i32::from(digit - b'0') * scale;
            scale /= 10;
            count += 1;
        }
        self.at += 1 + count;
        (1..=9).contains(&count).then_some(nanos)
    }

    /// A blank and a zone.
    fn zone(&mut self) -> Option<Offset> {
        let [b' ', behind @ ..] = self.rest() else {
            return None;
        };
        if let Some((length, hours)) = zone_name(behind) {
            self.at += 1 + length;
            return Some(Offset::constant(hours));
        }
        let start = self.at;
        self.at += 1;
        let offset = self.offset();
        if offset.is_none() || !matches!(self.rest().first(), None | Some(b' ' | b':')) {
            self.at = start;
            return None;
        }
        offset
    }

    /// `Z`, `+01:00` or `+0100`.
    fn offset(&mut self) -> Option<Offset> {
        let (sign, [h1, h2, m1, m2], length) = match *self.rest() {
            [b'Z', ..] => (b'+', *b"0000", 1),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => (sign, [h1, h2, m1, m2], 6),
            [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => (sign, [h1, h2, m1, m2], 5),
            _ => return None,
        };
        let (hours, minutes) = (two([h1, h2])?, two([m1, m2])?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.at += length;
        let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
        Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()
    }
}

impl Stamp {
    /// The stamp that `bytes` are; `None` if they are none, or more.
    fn whole(bytes: &[u8]) -> Option<Stamp> {
        let (stamp, end) = read(bytes)?;
        (end == bytes.len()).then_some(stamp)
    }

    /// In that year, by the clock of wherever it was printed.
    fn date(self, year: i16) -> Option<DateTime> {
        let [hour, minute, second] = self.clock;
        let nanos = self.nanos / 1_000 * 1_000;
        Some(DateTime::from_parts(
            Date::new(year, self.month, self.day).ok()?,
            Time::new(hour, minute, second.min(59), nanos).ok()?,
        ))
    }
}

/// The time that a stamp says by itself. See [`super::Message::exact_time`].
pub(super) fn exact(stamp: &[u8]) -> Option<jiff::Timestamp> {
    let stamp = Stamp::whole(stamp)?;
    let date = stamp.date(stamp.year?)?;
    stamp.offset?.to_timestamp(date).ok()
}

/// The time that a stamp says, and the offset of the zone it is said in. See
/// [`super::Message::time`].
pub(super) fn resolve(
    stamp: &[u8],
    reference: Timestamp,
    zone: &TimeZone,
) -> Option<(jiff::Timestamp, Offset)> {
    let stamp = Stamp::whole(stamp)?;
    let away = |time: jiff::Timestamp| time.as_microsecond().abs_diff(reference.as_micros());
    let at = |year: i16| {
        let date = stamp.date(year)?;
        match stamp.offset {
            Some(offset) => Some((offset.to_timestamp(date).ok()?, offset)),
            None => {
                let ambiguous = zone.to_ambiguous_zoned(date);
                // Both are the same, but when the clocks go back.
                let times = [ambiguous.clone().compatible(), ambiguous.later()];
                let times = times.into_iter().filter_map(Result::ok);
                let zoned = times.min_by_key(|zoned| away(zoned.timestamp()))?;
                Some((zoned.timestamp(), zoned.offset()))
            }
        }
    };
    match stamp.year {
        Some(year) => at(year),
        None => {
            let around = jiff::Timestamp::from_microsecond(reference.as_micros()).ok()?;
            let year = around.to_zoned(zone.clone()).year();
            [year - 1, year, year + 1]
                .into_iter()
                .filter_map(at)
                .min_by_key(|(time, _)| away(*time))
        }
    }
}

/// How long the name of a zone at the start of `bytes` is, and its hours. The name ends
/// before a blank, a colon, or the end.
fn zone_name(bytes: &[u8]) -> Option<(usize, i8)> {
    let length = bytes
        .iter()
        .position(|&byte| matches!(byte, b' ' | b':'))
        .unwrap_or(bytes.len());
    let (name, hours) = ZONES.iter().find(|(name, _)| *name == &bytes[..length])?;
    Some((name.len(), *hours))
}

/// 1 to 12, from an English month's first three letters, in any case.
fn month(name: &[u8]) -> Option<i8> {
    let index = MONTHS
        .iter()
        .position(|month| month.eq_ignore_ascii_case(name))?;
    Some(index as i8 + 1)
}

/// `HH:MM:SS`; a leap second is let through as second 60.
#[inline]
fn clock(time: &[u8]) -> Option<[i8; 3]> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let [hour, minute, second] = [two([h1, h2])?, two([m1, m2])?, two([s1, s2])?];
    (hour <= 23 && minute <= 59 && second <= 60).then_some([hour, minute, second])
}

#[inline]
fn year(digits: [u8; 4]) -> Option<i16> {
    let [a, b, c, d] = digits;
    Some(i16::from(two([a, b])?) * 100 + i16::from(two([c, d])?))
}

#[inline]
fn two([tens, ones]: [u8; 2]) -> Option<i8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| (tens * 10 + ones) as i8)
}
