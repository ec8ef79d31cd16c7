//! Frames to deltas: parses lines and evaluates rules.
//!
//! A worker shares nothing and touches no socket, clock or task: the pipeline drives
//! it, and so do tests and benchmarks.

use crate::delta::Delta;
use crate::haproxy;
use crate::haproxy::Kind;
use crate::input::batch::Batch;
use crate::notices::{Notice, Notices};
use crate::rejects::Rejects;
use crate::rules::{Evaluator, Outcome, Rules};
use crate::syslog;
use crate::telemetry::Tally;
use crate::time::Timestamp;
use bstr::ByteSlice;
use jiff::tz::TimeZone;
use std::sync::Arc;
use std::time::Duration;

/// An event dated further ahead of its arrival than this is refused: windows must not
/// pile up for a day that is yet to come. Clocks differ by seconds; a wrong time zone
/// by 15 minutes at least.
pub const FUTURE_MAX: Duration = Duration::from_secs(300);

/// A message of HAProxy's own that claims to be older than this is dated with its
/// arrival: its clock is wrong, or its year was guessed.
const NOTICE_AGE_MAX: Duration = Duration::from_secs(86_400);

/// One worker's state.
pub struct Worker {
    syslog: syslog::Parser,
    haproxy: haproxy::Parser,
    evaluator: Evaluator,
    rejects: Rejects,
    notices: Notices,
    timezone: TimeZone,
}

impl Worker {
    /// Lines are of one of `formats`, and their dates are in `timezone`. Holds at most
    /// `rows_max` rows between two hand-overs.
    pub fn new(
        rules: Arc<Rules>,
        formats: Arc<haproxy::Formats>,
        timezone: TimeZone,
        rows_max: usize,
    ) -> Self {
        Worker {
            syslog: syslog::Parser::new(),
            haproxy: haproxy::Parser::new(formats, timezone.clone()),
            evaluator: Evaluator::new(rules, rows_max),
            rejects: Rejects::default(),
            notices: Notices::default(),
            timezone,
        }
    }

    /// Notes rejected lines there, instead of keeping samples alone.
    pub fn with_rejects(self, rejects: Rejects) -> Self {
        Worker { rejects, ..self }
    }

    /// The hot path. It allocates nothing per line: messages and events borrow from the
    /// batch, and the evaluator finds a series' row by a key built in a buffer of its
    /// own. `tests/allocations.rs` counts. What is no traffic is rare, and copied.
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
                    // Who replays has neither a page for samples nor a file for lines.
                    if let Some(received_at) = batch.received_at {
                        let text_len = message.text.len();
                        self.rejects.push(received_at, bytes, text_len, reject);
                    }
                    continue;
                }
            };
            tally.parsed += 1;
            if event.kind == Kind::Event {
                // No rule sees it, so none can take it for a request.
                tally.notices += 1;
                // Its date may lack the year, so it says when only to who was there.
                if let Some(received_at) = batch.received_at {
                    let at = sent_at(&message, received_at, &self.timezone);
                    tally.notices_dropped += u64::from(!self.notices.add(&event, at));
                }
                continue;
            }
            let Some(at) = event.ended_at().or(batch.received_at) else {
                tally.undated += 1;
                continue;
            };
            if batch
                .received_at
                .is_some_and(|received_at| at > received_at + FUTURE_MAX)
            {
                tally.future += 1;
                continue;
            }
            tally.saw(at);
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

    /// Hands over what was no traffic since the last time.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }
}

/// When the message was sent by its envelope, or when it came where the envelope does not
/// say or cannot be right.
fn sent_at(
    message: &syslog::Message<'_>,
    received_at: Timestamp,
    timezone: &TimeZone,
) -> Timestamp {
    let possible = received_at - NOTICE_AGE_MAX..=received_at + FUTURE_MAX;
    let sent_at = message.time(received_at, timezone);
    sent_at
        .filter(|at| possible.contains(at))
        .unwrap_or(received_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::framing::Framer;
    use crate::rules::{self, Options};

    const NOW: Timestamp = Timestamp::from_secs(1_767_268_800);

    fn process(lines: &str) -> (Tally, Worker) {
        let rules = rules::load(&rules::bundled(), &Options::default()).unwrap();
        let mut worker = Worker::new(Arc::new(rules), Arc::default(), TimeZone::UTC, 100);
        let mut frames = Vec::new();
        Framer::new(65_536).frames(lines.as_bytes(), &mut frames);
        let batch = Batch {
            received_at: Some(NOW),
            bytes: lines.as_bytes().to_vec(),
            frames,
        };
        (worker.process(&batch), worker)
    }

    #[test]
    fn a_notice_is_parsed_but_no_request() {
        let (tally, mut worker) = process(
            "<129>Jan  1 11:59:58 haproxy[7]: Server api/api3 is DOWN, reason: Layer4 timeout.\n",
        );
        assert_eq!((tally.parsed, tally.notices, tally.skipped), (1, 1, 0));
        assert!(worker.take().is_empty());
        let notices = worker.take_notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].server.as_deref(), Some("api3"));
        assert!(worker.take_notices().is_empty());
    }

    #[test]
    fn a_notice_happened_when_it_was_sent_if_that_can_be() {
        for (stamp, at) in [
            ("Jan  1 11:59:58", NOW - Duration::from_secs(2)),
            ("Jan  1 12:04:59", NOW + Duration::from_secs(299)),
            ("Jan  1 13:00:00", NOW),
            ("Dec 31 12:00:01", NOW - Duration::from_secs(86_399)),
            ("Dec 31 11:59:59", NOW),
            ("Jun 30 11:59:59", NOW),
        ] {
            let (_, mut worker) =
                process(&format!("<133>{stamp} haproxy[7]: Proxy web started.\n"));
            assert_eq!(worker.take_notices()[0].at, at, "{stamp}");
        }
        let (_, mut worker) = process("Proxy web started.\n");
        assert_eq!(worker.take_notices()[0].at, NOW);
    }

    #[test]
    fn too_many_notices_at_once_are_counted() {
        let line = "<133>Jan  1 11:59:58 haproxy[7]: Proxy web started.\n";
        let (tally, mut worker) = process(&line.repeat(crate::notices::NOTICES_MAX + 5));
        assert_eq!(
            (tally.notices, tally.notices_dropped),
            (crate::notices::NOTICES_MAX as u64 + 5, 5)
        );
        assert_eq!(worker.take_notices().len(), crate::notices::NOTICES_MAX);
    }
}
