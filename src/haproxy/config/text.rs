//! Text that remembers where in the file each of its bytes came from.

use crate::source::Source;
use std::ops::Range;

/// A string after HAProxy's quoting, escapes and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    pub text: String,
    pub source: Source,
    origin: Origin,
}

impl ConfigText {
    pub(super) fn new(text: String, source: Source, origin: Origin) -> Self {
        ConfigText {
            text,
            source,
            origin,
        }
    }

    /// Where `range` of the text stands, in bytes of the file. A byte that an escape
    /// or a variable made stands for the whole of it, and an empty range for the
    /// place before its byte. A range beyond the text is its end.
    pub fn span(&self, range: Range<usize>) -> Range<usize> {
        self.origin.span(range)
    }
}

/// The places of a text's bytes, in runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    runs: Vec<Run>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    /// Its first byte in the text.
    at: usize,
    /// Its bytes in the file.
    file: Range<usize>,
    /// Whether they are the text's own, byte for byte.
    verbatim: bool,
}

impl Origin {
    /// The text's byte `at` is the file's byte `file`.
    pub fn verbatim(&mut self, at: usize, file: usize) {
        match self.runs.last_mut() {
            Some(run) if run.verbatim && run.file.end == file => run.file.end += 1,
            _ => self.runs.push(Run {
                at,
                file: file..file + 1,
                verbatim: true,
            }),
        }
    }

    /// The text's byte `at` was made by an escape or a variable.
    pub fn made(&mut self, at: usize, file: Range<usize>) {
        let same = |run: &Run| !run.verbatim && run.file == file;
        if !self.runs.last().is_some_and(same) {
            self.runs.push(Run {
                at,
                file,
                verbatim: false,
            });
        }
    }

    fn span(&self, range: Range<usize>) -> Range<usize> {
        let first = self.byte(range.start);
        if range.is_empty() {
            return first.start..first.start;
        }
        // A word's parts stand in the file in their own order.
        first.start..self.byte(range.end - 1).end
    }

    fn byte(&self, at: usize) -> Range<usize> {
        let after = self.runs.partition_point(|run| run.at <= at);
        let Some(run) = after.checked_sub(1).map(|index| &self.runs[index]) else {
            return 0..0;
        };
        if !run.verbatim {
            return run.file.clone();
        }
        let start = (run.file.start + at - run.at).min(run.file.end);
        start..(start + 1).min(run.file.end)
    }
}
