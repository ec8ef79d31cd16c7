//! The dates of syslog headers: where one ends, and what time it says.
//!
//! Finding the end happens for every line and checks no more than the form and the
//! range of each number. What the calendar thinks of the whole is asked only by
//! [`resolve`].

use crate::time::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Where RFC 3164's `Nov 21 04:55:14` at the start of `bytes` ends. The day may be
/// padded with a zero, and a year may follow, as some routers write it.
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
        [b' ', a, b, c, d, b' ', ..] if year([a, b, c, d]).is_some() => Some(20),
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

/// The time that a stamp of either kind says. See [`super::Message::time`].
///
/// RFC 3164's may also have its year before the time, and a colon at its end.
pub(super) fn resolve(stamp: &[u8], reference: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    if rfc3339(stamp) == Some(stamp.len()) {
        return resolve_rfc3339(stamp);
    }
    let stamp = stamp.strip_suffix(b":").unwrap_or(stamp);
    let mut words = stamp
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    let month = month(words.next()?)?;
    let day = match words.next()? {
        [d] => two([b'0', *d])?,
        [d1, d2] => two([*d1, *d2])?,
        _ => return None,
    };
    let (first, second) = (words.next()?, words.next());
    let (time, year_words) = match (clock(first), second) {
        (Some(time), year) => (time, year),
        (None, Some(time)) => (clock(time)?, Some(first)),
        (None, None) => return None,
    };
    if words.next().is_some() {
        return None;
    }
    let at = |year: i16| {
        let date = DateTime::new(year, month, day, time[0], time[1], time[2].min(59), 0).ok()?;
        let time = zone.to_ambiguous_timestamp(date).compatible().ok()?;
        Some(Timestamp::from_secs(time.as_second()))
    };
    match year_words {
        Some(word) => at(year(word.try_into().ok()?)?),
        None => {
            let around = jiff::Timestamp::from_microsecond(reference.as_micros()).ok()?;
            let year = around.to_zoned(zone.clone()).year();
            [year - 1, year, year + 1]
                .into_iter()
                .filter_map(at)
                .min_by_key(|time| time.as_micros().abs_diff(reference.as_micros()))
        }
    }
}

fn resolve_rfc3339(stamp: &[u8]) -> Option<Timestamp> {
    let year = year([stamp[0], stamp[1], stamp[2], stamp[3]])?;
    let (month, day) = (two([stamp[5], stamp[6]])?, two([stamp[8], stamp[9]])?);
    let [hour, minute, second] = clock(&stamp[11..19])?;
    let mut tail = &stamp[19..];
    let mut nanos = 0;
    if let [b'.', digits @ ..] = tail {
        let mut scale = 100_000_000;
        tail = digits;
        while let [digit @ b'0'..=b'9', rest @ ..] = tail {
            nanos += i32::from(digit - b'0') * scale;
            scale /= 10;
            tail = rest;
        }
    }
    let offset = match *tail {
        [sign, h1, h2, _, m1, m2] => {
            let seconds = i32::from(two([h1, h2])?) * 3600 + i32::from(two([m1, m2])?) * 60;
            Offset::from_seconds(if sign == b'-' { -seconds } else { seconds }).ok()?
        }
        _ => Offset::UTC,
    };
    let date = DateTime::new(year, month, day, hour, minute, second.min(59), nanos).ok()?;
    let time = offset.to_timestamp(date).ok()?;
    Some(Timestamp::from_micros(time.as_microsecond()))
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
