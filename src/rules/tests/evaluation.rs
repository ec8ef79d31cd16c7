//! Events through rules: which rows they reach, and how they are accounted for.

use super::*;
use crate::delta::{Cell, CellKind, Coverage, Delta, GroupingId, RuleLayout};
use crate::time::Timestamp;
use std::time::Duration;

const AT: Timestamp = Timestamp::from_secs(1_767_268_861);

fn evaluator(text: &str, max_rows: usize) -> Evaluator {
    Evaluator::new(Arc::new(loaded(text)), max_rows)
}

/// `start series{values} value` for every measure of every row.
fn series(rules: &Rules, delta: &Delta) -> String {
    let mut lines = Vec::new();
    for entry in &delta.entries {
        let grouping = &rules.layout().groupings[usize::from(entry.grouping.0)];
        let text = |value: Option<&[u8]>| match value {
            Some(value) => String::from_utf8_lossy(value).into_owned(),
            None => "-".into(),
        };
        let values: Vec<_> = grouping
            .by
            .iter()
            .zip(entry.key.values())
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        let seen = |rule: &&RuleLayout| entry.row[rule.matched] != Cell::Count(0);
        for measure in grouping
            .rules
            .iter()
            .filter(seen)
            .flat_map(|rule| &rule.measures)
        {
            let coverage = Coverage::whole(grouping.window.span);
            measure.output.values(&entry.row, coverage, |tag, value| {
                let (name, mut values) = (measure.name.of(&entry.key), values.clone());
                values.extend(tag.map(|(name, value)| format!("{name}={value}")));
                lines.push(format!(
                    "{} {name}{{{}}} {value}",
                    entry.start.as_secs(),
                    values.join(",")
                ));
            });
        }
    }
    lines.sort();
    lines.join("\n")
}

#[test]
fn the_bundled_rules_count_an_http_line() {
    let rules = Arc::new(load(&bundled(), &Options::default()).unwrap());
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    for (status, response) in [(Some(200), Some(100)), (Some(503), Some(300)), (None, None)] {
        let mut event = event();
        event.status = status;
        event.timers.response = response;
        assert_eq!(evaluator.apply(&event, AT), Outcome::Counted);
    }
    insta::assert_snapshot!(series(&rules, &evaluator.take()), @r#"
    1767268860 http.errors{service=www} 0.3333333333333333
    1767268860 http.p50{service=www} 100
    1767268860 http.p95{service=www} 300
    1767268860 http.p99{service=www} 300
    1767268860 http.rate{service=www} 0.3
    "#);
}

#[test]
fn the_bundled_rules_count_a_tcp_line() {
    let rules = Arc::new(load(&bundled(), &Options::default()).unwrap());
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    for state in [&b"--"[..], b"sD", b"----", b"--"] {
        let mut event = event();
        event.kind = Kind::Tcp;
        event.termination_state = Some(state);
        assert_eq!(evaluator.apply(&event, AT), Outcome::Counted);
    }
    insta::assert_snapshot!(series(&rules, &evaluator.take()), @r#"
    1767268860 tcp.errors{service=www} 0.25
    1767268860 tcp.p50{service=www} 200
    1767268860 tcp.p95{service=www} 200
    1767268860 tcp.p99{service=www} 200
    1767268860 tcp.rate{service=www} 0.4
    "#);
}

#[test]
fn service_is_what_the_configuration_says() {
    let text = "rules: [{name: a, by: [service], where: service != 'x', measure: {n: count()}}]";
    for (service, want) in [
        (None, "service=www"),
        (Some("backend"), "service=api"),
        (Some("tls ? 'tls' : 'plain'"), "service=tls"),
        (Some("request_headers[0]"), "service=example.org"),
    ] {
        let service = service.map(configured_service);
        let options = Options {
            service,
            ..Options::default()
        };
        let rules = Arc::new(load(&[source(text)], &options).unwrap());
        let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
        evaluator.apply(&event(), AT);
        let series = series(&rules, &evaluator.take());
        assert!(series.contains(want), "{series}");
    }
}

/// Where a header or a field is, is the frontend's: only its name is the same.
#[test]
fn captures_and_extra_fields_are_found_wherever_the_line_has_them() {
    let text = "
rules:
  - name: tenants
    where: request_headers['x-tenant'] != 'internal'
    by: [service]
    measure:
      rate: max(extra['src_conn_rate'])
      cached: ratio(extra['cached'])
      old: ratio(extra['ssl_version'] < 'TLSv1.2')
";
    let options = Options {
        service: Some(configured_service("request_headers['X-Tenant']")),
        names: names(),
    };
    let rules = Arc::new(load(&[source(text)], &options).unwrap());
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    let version = |value| ("ssl_version", ExtraType::String, value);
    let rate = |value| ("src_conn_rate", ExtraType::Int, value);
    let cached = |value| ("cached", ExtraType::Bool, value);
    let [first, second] = [["Host", "X-Tenant"], ["x-tenant", "Host"]].map(|n| n.map(Box::from));
    for (names, values, extra, want) in [
        (
            &first,
            &b"a.example|acme"[..],
            Extra::of(&[version(Some("TLSv1.0")), rate(Some("7"))]),
            Outcome::Counted,
        ),
        (
            &second,
            b"acme|b.example",
            Extra::of(&[cached(Some("1")), rate(Some("9")), version(Some("TLSv1.3"))]),
            Outcome::Counted,
        ),
        (
            &second,
            b"other|",
            Extra::of(&[rate(None)]),
            Outcome::Counted,
        ),
        (&first, b"c.example|", Extra::EMPTY, Outcome::Skipped),
        (&second, b"internal|", Extra::EMPTY, Outcome::Skipped),
    ] {
        let mut event = event();
        event.request_headers = Some(Captures {
            values,
            separator: Separator::Pipe,
            names,
        });
        event.extra = extra;
        assert_eq!(evaluator.apply(&event, AT), want);
    }
    insta::assert_snapshot!(series(&rules, &evaluator.take()), @r#"
    1767268860 tenants.cached{service=acme} 0.5
    1767268860 tenants.cached{service=other} 0
    1767268860 tenants.old{service=acme} 0.5
    1767268860 tenants.old{service=other} 0
    1767268860 tenants.rate{service=acme} 9
    "#);
}

#[test]
fn groups_are_made_of_strings_numbers_bools_and_what_is_missing() {
    let text = "rules: [{name: a, by: [tls, status, Tc, backend], measure: {n: count()}}]";
    let rules = Arc::new(loaded(text));
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    evaluator.apply(&event(), AT);
    let delta = evaluator.take();
    assert_eq!(
        series(&rules, &delta),
        "1767268860 a.n{Tc=-,backend=api,status=503,tls=true} 1"
    );
}

#[test]
fn rules_share_groupings_and_measures_share_cells() {
    let rules = loaded(
        r#"
rules:
  - name: a
    by: [service, backend]
    measure:
      n: count()
      r: rate()
      bad: ratio(status >= 500)
      worse: ratio(status >= 500)
      p50: percentile(Tr, 50)
      p99: percentile(Tr, 99)
      sum: sum(Tr)
      mean: mean(Tr)
      seconds: percentile(Tr / 1000.0, 50)
  - name: b
    by: [backend, service]
    window: 10s
    measure: { p50: "percentile(Tr, 50)" }
  - { name: c, by: [service], measure: { n: count() } }
  - { name: d, by: [service, backend], window: 1m, measure: { n: count() } }
"#,
    );
    let groupings = &rules.layout().groupings;
    let by: Vec<Vec<&str>> = groupings
        .iter()
        .map(|grouping| grouping.by.iter().map(|name| &**name).collect())
        .collect();
    assert_eq!(
        by,
        [
            vec!["backend", "service"],
            vec!["service"],
            vec!["backend", "service"]
        ]
    );
    assert_eq!(
        groupings[0].cells,
        [
            CellKind::Count,
            CellKind::Count,
            CellKind::Samples { scale: 1 },
            CellKind::Sum,
            CellKind::Samples { scale: 1000 },
            CellKind::Count,
            CellKind::Samples { scale: 1 },
        ]
    );
    assert_eq!(groupings[0].rules.len(), 2);
    assert_eq!(groupings[0].rules[1].matched, 5);
}

#[test]
fn more_than_sixty_four_rules_share_by_sixty_fours() {
    let mut text = String::from("rules:\n");
    for n in 0..130 {
        text += &format!("  - {{ name: r{n}, where: status == {n}, measure: {{ n: count() }} }}\n");
    }
    let rules = Arc::new(loaded(&text));
    let sizes: Vec<_> = rules
        .layout()
        .groupings
        .iter()
        .map(|g| g.rules.len())
        .collect();
    assert_eq!(sizes, [64, 64, 2]);
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    for status in [0, 63, 64, 129] {
        let mut event = event();
        event.status = Some(status);
        assert_eq!(evaluator.apply(&event, AT), Outcome::Counted);
    }
    let delta = evaluator.take();
    assert_eq!(
        series(&rules, &delta),
        "1767268860 r0.n{} 1\n1767268860 r129.n{} 1\n1767268860 r63.n{} 1\n1767268860 r64.n{} 1"
    );
}

#[test]
fn an_event_that_no_rule_wants_is_skipped() {
    let mut evaluator = evaluator(
        "rules: [{name: a, where: status < 500, measure: {n: count()}}]",
        10,
    );
    assert_eq!(evaluator.apply(&event(), AT), Outcome::Skipped);
    assert!(evaluator.take().entries.is_empty());
}

const TWO_GROUPINGS: &str = "
rules:
  - { name: a, by: [server], measure: { n: count() } }
  - { name: b, by: [backend], measure: { n: count() } }
";

#[test]
fn an_event_is_accounted_for_in_its_first_grouping() {
    let mut evaluator = evaluator(TWO_GROUPINGS, 10);
    for _ in 0..3 {
        assert_eq!(evaluator.apply(&event(), AT), Outcome::Counted);
    }
    let delta = evaluator.take();
    let events: Vec<_> = delta
        .entries
        .iter()
        .map(|e| (e.grouping, e.events))
        .collect();
    assert_eq!(events, [(GroupingId(0), 3), (GroupingId(1), 0)]);
}

#[test]
fn at_the_limit_an_event_is_among_the_others_and_accounted_for_once() {
    let mut evaluator = evaluator(TWO_GROUPINGS, 2);
    for (server, backend) in [
        (b"s1", b"b1"),
        (b"s2", b"b1"),
        (b"s2", b"b2"),
        (b"s1", b"b2"),
    ] {
        let mut event = event();
        (event.server, event.backend) = (Some(&server[..]), Some(&backend[..]));
        assert_eq!(evaluator.apply(&event, AT), Outcome::Counted);
    }
    let delta = evaluator.take();
    let entries = delta.entries.iter();
    let entries: Vec<_> = entries
        .map(|entry| (entry.key.is_other(), entry.events, entry.placed))
        .collect();
    assert_eq!(
        entries,
        [(false, 2, 2), (false, 0, 2), (true, 2, 2), (true, 0, 2)]
    );
    assert_eq!(
        (delta.refused, delta.since.events, delta.since.first),
        (0, 4, AT)
    );
}

#[test]
fn what_finds_no_room_even_among_the_others_is_over_the_limit() {
    let mut evaluator = evaluator("rules: [{name: a, by: [server], measure: {n: count()}}]", 0);
    let outcomes: Vec<_> = (0..2_000)
        .map(|n| evaluator.apply(&event(), AT + Duration::from_secs(10 * n)))
        .collect();
    let counted = outcomes.iter().filter(|o| **o == Outcome::Counted).count();
    assert_eq!(counted, 1_000);
    assert_eq!(outcomes.last(), Some(&Outcome::OverLimit));
    assert_eq!(evaluator.take().refused, 1_000);
}

#[test]
fn windows_are_aligned_to_1970() {
    let rules = Arc::new(loaded(
        "rules: [{name: a, window: 1m, measure: {n: count()}}]",
    ));
    let mut evaluator = Evaluator::new(Arc::clone(&rules), 10);
    for seconds in [0, 59, 60] {
        evaluator.apply(&event(), Timestamp::from_secs(6_000 + seconds));
    }
    assert_eq!(
        series(&rules, &evaluator.take()),
        "6000 a.n{} 2\n6060 a.n{} 1"
    );
}

#[test]
fn rules_that_share_terms_want_what_each_would_alone() {
    let conditions = [
        "tls && status >= 500",
        "tls && method == 'GET'",
        "status >= 500",
        "tls && status >= 500 && method == 'GET'",
        "tls || status >= 500",
        "true",
    ];
    let rule = |n: usize| {
        let condition = conditions[n];
        format!("  - {{ name: r{n}, where: \"{condition}\", measure: {{ n: count() }} }}\n")
    };
    let all: String = (0..conditions.len()).map(rule).collect();
    let counted = |rules: &Arc<Rules>, event: &Event<'_>| {
        let mut evaluator = Evaluator::new(Arc::clone(rules), 10);
        evaluator.apply(event, AT);
        series(rules, &evaluator.take())
    };
    let together = Arc::new(loaded(&format!("rules:\n{all}")));
    assert_eq!(together.layout().groupings.len(), 1);
    for tls in [true, false] {
        for status in [Some(200), Some(503), None] {
            for method in [Some(&b"GET"[..]), Some(b"PUT"), None] {
                let event = Event {
                    tls,
                    status,
                    method,
                    ..event()
                };
                let alone = (0..conditions.len()).map(|n| {
                    let rules = Arc::new(loaded(&format!("rules:\n{}", rule(n))));
                    counted(&rules, &event)
                });
                let alone: Vec<_> = alone.filter(|counted| !counted.is_empty()).collect();
                assert_eq!(counted(&together, &event), alone.join("\n"), "{event:?}");
            }
        }
    }
}
