//! Syslog's envelope: a frame in, a [`Message`] that borrows from it out.
//!
//! Nothing here knows what the text is about, and nothing reads a clock: what a stamp
//! without a year means is decided by whoever asks [`Message::time`].
//!
//! [`rfc3164`] and [`rfc5424`] read the two kinds of header in one pass over the bytes,
//! without allocating, since every line goes through them. What has no date has at most a
//! priority and a tag; all the rest is text. So every frame gives a message, and no byte
//! of a text is lost but a byte-order mark before it. A text that is itself a message
//! with its header, as relays make them, is opened by [`nested`]. Who reads many frames does
//! so by a [`Reader`], which remembers headers.
//!
//! HAProxy's `log ... format` (src/log.c, `build_log_header`), and what is read of each:
//!
//! | format | header |
//! |---|---|
//! | `local` | `<134>Nov 21 04:55:14 haproxy[1]: ` |
//! | `rfc3164` | `<134>Nov 21 04:55:14 lb1 haproxy[1]: `, the host being `localhost` without `log-send-hostname` |
//! | `rfc5424` | `<134>1 2026-11-21T04:55:14.120345+00:00 - haproxy 1 - - ` |
//! | `priority` | `<134>` |
//! | `short` | `<6>`: the severity alone, so the facility reads 0 |
//! | `timed` | `<6>2026-11-21T04:55:14.120345+00:00 `: the same, and no host or program |
//! | `iso` | `2026-11-21T04:55:14.120345+00:00 `: no priority, host or program |
//! | `raw` | nothing |
//!
//! A `<6>` of `short` looks like the kernel's `<6>`, and HAProxy may be set to log as
//! `kern`, so the facility is what is printed, 0.

mod elements;
mod nested;
mod reader;
mod rfc3164;
mod rfc5424;
mod stamp;

pub use elements::Element;
pub use reader::{Messages, Reader};

use crate::time::Timestamp;
use jiff::tz::TimeZone;

/// Which standard a header follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// A date or a tag where RFC 3164 has one. Files and HAProxy's `iso` and `timed` have
    /// less than the RFC asks for and count as this.
    Rfc3164,
    Rfc5424,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Rfc3164 => "rfc3164",
            Protocol::Rfc5424 => "rfc5424",
        }
    }
}

/// What the envelope says, as printed, and the text inside. Fields need not be UTF-8.
///
/// `None` where the frame does not have the field or has a `-` for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// `None` without a header, or with a priority alone.
    pub protocol: Option<Protocol>,
    /// 0 to 23, from the priority.
    pub facility: Option<u8>,
    /// 0 (emergency) to 7 (debug), from the priority.
    pub severity: Option<u8>,
    /// As printed, such as `Nov 21 04:55:14` or `2026-11-21T04:55:14.120Z`;
    /// [`Message::time`] says when that is.
    pub timestamp: Option<&'a [u8]>,
    pub host: Option<&'a [u8]>,
    /// The program's name: RFC 3164's tag without its number, RFC 5424's APP-NAME.
    pub app: Option<&'a [u8]>,
    /// The process's number in most cases; RFC 5424 allows any word.
    pub pid: Option<&'a [u8]>,
    /// RFC 5424's MSGID.
    pub msgid: Option<&'a [u8]>,
    /// RFC 5424's STRUCTURED-DATA with its brackets and escapes.
    pub structured_data: Option<&'a [u8]>,
    /// How many times rsyslog says that the text came again, after a message of its own
    /// that it had already sent. `None` for a message that stands for itself.
    pub repeats: Option<u32>,
    /// What the program said, without the one blank before it. May begin with more.
    pub text: &'a [u8],
}

impl<'a> Message<'a> {
    /// When the envelope says the message was sent.
    ///
    /// A stamp without a year gets the year that brings it closest to `reference`, one
    /// without an offset is read in `zone`: a time that the clocks repeat is the one of the
    /// two that is closer to `reference`, one that they skip is read as if they had not.
    /// `None` without a stamp, and for a day that does not exist.
    pub fn time(&self, reference: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let (time, _) = stamp::resolve(self.timestamp?, reference, zone)?;
        Some(Timestamp::from_micros(time.as_microsecond()))
    }

    /// When the envelope says the message was sent, where it leaves nothing to guess: the
    /// stamp has a year and an offset.
    pub fn exact_time(&self) -> Option<Timestamp> {
        let time = stamp::exact(self.timestamp?)?;
        Some(Timestamp::from_micros(time.as_microsecond()))
    }

    /// The timestamp in RFC 3339's form, to the microsecond, with the offset that was
    /// printed; without one, with that of `zone`. The rest is as in [`Message::time`].
    pub fn timestamp_rfc3339(&self, reference: Timestamp, zone: &TimeZone) -> Option<String> {
        let (time, offset) = stamp::resolve(self.timestamp?, reference, zone)?;
        Some(time.display_with_offset(offset).to_string())
    }

    /// What the structured data says: none where there is none, and none where any of it
    /// is not of RFC 5424's form.
    pub fn structured_data_elements(&self) -> Vec<Element<'a>> {
        self.structured_data
            .and_then(elements::read)
            .unwrap_or_default()
    }

    fn with_priority(self, priority: Option<u8>) -> Message<'a> {
        Message {
            facility: priority.map(|priority| priority >> 3),
            severity: priority.map(|priority| priority & 7),
            ..self
        }
    }
}

/// Reads one frame. Never fails: a frame without any header is all text.
#[inline]
pub fn parse(frame: &[u8]) -> Message<'_> {
    finished(match fast(frame) {
        Some(message) => message,
        None => slow(frame),
    })
}

/// The message whose header has been read.
#[inline(always)]
fn finished(mut message: Message<'_>) -> Message<'_> {
    message.text = without_mark(message.text);
    match nested::may_begin(message.text) {
        true => nested::unwrap(message),
        false => message,
    }
}

/// The usual forms. `None` when there is no date where they have one.
#[inline]
fn fast(frame: &[u8]) -> Option<Message<'_>> {
    let (priority, rest) = priority(frame);
    let message = match rest {
        [b'0'..=b'9', b' ', ..] | [b'0'..=b'9', _, b' ', ..] | [b'0'..=b'9', _, _, b' ', ..] => {
            rfc5424::parse(rest)?
        }
        _ => rfc3164::parse(rest)?,
    };
    Some(message.with_priority(priority))
}

#[cold]
fn slow(frame: &[u8]) -> Message<'_> {
    let bare = without_mark(frame).trim_ascii_start();
    header(bare).unwrap_or_else(|| rfc3164::undated(bare))
}

/// A header with a date, of any form that is known.
fn header(bare: &[u8]) -> Option<Message<'_>> {
    fast(bare).or_else(|| {
        let (priority, dated) = priority(bare);
        let message = rfc3164::parse_unusual(dated.trim_ascii_start())?;
        Some(message.with_priority(priority))
    })
}

/// `<PRI>`, one to three digits up to 191 and none in front that is zero (RFC 5424,
/// section 6.2.1), and what is behind it.
///
/// A number that is none of these is skipped without a value: the priority is wrong, but
/// the header behind it can still be right.
#[inline]
fn priority(frame: &[u8]) -> (Option<u8>, &[u8]) {
    let [b'<', inside @ ..] = frame else {
        return (None, frame);
    };
    let digits = inside
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 || inside.get(digits) != Some(&b'>') {
        return (None, frame);
    }
    let value = match inside[..digits] {
        [ones] => u32::from(ones - b'0'),
        [tens @ b'1'..=b'9', ones] => number(0, tens, ones),
        [hundreds @ b'1'..=b'9', tens, ones] => number(hundreds - b'0', tens, ones),
        _ => u32::MAX,
    };
    let value = u8::try_from(value).ok().filter(|&value| value <= 191);
    (value, &inside[digits + 1..])
}

fn number(hundreds: u8, tens: u8, ones: u8) -> u32 {
    u32::from(hundreds) * 100 + u32::from(tens - b'0') * 10 + u32::from(ones - b'0')
}

/// The bytes up to the next blank, and what is behind that. `None` if there are none,
/// or if a control character comes before the blank: no header field has one.
#[inline]
fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // Header fields are short: a plain loop beats setting up a vector search.
    let end = bytes.iter().position(|&byte| byte <= b' ')?;
    (end > 0 && bytes[end] == b' ').then(|| (&bytes[..end], &bytes[end + 1..]))
}

/// The field, or `None` for the `-` that stands for no value.
#[inline]
fn present(field: &[u8]) -> Option<&[u8]> {
    (field != b"-").then_some(field)
}

/// The text without the byte-order mark that says that it is UTF-8 (RFC 5424, section
/// 6.4), and without blanks before the mark. The mark is not of the text.
#[inline]
fn without_mark(text: &[u8]) -> &[u8] {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    match text {
        [0xef, ..] => text.strip_prefix(MARK).unwrap_or(text),
        [b' ', rest @ ..] => rest.trim_ascii_start().strip_prefix(MARK).unwrap_or(text),
        _ => text,
    }
}

/// The text begins with HAProxy's `address:port [01/`, or with `address - - [01/` as in
/// its CLF format. No header field looks like that, so where a header may or may not be
/// followed by a tag, this is the text.
fn is_traffic(bytes: &[u8]) -> bool {
    let Some((client, rest)) = word(bytes) else {
        return false;
    };
    let rest = match rest.strip_prefix(b"- - ") {
        Some(date) => date,
        None if client.contains(&b':') && matches!(client.last(), Some(b'0'..=b'9' | b'-')) => rest,
        None => return false,
    };
    matches!(rest, [b'[', a, b, b'/', ..] if a.is_ascii_digit() && b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
