//! RFC 5424, which rsyslog's `SyslogProtocol23Format` writes too (with a second blank
//! before the text, which is left to the text's reader).
//!
//! Stricter than the RFC only in taking versions of up to three digits, as it says, and
//! looser in what receivers commonly forgive: structured data is skipped by its brackets
//! and quotes, and a bare word in its place is taken for it when HAProxy's traffic
//! follows (its `log-format-sd` can be set to anything).

use super::{Message, is_traffic, present, stamp, word};

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
    let (app, rest) = word(rest)?;
    let (pid, rest) = word(rest)?;
    let (msgid, rest) = word(rest)?;
    let (structured_data, text) = structured_data(rest)?;
    Some(Message {
        timestamp,
        host: present(host),
        app: present(app),
        pid: present(pid),
        msgid: present(msgid),
        structured_data,
        // The byte-order mark says that the text is UTF-8 (section 6.4); it is not of it.
        text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
        ..Message::default()
    })
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
