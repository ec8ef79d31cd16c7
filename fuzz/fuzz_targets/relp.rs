//! Any bytes, in any pieces: the same lines and answers come out as when all came at once,
//! and each line that is acknowledged is there.
//!
//! The input's first byte is the limit (1 to 256 bytes), the next four are the pieces'
//! sizes (again and again, each 1 to 256 bytes), the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weir::input::relp::session::{Group, Next, Session};

fuzz_target!(|input: &[u8]| {
    let Some((&[limit, ref sizes @ ..], stream)) = input.split_first_chunk::<5>() else {
        return;
    };
    let limit = usize::from(limit) + 1;
    let sizes = sizes.iter().map(|&size| usize::from(size) + 1).cycle();
    let whole = read(limit, std::iter::once(stream.len()), stream);
    assert_eq!(read(limit, sizes, stream), whole);
});

type Line = (Vec<u8>, bool);

/// The lines, and whether each is cut; the answers; how it ended.
fn read(
    limit: usize,
    sizes: impl Iterator<Item = usize>,
    mut stream: &[u8],
) -> (Vec<Line>, Vec<u8>, Next) {
    let mut session = Session::new(limit);
    let mut group = Group::default();
    let mut next = Next::More;
    for size in sizes {
        if stream.is_empty() || next != Next::More {
            break;
        }
        let (piece, rest) = stream.split_at(size.min(stream.len()));
        stream = rest;
        next = session.read(piece, &mut group);
    }
    let batch = &group.batch;
    assert!(batch.bytes.len() <= batch.frames.len() * (limit + 1));
    let line = |frame: &weir::input::framing::Frame| {
        assert!(frame.end - frame.start <= limit);
        assert!(!frame.cut || frame.end - frame.start == limit && frame.end < batch.bytes.len());
        (batch.bytes[frame.start..frame.end].to_vec(), frame.cut)
    };
    let lines: Vec<Line> = batch.frames.iter().map(line).collect();
    let acknowledged = group.answers.windows(14).filter(|w| w == b" rsp 6 200 OK\n");
    assert!(acknowledged.count() >= lines.len());
    (lines, group.answers, next)
}
