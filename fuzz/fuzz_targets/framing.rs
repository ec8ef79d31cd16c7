//! Any bytes, in any pieces: the same frames come out as when all came at once.
//!
//! The input's first byte is the limit (1 to 256 bytes), the next four are the pieces'
//! sizes (again and again, each 1 to 256 bytes), the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::input::framing::{Frame, Framer, SLACK};

fuzz_target!(|input: &[u8]| {
    let Some((&[limit, ref sizes @ ..], stream)) = input.split_first_chunk::<5>() else {
        return;
    };
    let limit = usize::from(limit) + 1;
    let sizes = sizes.iter().map(|&size| usize::from(size) + 1).cycle();
    let whole = frames(limit, std::iter::once(stream.len()), stream);
    assert_eq!(frames(limit, sizes, stream), whole);
});

/// Every frame, and whether its tail is missing.
fn frames(
    limit: usize,
    sizes: impl Iterator<Item = usize>,
    mut stream: &[u8],
) -> Vec<(Vec<u8>, bool)> {
    let mut framer = Framer::new(limit);
    let (mut buffer, mut out) = (Vec::new(), Vec::new());
    let mut take = |buffer: &[u8], frame: &Frame| {
        assert!(frame.start < frame.end && frame.end <= buffer.len());
        assert!(frame.end - frame.start <= limit);
        out.push((buffer[frame.start..frame.end].to_vec(), frame.cut));
    };
    for size in sizes {
        if stream.is_empty() {
            break;
        }
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        stream = rest;
        buffer.extend_from_slice(piece);
        let mut found = Vec::new();
        let done = framer.frames(&buffer, &mut found);
        assert!(done <= buffer.len());
        assert!(
            done > 0 || buffer.len() < limit + SLACK,
            "stuck on a full buffer"
        );
        assert!(found.is_sorted_by_key(|frame| frame.start));
        for pair in found.windows(2) {
            assert!(pair[0].end <= pair[1].start, "frames overlap");
        }
        assert!(found.last().is_none_or(|last| last.end <= done));
        for frame in &found {
            take(&buffer, frame);
        }
        buffer.drain(..done);
    }
    if let Some(last) = framer.finish(&buffer) {
        take(&buffer, &last);
    }
    out
}
