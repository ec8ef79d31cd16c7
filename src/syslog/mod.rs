//! Syslog's envelope: a frame in, a [`Message`] that borrows from it out.
//!
//! Nothing here knows what the text is about, and nothing reads a clock: what a stamp
//! without a year means is decided by whoever asks [`Message::time`].
//!
//! Three readers, in this order:
//!
//! 1. Our own, one pass over the bytes, for what HAProxy and rsyslog send: RFC 3164 with
//!    and without a host name, rsyslog's `ForwardFormat`, `TraditionalForwardFormat` and
//!    `SyslogProtocol23Format`, and RFC 5424. It allocates nothing, since every line goes
//!    through it.
//! 2. `syslog_loose` for unusual dates: a year before the time, a day of one digit, a
//!    month in capitals, blanks before the date. It is ten to twenty times slower, and
//!    only its reading of the date is used, because it takes the beginning of some texts
//!    for something else.
//! 3. What has no date has at most a priority and a tag; all the rest is text. So every
//!    frame gives a message, and no byte of a text is lost.

mod loose;
mod rfc3164;
mod rfc5424;
mod stamp;

use crate::time::Timestamp;
use jiff::tz::TimeZone;

/// What the envelope says, as printed, and the text inside. Fields need not be UTF-8.
///
/// `None` where the frame does not have the field or has a `-` for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
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
    /// What the program said, without the one blank before it. May begin with more.
    pub text: &'a [u8],
}

impl<'a> Message<'a> {
    /// When the envelope says the message was sent.
    ///
    /// A stamp without a year gets the year that brings it closest to `reference`, one
    /// without an offset is read in `zone`: a time that the clocks repeat is the first
    /// of the two, one that they skip is read as if they had not. `None` without a
    /// stamp, and for a day that does not exist.
    pub fn time(&self, reference: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        stamp::resolve(self.timestamp?, reference, zone)
    }

    fn with_priority(self, priority: Option<u8>) -> Message<'a> {
        Message {
            facility: priority.map(|priority| priority >> 3),
            severity: priority.map(|priority| priority & 7),
            ..self
        }
    }
}

/// Reads frames, one after the other.
#[derive(Debug, Default)]
pub struct Parser {
    /// For frames that `syslog_loose` must see and that are not UTF-8; kept so that
    /// its memory is used again.
    scratch: String,
}

impl Parser {
    pub fn new() -> Self {
        Parser::default()
    }

    /// Reads one frame. Never fails: a frame without any header is all text.
    #[inline]
    pub fn parse<'a>(&mut self, frame: &'a [u8]) -> Message<'a> {
        match fast(frame) {
            Some(message) => message,
            None => self.slow(frame),
        }
    }

    #[cold]
    fn slow<'a>(&mut self, frame: &'a [u8]) -> Message<'a> {
        loose::parse(frame, &mut self.scratch).unwrap_or_else(|| rfc3164::undated(frame))
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

/// The text begins with HAProxy's `address:port [01/`. No header field looks like that,
/// so where a header may or may not be followed by a tag, this is the text.
fn is_traffic(bytes: &[u8]) -> bool {
    let Some((client, rest)) = word(bytes) else {
        return false;
    };
    client.contains(&b':')
        && matches!(client.last(), Some(b'0'..=b'9' | b'-'))
        && matches!(rest, [b'[', a, b, b'/', ..] if a.is_ascii_digit() && b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
