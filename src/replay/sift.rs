//! Second looks at lines, where they are asked for: which lines are of the time that is asked
//! for, and how rejected ones look.
//!
//! A worker reads every line once, as the daemon does. What is here reads lines once more, and
//! costs nothing where nobody asks.

use super::engine::Plan;
use crate::event_time::EventTime;
use crate::haproxy::{self, Event, Kind, Reject};
use crate::input::batch::Batch;
use crate::rejects::RejectedLine;
use crate::syslog;
use crate::time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The times that are asked for: from `since` on, and before `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Span {
    pub fn contains(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }

    fn is_all(self) -> bool {
        self == Span::default()
    }
}

/// The first rejected line of each reason, by its place in [`Reject::REASONS`].
pub type Samples = [Option<RejectedLine>; Reject::REASONS.len()];

/// Of which reasons there is a sample, from the earliest block that has one.
#[derive(Debug, Default)]
pub struct Sampled([AtomicBool; Reject::REASONS.len()]);

impl Sampled {
    pub fn note(&self, samples: &Samples) {
        for (known, sample) in self.0.iter().zip(samples) {
            if sample.is_some() {
                known.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Reads lines as a worker does, and counts nothing.
pub struct Sieve<'a> {
    plan: &'a Plan,
    syslog: syslog::Reader,
    haproxy: haproxy::Parser,
}

impl<'a> Sieve<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        let fields = plan.rules.fields();
        let fields = fields.union(EventTime::FIELDS.into_iter().collect());
        let (formats, zone) = (Arc::clone(&plan.formats), plan.timezone.clone());
        Sieve {
            plan,
            syslog: syslog::Reader::default(),
            haproxy: haproxy::Parser::keeping(formats, zone, fields),
        }
    }

    /// Leaves out the requests and sessions of other times, and says how many. What has no time
    /// stays: rejected lines, HAProxy's own messages, and lines without a date.
    pub fn keep_span(&mut self, batch: &mut Batch) -> u64 {
        if self.plan.span.is_all() {
            return 0;
        }
        let Batch { bytes, frames, .. } = batch;
        let before = frames.len();
        frames.retain(|frame| self.is_of_span(&bytes[frame.start..frame.end]));
        (before - frames.len()) as u64
    }

    fn is_of_span(&mut self, line: &[u8]) -> bool {
        let mut messages = self.syslog.messages();
        let message = messages.read(line);
        let mut event = Event::of_kind(Kind::Http);
        let read = self.haproxy.parse_into(message, None, &mut event);
        if read.is_err() || event.kind == Kind::Event {
            return true;
        }
        let Some(ended_at) = event.ended_at() else {
            return true;
        };
        let (event_time, zone) = (self.plan.time.event_time, &self.plan.timezone);
        let at = event_time.of(&event, message, ended_at, zone);
        self.plan.span.contains(at.unwrap_or(ended_at))
    }

    /// The first line of each reason for which lines of the batch were rejected, unless an
    /// earlier block has one.
    pub fn samples(
        &mut self,
        batch: &Batch,
        rejected: &[u64; Reject::REASONS.len()],
        sampled: &Sampled,
    ) -> Samples {
        let mut samples = Samples::default();
        let is_wanted =
            |reason: usize| rejected[reason] > 0 && !sampled.0[reason].load(Ordering::Relaxed);
        let mut wanted = (0..rejected.len())
            .filter(|&reason| is_wanted(reason))
            .count();
        for frame in &batch.frames {
            if wanted == 0 {
                break;
            }
            let line = &batch.bytes[frame.start..frame.end];
            let mut messages = self.syslog.messages();
            let message = messages.read(line);
            let mut event = Event::of_kind(Kind::Http);
            let Err(reject) = self.haproxy.parse_into(message, None, &mut event) else {
                continue;
            };
            let sample = &mut samples[reject.index()];
            if sample.is_none() && is_wanted(reject.index()) {
                *sample = Some(RejectedLine::new(line, message.text.len(), reject));
                wanted -= 1;
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_its_beginning_and_not_its_end() {
        let at = Timestamp::from_secs;
        let span = Span {
            since: Some(at(10)),
            until: Some(at(20)),
        };
        let inside = [9, 10, 19, 20].map(|secs| span.contains(at(secs)));
        assert_eq!(inside, [false, true, true, false]);
        assert!(Span::default().contains(Timestamp::MIN));
    }
}
