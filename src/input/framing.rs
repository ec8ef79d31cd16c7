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
//!   Without that `<` it is a line that happens to begin with a number.
//! - Everything else is a line (section 3.4.2). It ends at a line feed, or at a NUL with
//!   a `<` behind it, as senders that end their messages with NUL do. Any other NUL is
//!   data, and for that reason a NUL that is the last byte so far waits for the next one.
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

/// What a buffer must hold beyond the limit so that a frame that fills it can be cut:
/// a count, its blank, a `<`, and the end of the line.
pub const SLACK: usize = 16;

impl Framer {
    /// No frame will be longer than `limit` bytes, which must not be 0.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a frame has at least one byte");
        Framer {
            limit,
            skip: Skip::Nothing,
            searched: 0,
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
        self.searched = 0;
        if std::mem::replace(&mut self.skip, Skip::Nothing) != Skip::Nothing {
            return None;
        }
        let (start, counted) = match count(rest) {
            Count::Octets { header, .. } => (header, true),
            Count::Unfinished | Count::None => (0, false),
        };
        let over = rest.len() - start > self.limit;
        let end = if over { start + self.limit } else { rest.len() };
        frame(rest, 0, start, end, counted || over)
    }

    /// One step at the start of a frame: how many bytes it used up, or `None` if the
    /// frame is not complete yet.
    fn next(&mut self, rest: &[u8], at: usize, out: &mut Vec<Frame>) -> Option<usize> {
        if self.searched == 0 {
            match count(rest) {
                Count::Octets { header, octets } => {
                    let end = header + octets.min(self.limit);
                    if rest.len() < end {
                        return None;
                    }
                    out.extend(frame(rest, at, header, end, octets > self.limit));
                    if octets > self.limit {
                        self.skip = Skip::Octets(octets - self.limit);
                    }
                    return Some(end);
                }
                Count::Unfinished => return None,
                Count::None => {}
            }
        }
        // A line of exactly the limit is whole, so its end is looked for one byte on.
        let window = &rest[..rest.len().min(self.limit + 1)];
        match line_end(window, rest, self.searched) {
            LineEnd::At(end) => {
                self.searched = 0;
                out.extend(frame(rest, at, 0, end, false));
                Some(end + 1)
            }
            LineEnd::NotBefore(_) if window.len() > self.limit => {
                self.searched = 0;
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

enum Count {
    /// `header` bytes of count, then `octets` bytes of frame.
    Octets { header: usize, octets: usize },
    /// It ends where a count might still go on.
    Unfinished,
    /// Not a count: a line.
    None,
}

/// Reads an octet count and the blank behind it, if that is what `rest` begins with.
fn count(rest: &[u8]) -> Count {
    if let Some(first) = rest.first()
        && !matches!(first, b'1'..=b'9')
    {
        return Count::None;
    }
    let head = &rest[..rest.len().min(COUNT_DIGITS + 1)];
    let Some(digits) = memchr(b' ', head) else {
        let digits = head.iter().all(u8::is_ascii_digit);
        return match digits && head.len() <= COUNT_DIGITS {
            true => Count::Unfinished,
            false => Count::None,
        };
    };
    let mut octets = 0;
    for &digit in &head[..digits] {
        if !digit.is_ascii_digit() {
            return Count::None;
        }
        octets = octets * 10 + usize::from(digit - b'0');
    }
    match rest.get(digits + 1) {
        Some(b'<') => Count::Octets {
            header: digits + 1,
            octets,
        },
        Some(_) => Count::None,
        None => Count::Unfinished,
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

    fn show(buf: &[u8], frame: &Frame) -> String {
        let text = buf[frame.start..frame.end].escape_ascii();
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
        ] {
            let got = frames(8, &[stream.as_bytes()]);
            assert_eq!(got, expected, "{stream:?}");
        }
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
                .map(|frame| frame.escape_ascii().to_string())
                .collect();
            let pieces = pieces(&stream, &sizes);
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(frames(64, &pieces), expected);
        }

        #[test]
        fn any_bytes_give_the_same_frames_however_they_are_chopped(
            stream in "([0-9 <>a\r\n\0]|[1-9][0-9]? <){0,200}",
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
