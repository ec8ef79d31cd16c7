//! RFC 5424, which rsyslog's `SyslogProtocol23Format` writes too (with a second blank
//! before the text, which is left to the text's reader).
//!
//! Stricter than the RFC only in taking versions of up to three digits, as it says, and
//! looser in what receivers commonly forgive, and in what HAProxy writes when it is told to:
//!
//! - Structured data is skipped by its brackets and quotes, and a bare word in its place
//!   is taken for it when HAProxy's traffic follows (`log-format-sd` can be anything).
//! - The program's name may have blanks (so can `log-tag`) when the words behind it are as
//!   HAProxy writes them, a number, `-` and structured data, or when traffic follows.

use super::{Message, Protocol, is_traffic, present, stamp, word};

/// So many words may a program's name have.
const APP_WORDS_MAX: usize = 8;

/// Reads what comes after the priority. `None` when it is not of this form.
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let (version, rest) = word(bytes)?;
    if version.len() > 3 || version[0] == b'0' || !version.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (timestamp, rest) = word(rest)?;
    let timestamp = present(timestamp);
    if let Some(timestamp) = timestamp
        && stamp::rfc3339(timestamp) != Some(timestamp.len())
    {
        return None;
    }
    let (host, rest) = word(rest)?;
    let usual = Tail::parse(rest);
    let (tail, text) = match &usual {
        Some((tail, text)) if tail.is_usual(text) => usual?,
        _ => Tail::with_blanks(rest).or(usual)?,
    };
    Some(Message {
        protocol: Some(Protocol::Rfc5424),
        timestamp,
        host: present(host),
        app: present(tail.app),
        pid: present(tail.pid),
        msgid: present(tail.msgid),
        structured_data: tail.structured_data,
        text,
        ..Message::default()
    })
}

/// The header from the program's name on.
struct Tail<'a> {
    app: &'a [u8],
    pid: &'a [u8],
    msgid: &'a [u8],
    structured_data: Option<&'a [u8]>,
}

impl<'a> Tail<'a> {
    /// With the text behind it.
    #[inline]
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (app, rest) = word(bytes)?;
        Tail::behind(app, rest)
    }

    /// Not what a blank in the program's name would make of it: part of the name for the
    /// number, and the last of the header for the text.
    #[inline]
    fn is_usual(&self, text: &[u8]) -> bool {
        let number = self.pid == b"-" || self.pid.iter().all(u8::is_ascii_digit);
        number && !matches!(text, [b'-' | b'[', ..])
    }

    fn behind(app: &'a [u8], rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (pid, rest) = word(rest)?;
        let (msgid, rest) = word(rest)?;
        let (structured_data, text) = structured_data(rest)?;
        let tail = Tail {
            app,
            pid,
            msgid,
            structured_data,
        };
        Some((tail, text))
    }

    /// With a name of more than one word.
    #[cold]
    fn with_blanks(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut end = 0;
        for _ in 0..APP_WORDS_MAX {
            let (word, rest) = word(&bytes[end..])?;
            // Past the name: these are the fields that have no value, or data.
            if word == b"-" || word.starts_with(b"[") {
                return None;
            }
            end += word.len();
            let found = Tail::behind(&bytes[..end], rest);
            if let Some((tail, text)) = &found
                && (tail.is_usual(text) && tail.is_haproxy() || is_traffic(text))
            {
                return found;
            }
            end += 1;
        }
        None
    }

    fn is_haproxy(&self) -> bool {
        self.pid != b"-" && self.msgid == b"-"
    }
}

/// The structured data, and the text behind the one blank that ends the header.
fn structured_data(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    match bytes {
        [b'-'] => Some((None, &[])),
        [b'-', b' ', text @ ..] => Some((None, text)),
        [b'[', ..] => {
            let (data, text) = bytes.split_at(elements_end(bytes));
            match text {
                [b' ', text @ ..] => Some((Some(data), text)),
                [] => Some((Some(data), text)),
                // Text glued to a bracket, or an element that never ends.
                _ => Some((None, bytes)),
            }
        }
        _ => {
            let (bare, text) = word(bytes)?;
            is_traffic(text).then_some((Some(bare), text))
        }
    }
}

/// Where the elements `[...][...]` end, 0 if one of them does not. A `]` between quotes
/// is data, and so is any byte behind a backslash there (section 6.3.3).
fn elements_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes.get(at) == Some(&b'[') {
        let mut quoted = false;
        loop {
            at += 1;
            match bytes.get(at) {
                Some(b'\\') if quoted => at += 1,
                Some(b'"') => quoted = !quoted,
                Some(b']') if !quoted => break,
                Some(_) => {}
                None => return 0,
            }
        }
        at += 1;
    }
    at
}
