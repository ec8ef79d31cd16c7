//! Frame to delta allocates nothing per line. A binary of its own, because it counts
//! what the global allocator is asked for.

use std::sync::Arc;
use weir::breakdown::{Observer, PACE};
use weir::event_time::EventTime;
use weir::haproxy::{Event, Formats, Kind, Parser};
use weir::input::batch::Batch;
use weir::input::framing::Framer;
use weir::rules::{self, Evaluator, Options, Outcome};
use weir::source::{Placed, Source};
use weir::syslog::Message;
use weir::time::Timestamp;
use weir::worker::Worker;

const LINES: usize = 1000;

/// One batch of lines of both formats, in envelopes of several forms, of ten services.
fn batch() -> Batch {
    let mut bytes = Vec::new();
    for i in 0..LINES {
        let service = i % 10;
        let envelope = match i % 7 {
            0 => "<134>Jan  1 12:00:01 haproxy[7]: ",
            1 => "<134>2026-01-01T12:00:01.000000+00:00 lb1 haproxy[7]: ",
            2 => "<134>1 2026-01-01T12:00:01.000000+00:00 lb1 haproxy 7 - -  ",
            3 => "2026-01-01T12:00:01.000000+00:00 ",
            4 => "<134>Jan  1 12:00:01.000 UTC lb1 haproxy[7]: ",
            5 => "<13>Jan  1 12:00:02 relay <134>Jan  1 12:00:01 lb1 haproxy[7]: ",
            _ => "<134>1 2026-01-01T12:00:01.000000+00:00 lb1 the proxy 7 - - ",
        };
        let line = match i % 4 {
            0 => format!(
                "10.0.0.{service}:4000 [01/Jan/2026:12:00:0{}.{:03}] www-{service} api/app1 \
                 1/0/{} 512 -- 1/1/0/0/0 0/0",
                i % 8,
                i % 997,
                i % 300,
            ),
            _ => format!(
                "2001:db8::{service}:4000 [01/Jan/2026:12:00:0{}.{:03}] www-{service}~ api/app1 \
                 0/0/1/{}/{} {} 512 - - ---- 1/1/0/0/0 0/0 {{example.org|agent}} {{}} \
                 \"GET /v1/users/{i}?page=2 HTTP/1.1\"",
                i % 8,
                i % 997,
                i % 300,
                i % 300 + 1,
                if i % 50 == 0 { 503 } else { 200 },
            ),
        };
        bytes.extend_from_slice(envelope.as_bytes());
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
    }
    let mut frames = Vec::new();
    Framer::new(65_536).frames(&bytes, &mut frames);
    assert_eq!(frames.len(), LINES);
    Batch {
        received_at: Some(Timestamp::from_secs(1_767_268_811)),
        bytes,
        frames,
    }
}

#[test]
fn a_line_of_a_known_series_allocates_nothing() {
    for event_time in EventTime::ALL {
        lines_of_known_series_allocate_nothing(event_time, batch());
    }
}

/// In the hour that comes twice each date has to be settled.
#[test]
fn nor_when_the_clocks_have_gone_back() {
    let mut batch = batch();
    let text = String::from_utf8(batch.bytes).expect("text");
    // Of the same length, so that the frames hold.
    let text = text.replace("01/Jan/2026:12:00", "25/Oct/2026:02:30");
    batch.bytes = text.replace("2026-01-01T12:00", "2026-10-25T01:30").into();
    batch.received_at = Some(Timestamp::from_secs(1_792_891_811));
    lines_of_known_series_allocate_nothing(EventTime::End, batch);
}

fn lines_of_known_series_allocate_nothing(event_time: EventTime, batch: Batch) {
    let rules = rules::load(&rules::bundled(), &Options::default()).expect("the bundled rules");
    let zone = jiff::tz::TimeZone::get("Europe/Stockholm").expect("time zones are built in");
    let mut worker =
        Worker::new(Arc::new(rules), Arc::default(), zone, 1000).with_event_time(event_time);
    let mut frames = Vec::with_capacity(LINES);

    // The first lines of a series make its row, and many samples a histogram.
    for _ in 0..10 {
        assert_eq!(worker.process(&batch).parsed, LINES as u64);
    }
    let counts = allocation_counter::measure(|| {
        frames.clear();
        Framer::new(65_536).frames(&batch.bytes, &mut frames);
        worker.process(&batch);
    });
    assert_eq!(counts.count_total, 0, "for {LINES} lines");
    let delta = worker.take();
    let events: u64 = delta.entries.iter().map(|entry| entry.events).sum();
    assert_eq!(events, 11 * LINES as u64);
}

/// What the observer looks at may cost memory, and that is bounded: of the lines beyond its pace
/// it passes nearly all over, and these cost none.
#[test]
fn nor_does_one_that_the_observer_passes_over() {
    let rules = rules::load(&rules::bundled(), &Options::default()).expect("the bundled rules");
    let zone = jiff::tz::TimeZone::UTC;
    let observer = Observer::new(&rules, Arc::default(), zone.clone(), 1);
    let mut worker =
        Worker::new(Arc::new(rules), Arc::default(), zone, 1000).with_observer(observer);
    let batch = batch();
    // Until one line of thousands is looked at.
    let before = 20 * PACE as usize / LINES;
    for _ in 0..before {
        worker.process(&batch);
    }
    let mut free = 0;
    for _ in 0..100 {
        let counts = allocation_counter::measure(|| {
            worker.process(&batch);
        });
        free += u32::from(counts.count_total == 0);
        // Those few make at most some rows, examples and names.
        assert!(counts.count_total < LINES as u64 / 2, "{counts:?}");
    }
    assert!(free >= 20, "only {free} of 100 batches allocate nothing");
    let (parts, hosts) = worker.observer().expect("it has one").take();
    assert!(!hosts.is_empty());
    assert!(parts.looked() < 3 * u64::from(PACE), "{}", parts.looked());
    let off = parts.requests() as f64 / ((before + 100) * LINES) as f64 - 1.0;
    assert!(off.abs() < 0.1, "{off}");
}

/// Whatever a condition asks, and whatever the events are grouped by: patterns, addresses and
/// routes too, once the first event has made the buffers that these need.
#[test]
fn a_condition_allocates_nothing() {
    let text = r#"
rules:
  - name: all
    where: |
      Tr > 1.5ms && has(path) && path.matches("^/v[0-9]+/\\w*s$") && isIP(client_ip)
        && client_ip in [cidr("10.0.0.0/8"), cidr("2001:db8::/32")]
        && ip(client_ip) != ip("10.0.0.1") && ip(client_ip).family() == 6
        && !ip(client_ip).isPrivate()
    by: [route]
    measure: { n: count() }
  - name: routes
    where: route == "/v1/:what"
    by: [route]
    routes: ["/v1/:what"]
    measure: { n: count() }
"#;
    let rules = rules::load(&[Source::new("a.yaml", text)], &Options::default());
    let mut evaluator = Evaluator::new(Arc::new(rules.expect("rules")), 10);
    let mut event = Event {
        client_ip: Some(b"2001:db8::1"),
        path: Some(b"/v1/users"),
        ..Event::of_kind(Kind::Http)
    };
    event.timers.response = Some(2);
    let mut apply = || {
        assert_eq!(
            evaluator.apply(&event, Timestamp::from_secs(0)),
            Outcome::Counted
        )
    };
    apply();
    let counts = allocation_counter::measure(|| (0..LINES).for_each(|_| apply()));
    assert_eq!(counts.count_total, 0);
}

/// Rejected lines cost no memory either, once there are samples of them: a flood of
/// them may come at any time.
#[test]
fn a_rejected_line_allocates_nothing_where_no_file_is_asked_for() {
    let rules = rules::load(&rules::bundled(), &Options::default()).expect("the bundled rules");
    let timezone = jiff::tz::TimeZone::UTC;
    let mut worker = Worker::new(Arc::new(rules), Arc::default(), timezone, 1000);
    let mut batch = batch();
    for frame in &mut batch.frames {
        // Before the names of frontend and backend are all there.
        frame.end = frame.start + 80;
    }
    assert_eq!(worker.process(&batch).parsed, 0);
    let counts = allocation_counter::measure(|| {
        worker.process(&batch);
    });
    assert_eq!(counts.count_total, 0, "for {LINES} lines");
}

/// Whatever the format: fields of its own, escapes to be undone, encodings.
#[test]
fn a_line_of_a_custom_format_allocates_nothing() {
    for (format, line) in [
        (
            "%ci:%cp [%tr] %ft %b/%s %ST %hr %hs %{+Q}r",
            "10.0.0.1:4000 [01/Jan/2026:12:00:00.000] www api/s1 200 {a#7Cb|c} {} \"GET /#22 HTTP/1.1\"",
        ),
        (
            "%{+X}ci %{+Q,+E}[hdr(a)] %[hdr(b)]|%(n:int)[rand] %{+json}[hdr(c)]",
            "C0000207 \"x \\\"y\" z|7 \"q\\\"\"",
        ),
        (
            "%{+json}o %(fe)ft %(st)ST %(path)HP %(x)[hdr(a)]",
            r#"{"fe": "www~", "st": 200, "path": "/a#22", "x": "q\""}"#,
        ),
        (
            "%{+cbor}o %(ip)ci %(st)ST %(x)[hdr(a)]",
            "bf6269706831302e302e302e316273741901f761787f61616162ffff",
        ),
    ] {
        let placed = Placed::whole("format", format);
        let formats = Formats::one(&placed, &|_| None).expect("a format");
        let mut parser = Parser::new(Arc::new(formats), jiff::tz::TimeZone::UTC);
        let message = Message {
            text: line.as_bytes(),
            ..Message::default()
        };
        // The first line makes the buffers that all lines use.
        let mut read = || assert!(parser.parse(&message, None).is_ok(), "{format}");
        read();
        let counts = allocation_counter::measure(|| {
            for _ in 0..LINES {
                read();
            }
        });
        assert_eq!(counts.count_total, 0, "{format}");
    }
}
