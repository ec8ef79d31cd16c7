//! RFC 3164 and what is sent in its name: `Nov 21 04:55:14 host app[1]: text`.
//!
//! The date is RFC 3164's or, as rsyslog's `ForwardFormat` writes it, RFC 3339's. Host
//! and tag are guesswork, since either can be missing:
//!
//! - A first word that ends in `:` or is of the form `app[1]` is a tag, and there is no
//!   host. HAProxy itself writes it so.
//! - Otherwise the first word is the host. The second one is a tag if it has a `:` or is
//!   of the form `app[1]`, or if it is 32 bytes long: rsyslog's forward formats cut a tag
//!   there, be it in the middle of its number, which then says nothing.
//! - HAProxy's own traffic, `address:port [`, is never taken for a host or a tag.
//! - Anything else is text.

use super::{Message, is_traffic, present, priority, stamp, word};

/// What rsyslog leaves of a tag: `%syslogtag:1:32%`.
const TAG_MAX: usize = 32;

/// Reads what comes after the priority. `None` when no date of the usual form is there.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let end = match bytes.first()? {
        b'0'..=b'9' => stamp::rfc3339(bytes)?,
        _ => stamp::bsd(bytes)?,
    };
    let (timestamp, rest) = bytes.split_at(end);
    let rest = match rest {
        [] => rest,
        [b' ', rest @ ..] => rest,
        _ => return None,
    };
    Some(Message {
        timestamp: Some(timestamp),
        ..host_and_tag(rest)
    })
}

/// Reads a frame that has no date: at most a priority and a tag, and then text.
pub(super) fn undated(frame: &[u8]) -> Message<'_> {
    let (priority, rest) = priority(frame);
    let tag = match word(rest) {
        Some((first, _)) if !is_traffic(rest) => Tag::of(first).filter(|tag| tag.pid.is_some()),
        _ => None,
    };
    let message = match tag {
        Some(tag) => tag.message(rest),
        None => all_text(rest),
    };
    message.with_priority(priority)
}

/// Reads what comes after the date.
#[inline]
pub(super) fn host_and_tag(bytes: &[u8]) -> Message<'_> {
    let bytes = match bytes {
        [b' ', ..] => bytes.trim_ascii_start(),
        _ => bytes,
    };
    let (first, rest) = word(bytes).unwrap_or((bytes, &[]));
    if let Some(tag) = Tag::first(first) {
        return tag.message(bytes);
    }
    if first.iter().any(|&byte| byte < b' ') || (first.contains(&b':') && is_traffic(bytes)) {
        return all_text(bytes);
    }
    let second = word(rest).map_or(rest, |(second, _)| second);
    let message = match Tag::of(second) {
        // A colon at the word's end is the tag's; one inside may be an address's.
        Some(tag) if tag.length == second.len() || !is_traffic(rest) => tag.message(rest),
        None if second.len() == TAG_MAX => Tag::cut(second).message(rest),
        _ => all_text(rest),
    };
    Message {
        host: present(first).filter(|host| !host.is_empty()),
        ..message
    }
}

fn all_text(text: &[u8]) -> Message<'_> {
    Message {
        text,
        ..Message::default()
    }
}

/// A tag and how many bytes of the frame it takes, with its colon.
#[derive(Clone, Copy)]
struct Tag<'a> {
    app: &'a [u8],
    pid: Option<&'a [u8]>,
    length: usize,
}

impl<'a> Tag<'a> {
    /// The first word after a date: a tag only if nothing else about it is possible.
    fn first(word: &'a [u8]) -> Option<Self> {
        match word.last() {
            Some(b':' | b']') => Tag::of(word).filter(|tag| tag.length == word.len()),
            _ => None,
        }
    }

    /// `app:`, `app[1]:`, `app[1]`, and the same with text glued to the colon.
    #[inline]
    fn of(word: &'a [u8]) -> Option<Self> {
        let name = word
            .iter()
            .position(|&byte| matches!(byte, b':' | b'[' | b'{' | b'"' | 0..=b' '))?;
        let app = &word[..name];
        if app.is_empty() {
            return None;
        }
        match word[name] {
            b':' => Some(Tag {
                app,
                pid: None,
                length: name + 1,
            }),
            b'[' => {
                let pid = &word[name + 1..];
                let pid = &pid[..pid.iter().position(|&byte| byte == b']')?];
                let end = name + 1 + pid.len() + 1;
                match word.get(end) {
                    Some(b':') => Some(Tag {
                        app,
                        pid: Some(pid),
                        length: end + 1,
                    }),
                    None => Some(Tag {
                        app,
                        pid: Some(pid),
                        length: end,
                    }),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    /// A tag without its end.
    fn cut(word: &'a [u8]) -> Self {
        let name = word.iter().position(|&byte| byte == b'[');
        Tag {
            app: &word[..name.unwrap_or(word.len())],
            pid: None,
            length: word.len(),
        }
    }

    /// The message whose header ends with this tag, `bytes` beginning with it.
    fn message(self, bytes: &'a [u8]) -> Message<'a> {
        let text = &bytes[self.length..];
        Message {
            app: present(self.app),
            pid: self.pid,
            text: text.strip_prefix(b" ").unwrap_or(text),
            ..Message::default()
        }
    }
}
