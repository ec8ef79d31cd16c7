//! Frames to deltas: parses lines and evaluates rules.
//!
//! A worker shares nothing and touches no socket, clock or task: the pipeline drives
//! it, and so do tests and benchmarks.

use crate::delta::Delta;
use crate::haproxy;
use crate::input::batch::Batch;
use crate::rejects::Rejects;
use crate::rules::{Evaluator, Outcome, Rules};
use crate::syslog;
use crate::telemetry::Tally;
use bstr::ByteSlice;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;

/// An event dated further ahead of its arrival than this is refused: windows must not
/// pile up for a day that is yet to come. Clocks differ by seconds; a wrong time zone
/// by 15 minutes at least.
pub const FUTURE_MAX: Duration = Duration::from_secs(300);

/// One worker's state.
pub struct Worker {
    syslog: syslog::Parser,
    haproxy: haproxy::Parser,
    evaluator: Evaluator,
    rejects: Rejects,
}

impl Worker {
    /// Lines are of one of `formats`, and their dates are in `timezone`. Holds at most `rows_max` rows between two
    /// hand-overs.
    pub fn new(
        rules: Arc<Rules>,
        formats: Arc<haproxy::Formats>,
        timezone: TimeZone,
        rows_max: usize,
    ) -> Self {
        Worker {
            syslog: syslog::Parser::new(),
            haproxy: haproxy::Parser::new(formats, timezone),
            evaluator: Evaluator::new(rules, rows_max),
            rejects: Rejects::default(),
        }
    }

    /// Notes rejected lines there, instead of keeping samples alone.
    pub fn with_rejects(self, rejects: Rejects) -> Self {
        Worker { rejects, ..self }
    }

    /// The hot path. It allocates nothing per line: messages and events borrow from the
    /// batch, and the evaluator finds a series' row by a key built in a buffer of its
    /// own. `tests/allocations.rs` counts.
    pub fn process(&mut self, batch: &Batch) -> Tally {
        let mut tally = Tally::default();
        for frame in &batch.frames {
            tally.cut += u64::from(frame.cut);
            let bytes = &batch.bytes[frame.start..frame.end];
            let message = self.syslog.parse(bytes);
            let event = match self.haproxy.parse(&message) {
                Ok(event) => event,
                Err(reject) => {
                    tracing::trace!(%reject, line = %message.text.as_bstr(), "rejected");
                    tally.rejected[reject.index()] += 1;
                    let text_len = message.text.len();
                    self.rejects
                        .push(batch.received_at, bytes, text_len, reject);
                    continue;
                }
            };
            tally.parsed += 1;
            let at = event.ended_at().unwrap_or(batch.received_at);
            if at > batch.received_at + FUTURE_MAX {
                tally.future += 1;
                continue;
            }
            match self.evaluator.apply(&event, at) {
                Outcome::Counted => {}
                Outcome::Skipped => tally.skipped += 1,
                Outcome::OverLimit => tally.over_limit += 1,
            }
        }
        tally
    }

    /// What was rejected and not handed over yet.
    pub fn rejects(&mut self) -> &mut Rejects {
        &mut self.rejects
    }

    /// Hands over everything since the last time.
    pub fn take(&mut self) -> Delta {
        self.evaluator.take()
    }
}
