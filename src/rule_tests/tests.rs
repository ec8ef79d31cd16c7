//! What tests of rules say, and that they are right.

use super::*;
use crate::config::{Limits, Time};
use crate::haproxy::Formats;
use crate::rules::{self, Options};
use crate::source::{Problem, Source};
use jiff::tz::TimeZone;
use std::sync::Arc;

const RULES: &str = r#"
rules:
  - name: http
    where: kind == "http"
    by: [service]
    window: 10s
    measure: { count: count(), slowest: max(Tr) }
  - name: minute
    window: 1m
    measure: { rate: rate() }
"#;

const LINE: &str = r#"10.0.0.1:4000 [01/Jan/2026:12:00:59.900] www api/app1 0/0/1/20/2500 200 512 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#;

fn run_on(rules: &[Source], tests: &Source) -> Result<Report, Vec<Problem>> {
    let suite = Suite::parse(tests)?;
    let rules = rules::load(rules, &Options::default()).expect("rules that compile");
    let bench = Bench {
        rules: Arc::new(rules),
        formats: Arc::new(Formats::built_in()),
        timezone: suite.timezone.clone().unwrap_or(TimeZone::UTC),
        time: Time::default(),
        limits: Limits {
            memory: 1 << 30,
            line_bytes: 4096,
            series: 100,
            connections: 1,
            connections_per_address: 1,
            idle: std::time::Duration::ZERO,
        },
        fixture: &|path| match path {
            "slow.log" => Ok(format!("{LINE}\n\n{LINE}\r\n").into_bytes()),
            _ => Err(format!("{path}: cannot be read")),
        },
    };
    run(&suite, &bench)
}

fn tested(tests: &str) -> Result<Report, Vec<Problem>> {
    let tests = tests.replace("LINE", &format!("'{LINE}'"));
    run_on(
        &[Source::new("rules.yaml", RULES)],
        &Source::new("rules.test.yaml", &tests),
    )
}

/// What failed, as it is printed; empty if everything has passed.
fn failures(tests: &str) -> String {
    let report = tested(tests).map_err(problems).unwrap();
    let failed = report.tests.iter().filter(|test| !test.passed());
    failed.map(ToString::to_string).collect()
}

fn problems(problems: Vec<Problem>) -> String {
    let problems = problems.iter().map(|problem| match &problem.hint {
        Some(hint) => format!("{problem}\n  hint: {hint}\n"),
        None => format!("{problem}\n"),
    });
    problems.collect()
}

#[test]
fn the_bundled_rules_do_what_their_tests_say() {
    let rules = rules::bundled();
    for (tests, rules) in rules::bundled_tests().iter().zip(&rules) {
        let suite = Suite::parse(tests).map_err(problems).unwrap();
        let named: Vec<_> = suite
            .rules
            .iter()
            .map(|path| format!("bundled/{}", path.value))
            .collect();
        assert_eq!(named, [&*rules.name]);
        let report = run_on(std::slice::from_ref(rules), tests)
            .map_err(problems)
            .unwrap();
        let failed: String = report
            .tests
            .iter()
            .filter(|test| !test.passed())
            .map(ToString::to_string)
            .collect();
        assert_eq!(failed, "");
        let all = rules::load(std::slice::from_ref(rules), &Options::default()).unwrap();
        for rule in all.names() {
            assert!(
                report.touched.contains(rule),
                "nothing is expected of {rule}"
            );
        }
    }
    assert_eq!(rules::bundled_tests().len(), rules.len());
}

#[test]
fn lines_count_where_they_ended_and_when_they_come() {
    let passes = r#"
tests:
  - name: a bare line comes when it ended
    lines: [LINE]
    windows:
      - { start: "12:01:00", series: 'http.count{service="www"}', value: 1 }
      - { start: "12:01:00", series: 'http.slowest{service="www"}', value: 20 }
      - { start: "12:00:50", series: 'http.count{service="www"}', value: null }
      - { start: "12:01:10", series: 'http.count{service="www"}', value: 0 }
      - { start: "12:01:10", series: 'http.slowest{service="www"}', value: null }
      - { start: "2026-01-01T12:01:00Z", series: minute.rate, value: 0.016666666667 }
  - name: a late line amends its window, whatever the order in the file
    lines:
      - { received_at: "12:09:00", line: LINE }
      - LINE
    windows: [{ start: "12:01:00", series: 'http.count{service="www"}', value: 2 }]
  - name: after ten minutes it is too late
    lines:
      - LINE
      - { received_at: "12:12:00", line: LINE }
    windows: [{ start: "12:01:00", series: 'http.count{service="www"}', value: 1 }]
  - name: a line from the future is not counted
    lines:
      - { received_at: "11:50:00", line: LINE }
      - { received_at: "12:01:02.4", line: LINE }
    windows: [{ start: "12:01:00", series: 'http.count{service="www"}', value: 1 }]
  - name: lines can be repeated, and come from files
    lines:
      - { line: LINE, repeat: 3 }
      - { fixture: slow.log, repeat: 2 }
    windows: [{ start: "12:01:00", series: 'http.count{service="www"}', value: 7 }]
"#;
    assert_eq!(failures(passes), "");
}

#[test]
fn times_alone_are_in_the_time_zone_of_the_lines() {
    let stockholm = r#"
timezone: Europe/Stockholm
tests:
  - name: it is eleven in London
    lines: [LINE]
    windows:
      - { start: "12:01:00", series: 'http.count{service="www"}', value: 1 }
      - { start: "2026-01-01T11:01:00Z", series: 'http.count{service="www"}', value: 1 }
"#;
    assert_eq!(failures(stockholm), "");
}

#[test]
fn what_differs_is_told_with_what_there_is_instead() {
    insta::assert_snapshot!(failures(r#"
tests:
  - name: everything is wrong
    lines:
      - LINE
      - { received_at: "12:01:05", line: nonsense, repeat: 2 }
      - { received_at: "12:30:00", line: LINE }
    windows:
      - { start: "12:01:00", series: 'http.count{service="www"}', value: 2 }
      - { start: "12:01:00", series: 'http.count{service="ww"}', value: 1 }
      - { start: "12:01:05", series: 'http.count{service="www"}', value: null }
      - { start: "12:01:10", series: 'http.slowest{service="www"}', value: 20 }
      - { start: "12:01:00", series: http.cuont, value: null }
      - { start: "12:01:00", series: 'http.slowest{service="www"}', value: null }
"#), @r#"
    rules.test.yaml:3:11: failed: everything is wrong

      rules.test.yaml:9:38: http.count{service="www"} at 2026-01-01T12:01:00.000Z
        expected  2
        found     1

      rules.test.yaml:10:38: http.count{service="ww"} at 2026-01-01T12:01:00.000Z
        expected  1
        found     no value
        there is  1  http.count{service="www"}
        hint: did you mean `http.count{service="www"}`?

      rules.test.yaml:11:38: http.count{service="www"} at 2026-01-01T12:01:05.000Z
        expected  no value
        found     no value
        hint: windows of this series start every 10s: at 2026-01-01T12:01:00.000Z and at 2026-01-01T12:01:10.000Z

      rules.test.yaml:12:38: http.slowest{service="www"} at 2026-01-01T12:01:10.000Z
        expected  20
        found     no value
        there is  20  at 2026-01-01T12:01:00.000Z

      rules.test.yaml:13:38: http.cuont at 2026-01-01T12:01:00.000Z
        expected  no value
        found     no value
        hint: no rule makes a series of this name; did you mean `http.count`?

      rules.test.yaml:14:38: http.slowest{service="www"} at 2026-01-01T12:01:00.000Z
        expected  no value
        found     20

      lines: 1 counted, 1 too late, 2 rejected
        rules.test.yaml:6:9: rejected: neither a line of a known format nor a known message of HAProxy
    "#);
}

#[test]
fn a_series_with_tags_that_none_can_have_fails() {
    let rules = r#"
rules:
  - name: http
    by: [service, backend]
    window: 10s
    tags: { team: shop }
    measure: { n: count(), h: "histogram(Tr, [10, 100])", top: "top(path, 2)" }
  - name: all
    window: 10s
    measure: { n: count() }
"#;
    let hint = |series: &str| {
        let tests = format!(
            "tests: [{{ name: a, lines: ['{LINE}'], windows: [{{ start: '12:00:00', series: '{series}', value: null }}] }}]"
        );
        let rules = Source::new("rules.yaml", rules);
        let report = run_on(&[rules], &Source::new("rules.test.yaml", &tests));
        let report = report.map_err(problems).unwrap();
        let mut failed = report.tests.into_iter().flat_map(|test| test.failed);
        failed.next().and_then(|failed| failed.hint)
    };
    for (series, expected) in [
        (r#"http.n{service="www",team="shop"}"#, None),
        (r#"http.n{team="shop"}"#, None),
        (r#"http.h{le="10",team="shop"}"#, None),
        (r#"http.top{path="/",team="shop"}"#, None),
        ("all.n", None),
        (
            r#"http.n{servce="www",team="shop"}"#,
            Some("no series of this name has a tag `servce`; did you mean `service`?"),
        ),
        (
            r#"http.n{le="10",team="shop"}"#,
            Some(
                "no series of this name has a tag `le`; there are `backend`, `service` and `team`",
            ),
        ),
        (
            r#"all.n{service="www"}"#,
            Some("no series of this name has a tag `service`"),
        ),
        (
            r#"http.n{service="www"}"#,
            Some(r#"every series of this name has `team="shop"`"#),
        ),
        (
            r#"http.n{team="shops"}"#,
            Some(r#"every series of this name has `team="shop"`"#),
        ),
        (
            r#"http.h{team="shop"}"#,
            Some("every series of this name has a tag `le`"),
        ),
        (
            r#"http.top{team="shop"}"#,
            Some("every series of this name has a tag `path`"),
        ),
    ] {
        assert_eq!(hint(series).as_deref(), expected, "{series}");
    }
}

#[test]
fn what_cannot_be_understood_is_told_with_its_place() {
    let said = |tests: &str| problems(tested(tests).unwrap_err());
    insta::assert_snapshot!(said(r#"
timezone: Mars
log_format: "%f"
haproxy_config: haproxy.cfg
rules: []
tests:
  - name: a
    lines: []
    windows: []
  - name: b
    lines:
      - { line: LINE, fixture: a.log }
      - { line: LINE, repeat: 0 }
      - { line: LINE, received_at: noon }
    windows:
      - { start: "2026-01-01T12:00:00", series: "http.count{", value: .nan }
"#), @r#"
    rules.test.yaml:2:11: there is no time zone `Mars`
      hint: give an IANA name, such as `Europe/Stockholm` or `UTC`
    rules.test.yaml:3:13: `log_format` and `haproxy_config` both say what formats lines have
      hint: keep one of both
    rules.test.yaml:5:8: no rules are named here
      hint: name a file, a folder or several, or leave out the key
    rules.test.yaml:7:11: a test without lines
      hint: add log lines under `lines:`
    rules.test.yaml:7:11: a test that expects nothing
      hint: add `windows: [{ start: ..., series: ..., value: ... }]`
    rules.test.yaml:12:9: expected either `line` or `fixture` here
      hint: `line` is a log line, `fixture` the path of a file of them
    rules.test.yaml:13:144: 0 is out of range
      hint: choose 1 to 1000000
    rules.test.yaml:14:149: `noon` is no time
      hint: write `2026-01-01T12:01:02.400Z`, or `12:01:02.400` on the day of the first line
    rules.test.yaml:16:18: `2026-01-01T12:00:00` is no time
      hint: write `2026-01-01T12:01:02.400Z`, or `12:01:02.400` on the day of the first line
    rules.test.yaml:16:61: expected a tag's name here
      hint: write a series as weir prints it: `http.p95{service="users"}`
    rules.test.yaml:16:71: expected a number here, found `.nan`
      hint: write a number, or `null` for no value
    "#);
    insta::assert_snapshot!(said(r#"
tests:
  - name: a
    lines:
      - nonsense
      - { received_at: "12:00:00", line: nonsense }
      - { fixture: nowhere.log }
      - { received_at: "2026-01-01T12:00:00Z", line: "" }
      - { line: LINE, repeat: 1000000 }
      - { line: LINE }
    windows:
      - { start: "12:00:00", series: minute.rate, value: 1 }
  - name: b
    lines:
      - LINE
      - { received_at: "2027-01-01T12:00:00Z", line: LINE }
    windows:
      - { start: "12:00:00", series: minute.rate, value: 1 }
"#), @r#"
    rules.test.yaml:5:9: the line cannot be read: neither a line of a known format nor a known message of HAProxy
      hint: `weir explain` shows how it is read; if a line is to be rejected, write when it comes: `{ received_at: ..., line: ... }`
    rules.test.yaml:6:24: the day is not known: the first line has no date
      hint: write the day too: `2026-01-01T12:01:02Z`
    rules.test.yaml:7:20: nowhere.log: cannot be read
    rules.test.yaml:8:9: there is no line here
      hint: write a log line
    rules.test.yaml:10:9: more than 1000000 lines in one test
      hint: repeat them less often
    rules.test.yaml:13:11: the lines come over more than seven days
      hint: check the years, or make several tests of it
    "#);
    for (tests, message) in [
        ("tests: []", "there is no test in this file"),
        (
            "tests: [{ name: a, lines: [a], windows: [{ start: a, series: b }] }]",
            "the key `value` is missing",
        ),
        ("test: []", "unknown key `test`"),
    ] {
        assert!(said(tests).contains(message), "{}", said(tests));
    }
    let no_tests =
        |name: &str, text: &str| problems(Suite::parse(&Source::new(name, text)).unwrap_err());
    let rules = "rules: [{ name: a }]";
    insta::assert_snapshot!(no_tests("my/r.yaml", rules), @r"
    my/r.yaml:1:1: this is a file of rules, not of tests
      hint: tests of its rules belong in `my/r.test.yaml`; see docs/rules.md
    ");
    insta::assert_snapshot!(no_tests("r.test.yaml", rules), @r"
    r.test.yaml:1:1: this is a file of rules, not of tests
      hint: tests stand in a file of their own; see docs/rules.md
    ");
    insta::assert_snapshot!(no_tests("r.test.yaml", "rules: [a.yaml]"), @r"
    r.test.yaml:1:1: there is no test in this file
      hint: tests stand in a list under `tests:`; see docs/rules.md
    ");
    let nameless = Suite::parse(&Source::new("tests.yaml", "tests: []")).unwrap_err();
    assert!(problems(nameless).contains("it is not said which rules are tested"));
}
