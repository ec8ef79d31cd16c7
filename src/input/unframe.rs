//! Frames back to bytes: the counterpart of [`framing`](super::framing).
//!
//! What is written here can be read with an editor, searched line by line, and sent to
//! a TCP listener again, which cuts the same frames out of it:
//!
//! - A frame is a line where a line is read back as this frame.
//! - Else, with a line feed inside, a NUL that would end the line, or a beginning that
//!   looks like an octet count, it is written octet-counted (RFC 6587, section 3.4.1),
//!   with a line feed behind it that belongs to no frame.
//! - A count is known for sure only by the `<` of the priority behind it. A frame that needs a
//!   count and has no priority gets `<13>`, which is what a relay gives to a message
//!   without one (RFC 3164, section 4.3.3). Its text stays as it is.

use memchr::memchr;
use std::io::{self, Write};

/// The priority of a message that came without one: user, notice.
const DEFAULT_PRIORITY: &[u8] = b"<13>";

/// Writes one frame, as it left the framing: without terminators at its end. An empty
/// frame is not written, since a stream has none.
pub(crate) fn write_frame(out: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    if frame.is_empty() {
        return Ok(());
    }
    if !is_line(frame) {
        let priority = match frame {
            [b'<', ..] => &b""[..],
            _ => DEFAULT_PRIORITY,
        };
        write!(out, "{} ", priority.len() + frame.len())?;
        out.write_all(priority)?;
    }
    out.write_all(frame)?;
    out.write_all(b"\n")
}

/// Whether a line of these bytes is read back as this one frame.
fn is_line(frame: &[u8]) -> bool {
    memchr(b'\n', frame).is_none() && !holds_nul_end(frame) && !begins_like_count(frame)
}

/// A NUL with a `<` behind it ends a line.
fn holds_nul_end(frame: &[u8]) -> bool {
    let mut rest = frame;
    while let Some(nul) = memchr(0, rest) {
        rest = &rest[nul + 1..];
        if rest.first() == Some(&b'<') {
            return true;
        }
    }
    false
}

/// A number and a blank: whether that is read as a count depends on what comes later.
fn begins_like_count(frame: &[u8]) -> bool {
    let digits = frame.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    digits > 0 && frame.get(digits) == Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::super::framing::{Framer, trim_end};
    use super::*;
    use proptest::prelude::*;

    fn written(frames: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for frame in frames {
            write_frame(&mut out, frame).expect("a vector takes everything");
        }
        out
    }

    fn read_back(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut framer = Framer::new(1 << 20);
        let mut frames = Vec::new();
        let done = framer.frames(bytes, &mut frames);
        frames.extend(framer.finish(&bytes[done..]));
        let text = |frame: &super::super::framing::Frame| {
            assert!(!frame.cut, "{bytes:?}");
            bytes[frame.start..frame.end].to_vec()
        };
        frames.iter().map(text).collect()
    }

    #[test]
    fn a_frame_is_a_line_where_that_reads_back() {
        for (frame, expected) in [
            (&b"<134>haproxy[1]: a"[..], &b"<134>haproxy[1]: a\n"[..]),
            (b"no header", b"no header\n"),
            (b"12 apples", b"13 <13>12 apples\n"),
            (b"12", b"12\n"),
            (b"", b""),
            (b"<1>a\nb", b"6 <1>a\nb\n"),
            (b"<1>a\0b", b"<1>a\0b\n"),
            (b"<1>a\0<b", b"7 <1>a\0<b\n"),
            (b"a\nb", b"7 <13>a\nb\n"),
            (b"3 <1>a", b"10 <13>3 <1>a\n"),
        ] {
            let got = written(&[frame]);
            assert_eq!(
                got.escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_frames(
            frames in prop::collection::vec("(<[0-9]{1,3}>)?([0-9 <>a\r\n\0]|[1-9][0-9]? <){0,30}", 0..12),
        ) {
            let frames: Vec<&[u8]> = frames.iter().map(|frame| trim_end(frame.as_bytes())).collect();
            let expected: Vec<Vec<u8>> = frames
                .iter()
                .filter(|frame| !frame.is_empty())
                .map(|frame| match frame {
                    [b'<', ..] => frame.to_vec(),
                    _ if is_line(frame) => frame.to_vec(),
                    _ => [DEFAULT_PRIORITY, frame].concat(),
                })
                .collect();
            prop_assert_eq!(read_back(&written(&frames)), expected);
        }

        #[test]
        fn any_frame_with_a_priority_reads_back_as_it_was(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        ) {
            let frames: Vec<Vec<u8>> = bodies
                .iter()
                .map(|body| trim_end(&[b"<134>", &body[..]].concat()).to_vec())
                .collect();
            let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(read_back(&written(&slices)), frames);
        }
    }
}
