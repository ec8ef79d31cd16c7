//! Cuts a log file into lines: one line is one frame, whatever it begins with.
//!
//! Used as [`Framer`](super::framing::Framer) is, and bounded as it is. Unlike there, a
//! line that begins with a number is never the length of what follows, and a NUL ends
//! nothing.

use super::framing::{Frame, SLACK, trim_end};
use wide::u8x32;

/// Cuts one file. Keeps no bytes: the caller puts what was not consumed in front of what
/// it reads next, and hands in both.
#[derive(Clone, Debug)]
pub struct Lines {
    limit: usize,
    /// The rest of a line that was cut is thrown away.
    skip: bool,
}

impl Lines {
    /// No frame will be longer than `limit` bytes, which must not be 0.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "a frame has at least one byte");
        Lines { limit, skip: false }
    }

    /// Appends the lines found in `buf` to `out`, in order, and returns how many bytes of
    /// `buf` are done with. A line of nothing but its terminators is no frame; of a line
    /// longer than the limit its first `limit` bytes are one.
    ///
    /// At least one byte is consumed when `buf` holds the limit plus [`SLACK`] bytes.
    pub fn frames(&mut self, buf: &[u8], out: &mut Vec<Frame>) -> usize {
        let mut at = 0;
        line_feeds(buf, |end| {
            if !std::mem::replace(&mut self.skip, false) {
                out.extend(self.frame(at, &buf[at..end]));
            }
            at = end + 1;
        });
        let rest = &buf[at..];
        // Not at the limit itself: terminators that are yet to be trimmed do not count.
        if rest.len() >= self.limit + SLACK && !self.skip {
            out.extend(self.frame(at, rest));
            self.skip = true;
        }
        if self.skip { buf.len() } else { at }
    }

    /// Whether of `filled` bytes those are done with that come before `end`, behind the last line
    /// feed, and what is to come does not depend on them: whoever cuts them may be another.
    pub fn ends_at(&self, end: usize, filled: usize) -> bool {
        !self.skip && filled - end < self.limit + SLACK
    }

    /// The file has ended, and `rest` is what [`Lines::frames`] left of it: a line without
    /// an end is a frame like any other.
    pub fn finish(&mut self, rest: &[u8]) -> Option<Frame> {
        match std::mem::replace(&mut self.skip, false) {
            true => None,
            false => self.frame(0, rest),
        }
    }

    fn frame(&self, start: usize, line: &[u8]) -> Option<Frame> {
        let line = trim_end(line);
        (!line.is_empty()).then_some(Frame {
            start,
            end: start + line.len().min(self.limit),
            cut: line.len() > self.limit,
        })
    }
}

/// Tells where each line feed is. Lines are short: to begin the search for the next one anew
/// would cost as much as the search itself.
#[inline(always)]
fn line_feeds(bytes: &[u8], mut found: impl FnMut(usize)) {
    let (chunks, rest) = bytes.as_chunks::<64>();
    for (number, chunk) in chunks.iter().enumerate() {
        let [low, high] = chunk.as_chunks::<32>().0 else {
            return;
        };
        let places = |bytes: &[u8; 32]| {
            let feeds = u8x32::new(*bytes).simd_eq(u8x32::splat(b'\n'));
            u64::from(feeds.to_bitmask())
        };
        let mut places = places(low) | places(high) << 32;
        while places != 0 {
            found(number * 64 + places.trailing_zeros() as usize);
            places &= places - 1;
        }
    }
    let start = bytes.len() - rest.len();
    let feeds = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    feeds.for_each(|(place, _)| found(start + place));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes out of a file that is read in pieces of that size; a cut line has a `~`
    /// behind it.
    fn lines(limit: usize, file: &str, piece: usize) -> Vec<String> {
        let mut lines = Lines::new(limit);
        let (mut buf, mut out) = (Vec::new(), Vec::new());
        let show = |buf: &[u8], frame: &Frame| {
            let text = buf[frame.start..frame.end].escape_ascii();
            format!("{text}{}", if frame.cut { "~" } else { "" })
        };
        for piece in file.as_bytes().chunks(piece) {
            buf.extend_from_slice(piece);
            let mut found = Vec::new();
            let done = lines.frames(&buf, &mut found);
            assert!(done > 0 || buf.len() < limit + SLACK, "stuck");
            out.extend(found.iter().map(|frame| show(&buf, frame)));
            buf.drain(..done);
        }
        out.extend(lines.finish(&buf).map(|frame| show(&buf, &frame)));
        out
    }

    proptest! {
        #[test]
        fn line_feeds_are_found_as_one_by_one(bytes in "[a\\n]{0,300}") {
            let mut found = Vec::new();
            line_feeds(bytes.as_bytes(), |place| found.push(place));
            let expected: Vec<_> = bytes.match_indices('\n').map(|(place, _)| place).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_line_is_a_frame_however_it_begins_and_is_read() {
        let long = format!("{}\nb\n", "a".repeat(30));
        for (file, expected) in [
            ("", &[][..]),
            ("a\nb", &["a", "b"]),
            ("a\r\n\r\n\n\0\nb\n", &["a", "b"]),
            ("4 <1>a\n<2>b\0<3\n", &["4 <1>a", "<2>b\\x00<3"]),
            ("12345678\r\n", &["12345678"]),
            ("123456789\nb\n", &["12345678~", "b"]),
            (&long, &["aaaaaaaa~", "b"]),
            (&long[..30], &["aaaaaaaa~"]),
        ] {
            for piece in [1, 3, 7, 100] {
                assert_eq!(lines(8, file, piece), expected, "{file:?} by {piece}");
            }
        }
    }
}
