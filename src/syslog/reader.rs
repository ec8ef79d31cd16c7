//! Reads frame after frame, and remembers the headers of those before.
//!
//! A sender's headers are the same in every line but for the stamp, and that differs in its
//! last digits. So a frame's header is compared with that of the frame before, and else with
//! those that have been met before, instead of being taken apart: everything in front of the
//! text, or all of it but the stamp's digits, is the same to the byte. Only such headers are
//! remembered that say all about themselves, whatever text is behind them ([`Known::of`]); the
//! rest is read anew each time. What comes out is what [`parse`](super::parse) gives, which the
//! tests hold it to.

use super::nested::{self, is_plain};
use super::{Message, Protocol, fast, finished, parse, without_mark};
use std::ops::Range;

/// Headers that are remembered: of so many processes that send by turns. Where two share a
/// place the later one takes it, and the other is read anew.
const PLACES: usize = 16;

/// A longer header is not remembered.
const HEADER_MAX: usize = 256;

/// Reads frames, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    known: [Known; PLACES],
    /// Where the stamp ended in the header that was met last.
    stamp_end: usize,
}

/// A header, and where its fields are.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Up to the text; empty if there is none.
    header: Vec<u8>,
    stamp: Range<usize>,
    /// The digits of the stamp from its seconds on, and the point between them.
    passing: Range<usize>,
    protocol: Option<Protocol>,
    facility: Option<u8>,
    severity: Option<u8>,
    host: Option<Range<usize>>,
    app: Option<Range<usize>>,
    pid: Option<Range<usize>>,
    msgid: Option<Range<usize>>,
}

/// The messages of frames that are in memory together, one after the other.
///
/// A message is made where it stays. Of a frame that has the header of the one before, only the
/// text is another.
#[derive(Debug)]
pub struct Messages<'r, 'a> {
    reader: &'r mut Reader,
    message: Message<'a>,
    /// That of the message, if it says all about itself; else it is empty.
    header: &'a [u8],
}

impl<'a> Messages<'_, 'a> {
    /// The message of a frame, as [`parse`](super::parse) gives it.
    #[inline(always)]
    pub fn read(&mut self, frame: &'a [u8]) -> &Message<'a> {
        match frame.split_at_checked(self.header.len()) {
            Some((header, text)) if is_same(header, self.header) && is_plain(text) => {
                self.message.text = text;
            }
            _ => self.read_another(frame),
        }
        &self.message
    }

    #[inline(never)]
    fn read_another(&mut self, frame: &'a [u8]) {
        let Messages {
            reader,
            message,
            header,
        } = self;
        let known = &mut reader.known[place(frame, reader.stamp_end)];
        *header = &[];
        if !known.read(frame, message) {
            *message = reader.unknown(frame);
        } else if let (own, text) = frame.split_at(known.header.len())
            // Else the message may be of a header within.
            && is_plain(text)
        {
            *header = own;
        }
    }
}

impl Reader {
    /// What reads frames that are in memory together.
    pub fn messages<'a>(&mut self) -> Messages<'_, 'a> {
        Messages {
            reader: self,
            message: Message::default(),
            header: &[],
        }
    }

    #[inline(never)]
    fn unknown<'a>(&mut self, frame: &'a [u8]) -> Message<'a> {
        let Some(message) = fast(frame) else {
            return parse(frame);
        };
        if let Some(known) = Known::of(frame, &message) {
            self.stamp_end = known.stamp.end;
            let length = frame.len() - message.text.len();
            let before = &mut self.known[place(frame, known.stamp.end)];
            // Senders may well take the place from each other with every line: its memory stays.
            let mut header = std::mem::take(&mut before.header);
            header.clear();
            header.extend_from_slice(&frame[..length]);
            *before = Known { header, ..known };
        }
        finished(message)
    }
}

/// Where a header is remembered: by what is behind its stamp.
#[inline(always)]
fn place(frame: &[u8], stamp_end: usize) -> usize {
    let chunks = frame.get(stamp_end..).map(|rest| rest.as_chunks::<8>().0);
    let chunk = match chunks {
        Some([a, b, ..]) => u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b).rotate_left(29),
        _ => 0,
    };
    // The highest bits of a product depend on all bits of its factors.
    (chunk.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize % PLACES
}

impl Known {
    /// Where fields are in the header of that message, if every frame that begins with it, whatever the digits of
    /// its seconds, has the same fields: after the stamp come host, program and number as
    /// single words and the blank before the text, all of it beyond doubt.
    fn of(frame: &[u8], message: &Message<'_>) -> Option<Known> {
        let length = frame.len() - message.text.len();
        let within = |field: &[u8]| {
            let start = field.as_ptr().addr() - frame.as_ptr().addr();
            start..start + field.len()
        };
        let stamp = within(message.timestamp?);
        let app = message.app?;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let numbered = message
            .pid
            .is_none_or(|pid| pid.iter().all(u8::is_ascii_digit));
        let behind = match message.protocol? {
            Protocol::Rfc5424 => frame.get(length - 3..length)? == b" - ",
            Protocol::Rfc3164 => {
                let words = [message.host, Some(app)].into_iter().flatten();
                let words: usize = words.map(|word| 1 + word.len()).sum();
                let number = message.pid.map_or(0, |pid| 2 + pid.len());
                length == stamp.end + words + number + 2 && frame[..length].ends_with(b": ")
            }
        };
        let sure = behind
            && numbered
            && app.iter().all(is_plain)
            && message.structured_data.is_none()
            && message.repeats.is_none()
            && length <= HEADER_MAX
            && may_follow(message.text);
        if !sure {
            return None;
        }
        // `Nov 21 04:55:14` or `2026-11-21T04:55:14.120+01:00`.
        let second = stamp.start
            + if frame[stamp.start].is_ascii_digit() {
                17
            } else {
                13
            };
        let digits = frame[second..stamp.end].iter();
        let digits = digits.take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
        Some(Known {
            header: Vec::new(),
            passing: second..second + digits.count(),
            stamp,
            protocol: message.protocol,
            facility: message.facility,
            severity: message.severity,
            host: message.host.map(within),
            app: Some(within(app)),
            pid: message.pid.map(within),
            msgid: message.msgid.map(within),
        })
    }

    /// Whether the frame has this header, and then its message.
    #[inline(always)]
    fn read<'a>(&mut self, frame: &'a [u8], message: &mut Message<'a>) -> bool {
        let length = self.header.len();
        let Some((header, text)) = frame.split_at_checked(length) else {
            return false;
        };
        let is_known = length > 0 && may_follow(text);
        if !is_known || !(header == self.header || self.is_later(header)) {
            return false;
        }
        let field = |range: &Option<Range<usize>>| Some(&header[range.clone()?]);
        message.protocol = self.protocol;
        message.facility = self.facility;
        message.severity = self.severity;
        message.timestamp = Some(&header[self.stamp.clone()]);
        message.host = field(&self.host);
        message.app = field(&self.app);
        message.pid = field(&self.pid);
        message.msgid = field(&self.msgid);
        message.structured_data = None;
        message.repeats = None;
        message.text = without_mark(text);
        if nested::may_begin(message.text) {
            *message = nested::unwrap(*message);
        }
        true
    }
}

impl Known {
    /// Whether it is the same header with another time in its stamp, and then from here on the
    /// one that is met: many lines are of the same second.
    #[inline(never)]
    fn is_later(&mut self, header: &[u8]) -> bool {
        let Range { start, end } = self.passing;
        let known = &*self.header;
        let same = |(byte, known): (&u8, &u8)| {
            byte == known || (byte.is_ascii_digit() && known.is_ascii_digit())
        };
        // A second of the kind that is there once in some years is read anew.
        let is_later = header[end..] == known[end..]
            && header[..start] == known[..start]
            && header[start] < b'6'
            && header[start..end].iter().zip(&known[start..end]).all(same);
        if is_later {
            self.header.copy_from_slice(header);
        }
        is_later
    }
}

/// Whether they are the same bytes. Short ones are not compared, and said to differ.
#[inline(always)]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    const LONG: usize = 32;
    match one.len() {
        ..LONG => false,
        // All of it is in the first bytes and the last ones.
        LONG..=64 => {
            one.first_chunk::<LONG>() == other.first_chunk()
                && one.last_chunk::<LONG>() == other.last_chunk()
        }
        _ => one == other,
    }
}

/// Whether this is a text behind a header that says all about itself: what begins so may be
/// taken for the rest of a header.
#[inline]
fn may_follow(text: &[u8]) -> bool {
    !matches!(text, [] | [b'-' | b'[', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = String> {
        let stamp = prop_oneof![
            "(Nov|Feb) [ 012][1-9] 04:5[0-9]:[0-6][0-9]",
            "2026-11-2[1-4]T04:5[0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+01:00)",
        ];
        let host = prop::sample::select(vec![
            "lb1 ",
            "lb2 ",
            "2001:db8::1 ",
            "- ",
            "CET ",
            "2026 ",
            "Nov ",
            "",
            " ",
        ]);
        let tag = prop::sample::select(vec![
            "haproxy[7]:",
            "haproxy[8]:",
            "haproxy:",
            "haproxy[7]",
            "my proxy[7]:",
            "{x}:",
            "a:",
            "[x[1]:",
            "ha.proxy[7]:",
            "haproxy",
            "",
        ]);
        let old = ("<13[0-9]>", stamp, host, tag)
            .prop_map(|(priority, stamp, host, tag)| format!("{priority}{stamp} {host}{tag} "));
        let data = prop::sample::select(vec!["-", "[a@1 b=\"c\"]"]);
        let pid = prop::sample::select(vec!["7", "8", "-", "x"]);
        let new = ("[0-6][0-9]", "lb[12]", "[ab -]{1,2}", pid, data).prop_map(
            |(second, host, app, pid, data)| {
                format!("<134>1 2026-11-21T04:55:{second}.1Z {host} {app} {pid} - {data} ")
            },
        );
        prop_oneof![4 => old.clone(), 1 => new, 1 => old.prop_map(|header| header[5..].to_owned())]
    }

    fn frames() -> impl Strategy<Value = Vec<String>> {
        let text = prop::sample::select(vec![
            "192.0.2.7:1 [21/Nov/2026:04:55:14.120] www",
            "203.0.113.9:2 [21/Nov/2026:04:55:14.121] api",
            "2026-11-21 x",
            "- x",
            "[21/Nov",
            "\u{feff}text",
            "<134>Nov 21 04:55:13 lb9 haproxy[9]: 10.0.0.1:1 [21/Nov",
            " x",
            "",
            "x",
            "9 - - y",
            "message repeated 3 times: [192.0.2.7:1 [21/Nov/2026:04:55:14]",
            "1: 10.0.0.1:1 [21/Nov/2026:04:55:14.120] x",
            "UTC x",
        ]);
        // As often as not with the header of the one before.
        let texts = prop::collection::vec(text, 1..4);
        (header(), texts).prop_map(|(header, texts)| {
            let frames = texts.iter().map(|text| format!("{header}{text}"));
            frames.collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]
        #[test]
        fn what_is_remembered_changes_no_message(frames in prop::collection::vec(frames(), 1..20)) {
            let frames = frames.concat();
            let mut reader = Reader::default();
            let mut messages = reader.messages();
            for frame in &frames {
                let message = messages.read(frame.as_bytes());
                prop_assert_eq!(*message, parse(frame.as_bytes()), "{}", frame);
            }
        }
    }

    #[test]
    fn a_header_within_is_not_taken_for_that_of_the_next_frame() {
        const HEADER: &str = "<130>Nov 21 04:55:14 relay haproxy: ";
        const WITHIN: &str = "<134>Nov 21 04:55:13 lb9 haproxy[9]: ";
        const TEXT: &str = "192.0.2.7:1 [21/Nov/2026:04:55:14.120] www";
        let frames = [
            format!("{HEADER}{TEXT}"),
            format!("{HEADER}{WITHIN}{TEXT}"),
            format!("{HEADER}{TEXT}"),
            format!("{HEADER}{TEXT}"),
        ];
        let mut reader = Reader::default();
        let mut messages = reader.messages();
        let hosts = frames
            .iter()
            .map(|frame| messages.read(frame.as_bytes()).host);
        let hosts: Vec<_> = hosts.map(Option::unwrap).collect();
        assert_eq!(hosts, [&b"relay"[..], b"lb9", b"relay", b"relay"]);
    }

    #[test]
    fn what_senders_write_is_remembered() {
        for (first, second) in [
            (
                "<134>Nov 21 04:55:14 haproxy[7]: ",
                "<134>Nov 21 04:55:15 haproxy[7]: ",
            ),
            (
                "Nov 21 04:55:14 lb1 haproxy[7]: ",
                "Nov 21 04:55:59 lb1 haproxy[7]: ",
            ),
            (
                "<134>2026-11-21T04:55:14.120345+00:00 lb1 haproxy[7]: ",
                "<134>2026-11-21T04:55:15.999999+00:00 lb1 haproxy[7]: ",
            ),
            (
                "<134>1 2026-11-21T04:55:14.120345+00:00 lb1 haproxy 7 - - ",
                "<134>1 2026-11-21T04:55:24.000000+00:00 lb1 haproxy 7 - - ",
            ),
        ] {
            let mut reader = Reader::default();
            let text = "192.0.2.7:1 [21/Nov/2026:04:55:14.120] www";
            let (before, frame) = (format!("{first}{text}"), format!("{second}{text}"));
            reader.messages().read(before.as_bytes());
            let at = place(frame.as_bytes(), reader.stamp_end);
            let known = &mut reader.known[at];
            let mut message = Message::default();
            assert!(known.read(frame.as_bytes(), &mut message), "{first}");
        }
    }
}
