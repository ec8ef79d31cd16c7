//! The newest rejected lines of each reason, for people to look at.

use crate::haproxy::Reject;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most bytes of a line that a sample holds.
const SAMPLE_BYTES: usize = 512;

/// One rejected line, or the part of a long one in which the parser got stuck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    received_at: Timestamp,
    reject: Reject,
    bytes: Box<[u8]>,
    /// Bytes of the line before `bytes` and behind them.
    left_out: (usize, usize),
    /// Where in `bytes` the parser got stuck; `None` where the reason has no place.
    stuck: Option<usize>,
}

impl Sample {
    /// Of a frame whose message's text is its last `text_len` bytes.
    pub(super) fn new(
        received_at: Timestamp,
        frame: &[u8],
        text_len: usize,
        reject: Reject,
    ) -> Self {
        let stuck = reject.offset().map(|offset| {
            let text = &frame[frame.len() - text_len..];
            // The offset does not count blanks that the text begins with.
            let text_start = frame.len() - text.trim_ascii_start().len();
            (text_start + offset).min(frame.len())
        });
        let kept = excerpt(frame.len(), stuck.unwrap_or(0));
        Sample {
            received_at,
            reject,
            left_out: (kept.start, frame.len() - kept.end),
            stuck: stuck.map(|at| at - kept.start),
            bytes: frame[kept].into(),
        }
    }

    fn view(&self) -> SampleView {
        SampleView {
            received_at: self.received_at.as_secs(),
            line: self.line(),
        }
    }

    fn line(&self) -> RejectedLine {
        let at = self.stuck.unwrap_or(self.bytes.len());
        let (before, rest) = self.bytes.split_at(at);
        // A blank alone would hardly show: the word behind it is marked with it.
        let blanks = rest.iter().take_while(|&&byte| byte == b' ').count();
        let word = rest[blanks..].iter().take_while(|&&byte| byte != b' ');
        let (stuck, after) = rest.split_at(blanks + word.count());
        RejectedLine {
            why: self.reject.to_string(),
            before: printable(before),
            stuck: self.stuck.map(|_| printable(stuck)),
            after: printable(after),
            left_out_before: self.left_out.0,
            left_out_after: self.left_out.1,
        }
    }
}

/// The part of a line that is kept: its beginning, or what is around the byte at `at`
/// where that is far from it.
fn excerpt(len: usize, at: usize) -> Range<usize> {
    if len <= SAMPLE_BYTES {
        return 0..len;
    }
    let start = match at < SAMPLE_BYTES * 3 / 4 {
        true => 0,
        false => (at - SAMPLE_BYTES / 2).min(len - SAMPLE_BYTES),
    };
    start..start + SAMPLE_BYTES
}

/// Bytes as text that moves no cursor and turns no line around: what is no printable
/// character is shown as an escape, such as `\n` or `\xff`.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' => out.push(char),
                _ => out.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("a string takes everything");
        }
    }
    out
}

/// A sample under the names that the page reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SampleView {
    /// Epoch seconds.
    pub received_at: i64,
    #[serde(flatten)]
    pub line: RejectedLine,
}

/// A rejected line to look at, or the part of a long one around its mistake. Texts are
/// printable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLine {
    /// The reason in words.
    pub why: String,
    /// Up to where the parser got stuck; all of it where the reason has no place.
    pub before: String,
    /// The word at which it got stuck, empty at the end of the line; `null` where the
    /// reason has no place.
    pub stuck: Option<String>,
    pub after: String,
    /// Bytes of the line that are not shown.
    pub left_out_before: usize,
    pub left_out_after: usize,
}

impl RejectedLine {
    /// Of a frame whose message's text is its last `text_len` bytes.
    pub fn new(frame: &[u8], text_len: usize, reject: Reject) -> Self {
        // When it was received is not part of it.
        Sample::new(Timestamp::MIN, frame, text_len, reject).line()
    }
}

/// The newest samples of each reason. Workers lock it once a tick, and only if they have
/// rejected something.
#[derive(Debug, Default)]
pub struct Samples(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The newest last.
    by_reason: [VecDeque<Sample>; Reject::REASONS.len()],
    taken: u64,
}

impl Samples {
    /// Samples that are kept of each reason.
    pub const PER_REASON: usize = 5;

    pub(super) fn add(&self, samples: impl Iterator<Item = Sample>) {
        let mut kept = self.lock();
        for sample in samples {
            let of_reason = &mut kept.by_reason[sample.reject.index()];
            if of_reason.len() == Samples::PER_REASON {
                of_reason.pop_front();
            }
            of_reason.push_back(sample);
            kept.taken += 1;
        }
    }

    /// How many were ever taken: whether there are new ones.
    pub fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Those of each reason that has any, the newest first.
    pub fn view(&self) -> BTreeMap<&'static str, Vec<SampleView>> {
        let kept = self.lock();
        let reasons = Reject::REASONS.iter().zip(&kept.by_reason);
        reasons
            .filter(|(_, samples)| !samples.is_empty())
            .map(|(reason, samples)| (*reason, samples.iter().rev().map(Sample::view).collect()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing is half done while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Field;

    fn malformed(offset: usize) -> Reject {
        Reject::Malformed {
            field: Field::Status,
            offset,
        }
    }

    fn view(frame: &[u8], text_len: usize, reject: Reject) -> SampleView {
        Sample::new(Timestamp::from_secs(7), frame, text_len, reject).view()
    }

    #[test]
    fn a_sample_shows_the_word_at_which_the_parser_got_stuck() {
        for (frame, text_len, reject, parts) in [
            // The offset counts from the text, without the blanks before it.
            (
                "<134>x:  ab cd ef",
                10,
                malformed(3),
                ("<134>x:  ab ", Some("cd"), " ef"),
            ),
            ("ab cd", 5, malformed(5), ("ab cd", Some(""), "")),
            ("ab  cd ef", 9, malformed(3), ("ab ", Some(" cd"), " ef")),
            ("ab cd", 5, Reject::NotTraffic, ("ab cd", None, "")),
            ("", 0, Reject::Empty, ("", None, "")),
        ] {
            let view = view(frame.as_bytes(), text_len, reject).line;
            let got = (&*view.before, view.stuck.as_deref(), &*view.after);
            assert_eq!(got, parts, "{frame:?}");
            assert_eq!(view.why, reject.to_string());
        }
    }

    #[test]
    fn of_a_long_line_the_place_is_kept() {
        let frame = [b'x'; 3000];
        for (offset, left_out, before) in [
            (0, (0, 2488), 0),
            (300, (0, 2488), 300),
            (1000, (744, 1744), 256),
            (2999, (2488, 0), 511),
            (9999, (2488, 0), 512),
        ] {
            let view = view(&frame, frame.len(), malformed(offset)).line;
            assert_eq!((view.left_out_before, view.left_out_after), left_out);
            assert_eq!(view.before.len(), before, "{offset}");
            let stuck = view.stuck.expect("a place").len();
            assert_eq!(before + stuck + view.after.len(), SAMPLE_BYTES);
        }
    }

    #[test]
    fn what_does_not_print_is_escaped() {
        for (bytes, text) in [
            (&b"GET \"/a\" 'b'"[..], "GET \"/a\" 'b'"),
            (b"a\nb\x1b[31m\0", "a\\nb\\u{1b}[31m\\0"),
            (b"\xff\\n", "\\xff\\\\n"),
            ("å \u{202e}x\u{85}".as_bytes(), "å \\u{202e}x\\u{85}"),
        ] {
            assert_eq!(printable(bytes), text);
        }
    }

    #[test]
    fn the_newest_of_each_reason_are_kept() {
        let samples = Samples::default();
        let sample = |n: i64, reject| Sample::new(Timestamp::from_secs(n), b"x", 1, reject);
        samples.add((0..8).map(|n| sample(n, Reject::NotTraffic)));
        samples.add([sample(9, Reject::Empty)].into_iter());
        let view = samples.view();
        let times = |reason: &str| -> Vec<i64> {
            view[reason]
                .iter()
                .map(|sample| sample.received_at)
                .collect()
        };
        assert_eq!(times("not_traffic"), [7, 6, 5, 4, 3]);
        assert_eq!(times("empty"), [9]);
        assert_eq!((view.len(), samples.taken()), (2, 9));
    }
}
