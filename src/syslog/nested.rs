//! A message inside a message: `<134>Nov 21 04:55:14 relay <134>Nov 21 04:55:13 lb1
//! haproxy[1]: text`.
//!
//! Relays that do not understand a header take it for text and put their own before it.
//! HAProxy is where the innermost header is from, so what it says wins: host, program,
//! time, priority, each where it has one; what it does not have is the outer one's.
//!
//! A text may well begin with something like a header and be no more than a text, so the
//! inner one must be beyond doubt. Either HAProxy's traffic is behind it, or it has a
//! date and a program: with a priority, in the form of RFC 5424, or with the program's
//! number.
//!
//! rsyslog's `message repeated 3 times: [ text]` carries a text without a header, and is
//! opened if the text is HAProxy's traffic ([`Message::repeats`]).

use super::{Message, Protocol, header, is_traffic, rfc3164, without_mark, word};

/// So many inner headers are looked for. More relays in a row that all misread the one
/// before are not known, and a text of nothing but headers must end somewhere.
const LAYERS_MAX: usize = 3;

/// Whether a text can begin with a header at all. Traffic, which begins with an
/// address, does not get past this.
#[inline]
pub(super) fn may_begin(text: &[u8]) -> bool {
    match text {
        text if is_plain(text) => false,
        [b'<', b'0'..=b'9', ..] => true,
        [b' ', rest @ ..] => may_begin(rest.trim_ascii_start()),
        [b'A'..=b'Z', _, _, b' ', ..] => true,
        [b'm', b'e', b's', ..] => true,
        // RFC 5424's version, and an ISO date.
        [b'1'..=b'9', b' ', b'1'..=b'2', ..] => true,
        [b'1'..=b'2', _, _, _, b'-', _, _, b'-', ..] => true,
        _ => false,
    }
}

/// Whether a text begins as an address of four numbers does: it is behind its header, and no
/// header itself.
#[inline(always)]
pub(super) fn is_plain(text: &[u8]) -> bool {
    matches!(text, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9' | b'.', _, other, ..] if *other != b'-')
}

/// The message that `outer` carries, or `outer` if its text is one.
#[cold]
pub(super) fn unwrap(outer: Message<'_>) -> Message<'_> {
    // A header in the middle may be of a relay that wrote no program. It is one if what
    // it carries is beyond doubt.
    let (mut sure, mut opened) = (outer, outer);
    for _ in 0..LAYERS_MAX {
        if !may_begin(opened.text) {
            break;
        }
        let Some(inner) = inner(opened.text.trim_ascii_start()) else {
            break;
        };
        opened = carried(opened, inner);
        if is_sure(&inner) {
            sure = opened;
        }
    }
    match repeated(sure.text.trim_ascii_start()) {
        Some((repeats, text)) => Message {
            repeats: Some(repeats),
            text,
            ..sure
        },
        None => sure,
    }
}

/// How often it came again, and the text (rsyslog's `$RepeatedMsgContainsOriginalMsg`).
fn repeated(text: &[u8]) -> Option<(u32, &[u8])> {
    let rest = text.strip_prefix(b"message repeated ")?;
    let (times, rest) = word(rest)?;
    let text = rest.strip_prefix(b"times: [")?.trim_ascii_end();
    let text = text.strip_suffix(b"]")?.trim_ascii_start();
    let times = std::str::from_utf8(times).ok()?.parse().ok()?;
    is_traffic(text).then_some((times, text))
}

fn inner(text: &[u8]) -> Option<Message<'_>> {
    let mut message = header(text).or_else(|| {
        text.starts_with(b"<")
            .then(|| rfc3164::undated(text))
            .filter(|message| message.facility.is_some())
    })?;
    message.text = without_mark(message.text);
    Some(message)
}

fn is_sure(inner: &Message<'_>) -> bool {
    let told = inner.facility.is_some()
        || inner.pid.is_some()
        || inner.protocol == Some(Protocol::Rfc5424);
    let complete = inner.timestamp.is_some() && inner.app.is_some() && told;
    complete || is_traffic(inner.text.trim_ascii_start())
}

fn carried<'a>(outer: Message<'a>, inner: Message<'a>) -> Message<'a> {
    // A number is some program's, so the two go together, and so do the priority's parts.
    let (app, pid) = match inner.app {
        Some(_) => (inner.app, inner.pid),
        None => (outer.app, outer.pid),
    };
    let (facility, severity) = match inner.facility {
        Some(_) => (inner.facility, inner.severity),
        None => (outer.facility, outer.severity),
    };
    Message {
        protocol: inner.protocol.or(outer.protocol),
        facility,
        severity,
        timestamp: inner.timestamp.or(outer.timestamp),
        host: inner.host.or(outer.host),
        app,
        pid,
        msgid: inner.msgid.or(outer.msgid),
        structured_data: inner.structured_data.or(outer.structured_data),
        repeats: None,
        text: inner.text,
    }
}
