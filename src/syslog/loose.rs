//! `syslog_loose` for headers with an unusual date.
//!
//! It answers whether there is a date and where it ends; host, tag and text are then
//! read by [`rfc3164`]. Its own reading of those would lose text: it lifts a text's
//! `[id a="b"]` out as structured data and takes a year behind the time for the host.
//! It is called with a leap year, because 29 February in another year makes it give up
//! on the whole header, and with a zone, because otherwise it asks the system for one.
//! It never sees the priority: one over 191 would make it give up as well.

use super::{Message, is_traffic, priority, rfc3164};
use chrono::Utc;
use syslog_loose::{Variant, parse_message_with_year_tz};

/// Any leap year: only whether the date can be is of interest here.
const LEAP_YEAR: i32 = 2024;

/// `None` when it finds no date.
pub(super) fn parse<'a>(frame: &'a [u8], scratch: &mut String) -> Option<Message<'a>> {
    let (priority, dated) = priority(frame.trim_ascii_start());
    if is_traffic(dated) {
        return None;
    }
    let header = match std::str::from_utf8(dated) {
        Ok(text) => text,
        Err(_) => {
            // One byte for one byte, so that positions in it are positions in the frame.
            scratch.clear();
            scratch.extend(dated.iter().map(|&byte| match byte {
                0..=127 => char::from(byte),
                _ => '?',
            }));
            scratch
        }
    };
    let read = parse_message_with_year_tz(header, |_| LEAP_YEAR, Some(Utc), Variant::RFC3164);
    read.timestamp?;
    let after_date = read.hostname.or(read.appname).unwrap_or(read.msg);
    let mut end = after_date.as_ptr().addr() - header.as_ptr().addr();
    if let [y1, y2, y3, y4, b' ', ..] = dated[end..]
        && [y1, y2, y3, y4].iter().all(u8::is_ascii_digit)
    {
        end += 5;
    }
    let timestamp = dated[..end].trim_ascii();
    // A host of `-` reads as none, and was stepped over.
    let timestamp = timestamp.strip_suffix(b" -").unwrap_or(timestamp);
    let message = Message {
        timestamp: Some(timestamp.strip_suffix(b":").unwrap_or(timestamp)),
        ..rfc3164::host_and_tag(&dated[end..])
    };
    Some(message.with_priority(priority))
}
