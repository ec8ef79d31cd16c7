//! Bytes to blocks of whole lines.

use super::stop::is_stopped;
use crate::input::batch::Batch;
use crate::input::framing::{Frame, SLACK};
use crate::input::lines::Lines;
use memchr::memrchr;
use std::io::{self, Read};

/// How much text a block holds, if no line may be longer.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Cuts one file. A block is as many bytes as fit, up to the end of the last whole line in
/// them: in which pieces they come does not matter.
pub struct Blocks<R> {
    reader: R,
    lines: Lines,
    size: usize,
    /// The line that the block before had no room for.
    rest: Vec<u8>,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    /// Blocks of `size` bytes, or as many more as a line of `line_bytes` needs. What is
    /// longer than `line_bytes` is cut, as in the daemon.
    pub fn new(reader: R, size: usize, line_bytes: usize) -> Self {
        Blocks {
            reader,
            lines: Lines::new(line_bytes),
            size: size.max(line_bytes + SLACK),
            rest: Vec::new(),
            ended: false,
        }
    }

    /// Puts the bytes of the next block in place of what the batch held. `None`: there is none.
    pub fn next(&mut self, batch: &mut Batch) -> io::Result<Option<Block>> {
        batch.frames.clear();
        if self.ended {
            return Ok(None);
        }
        let (bytes, frames) = (&mut batch.bytes, &mut batch.frames);
        // Made once: what is behind the block's end in it is of an earlier one.
        bytes.resize(self.size, 0);
        let mut filled = self.rest.len();
        bytes[..filled].copy_from_slice(&self.rest);
        self.rest.clear();
        let mut is_cut_off = false;
        while filled < self.size && !self.ended {
            match self.reader.read(&mut bytes[filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_stopped(&error) => {
                    self.ended = true;
                    is_cut_off = true;
                }
                Err(error) => return Err(error),
            }
        }
        let bytes = &bytes[..filled];
        let end = memrchr(b'\n', bytes).map_or(0, |feed| feed + 1);
        if !self.ended && self.lines.ends_at(end, filled) {
            self.rest.extend_from_slice(&bytes[end..]);
            let lines = self.lines.clone();
            return Ok(Some(Block { lines, bytes: end }));
        }
        let done = self.lines.frames(bytes, frames);
        if is_cut_off {
            // What is behind the last whole line may be half of one.
        } else if self.ended {
            let last = self.lines.finish(&bytes[done..]);
            frames.extend(last.map(|frame| Frame {
                start: done + frame.start,
                end: done + frame.end,
                ..frame
            }));
        } else {
            self.rest.extend_from_slice(&bytes[done..]);
        }
        let lines = self.lines.clone();
        Ok(Some(Block { lines, bytes: 0 }))
    }
}

/// A block whose bytes are in a batch, and its frames not yet: to find them takes as long as
/// reading it does, and nobody has to wait for it.
#[must_use]
pub struct Block {
    lines: Lines,
    /// So many are still to be cut into lines.
    bytes: usize,
}

impl Block {
    /// Finds the frames of the batch that the block was put into.
    pub fn cut(mut self, batch: &mut Batch) {
        let Batch { bytes, frames, .. } = batch;
        let done = self.lines.frames(&bytes[..self.bytes], frames);
        debug_assert_eq!(done, self.bytes, "it ends where a line does");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::tests::Pieces;

    fn blocks(text: &[u8], piece: usize, size: usize) -> Vec<Vec<String>> {
        let mut blocks = Blocks::new(Pieces::new(text, piece), size, 8);
        let mut batch = Batch::default();
        let mut all = Vec::new();
        while let Some(block) = blocks.next(&mut batch).unwrap() {
            block.cut(&mut batch);
            let lines = batch.frames.iter().map(|frame| {
                let line = batch.bytes[frame.start..frame.end].escape_ascii();
                format!("{line}{}", if frame.cut { "~" } else { "" })
            });
            all.push(lines.collect());
        }
        all
    }

    #[test]
    fn blocks_end_at_lines_whatever_pieces_come() {
        let text = "one\ntwo\n\nthree\r\nfour\nfive\n".repeat(9)
            + "six, which is very much longer than it may be\nend";
        let (text, size) = (text.as_bytes(), 8 + SLACK);
        let expected = blocks(text, text.len(), size);
        assert!(expected.len() > 2, "{expected:?}");
        let lines = [
            ["one", "two", "three", "four", "five"].repeat(9),
            vec!["six, whi~", "end"],
        ];
        let lines = lines.concat();
        assert_eq!(expected.concat(), lines);
        for piece in [1, 2, 3, 7, 11] {
            assert_eq!(blocks(text, piece, size), expected, "by {piece}");
        }
        assert_eq!(blocks(text, 5, 1000).concat(), lines);
        assert_eq!(blocks(b"", 1, size).concat(), [""; 0]);
    }
}
