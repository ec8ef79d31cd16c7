//! The same log gives the same numbers, and they are the right ones.

use super::engine::{Bounds, ROWS_MAX, run_within};
use super::report::Report;
use super::*;
use crate::config::{Limits, Time};
use crate::demo::traffic::Traffic;
use crate::haproxy::Formats;
use crate::rules::{self, Options};
use crate::source::Source;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Gives a text in pieces of that size, as a slow pipe does.
pub(super) struct Pieces {
    text: Vec<u8>,
    at: usize,
    size: usize,
}

impl Pieces {
    pub(super) fn new(text: &[u8], size: usize) -> Self {
        Pieces {
            text: text.to_vec(),
            at: 0,
            size,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = &self.text[self.at..];
        let read = rest.len().min(buf.len()).min(self.size);
        buf[..read].copy_from_slice(&rest[..read]);
        self.at += read;
        Ok(read)
    }
}

/// Every aggregate there is, over shared and other groupings.
const RULES: &str = r#"
rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 5s
    measure:
      count: count()
      rate: rate()
      errors: ratio(status >= 500)
      bytes: sum(bytes_read)
      seconds: mean(Tr / 1000.0)
      least: min(Tr)
      most: max(Tr)
      spread: stddev(Tr)
      p50: percentile(Tr, 50)
      p99: percentile(Tr, 99)
      each: sum(bytes_read) / count()
      happy: apdex(Ta, 50ms)
      paths: distinct(path)
      clients: top(client_ip, 3)
      times: histogram(Tr)
  - name: server
    by: [backend, server, status]
    window: 3s
    measure: { rate: rate(), wait: "percentile(Tw + Tc, 95)" }
  - name: path
    where: kind == "http"
    by: [path]
    limit: 7
    window: { span: 6s, every: 2s }
    measure: { count: count(), slowest: max(Tr) }
  - name: tcp
    where: kind == "tcp"
    window: 10s
    measure: { p95: "percentile(Tt, 95)", count: count() }
"#;

/// Small enough that a log of some seconds has many blocks.
const BOUNDS: Bounds = Bounds {
    block_bytes: 16 * 1024,
    rows: ROWS_MAX,
};

const START: Timestamp = Timestamp::from_secs(1_767_268_800);

fn plan(rules: &str, threads: usize) -> Plan {
    let rules = rules::load(&[Source::new("rules.yaml", rules)], &Options::default());
    Plan {
        rules: Arc::new(rules.unwrap()),
        formats: Arc::new(Formats::built_in()),
        timezone: TimeZone::UTC,
        time: Time::default(),
        limits: Limits {
            memory: 1 << 30,
            line_bytes: 4096,
            series: 10_000,
            connections: 1,
            connections_per_address: 1,
            idle: std::time::Duration::ZERO,
        },
        threads: NonZeroUsize::new(threads).unwrap(),
        whole: true,
        charted: Vec::new(),
        span: Span::default(),
        stop: Stop::default(),
    }
}

fn replay(plan: &Plan, logs: &[&str], piece: usize) -> Outcome {
    replay_within(BOUNDS, plan, logs, piece)
}

fn replay_within(bounds: Bounds, plan: &Plan, logs: &[&str], piece: usize) -> Outcome {
    let inputs = logs.iter().map(|log| {
        Ok(Input {
            name: "log".to_owned(),
            reader: Box::new(Pieces::new(log.as_bytes(), piece)),
        })
    });
    let inputs: Vec<_> = inputs.collect();
    run_within(plan, inputs.into_iter(), bounds, |_| {}).unwrap()
}

/// What is printed, and what people are told of the whole.
fn printed(outcome: &Outcome) -> String {
    let json = serde_json::to_string(outcome).unwrap();
    format!("{json}\n{:#?}", outcome.whole)
}

/// A busy log: ten services, TCP sessions between them, damaged lines, messages of HAProxy's
/// own, blank lines, lines that are too long, and a second of an hour before.
fn log() -> String {
    let mut traffic = Traffic::new(11);
    let mut log = String::new();
    for second in 0..14 {
        let now = Timestamp::from_secs(START.as_secs() + second as i64);
        traffic.write(now, 36 + second, 1.0, &mut log);
        let _ = write!(
            log,
            "<134>Jan  1 12:00:{second:02} haproxy[1]: 10.0.0.9:4711 [01/Jan/2026:12:00:{second:02}.500] \
             db db/db-1 1/0/{second}00 2048 -- 3/2/1/1/0 0/0\n\n\
             10.0.0.9:4711 [01/Jan/2026:11:00:{second:02}.000] web web/web-1 \
             0/0/1/7/8 200 17 - - ---- 1/1/0/0/0 0/0 \"GET /{} HTTP/1.1\"\n\
             10.0.0.9:4711 [01/Jan/2026:12:00:{second:02}.000] web web/web-1 0/0/1\n\
             what is this?\n",
            "x".repeat(300 * second as usize),
        );
    }
    log
}

#[test]
fn threads_and_pieces_change_nothing() {
    let log = log();
    let expected = replay(&plan(RULES, 1), &[&log], usize::MAX);
    assert!(log.len() > 20 * BOUNDS.block_bytes, "{} bytes", log.len());
    assert!(expected.series.len() > 100, "{}", expected.series.len());
    let Outcome {
        lines,
        parsed,
        counted,
        skipped,
        notices,
        ..
    } = expected;
    assert_eq!(lines, parsed + expected.rejected());
    assert_eq!(parsed, counted + skipped + notices);
    assert_eq!(expected.rejected, [0, 14, 14, 0]);
    assert!(notices > 0 && expected.cut == 0);
    let expected = printed(&expected);
    for (threads, piece) in [(2, 4096), (3, usize::MAX), (7, 7), (1, 1)] {
        let outcome = replay(&plan(RULES, threads), &[&log], piece);
        assert_eq!(
            printed(&outcome),
            expected,
            "{threads} threads, pieces of {piece}"
        );
    }
}

/// The same without the samples of rejected lines, each of which is the first of its reason.
fn values(outcome: Outcome) -> String {
    printed(&Outcome {
        samples: Default::default(),
        ..outcome
    })
}

#[test]
fn files_may_come_in_any_order() {
    let log = log();
    // Which rare ones of more than 1,024 values a `top` keeps, their order decides.
    let rules = &RULES.replace("top(client_ip", "top(server");
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let expected = values(replay(&plan(rules, 2), &[&log], usize::MAX));
    let (start, end) = lines.split_at(lines.len() / 3);
    let (start, end) = (start.concat(), end.concat());
    for logs in [[&start, &end], [&end, &start]] {
        let logs = logs.map(String::as_str);
        assert_eq!(values(replay(&plan(rules, 3), &logs, 4096)), expected);
    }
    let backwards: String = lines.iter().rev().copied().collect();
    assert_eq!(
        values(replay(&plan(rules, 2), &[&backwards], 4096)),
        expected
    );
    // More files than there are batches under way.
    let many: Vec<&str> = lines
        .chunks(100)
        .map(|_| "")
        .chain([log.as_str()])
        .collect();
    assert_eq!(values(replay(&plan(rules, 1), &many, 4096)), expected);
}

#[test]
fn early_closed_windows_change_nothing_of_a_log_in_order() {
    let few = Bounds {
        rows: 200,
        ..BOUNDS
    };
    let mut traffic = Traffic::new(5);
    let mut ordered = String::new();
    for second in 0..20 {
        let now = Timestamp::from_secs(START.as_secs() + second as i64);
        traffic.write(now, second, 1.0, &mut ordered);
    }
    let plan = plan(RULES, 3);
    let expected = replay(&plan, &[&ordered], usize::MAX);
    let outcome = replay_within(few, &plan, &[&ordered], usize::MAX);
    assert_eq!(printed(&outcome), printed(&expected));

    // Lines of an hour before come too late then. That, too, is the same each time.
    let log = log();
    let expected = replay_within(few, &plan, &[&log], usize::MAX);
    let sum = expected.counted + expected.skipped + expected.notices + expected.too_late;
    assert_eq!(expected.parsed, sum);
    assert!(expected.too_late > 0);
    for threads in [1, 2, 7] {
        let outcome = replay_within(few, &self::plan(RULES, threads), &[&log], 4096);
        assert_eq!(printed(&outcome), printed(&expected));
    }
}

#[test]
fn who_is_among_the_others_does_not_depend_on_threads() {
    let log = log();
    let outcome = |threads| {
        let mut plan = plan(RULES, threads);
        plan.limits.series = 300;
        replay(&plan, &[&log], 4096)
    };
    let expected = outcome(1);
    assert!(expected.over_limit > 0);
    for threads in [1, 3, 7] {
        assert_eq!(printed(&outcome(threads)), printed(&expected));
    }
}

/// A request of that path from `10.0.0.<client>`.
fn request(path: &str, client: usize, took: i64) -> String {
    line(0, took, 200)
        .replace("GET /", &format!("GET {path}"))
        .replace("10.0.0.9", &format!("10.0.0.{client}"))
}

/// The lines of the only table: the values of a group's tags, and its events.
fn groups(outcome: &Outcome) -> Vec<(String, u64)> {
    let [table] = &outcome.whole[..] else {
        panic!("{:?}", outcome.whole)
    };
    let lines = table.lines.iter().map(|line| {
        let values: Vec<&str> = line.tags.iter().map(|(_, value)| &**value).collect();
        (values.join(" "), line.events)
    });
    lines.collect()
}

#[test]
fn the_whole_counts_groups_that_do_not_fit_among_the_others() {
    let rules = "rules: [{ name: paths, by: [service, path], measure: { count: count() } }]";
    let limited = rules.replace("measure", "limit: 2, measure");
    let mut log = String::new();
    // One more of each.
    for (events, path) in ["/a", "/b", "/c", "/d", "/e"].into_iter().enumerate() {
        log.push_str(&request(path, 1, 10).repeat(events + 1));
    }
    let shown = |rules: &str, series: usize, threads: usize| {
        let mut plan = plan(rules, threads);
        plan.limits.series = series;
        let outcome = replay(&plan, &[&log], 100);
        let groups = groups(&outcome);
        let events: u64 = groups.iter().map(|(_, events)| events).sum();
        assert_eq!(events, outcome.lines, "{groups:?}");
        let groups = groups
            .iter()
            .map(|(tags, events)| format!("{tags}: {events}"));
        groups.collect::<Vec<_>>()
    };
    for threads in [1, 3] {
        let all = ["/e a: 5", "/d a: 4", "/c a: 3", "/b a: 2", "/a a: 1"];
        assert_eq!(shown(rules, 5, threads), all);
        // Those that come first.
        let first = ["other other: 9", "/c a: 3", "/b a: 2", "/a a: 1"];
        assert_eq!(shown(rules, 3, threads), first);
        // Those of the most events.
        let most = ["other other: 6", "/e a: 5", "/d a: 4"];
        assert_eq!(shown(&limited, 100, threads), most);
        // Those of the most events of those that come first.
        let both = ["other other: 10", "/c a: 3", "/b a: 2"];
        assert_eq!(shown(&limited, 3, threads), both);
    }
    // A grouping without tags has one group, which is no other.
    let two = format!(
        "{}, {{ name: all, measure: {{ n: count() }} }}]",
        &rules[..rules.len() - 1]
    );
    let mut plan = plan(&two, 1);
    plan.limits.series = 1;
    let outcome = replay(&plan, &[&log], 100);
    let all = outcome
        .whole
        .iter()
        .find(|table| &*table.rule == "all")
        .unwrap();
    assert_eq!(all.lines.len(), 1);
    assert_eq!((all.lines[0].tags.len(), all.lines[0].events), (0, 15));
}

#[test]
fn parts_of_a_group_are_in_the_order_of_their_counts_or_bounds() {
    let rules = r#"
rules:
  - name: heavy
    by: [service]
    measure:
      times: histogram(Ta, [2ms, 10ms, 100ms])
      clients: top(client_ip, 3)
      again: histogram(Ta, [9ms])
      worst: top(client_ip, 1)
      paths: top(path, 2)
"#;
    let mut log = String::new();
    for (client, path, took) in [
        (1, "/z", 9),
        (2, "/a", 60),
        (2, "/z", 5),
        (2, "/b", 1),
        (3, "/z", 5),
        (3, "/y", 70),
        (3, "/y", 80),
        (3, "/y", 300),
        (4, "/y", 5),
        (4, "/y", 60),
    ] {
        log.push_str(&request(path, client, took));
    }
    let outcome = replay(&plan(rules, 2), &[&log], usize::MAX);
    assert_eq!(groups(&outcome), [("a".to_owned(), 10)]);
    let parts = outcome.whole[0].lines[0].parts.iter().map(|part| {
        let (name, value) = &part.tag;
        let values = part.values.iter().map(|value| match value {
            Some(value) => format!(" {value}"),
            None => " -".to_owned(),
        });
        format!("{name} {value}:{}", values.collect::<String>())
    });
    let parts: Vec<_> = parts.collect();
    insta::assert_snapshot!(parts.join("\n"), @r"
    le 2: 1 - - - -
    le 9: - - 5 - -
    le 10: 5 - - - -
    le 100: 9 - - - -
    le +Inf: 10 - 10 - -
    client_ip 10.0.0.3: - 4 - 4 -
    client_ip 10.0.0.2: - 3 - - -
    client_ip 10.0.0.4: - 2 - - -
    path /y: - - - - 5
    path /z: - - - - 3
    ");
}

/// Requests of the service `a`: the second at which each ended, its time in ms, its status.
const REQUESTS: [(i64, i64, i64); 9] = [
    (0, 30, 200),
    (1, 10, 200),
    (3, 20, 503),
    (4, 20, 200),
    (11, 7, 200),
    (12, 2500, 500),
    (20, 40, 404),
    (21, 45, 500),
    (29, 1, 200),
];

fn line(second: i64, took: i64, status: i64) -> String {
    let start = Timestamp::from_millis(START.as_millis() + second * 1000 + 500 - took);
    let date = jiff::Timestamp::from_microsecond(start.as_micros()).unwrap();
    let date = date.strftime("%d/%b/%Y:%H:%M:%S%.3f");
    format!(
        "10.0.0.9:4711 [{date}] a b/c 0/0/0/{took}/{took} {status} 17 - - ---- 1/1/0/0/0 0/0 \
         \"GET / HTTP/1.1\"\n"
    )
}

/// Every value by series and window, computed from the requests one by one.
fn naive() -> BTreeMap<(String, i64), f64> {
    let mut windows: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for (second, took, status) in REQUESTS {
        let start = START.as_secs() + second / 10 * 10;
        windows.entry(start).or_default().push((took, status));
    }
    let mut values = BTreeMap::new();
    for (start, mut requests) in windows {
        requests.sort_unstable();
        let count = requests.len();
        let failed = requests.iter().filter(|(_, status)| *status >= 500).count();
        let percentile = |q: usize| requests[(q * count).div_ceil(100).max(1) - 1].0 as f64;
        for (name, value) in [
            ("rate", count as f64 / 10.0),
            ("errors", failed as f64 / count as f64),
            ("p50", percentile(50)),
            ("p95", percentile(95)),
            ("p99", percentile(99)),
        ] {
            values.insert((format!("http.{name}{{service=\"a\"}}"), start), value);
        }
    }
    values
}

#[test]
fn the_values_are_those_of_counting_by_hand() {
    let bundled = include_str!("../../rules/http.yaml");
    let log: String = REQUESTS
        .iter()
        .rev()
        .map(|&(second, took, status)| line(second, took, status))
        .collect();
    let outcome = replay(&plan(bundled, 2), &[&log], usize::MAX);
    let values = outcome.series.iter().flat_map(|(series, points)| {
        points
            .iter()
            .map(move |point| ((series.to_string(), point.time), point.value))
    });
    assert_eq!(values.collect::<BTreeMap<_, _>>(), naive());
    let second = |second: i64| {
        Some(Timestamp::from_millis(
            START.as_millis() + second * 1000 + 500,
        ))
    };
    assert_eq!((outcome.from, outcome.to), (second(0), second(29)));

    // Over the whole, not over windows: nine requests in 29 seconds.
    let [table] = &outcome.whole[..] else {
        panic!("{:?}", outcome.whole)
    };
    let columns: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(columns, ["rate", "errors", "p50", "p95", "p99"]);
    let expected = [9.0 / 29.0, 3.0 / 9.0, 20.0, 2500.0, 2500.0];
    let [line] = &table.lines[..] else {
        panic!("{table:?}")
    };
    assert_eq!(
        (line.events, &line.values[..]),
        (9, &expected.map(Some)[..])
    );
}

#[test]
fn a_silent_service_counts_zero_and_has_no_percentile() {
    let bundled = include_str!("../../rules/http.yaml");
    let log = [line(0, 30, 200), line(25, 10, 200)].concat();
    let outcome = replay(&plan(bundled, 1), &[&log], usize::MAX);
    let points = |name: &str| {
        let (_, points) = outcome
            .series
            .iter()
            .find(|(series, _)| *series.name == *name)
            .unwrap();
        let start = START.as_secs();
        let points = points.iter().map(|point| (point.time - start, point.value));
        points.collect::<Vec<_>>()
    };
    assert_eq!(points("http.rate"), [(0, 0.1), (10, 0.0), (20, 0.1)]);
    assert_eq!(points("http.p95"), [(0, 30.0), (20, 10.0)]);
}

#[test]
fn a_line_without_a_date_is_counted_and_nothing_without_lines_is_null() {
    let mut plan = plan("rules: [{ name: all, measure: { count: count() } }]", 1);
    let format = crate::source::Placed::whole("format", "%f %ST");
    plan.formats = Arc::new(Formats::one(&format, &|_| None).unwrap());
    let outcome = replay(&plan, &["web 200\nweb 500\n"], usize::MAX);
    assert_eq!(
        (outcome.parsed, outcome.undated, outcome.counted),
        (2, 2, 0)
    );
    insta::assert_snapshot!(serde_json::to_string(&replay(&plan, &[""], 1)).unwrap(), @r#"{"lines":0,"parsed":0,"rejected":{},"from":null,"to":null,"series":[],"counted":0,"skipped":0,"notices":0,"undated":0,"over_limit":0,"too_late":0,"cut":0,"outside":0,"interrupted":false,"samples":{}}"#);
}

#[test]
fn an_input_that_breaks_off_ends_the_replay() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let whole = Input {
        name: "a.log".to_owned(),
        reader: Box::new(io::Cursor::new(log().into_bytes())),
    };
    let broken = Input {
        name: "b.log".to_owned(),
        reader: Box::new(Broken),
    };
    let inputs = [Ok(whole), Ok(broken)].into_iter();
    let error = run_within(&plan(RULES, 2), inputs, BOUNDS, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "b.log: cannot be read");
}

/// A request every minute of a day and a half, in the order of the minutes that is given.
fn long_log(minutes: impl Iterator<Item = i64>) -> String {
    let mut log = String::new();
    for minute in minutes {
        let at = jiff::Timestamp::from_second(START.as_secs() + 60 * minute).unwrap();
        let date = at.strftime("%d/%b/%Y:%H:%M:%S.000");
        writeln!(
            log,
            "10.0.0.1:1 [{date}] www api/s 0/0/0/{0}/{0} 200 9 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
            minute % 100
        )
        .unwrap();
        if minute == 700 {
            log.push_str("first of its kind\nsecond of its kind\n");
        }
    }
    log
}

#[test]
fn a_chart_has_few_windows_in_which_every_event_is() {
    let parts = report::Parts {
        charts: true,
        ..report::Parts::default()
    };
    let source = report::rules(parts, report::Windows::Short);
    let charted = |threads| Plan {
        rules: Arc::new(rules::load(std::slice::from_ref(&source), &Options::default()).unwrap()),
        charted: report::charted(parts),
        ..plan(RULES, threads)
    };
    let log = long_log(0..36 * 60);
    let outcome = replay(&charted(1), &[&log], log.len());
    let all = Report::of(&outcome, parts);
    // 5 minutes would be 432 windows.
    assert_eq!(all.step.as_secs(), 900);
    assert_eq!(all.windows.len(), 36 * 4);
    for (place, window) in all.windows.iter().enumerate() {
        let row = window.all.as_ref().unwrap();
        assert_eq!(row.requests, 15);
        // Minutes 0 to 14 of it, and so on: the percentile is of all of them.
        let mut times: Vec<_> = (0..15).map(|minute| (place * 15 + minute) % 100).collect();
        times.sort_unstable();
        assert_eq!(row.p50, Some(times[7] as f64), "{place}");
        assert_eq!(window.services.len(), 1);
    }
    // Neither threads nor the order of lines change any of it.
    let backwards = long_log((0..36 * 60).rev());
    for (threads, log) in [(3, &log), (2, &backwards)] {
        let other = replay(&charted(threads), &[log], 977);
        assert_eq!(Report::of(&other, parts), all, "{threads}");
        let samples: Vec<_> = other.samples().map(|(_, line)| &*line.before).collect();
        assert_eq!(samples, ["first of its kind"]);
    }
}

#[test]
fn what_is_not_of_the_span_is_left_out_and_accounted_for() {
    let at = |minute: i64| Timestamp::from_secs(START.as_secs() + 60 * minute);
    let some = Plan {
        span: Span {
            since: Some(at(60)),
            until: Some(at(90)),
        },
        ..plan(RULES, 2)
    };
    let outcome = replay(&some, &[&long_log(0..36 * 60)], 4096);
    assert_eq!((outcome.lines, outcome.parsed), (2162, 2160));
    assert_eq!((outcome.outside, outcome.counted), (2130, 30));
    assert_eq!(outcome.from.map(Timestamp::as_secs), Some(at(60).as_secs()));
    assert!(!outcome.interrupted);
}

#[test]
fn a_replay_that_is_stopped_before_it_begins_has_nothing_and_says_so() {
    let stopped = plan(RULES, 2);
    stopped.stop.set();
    let outcome = replay(&stopped, &[&long_log(0..10)], 4096);
    assert_eq!((outcome.lines, outcome.interrupted), (0, true));
}
