//! Cuts bytes into frames: one frame is one syslog message.
//!
//! A stream's bytes come in as they were read, frames go out as positions in them. No
//! socket, no copy, and no allocation per frame once the caller's list has grown, since
//! every line passes here; what a frame says is not looked at beyond its first bytes.
//!
//! RFC 6587 knows two framings and rsyslog sends both, so each frame is told apart by
//! its own start:
//!
//! - Octet-counted (RFC 6587, section 3.4.1): `123 <134>...`. One to seven digits, the
//!   first not zero, a blank, and the `<` of a priority. Line feeds inside are data.
//! - Everything else is a line (section 3.4.2). It ends at a line feed, or at a NUL with
//!   a `<` behind it, as senders that end their messages with NUL do. Any other NUL is
//!   data, and for that reason a NUL that is the last byte so far waits for the next one.
//!
//! Without the `<`, a count is most often a line that begins with a number. But HAProxy
//! counts its formats without a priority too (`log-proto octet-count` with `raw` or
//! `iso`), and puts no line feed in. Such counts are believed for the rest of the
//! connection once they prove themselves:
//!
//! - Exactly behind the counted octets stands another count, and behind that one another.
//!   No line ends in between.
//! - The text behind one of them, the first excepted, begins like HAProxy's traffic
//!   (`address:port [01/`, or CLF's `address - - [01/`), like an ISO date, like JSON
//!   (`{"`), or with a priority. Or they fill a whole buffer.
//! - If the stream ends exactly behind the first, its own text must begin so.
//!
//! Until they have, nothing comes out, which only the first frame of a connection has to
//! wait for: for the beginning of the second. When a line ends first, it is a line. In a
//! connection with such counts, what has none is a line, and the next counts must prove
//! themselves anew.
//!
//! Line feeds, carriage returns and NULs at the end of a frame are not part of it. What
//! is empty then, a blank line, is no frame.

use memchr::{memchr, memchr2};

/// One frame's place in the buffer that [`Framer::frames`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where its first byte is.
    pub start: usize,
    /// Where the byte after its last one is. Always greater than `start`.
    pub end: usize,
    /// Its tail is missing: it was longer than the limit, or the stream ended before
    /// all the octets that were announced had come.
    pub cut: bool,
}

/// Cuts one stream. Keeps no bytes: the caller puts what was not consumed in front of
/// what it reads next, and hands in both.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    skip: Skip,
    /// So many of the bytes left in the buffer were already searched for the end of a
    /// line. Without it a long line that comes in tiny reads would be searched again
    /// from its start for each of them.
    searched: usize,
    start: Start,
    /// The counts of this connection have proved themselves.
    counts: bool,
}

/// What is known of the frame that the buffer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Perhaps a count that must prove itself: up to here, counts and their octets follow
    /// each other. 0 when nothing was looked at yet.
    Chain(usize),
    /// A line.
    Line,
}

/// What is thrown away before the next frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    /// The rest of a line that was cut.
    Line,
    /// The rest of a counted frame that was cut.
    Octets(usize),
}

/// The most digits that are taken as a count: frames of up to ten million bytes. No
/// sender has longer ones, and a line that only looks like a count does less harm.
const COUNT_DIGITS: usize = 7;

/// So many bytes of a text tell whether it begins like one of HAProxy's: the longest
/// IPv6 address, a port, and the date's day.
const TELLING: usize = 56;

/// What a buffer must hold beyond the limit so that a frame that fills it can be cut or
/// believed: its count, the next one, each with its blank, and that one's first bytes.
pub const SLACK: usize = 2 * (COUNT_DIGITS + 1) + TELLING;

impl Framer {
    /// No frame will be longer than `limit` bytes, which must not be 0.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a frame has at least one byte");
        Framer {
            limit,
            skip: Skip::Nothing,
            searched: 0,
            start: Start::Chain(0),
            counts: false,
        }
    }

    /// Appends the frames found in `buf` to `out`, in order, and returns how many bytes
    /// of `buf` are done with.
    ///
    /// A frame that is not complete waits: its bytes are not consumed and must come
    /// again, with more behind them. A frame longer than the limit comes out once, with
    /// only its first `limit` bytes; the others are consumed, by later calls too, and
    /// the stream goes on with the frame after it.
    ///
    /// At least one byte is consumed when `buf` holds the limit plus [`SLACK`] bytes, so
    /// a buffer of that size never gets stuck. Each byte is looked at a bounded number
    /// of times, however small the reads are.
    pub fn frames(&mut self, buf: &[u8], out: &mut Vec<Frame>) -> usize {
        let mut at = 0;
        loop {
            let rest = &buf[at..];
            let done = match self.skip {
                Skip::Nothing => self.next(rest, at, out),
                Skip::Line => self.skip_line(rest),
                Skip::Octets(left) => self.skip_octets(rest, left),
            };
            match done {
                Some(bytes) => at += bytes,
                None => return at,
            }
        }
    }

    /// The stream has ended, and `rest` is what [`Framer::frames`] left of it. An
    /// unterminated line is a frame like any other; a counted frame that did not arrive
    /// whole is one that was cut. Afterwards the framer is as new.
    pub fn finish(&mut self, rest: &[u8]) -> Option<Frame> {
        let framer = std::mem::replace(self, Framer::new(self.limit));
        if framer.skip != Skip::Nothing {
            return None;
        }
        let (start, cut) = match count(rest) {
            Count::Octets { header, octets } if framer.start != Start::Line => {
                let text = &rest[header..];
                let whole = text.len() == octets && framer.start == Start::Chain(rest.len());
                match framer.counts || text.starts_with(b"<") || whole && is_telling(text) {
                    true => (header, text.len() < octets),
                    false => (0, false),
                }
            }
            _ => (0, false),
        };
        let over = rest.len() - start > self.limit;
        let end = if over { start + self.limit } else { rest.len() };
        frame(rest, 0, start, end, cut || over)
    }

    /// One step at the start of a frame: how many bytes it used up, or `None` if the
    /// frame is not complete yet.
    fn next(&mut self, rest: &[u8], at: usize, out: &mut Vec<Frame>) -> Option<usize> {
        if let Start::Chain(checked) = self.start {
            match count(rest) {
                Count::Octets { header, octets } => match self.is_counted(rest, header, checked) {
                    Some(true) => return self.counted(rest, at, header, octets, out),
                    Some(false) => self.start = Start::Line,
                    None => return None,
                },
                Count::Unfinished => return None,
                Count::None => {
                    self.start = Start::Line;
                    self.counts = false;
                }
            }
        }
        // A line of exactly the limit is whole, so its end is looked for one byte on.
        let window = &rest[..rest.len().min(self.limit + 1)];
        match line_end(window, rest, self.searched) {
            LineEnd::At(end) => {
                self.begin();
                out.extend(frame(rest, at, 0, end, false));
                Some(end + 1)
            }
            LineEnd::NotBefore(_) if window.len() > self.limit => {
                self.begin();
                self.skip = Skip::Line;
                out.extend(frame(rest, at, 0, self.limit, true));
                Some(self.limit)
            }
            LineEnd::NotBefore(searched) => {
                self.searched = searched;
                None
            }
            LineEnd::Unknown => None,
        }
    }

    /// The next byte begins a frame.
    fn begin(&mut self) {
        self.searched = 0;
        self.start = Start::Chain(0);
    }

    fn counted(
        &mut self,
        rest: &[u8],
        at: usize,
        header: usize,
        octets: usize,
        out: &mut Vec<Frame>,
    ) -> Option<usize> {
        let end = header + octets.min(self.limit);
        if rest.len() < end {
            return None;
        }
        self.begin();
        out.extend(frame(rest, at, header, end, octets > self.limit));
        if octets > self.limit {
            self.skip = Skip::Octets(octets - self.limit);
        }
        Some(end)
    }

    /// Whether the number and the blank at the start of `rest` are a count; `None` if
    /// that cannot be told yet. `checked` is what [`Start::Chain`] holds.
    ///
    /// What is decided depends on the bytes alone, not on how many have come: whatever
    /// needs more bytes waits for them before anything behind them is looked at.
    fn is_counted(&mut self, rest: &[u8], header: usize, checked: usize) -> Option<bool> {
        if self.counts {
            return Some(true);
        }
        match rest.get(header) {
            Some(b'<') => return Some(true),
            Some(_) => {}
            None => return None,
        }
        let window = &rest[..rest.len().min(self.limit + SLACK)];
        let mut chain = checked;
        loop {
            let (header, octets) = match count(&window[chain..]) {
                Count::Octets { header, octets } => (header, octets),
                Count::Unfinished => break,
                Count::None => return Some(false),
            };
            let text = &window[chain + header..];
            if chain > 0 {
                let telling = octets.min(TELLING);
                if text.len() < telling {
                    break;
                }
                if is_telling(&text[..telling]) {
                    self.counts = true;
                    return Some(true);
                }
            }
            let end = window.len().min(chain + header + octets);
            match line_end(&window[..end], rest, self.searched) {
                LineEnd::At(_) => return Some(false),
                LineEnd::NotBefore(searched) => self.searched = searched,
                LineEnd::Unknown => break,
            }
            if text.len() < octets {
                break;
            }
            chain = end;
            self.start = Start::Chain(chain);
        }
        if window.len() < self.limit + SLACK {
            return None;
        }
        self.counts = chain > 0;
        Some(self.counts)
    }

    fn skip_line(&mut self, rest: &[u8]) -> Option<usize> {
        match line_end(rest, rest, 0) {
            LineEnd::At(end) => {
                self.skip = Skip::Nothing;
                Some(end + 1)
            }
            LineEnd::NotBefore(0) => None,
            LineEnd::NotBefore(bytes) => Some(bytes),
            LineEnd::Unknown => (rest.len() > 1).then(|| rest.len() - 1),
        }
    }

    fn skip_octets(&mut self, rest: &[u8], left: usize) -> Option<usize> {
        let bytes = left.min(rest.len());
        self.skip = match left - bytes {
            0 => Skip::Nothing,
            left => Skip::Octets(left),
        };
        (bytes > 0).then_some(bytes)
    }
}

/// A datagram is one frame: all of it but the line feeds, carriage returns and NULs at
/// its end. Empty if it holds nothing else.
pub fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [head @ .., b'\n' | b'\r' | 0] = bytes {
        bytes = head;
    }
    bytes
}

/// The frame of `rest[start..end]` without the terminators at its end; `None` if nothing
/// is left. A cut frame has not seen its end, so it keeps every byte. `rest` begins at
/// `at` in the caller's buffer.
fn frame(rest: &[u8], at: usize, start: usize, end: usize, cut: bool) -> Option<Frame> {
    let body = &rest[start..end];
    let body = if cut { body } else { trim_end(body) };
    (!body.is_empty()).then_some(Frame {
        start: at + start,
        end: at + start + body.len(),
        cut,
    })
}

enum LineEnd {
    /// The terminator is this byte.
    At(usize),
    /// There is none in the first so many bytes.
    NotBefore(usize),
    /// The last byte is a NUL; whether it ends the line depends on the next one.
    Unknown,
}

/// Looks for a line's end in `window`, the first bytes of `rest`, from `from` on.
fn line_end(window: &[u8], rest: &[u8], from: usize) -> LineEnd {
    let mut from = from;
    while let Some(found) = window
        .get(from..)
        .and_then(|bytes| memchr2(b'\n', 0, bytes))
    {
        let found = from + found;
        if rest[found] == b'\n' {
            return LineEnd::At(found);
        }
        match rest.get(found + 1) {
            Some(b'<') => return LineEnd::At(found),
            Some(_) => from = found + 1,
            None => return LineEnd::Unknown,
        }
    }
    LineEnd::NotBefore(window.len())
}

/// Whether a text without a priority begins like those that HAProxy sends so, or has a
/// priority. `text` need not be more than its first [`TELLING`] bytes.
fn is_telling(text: &[u8]) -> bool {
    match text {
        [b'<', b'0'..=b'9', ..] | [b'{', b'"', ..] => return true,
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', ..] => {
            let digits = [y1, y2, y3, y4, m1, m2, d1, d2];
            if digits.iter().all(|byte| byte.is_ascii_digit()) {
                return true;
            }
        }
        _ => {}
    }
    let Some(blank) = memchr(b' ', text) else {
        return false;
    };
    let (client, rest) = (&text[..blank], &text[blank + 1..]);
    let date = match rest.strip_prefix(b"- - ") {
        Some(date) => date,
        None if client.contains(&b':') => rest,
        None => return false,
    };
    matches!(date, [b'[', b'0'..=b'3', b'0'..=b'9', b'/', ..])
}

enum Count {
    /// `header` bytes of count, then `octets` bytes of frame.
    Octets { header: usize, octets: usize },
    /// It ends where a count might still go on.
    Unfinished,
    /// Not a count: a line.
    None,
}

/// Reads a number and the blank behind it, if that is what `bytes` begins with.
fn count(bytes: &[u8]) -> Count {
    if let Some(first) = bytes.first()
        && !matches!(first, b'1'..=b'9')
    {
        return Count::None;
    }
    let head = &bytes[..bytes.len().min(COUNT_DIGITS + 1)];
    let mut octets = 0;
    for (digits, &byte) in head.iter().enumerate() {
        match byte {
            b'0'..=b'9' => octets = octets * 10 + usize::from(byte - b'0'),
            b' ' => {
                return Count::Octets {
                    header: digits + 1,
                    octets,
                };
            }
            _ => return Count::None,
        }
    }
    match head.len() <= COUNT_DIGITS {
        true => Count::Unfinished,
        false => Count::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes out of a stream that arrives in these pieces, as text; a cut frame
    /// has a `~` behind it.
    fn frames(limit: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut framer = Framer::new(limit);
        let (mut buf, mut out) = (Vec::new(), Vec::new());
        for piece in pieces {
            buf.extend_from_slice(piece);
            let mut found = Vec::new();
            let done = framer.frames(&buf, &mut found);
            assert!(
                done > 0 || buf.len() < limit + SLACK,
                "stuck on a full buffer"
            );
            out.extend(found.iter().map(|frame| show(&buf, frame)));
            buf.drain(..done);
        }
        out.extend(framer.finish(&buf).map(|frame| show(&buf, &frame)));
        out
    }

    fn escape(bytes: &[u8]) -> String {
        bytes.escape_ascii().to_string().replace("\\\"", "\"")
    }

    fn show(buf: &[u8], frame: &Frame) -> String {
        let text = escape(&buf[frame.start..frame.end]);
        format!("{text}{}", if frame.cut { "~" } else { "" })
    }

    #[test]
    fn frames_are_told_apart_by_their_first_bytes() {
        for (stream, expected) in [
            ("", &[][..]),
            ("<1>a\n<2>b\n", &["<1>a", "<2>b"]),
            ("<1>a\r\n\r\n\n<2>b", &["<1>a", "<2>b"]),
            ("4 <1>a4 <2>b", &["<1>a", "<2>b"]),
            ("4 <1>a\n4 <2>b\n", &["<1>a", "<2>b"]),
            ("4 <1>a<2>b\n4 <3>c", &["<1>a", "<2>b", "<3>c"]),
            ("7 <1>a\\nbc4 <2>d", &["<1>a\\nbc", "<2>d"]),
            ("12 apples\n7\n1 <\n", &["12 apples", "7", "<"]),
            ("04 <1>a\n", &["04 <1>a"]),
            ("12345678 <1>a\n", &["12345678 <1>a"]),
            ("4  <1>a\n", &["4  <1>a"]),
            ("<1>a\0<2>b\0", &["<1>a", "<2>b"]),
            ("<1>a\0b\n<2>c\n", &["<1>a\\x00b", "<2>c"]),
            ("9 <1>a", &["<1>a~"]),
            ("1", &["1"]),
            // Counts without a priority behind them, and numbers that are none.
            (
                "34 192.0.2.7:40112 [21/Nov/2026:04:5528 ::1:40112 [21/Nov/2026:04:552 up",
                &[
                    "192.0.2.7:40112 [21/Nov/2026:04:55",
                    "::1:40112 [21/Nov/2026:04:55",
                    "up",
                ],
            ),
            (
                "26 2026-11-21T04:55:14Z a {x}26 2026-11-21T04:55:15Z b {x}",
                &["2026-11-21T04:55:14Z a {x}", "2026-11-21T04:55:15Z b {x}"],
            ),
            (
                "3 one3 two11 {\"three\":3}4 <6>4\n5 lines\n5 apples\n",
                &["one", "two", "{\"three\":3}", "<6>4", "5 lines", "5 apples"],
            ),
            (
                "22 ::1:4 - - [21/Nov/202623 ::1:4 - - [21/Nov/2026:5 six",
                &["::1:4 - - [21/Nov/2026", "::1:4 - - [21/Nov/2026:", "six~"],
            ),
            ("20 ::1:4 [21/Nov/2026:0", &["::1:4 [21/Nov/2026:0"]),
            ("20 ::1:4 [21/Nov/2026:", &["20 ::1:4 [21/Nov/2026:"]),
            ("5 apple", &["5 apple"]),
            ("3 one3 two", &["3 one3 two"]),
            (
                "200 ::1:4 [21/Nov/2026:0\n20 ::1:4 [21/Nov/2026:0\n",
                &["200 ::1:4 [21/Nov/2026:0", "20 ::1:4 [21/Nov/2026:0"],
            ),
            ("7 a 2 b\nc3 <4>\n", &["7 a 2 b", "c3 <4>"]),
            ("4 200 512 - - ----\n", &["4 200 512 - - ----"]),
        ] {
            let bytes = stream.replace("\\n", "\n");
            let expected: Vec<String> = expected.iter().map(|frame| frame.to_string()).collect();
            let got = frames(100, &[bytes.as_bytes()]);
            assert_eq!(got, expected, "{stream:?}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_cut_and_the_stream_goes_on() {
        for (stream, expected) in [
            ("12345678\n<1>a\n", &["12345678", "<1>a"][..]),
            ("123456789\n<1>a\n", &["12345678~", "<1>a"]),
            ("123456789012345678901234567890\nab", &["12345678~", "ab"]),
            ("8 <1>456784 <2>b", &["<1>45678", "<2>b"]),
            (
                "30 <1>4567890123456789012345678904 <2>b",
                &["<1>45678~", "<2>b"],
            ),
            ("123456789", &["12345678~"]),
            ("1234567890\0<2>b\n", &["12345678~", "<2>b"]),
            ("1234567\r\nab\n", &["1234567", "ab"]),
            (
                "2 {\"12 {\"34567890124 {\"ab",
                &["{\"", "{\"345678~", "{\"ab"],
            ),
        ] {
            let got = frames(8, &[stream.as_bytes()]);
            assert_eq!(got, expected, "{stream:?}");
        }
    }

    #[test]
    fn counts_that_fill_the_buffer_are_believed_whatever_they_count() {
        let stream = "3 one".repeat(40);
        assert_eq!(frames(8, &[stream.as_bytes()]), vec!["one"; 40]);
        // Less than that may be a line that has not ended.
        let stream = "3 one".repeat(4);
        assert_eq!(frames(100, &[stream.as_bytes()]), [stream]);
    }

    #[test]
    fn a_believed_count_waits_for_no_more_than_its_octets() {
        let mut framer = Framer::new(100);
        let (mut buf, mut out) = (b"2 {\"".to_vec(), Vec::new());
        assert_eq!(
            framer.frames(&buf, &mut out),
            0,
            "the first waits for a second"
        );
        buf.extend_from_slice(b"2 {\"");
        assert_eq!(framer.frames(&buf, &mut out), 8);
        assert_eq!(framer.frames(b"2 ab", &mut out), 4);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn a_datagram_ends_before_its_terminators() {
        for (datagram, frame) in [
            (&b"<1>a\n"[..], &b"<1>a"[..]),
            (b"<1>a\nb\r\n\0", b"<1>a\nb"),
            (b"\n\0", b""),
        ] {
            assert_eq!(trim_end(datagram), frame);
        }
    }

    /// One thing a sender may write, and the frame that is expected for it.
    fn sent() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
        let text = "<[0-9]{1,3}>[a-z <>0-9]{0,40}[a-z]";
        prop_oneof![
            // Counted, with line feeds and NULs as data.
            "<[0-9]{1,3}>[a-z <\n\0]{0,40}[a-z]".prop_map(|body| {
                let counted = format!("{} {body}", body.len());
                (counted.into_bytes(), Some(body.into_bytes()))
            }),
            (text, "\r?\n").prop_map(|(line, end)| {
                let bytes = format!("{line}{end}").into_bytes();
                (bytes, Some(line.into_bytes()))
            }),
            // A line that begins like a count.
            "[0-9]{1,9} ?[a-z]{1,10}"
                .prop_map(|line| { (format!("{line}\n").into_bytes(), Some(line.into_bytes())) }),
            "\r?\n".prop_map(|blank| (blank.into_bytes(), None)),
        ]
    }

    fn pieces(mut bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for &size in sizes.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (head, tail) = bytes.split_at(size.min(bytes.len()));
            out.push(head.to_vec());
            bytes = tail;
        }
        out
    }

    proptest! {
        #[test]
        fn what_was_sent_comes_out_however_it_is_chopped(
            sent in prop::collection::vec(sent(), 0..12),
            sizes in prop::collection::vec(1_usize..30, 1..8),
        ) {
            let stream: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let expected: Vec<String> = sent
                .iter()
                .filter_map(|(_, frame)| frame.as_ref())
                .map(|frame| escape(frame))
                .collect();
            let pieces = pieces(&stream, &sizes);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(frames(64, &pieces), expected);
        }

        #[test]
        fn counts_without_a_priority_come_out_however_they_are_chopped(
            notices in prop::collection::vec("[A-Z][a-z ]{0,30}[a-z.]", 0..4),
            traffic in prop::collection::vec(
                "(192\\.0\\.2\\.7|fd00::7):[1-9][0-9]{3} \\[[0-3][0-9]/Nov/2026[ -~]{0,30}[!-~]",
                2..6,
            ),
            sizes in prop::collection::vec(1_usize..30, 1..8),
        ) {
            let sent: Vec<&String> = notices.iter().chain(&traffic).collect();
            let stream: String = sent
                .iter()
                .map(|text| format!("{} {text}", text.len()))
                .collect();
            let expected: Vec<String> = sent
                .iter()
                .map(|text| escape(text.as_bytes()))
                .collect();
            let pieces = pieces(stream.as_bytes(), &sizes);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(frames(200, &pieces), expected);
        }

        #[test]
        fn lines_that_begin_with_a_number_stay_lines(
            lines in prop::collection::vec(
                "[1-9][0-9]{0,2} (GET|::1:40112 \\[21/Nov/2026) [0-9 /-]{0,400}[0-9]",
                1..6,
            ),
            sizes in prop::collection::vec(1_usize..60, 1..8),
        ) {
            let stream: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let pieces = pieces(stream.as_bytes(), &sizes);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(frames(1000, &pieces), lines);
        }

        #[test]
        fn any_bytes_give_the_same_frames_however_they_are_chopped(
            stream in "([0-9 <>a\r\n\0]|[1-9][0-9]? <|[1-3] (aa?a?|\\{\"a?)){0,200}",
            sizes in prop::collection::vec(1_usize..20, 1..8),
            limit in 1_usize..20,
        ) {
            let whole = frames(limit, &[stream.as_bytes()]);
            let pieces = pieces(stream.as_bytes(), &sizes);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(frames(limit, &pieces), whole);
        }
    }
}
