//! RFC 3164 and what is sent in its name: `Nov 21 04:55:14 host app[1]: text`.
//!
//! The date is RFC 3164's or RFC 3339's, as rsyslog's `ForwardFormat` and `FileFormat`
//! write it, or any other that [`stamp::read`] knows. Host and tag are guesswork, since
//! either can be missing:
//!
//! - A first word that ends in `:` or is of the form `app[1]` is a tag, and there is no
//!   host. HAProxy itself writes it so.
//! - Otherwise the first word is the host. The second one is a tag if it has a `:` or is
//!   of the form `app[1]`, or if it is 32 bytes long: rsyslog's forward formats cut a tag
//!   there, be it in the middle of its number, which then says nothing.
//! - A tag that ends in `[1]:` may have any bytes before that. With blanks among them
//!   (HAProxy's `log-tag` allows them) its first word passes for a host where there is
//!   none, and the others must be plain words. If HAProxy's traffic is behind `: `,
//!   whatever is before it is the tag.
//! - HAProxy's own traffic, `address:port [`, is never taken for a host or a tag, and
//!   neither is another header.
//! - After an RFC 3339 date, what is not followed by a tag or traffic is no host but the
//!   text's first word: rsyslog always writes a tag, and HAProxy's `iso` and `timed` write
//!   neither.
//! - Anything else is text.

use super::{Message, Protocol, is_traffic, nested, present, priority, stamp, word};
use memchr::memmem;

/// What rsyslog leaves of a tag: `%syslogtag:1:32%`.
const TAG_MAX: usize = 32;

/// In so many bytes must the end of a tag with blanks be found.
const SPACED_TAG_MAX: usize = 256;

/// Reads what comes after the priority. `None` when no date of the usual forms is there.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let (end, iso) = match bytes.first()? {
        b'0'..=b'9' => (stamp::rfc3339(bytes)?, true),
        _ => (stamp::bsd(bytes)?, false),
    };
    match bytes[end..] {
        [] | [b' ', ..] => Some(dated(bytes, end, end, iso)),
        _ => None,
    }
}

/// The same for dates of unusual forms, with or without a colon behind them.
#[cold]
pub(super) fn parse_unusual(bytes: &[u8]) -> Option<Message<'_>> {
    let (_, end) = stamp::read(bytes)?;
    let rest = end + usize::from(bytes[end..].starts_with(b":"));
    match bytes[rest..] {
        [] | [b' ', ..] => Some(dated(bytes, end, rest, bytes[4] == b'-')),
        _ => None,
    }
}

/// The message with the date `bytes[..end]`, the rest beginning at `rest`. `iso`: see
/// [`host_and_tag`].
#[inline]
fn dated(bytes: &[u8], end: usize, rest: usize, iso: bool) -> Message<'_> {
    Message {
        protocol: Some(Protocol::Rfc3164),
        timestamp: Some(&bytes[..end]),
        ..host_and_tag(bytes[rest..].trim_ascii_start(), iso)
    }
}

/// Reads a frame that has no date: at most a priority and a tag, and then text.
pub(super) fn undated(frame: &[u8]) -> Message<'_> {
    let (priority, rest) = priority(frame);
    let tag = match word(rest) {
        Some((first, _)) if !is_traffic(rest) => Tag::of(first)
            .filter(|tag| tag.pid.is_some())
            .or_else(|| Tag::before_traffic(rest)),
        _ => None,
    };
    let message = match tag {
        Some(tag) => Message {
            protocol: Some(Protocol::Rfc3164),
            ..tag.message(rest)
        },
        None => all_text(rest),
    };
    message.with_priority(priority)
}

/// Reads what comes after the date. `iso` says that the date was RFC 3339's.
#[inline]
fn host_and_tag(bytes: &[u8], iso: bool) -> Message<'_> {
    let (first, rest) = word(bytes).unwrap_or((bytes, &[]));
    if let Some(tag) = Tag::first(first) {
        return tag.message(bytes);
    }
    let no_host = first.iter().any(|&byte| byte < b' ')
        || matches!(first, [b'<' | b'{' | b'"', ..])
        || is_traffic(bytes)
        || stamp::begins(bytes);
    if no_host {
        return all_text(bytes);
    }
    let second = word(rest).map_or(rest, |(second, _)| second);
    let message = match Tag::of(second) {
        // A colon at the word's end is the tag's; one inside may be an address's.
        Some(tag) if tag.length == second.len() || !is_traffic(rest) && !stamp::begins(rest) => {
            tag.message(rest)
        }
        None if second.len() == TAG_MAX => Tag::cut(second).message(rest),
        _ => match Tag::before_traffic(rest).or_else(|| Tag::with_blanks(rest)) {
            Some(tag) => tag.message(rest),
            None if iso && !is_traffic(rest) && !nested::may_begin(rest) => return all_text(bytes),
            None => all_text(rest),
        },
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
        if let Some(tag) = Tag::numbered(word) {
            return Some(tag);
        }
        let name = word
            .iter()
            .position(|&byte| matches!(byte, b':' | b'[' | b'{' | b'"' | 0..=b' '))?;
        let app = &word[..name];
        if app.is_empty() || app[0] == b'<' {
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

    /// `app[1]:` with any bytes for the app but the first ones of another header and of
    /// JSON.
    #[inline]
    fn numbered(word: &'a [u8]) -> Option<Self> {
        let inside = word.strip_suffix(b"]:")?;
        let digits = inside.iter().rev().take_while(|byte| byte.is_ascii_digit());
        let (app, pid) = inside.split_at(inside.len() - digits.count());
        let app = app.strip_suffix(b"[")?;
        if pid.is_empty() || matches!(app, [] | [b'<' | b'{' | b'"', ..]) {
            return None;
        }
        Some(Tag {
            app,
            pid: Some(pid),
            length: word.len(),
        })
    }

    /// A tag of several words, told by the traffic behind it.
    #[cold]
    fn before_traffic(bytes: &'a [u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(SPACED_TAG_MAX)];
        let colon = memmem::find_iter(head, b": ").find(|&at| is_traffic(&bytes[at + 2..]))?;
        if bytes.starts_with(b"<") || stamp::begins(bytes) {
            return None;
        }
        Tag::numbered(&bytes[..=colon]).or(Some(Tag {
            app: &bytes[..colon],
            pid: None,
            length: colon + 1,
        }))
    }

    /// A tag of several words, told by its number: `the edge[1]:`.
    #[cold]
    fn with_blanks(bytes: &'a [u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(SPACED_TAG_MAX)];
        let colon = head.iter().position(|&byte| byte == b':')?;
        let tag = Tag::numbered(&bytes[..=colon])?;
        let plain = !tag
            .app
            .iter()
            .any(|byte| b"[{\"<=".contains(byte) || *byte < b' ');
        (plain && bytes.get(colon + 1) == Some(&b' ')).then_some(tag)
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
