//! Runs tests: lines through a worker and windows, as the daemon's pipeline drives them.

use super::expect::{Found, Known};
use super::moment::day;
use super::report::{Account, Report, Tested};
use super::suite::{LINES_MAX, Lines, Suite, Test, Text};
use crate::config::{Limits, Time};
use crate::haproxy::{self, Formats, Reject};
use crate::input::batch::Batch;
use crate::input::framing::Frame;
use crate::input::lines;
use crate::rules::Rules;
use crate::source::{Problem, Source};
use crate::syslog;
use crate::time::Timestamp;
use crate::window::{Settings, Windows};
use crate::worker::Worker;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What tests of one file run on.
pub struct Bench<'a> {
    pub rules: Arc<Rules>,
    pub formats: Arc<Formats>,
    /// In which HAProxy wrote the lines.
    pub timezone: TimeZone,
    pub time: Time,
    pub limits: Limits,
    /// The bytes of a fixture by its path, or why there are none.
    pub fixture: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// How often the daemon's workers hand over and its windows are looked at.
const TICK: Duration = Duration::from_secs(1);

/// The daemon has been running for so long when the first line comes: longer than any window,
/// so that none began before it.
const BEFORE: Duration = Duration::from_secs(48 * 3600);

/// Lines of one test come within this time, and no window later is waited for.
const SPAN_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Runs all tests of a file, each with a daemon of its own.
///
/// # Errors
///
/// What cannot be run: a line of which it is not said when it comes, a fixture that cannot be
/// read. Each with its place.
pub fn run(suite: &Suite, bench: &Bench<'_>) -> Result<Report, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut tests = Vec::new();
    let mut touched = BTreeSet::new();
    let known = Known(bench.rules.layout());
    for test in &suite.tests {
        for expected in &test.expected {
            let maker = known.maker(&expected.series.value);
            touched.extend(maker.map(|maker| Arc::clone(&maker.rule.name)));
        }
        match prepare(&suite.source, test, bench) {
            Ok(prepared) => tests.push(prepared.run(&suite.source, test, bench)),
            Err(found) => problems.extend(found),
        }
    }
    match problems.is_empty() {
        true => Ok(Report { tests, touched }),
        false => Err(problems),
    }
}

/// One line, when it comes.
struct Arrival {
    received_at: Timestamp,
    line: Arc<[u8]>,
    cut: bool,
}

/// A test whose times are known.
struct Prepared {
    /// In the order in which they come. Never empty.
    arrivals: Vec<Arrival>,
    /// The starts of the expected windows, in their order.
    starts: Vec<Timestamp>,
    /// Lines that will be rejected, with their places.
    rejected: Vec<(String, Reject)>,
}

fn prepare(source: &Source, test: &Test, bench: &Bench<'_>) -> Result<Prepared, Vec<Problem>> {
    let mut reader = Reader {
        source,
        bench,
        haproxy: haproxy::Parser::new(Arc::clone(&bench.formats), bench.timezone.clone()),
        day: None,
        arrivals: Vec::new(),
        rejected: Vec::new(),
        problems: Vec::new(),
    };
    for lines in &test.lines {
        reader.lines(lines);
    }
    let Reader {
        day,
        mut arrivals,
        rejected,
        mut problems,
        ..
    } = reader;
    let mut starts = Vec::new();
    for expected in &test.expected {
        match expected.start.value.on(day, &bench.timezone) {
            Some(start) => starts.push(start),
            None => problems.push(no_day(source, &expected.start.span)),
        }
    }
    arrivals.sort_by_key(|arrival| arrival.received_at);
    if let (Some(first), Some(last)) = (arrivals.first(), arrivals.last())
        && last.received_at.saturating_since(first.received_at) > SPAN_MAX
    {
        let problem = source.problem(
            test.name.span.clone(),
            "the lines come over more than seven days",
        );
        problems.push(problem.hint("check the years, or make several tests of it"));
    }
    match problems.is_empty() {
        true => Ok(Prepared {
            arrivals,
            starts,
            rejected,
        }),
        false => Err(problems),
    }
}

fn no_day(source: &Source, span: &std::ops::Range<usize>) -> Problem {
    let problem = source.problem(
        span.clone(),
        "the day is not known: the first line has no date",
    );
    problem.hint("write the day too: `2026-01-01T12:01:02Z`")
}

/// Finds out when lines come.
struct Reader<'a> {
    source: &'a Source,
    bench: &'a Bench<'a>,
    haproxy: haproxy::Parser,
    /// Of the first line.
    day: Option<Date>,
    arrivals: Vec<Arrival>,
    rejected: Vec<(String, Reject)>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn lines(&mut self, lines: &Lines) {
        let read;
        let bytes = match &lines.text {
            Text::Line(line) => line.as_bytes(),
            Text::Fixture(path) => match (self.bench.fixture)(&path.value) {
                Ok(bytes) => {
                    read = bytes;
                    &read[..]
                }
                Err(why) => {
                    let problem = self.source.problem(path.span.clone(), why);
                    return self.problems.push(problem);
                }
            },
        };
        let frames = frames(bytes, self.bench.limits.line_bytes);
        if frames.is_empty() {
            return self.wrong(
                lines,
                "there is no line here".to_owned(),
                "write a log line",
            );
        }
        if self.arrivals.len() + frames.len() * lines.repeat > LINES_MAX {
            let message = format!("more than {LINES_MAX} lines in one test");
            return self.wrong(lines, message, "repeat them less often");
        }
        for frame in &frames {
            if !self.frame(lines, &bytes[frame.start..frame.end], frame.cut) {
                return;
            }
        }
    }

    /// Whether it is known when the line comes.
    fn frame(&mut self, lines: &Lines, line: &[u8], cut: bool) -> bool {
        let zone = &self.bench.timezone;
        let message = syslog::parse(line);
        let (ended_at, reject) = match self.haproxy.parse(&message, None) {
            Ok(event) => (event.ended_at(), None),
            Err(reject) => (None, Some(reject)),
        };
        let moment = lines.received_at.as_ref();
        if self.day.is_none() && self.arrivals.is_empty() {
            let written = moment.and_then(|moment| moment.value.on(None, zone));
            self.day = ended_at.or(written).and_then(|at| day(at, zone));
        }
        let received_at = match moment {
            Some(moment) => moment.value.on(self.day, zone),
            None => ended_at,
        };
        let Some(received_at) = received_at else {
            match (moment, reject) {
                (Some(moment), _) => self.problems.push(no_day(self.source, &moment.span)),
                (None, Some(reject)) => self.wrong(
                    lines,
                    format!("the line cannot be read: {reject}"),
                    "`weir explain` shows how it is read; if a line is to be rejected, write when it comes: `{ received_at: ..., line: ... }`",
                ),
                (None, None) => self.wrong(
                    lines,
                    "the line has no date".to_owned(),
                    "write when it comes: `{ received_at: ..., line: ... }`",
                ),
            }
            return false;
        };
        if let Some(reject) = reject {
            let place = self.source.place_of(lines.span.start);
            self.rejected.push((place, reject));
        }
        let line: Arc<[u8]> = line.into();
        self.arrivals.extend((0..lines.repeat).map(|_| Arrival {
            received_at,
            line: Arc::clone(&line),
            cut,
        }));
        true
    }

    fn wrong(&mut self, lines: &Lines, message: String, hint: &str) {
        let problem = self.source.problem(lines.span.clone(), message);
        self.problems.push(problem.hint(hint));
    }
}

/// The lines of a text, as a log file is cut.
fn frames(bytes: &[u8], line_bytes: usize) -> Vec<Frame> {
    let mut cutter = lines::Lines::new(line_bytes);
    let mut frames = Vec::new();
    let done = cutter.frames(bytes, &mut frames);
    frames.extend(cutter.finish(&bytes[done..]).map(|frame| Frame {
        start: done + frame.start,
        end: done + frame.end,
        ..frame
    }));
    frames
}

impl Prepared {
    fn run(self, source: &Source, test: &Test, bench: &Bench<'_>) -> Tested {
        let (found, account) = simulate(&self, bench);
        let failed = test.expected.iter().zip(&self.starts);
        let failed = failed.filter_map(|(expected, start)| {
            found.compare(source, expected, *start, Known(bench.rules.layout()))
        });
        Tested {
            name: test.name.value.clone(),
            place: source.place_of(test.name.span.start),
            failed: failed.collect(),
            account: account.with_rejects(self.rejected),
        }
    }
}

/// A daemon's clock, worker and windows.
struct Daemon {
    now: Timestamp,
    worker: Worker,
    windows: Windows,
    found: Found,
    account: Account,
}

fn simulate(test: &Prepared, bench: &Bench<'_>) -> (Found, Account) {
    let settings = Settings {
        grace: bench.time.grace,
        amend_for: bench.time.amend_for,
        expire_after: bench.time.expire_after,
        series_max: bench.limits.series,
    };
    let layout = bench.rules.layout();
    let (first, last) = (&test.arrivals[0], &test.arrivals[test.arrivals.len() - 1]);
    let mut daemon = Daemon {
        now: first.received_at.floor(TICK),
        worker: Worker::new(
            Arc::clone(&bench.rules),
            Arc::clone(&bench.formats),
            bench.timezone.clone(),
            bench.limits.series,
        )
        .with_event_time(bench.time.event_time),
        windows: Windows::new(Arc::clone(layout), settings),
        found: Found::default(),
        account: Account::default(),
    };
    daemon.windows.advance(daemon.now - BEFORE);
    let mut batch = Batch::default();
    for arrival in &test.arrivals {
        while daemon.now + TICK <= arrival.received_at {
            daemon.tick();
        }
        batch.received_at = Some(arrival.received_at);
        batch.bytes.clear();
        batch.bytes.extend_from_slice(&arrival.line);
        batch.frames.clear();
        batch.frames.push(Frame {
            start: 0,
            end: arrival.line.len(),
            cut: arrival.cut,
        });
        daemon.account.tally(&daemon.worker.process(&batch));
    }
    // What was expected shows only when its window has closed, too.
    let spans = layout.groupings.iter().map(|grouping| grouping.window.span);
    let longest = spans.max().unwrap_or_default();
    let starts = test.starts.iter().copied().max();
    let until = starts.unwrap_or(last.received_at).max(last.received_at) + longest + settings.grace;
    let until = until.min(last.received_at + SPAN_MAX);
    while daemon.now < until || daemon.windows.open() > 0 {
        daemon.tick();
    }
    (daemon.found, daemon.account)
}

impl Daemon {
    fn tick(&mut self) {
        self.now = self.now + TICK;
        let merged = self.windows.merge(self.worker.take());
        self.account.merged(merged);
        self.found.closed(self.windows.advance(self.now));
    }
}
