//! Rejected lines: some of them as samples for whoever looks, and all of them in a file
//! for whoever mends the mistake and replays them.
//!
//! A worker notes what it rejects in a [`Rejects`] of its own and hands it over once a
//! tick, or when much has come together. Samples go to [`Samples`], which the page
//! reads. Lines go to a [`Writer`], which appends them to a [`RotatingFile`].
//!
//! Nobody waits for the disk: what comes faster than it is written is dropped and
//! counted as unwritten. Without a file only samples are kept, a few for each reason and
//! tick, and further rejected lines cost nothing.

mod file;
mod samples;
mod writer;

pub use file::{FILE_BYTES, FILES, RotatingFile};
pub use samples::{RejectedLine, Sample, SampleView, Samples};
pub use writer::{Outlet, Writer};

use crate::haproxy::Reject;
use crate::input::unframe::write_frame;
use crate::time::Timestamp;
use std::sync::Arc;

/// Lines are handed over when this many bytes of them have come together.
const LINES_BYTES: usize = 256 * 1024;

/// Who takes what workers reject.
#[derive(Clone, Default)]
pub struct Takers {
    pub samples: Arc<Samples>,
    /// `None`: there is no file.
    pub outlet: Option<Outlet>,
}

/// What one worker has rejected since it handed over last.
#[derive(Debug, Default)]
pub struct Rejects {
    samples: Vec<Sample>,
    sampled: [usize; Reject::REASONS.len()],
    /// `None`: they are not asked for.
    lines: Option<Lines>,
}

/// Whole rejected lines, in the form of the file.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// So many frames; an empty one has no bytes.
    frames: u64,
}

impl Rejects {
    /// Keeps samples, and all lines too if someone takes them.
    pub fn for_takers(takers: &Takers) -> Self {
        Rejects {
            lines: takers.outlet.is_some().then(Lines::default),
            ..Rejects::default()
        }
    }

    /// Notes a rejected frame, whose message's text is its last `text_len` bytes.
    #[cold]
    pub fn push(&mut self, received_at: Timestamp, frame: &[u8], text_len: usize, reject: Reject) {
        let sampled = &mut self.sampled[reject.index()];
        if *sampled < Samples::PER_REASON {
            *sampled += 1;
            self.samples
                .push(Sample::new(received_at, frame, text_len, reject));
        }
        if let Some(lines) = &mut self.lines {
            lines.frames += 1;
            write_frame(&mut lines.bytes, frame).expect("a vector takes everything");
        }
    }

    /// So much has come together that it should not wait for the next tick.
    pub fn is_full(&self) -> bool {
        let lines = self.lines.as_ref();
        lines.is_some_and(|lines| lines.bytes.len() >= LINES_BYTES)
    }

    /// Hands everything over and is empty then.
    pub fn hand_over(&mut self, takers: &Takers) {
        if !self.samples.is_empty() {
            takers.samples.add(self.samples.drain(..));
            self.sampled = Default::default();
        }
        if let (Some(lines), Some(outlet)) = (&mut self.lines, &takers.outlet)
            && lines.frames > 0
        {
            outlet.send(lines);
        }
    }
}
