//! Frames to deltas: parses lines and evaluates rules.
//!
//! A worker shares nothing and touches no socket, clock or task: the pipeline drives
//! it, and so do tests and benchmarks.

use crate::breakdown::Observer;
use crate::delta::Delta;
use crate::event_time::EventTime;
use crate::haproxy;
use crate::haproxy::{Event, Kind};
use crate::input::batch::Batch;
use crate::load::Loaded;
use crate::notices::{Notice, Notices};
use crate::rejects::Rejects;
use crate::rules::{Evaluator, Outcome, Rules};
use crate::skew::{Sighting, Watch};
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
    syslog: syslog::Reader,
    haproxy: haproxy::Parser,
    evaluator: Evaluator,
    rejects: Rejects,
    notices: Notices,
    event_time: EventTime,
    clocks: Watch,
    observer: Option<Observer>,
    timezone: TimeZone,
    rows_max: usize,
    beginning: Timestamp,
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
            syslog: syslog::Reader::default(),
            haproxy: parser(&rules, formats, &timezone),
            evaluator: Evaluator::new(rules, rows_max),
            rejects: Rejects::default(),
            notices: Notices::default(),
            event_time: EventTime::default(),
            clocks: Watch::default(),
            observer: None,
            timezone,
            rows_max,
            beginning: Timestamp::MIN,
        }
    }

    /// From here on lines are read and counted by these. What was counted so far has to be
    /// handed over before.
    pub fn load(&mut self, loaded: &Loaded) {
        let Loaded {
            rules,
            formats,
            tls: _,
        } = loaded;
        self.haproxy = parser(rules, Arc::clone(formats), &self.timezone);
        if let Some(observer) = &mut self.observer {
            observer.load(rules, Arc::clone(formats), self.timezone.clone());
        }
        self.evaluator =
            Evaluator::new(Arc::clone(rules), self.rows_max).beginning_at(self.beginning);
    }

    /// Notes rejected lines there, instead of keeping samples alone.
    pub fn with_rejects(self, rejects: Rejects) -> Self {
        Worker { rejects, ..self }
    }

    /// Shows lines to the observer too.
    pub fn with_observer(self, observer: Observer) -> Self {
        Worker {
            observer: Some(observer),
            ..self
        }
    }

    /// It begins at that time: events that are dated before are told from those since.
    pub fn beginning_at(self, beginning: Timestamp) -> Self {
        Worker {
            evaluator: self.evaluator.beginning_at(beginning),
            beginning,
            ..self
        }
    }

    /// Dates events by that time of theirs, instead of by their end.
    pub fn with_event_time(self, event_time: EventTime) -> Self {
        Worker { event_time, ..self }
    }

    /// The hot path. It allocates nothing per line: messages and events borrow from the
    /// batch, and the evaluator finds a series' row by a key built in a buffer of its
    /// own. `tests/allocations.rs` counts. What is no traffic is rare, and copied; what the
    /// observer looks at is bounded, and may need a row or an example of its own.
    pub fn process(&mut self, batch: &Batch) -> Tally {
        let mut tally = Tally::default();
        let mut messages = self.syslog.messages();
        for frame in &batch.frames {
            tally.cut += u64::from(frame.cut);
            let bytes = &batch.bytes[frame.start..frame.end];
            let message = messages.read(bytes);
            let mut event = Event::of_kind(Kind::Http);
            let read = self
                .haproxy
                .parse_into(message, batch.received_at, &mut event);
            if let Err(reject) = read {
                tracing::trace!(%reject, line = %message.text.as_bstr(), "rejected");
                tally.rejected[reject.index()] += 1;
                // Who replays has neither a page for samples nor a file for lines.
                if let Some(received_at) = batch.received_at {
                    let text_len = message.text.len();
                    self.rejects.push(received_at, bytes, text_len, reject);
                }
                continue;
            }
            tally.parsed += 1;
            if event.kind == Kind::Event {
                // No rule sees it, so none can take it for a request.
                tally.notices += 1;
                // Its date may lack the year, so it says when only to who was there.
                if let Some(received_at) = batch.received_at {
                    let at = sent_at(message, received_at, &self.timezone);
                    tally.notices_dropped += u64::from(!self.notices.add(&event, at));
                }
                continue;
            }
            let ended_at = event.ended_at();
            // In a replay the log's own dates are all there is.
            let Some(reference) = batch.received_at.or(ended_at) else {
                tally.undated += 1;
                continue;
            };
            let at = match self.event_time {
                EventTime::End => ended_at,
                other => other.of(&event, message, reference, &self.timezone),
            };
            let at = at.unwrap_or(reference);
            if let Some(received_at) = batch.received_at {
                if self.event_time.is_of_haproxy()
                    && self.clocks.wants(at, received_at)
                    && let Some(written_at) = ended_at
                {
                    self.clocks.see(event.host, written_at, received_at);
                }
                if at > received_at + FUTURE_MAX {
                    tally.future += 1;
                    continue;
                }
            }
            tally.saw(at);
            if let Some(observer) = &mut self.observer
                && let Some(weight) = observer.weigh()
            {
                observer.look(message, batch.received_at, at, weight);
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

    /// What looks at lines for the breakdown, if there is one.
    pub fn observer(&mut self) -> Option<&mut Observer> {
        self.observer.as_mut()
    }

    /// Hands over which hosts' dates are off, since the last time.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        self.clocks.take()
    }

    /// Hands over what was no traffic since the last time.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }
}

/// A parser that keeps what the rules look at, and what an event's time is made of.
fn parser(rules: &Rules, formats: Arc<haproxy::Formats>, timezone: &TimeZone) -> haproxy::Parser {
    let fields = rules
        .fields()
        .union(EventTime::FIELDS.into_iter().collect());
    haproxy::Parser::keeping(formats, timezone.clone(), fields)
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
    use crate::haproxy::{Field, FieldType};
    use crate::input::framing::Framer;
    use crate::rules::{self, Options};
    use crate::skew::{Change, Hosts};
    use crate::source::Source;

    const NOW: Timestamp = Timestamp::from_secs(1_767_268_800);

    fn process(lines: &str) -> (Tally, Worker) {
        process_by(EventTime::End, lines)
    }

    fn process_by(event_time: EventTime, lines: &str) -> (Tally, Worker) {
        let rules = rules::load(&rules::bundled(), &Options::default()).unwrap();
        let worker = Worker::new(Arc::new(rules), Arc::default(), TimeZone::UTC, 100);
        let mut worker = worker.with_event_time(event_time);
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

    /// Rules that look at one field alone, in every way that its type allows.
    fn rules_about(field: Field) -> Vec<String> {
        let name = field.name();
        let rule = |condition: &str, by: &str, measure: &str| {
            let by = match by {
                "" => String::new(),
                by => format!("'{by}'"),
            };
            format!(
                "rules: [{{name: r, where: '{condition}', by: [{by}], measure: {{m: '{measure}'}}}}]"
            )
        };
        match field.field_type() {
            // Only what no rule sees has one.
            FieldType::String if field == Field::State => Vec::new(),
            FieldType::String => vec![
                rule("true", name, "count()"),
                rule("true", "service", &format!("distinct({name})")),
                rule(
                    &format!("has({name}) && !{name}.startsWith(\"x\")"),
                    "",
                    "count()",
                ),
                rule(
                    &format!("{name} in [\"http\", \"/\", \"----\"]"),
                    "",
                    "count()",
                ),
            ],
            FieldType::Int | FieldType::Millis => vec![
                rule("true", name, "count()"),
                rule("true", "service", &format!("sum({name} + 1) / count()")),
                rule("true", "", &format!("percentile({name}, 50)")),
                rule("true", "", &format!("ratio({name} > 1)")),
                rule(&format!("{name} in [0, 1, 200]"), "", "count()"),
            ],
            FieldType::Bool => vec![
                rule(name, "", "count()"),
                rule("true", name, &format!("ratio({name})")),
            ],
            FieldType::Strings => vec![
                rule(
                    &format!("size({name}) > 1"),
                    &format!("{name}[0]"),
                    "count()",
                ),
                rule(&format!("\"a\" in {name}"), "", "count()"),
            ],
            // Nothing compares a time, and built-in formats have no fields of their own.
            FieldType::Timestamp | FieldType::Extra => Vec::new(),
        }
    }

    #[test]
    fn rules_see_what_they_look_at_though_nothing_else_is_kept() {
        let lines = [
            LINES[0],
            "<134>Jan  1 12:00:00 lb1 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:11:59:59.000] www~ api/s1 \
             1/2/3/4/5 503 9 a=1 b=2 SC-- 6/7/8/9/2 3/4 {a|b} {c} \"POST /a/1?q=1 HTTP/1.1\"\n",
            "<134>Jan  1 12:00:00 lb1 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:11:59:59.000] www api/<NOSRV> \
             -1/-1/-1/-1/+5 -1 +9 - - CR-- 6/7/8/9/+2 3/4 {} \"<BADREQ>\"\n",
            "<134>Jan  1 12:00:00 lb2 haproxy[8]: 10.0.0.2:2 [01/Jan/2026:11:59:59.000] db pg/pg1 \
             1/2/1500 77 CD 6/7/8/9/1 3/4\n",
        ];
        let lines = lines.concat();
        let mut frames = Vec::new();
        Framer::new(65_536).frames(lines.as_bytes(), &mut frames);
        let batch = Batch {
            received_at: Some(NOW),
            bytes: lines.into_bytes(),
            frames,
        };
        for text in Field::ALL.iter().copied().flat_map(rules_about) {
            let source = Source::new("rules.yaml", &text);
            let rules = rules::load(&[source], &Options::default());
            let rules = Arc::new(rules.unwrap_or_else(|problems| {
                panic!("{text}: {}", problems[0].render());
            }));
            let worker = || Worker::new(Arc::clone(&rules), Arc::default(), TimeZone::UTC, 100);
            let mut whole = worker();
            whole.haproxy = haproxy::Parser::new(Arc::default(), TimeZone::UTC);
            let [kept, all] = [worker(), whole].map(|mut worker| {
                worker.process(&batch);
                let entries = worker.take().entries.into_iter();
                entries
                    .map(|entry| (entry.key, entry.row))
                    .collect::<Vec<_>>()
            });
            assert_eq!(kept, all, "{text}");
        }
    }

    /// Received at 12:00:00. The first took 4 minutes and ends at 12:03; the others are dated
    /// more than 5 minutes ahead by their beginning, their end, or their envelope.
    const LINES: [&str; 4] = [
        "<134>Jan  1 12:00:01 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:11:59:00.000] www api/s \
         0/0/0/1/240000 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n",
        "<134>Jan  1 12:00:01 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:12:05:00.001] www api/s \
         0/0/0/1/0 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n",
        "<134>Jan  1 12:00:01 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:11:59:00.000] www api/s \
         0/0/0/1/600000 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n",
        "<134>Jan  1 12:05:01 haproxy[7]: 10.0.0.1:1 [01/Jan/2026:11:59:00.000] www api/s \
         0/0/0/1/0 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"\n",
    ];

    #[test]
    fn each_event_time_has_windows_of_its_own() {
        for (event_time, start) in [
            (EventTime::End, "2026-01-01T12:03:00.000Z"),
            (EventTime::Start, "2026-01-01T11:59:00.000Z"),
            (EventTime::Syslog, "2026-01-01T12:00:00.000Z"),
            (EventTime::Received, "2026-01-01T12:00:00.000Z"),
        ] {
            let (tally, mut worker) = process_by(event_time, LINES[0]);
            assert_eq!((tally.parsed, tally.future), (1, 0));
            let delta = worker.take();
            assert!(!delta.is_empty());
            for entry in delta.entries {
                assert_eq!(entry.start.to_string(), start, "{event_time:?}");
            }
        }
    }

    #[test]
    fn a_line_of_the_future_is_counted_and_in_no_window() {
        for (event_time, future) in [
            (EventTime::End, [false, true, true, false]),
            (EventTime::Start, [false, true, false, false]),
            (EventTime::Syslog, [false, false, false, true]),
            (EventTime::Received, [false; 4]),
        ] {
            for (line, future) in LINES.iter().zip(future) {
                let (tally, mut worker) = process_by(event_time, line);
                assert_eq!((tally.parsed, tally.future), (1, u64::from(future)));
                assert_eq!(worker.take().is_empty(), future, "{event_time:?}: {line}");
            }
        }
    }

    /// What is said of a host of which every second a line comes, dated so many seconds ahead
    /// of its arrival.
    fn clocks(event_time: EventTime, ahead: i64) -> (Tally, Vec<Change>) {
        let rules = rules::load(&rules::bundled(), &Options::default()).unwrap();
        let worker = Worker::new(Arc::new(rules), Arc::default(), TimeZone::UTC, 100);
        let mut worker = worker.with_event_time(event_time);
        let (mut hosts, mut changes) = (Hosts::default(), Vec::new());
        let mut tally = Tally::default();
        for second in 0..31 {
            let received_at = NOW + Duration::from_secs(second);
            let began = Timestamp::from_secs(received_at.as_secs() + ahead - 900);
            let date = jiff::Timestamp::from_second(began.as_secs()).unwrap();
            let line = format!(
                "<134>Jan  1 12:00:01 lb1 haproxy[7]: 10.0.0.1:1 [{}] www api/s 0/0/0/1/900000 \
                 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
                date.strftime("%d/%b/%Y:%H:%M:%S.000")
            );
            let mut frames = Vec::new();
            let bytes = format!("{line}\n").into_bytes();
            Framer::new(65_536).frames(&bytes, &mut frames);
            let batch = Batch {
                received_at: Some(received_at),
                bytes,
                frames,
            };
            let one = worker.process(&batch);
            tally.future += one.future;
            tally.parsed += one.parsed;
            hosts.merge(worker.take_sightings());
            changes.extend(hosts.advance(received_at));
        }
        (tally, changes)
    }

    #[test]
    fn a_wrong_zone_is_seen_though_its_lines_are_refused_or_late() {
        for (event_time, ahead, future) in [
            (EventTime::End, 3600, 31),
            (EventTime::End, -3600, 0),
            (EventTime::Start, 3600, 31),
            (EventTime::Start, -3600, 0),
        ] {
            let (tally, changes) = clocks(event_time, ahead);
            assert_eq!((tally.parsed, tally.future), (31, future));
            let [Change::Skewed(host)] = &changes[..] else {
                panic!("{event_time:?} {ahead}: {changes:?}");
            };
            assert_eq!((host.host.as_str(), host.seconds), ("lb1", ahead));
        }
    }

    #[test]
    fn neither_slow_requests_nor_dates_that_do_not_matter_are_a_wrong_zone() {
        for (event_time, ahead) in [
            // It took a quarter of an hour, and was written when it came.
            (EventTime::Start, 0),
            (EventTime::End, 0),
            (EventTime::Syslog, 3600),
            (EventTime::Received, 3600),
        ] {
            let (_, changes) = clocks(event_time, ahead);
            assert_eq!(changes, [], "{event_time:?}");
        }
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
