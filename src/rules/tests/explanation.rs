//! What is told of an event, and that it is what the evaluator does.

use super::*;
use crate::delta::Cell;
use crate::metric::with_tags;
use crate::time::Timestamp;

const AT: Timestamp = Timestamp::from_secs(1_767_268_861);

const RULES: &str = r#"
rules:
  - name: all
    measure: { rate: rate() }
  - name: web
    where: kind == "http" && status >= 500
    by: [service, method]
    window: 1m
    measure:
      errors: ratio(status == 503)
      retried: ratio(retries > 0)
      p95: percentile(Tr, 95)
      connect: mean(Tc)
      sum: sum(Tr / 1000.0)
  - name: tcp
    where: kind == "tcp"
    measure: { count: count() }
  - name: sliding
    tags: { site: berlin }
    window: { span: 1m, every: 20s }
    measure:
      rate: rate()
      paths: top(path, 3)
      cookies: top(request_cookie, 3)
      took: "histogram(Tr, [100, 150, 200])"
      connect: "histogram(Tc, [100])"
      size: "histogram(bytes_read, [1, 511])"
"#;

fn told(rules: &Rules, event: &Event<'_>) -> String {
    let mut told = String::new();
    for explained in rules.explain(event, AT) {
        let Explained {
            rule,
            file,
            condition,
            matched,
        } = explained;
        let condition = condition.unwrap_or("always");
        told.push_str(&format!("{file} {rule}: {condition}\n"));
        let Some(matched) = matched else { continue };
        let Matched {
            first,
            last,
            windows,
            span,
            moved,
        } = matched;
        told.push_str(&format!("  {windows} from {first} to {last}, {span:?}\n"));
        for moved in moved {
            told.push_str(&format!("  {} {:?}\n", moved.series, moved.drawn));
        }
    }
    told
}

#[test]
fn every_rule_is_told_with_what_it_draws() {
    insta::assert_snapshot!(told(&loaded(RULES), &event()), @r#"
    rules/a.yaml all: always
      1 from 2026-01-01T12:01:00.000Z to 2026-01-01T12:01:00.000Z, 10s
      all.rate Count
    rules/a.yaml web: kind == "http" && status >= 500
      1 from 2026-01-01T12:01:00.000Z to 2026-01-01T12:01:00.000Z, 60s
      web.errors{method="GET",service="www"} Part(true)
      web.retried{method="GET",service="www"} Part(false)
      web.p95{method="GET",service="www"} Sample { value: 150.0, millis: true }
      web.connect{method="GET",service="www"} Missing
      web.sum{method="GET",service="www"} Sample { value: 0.15, millis: false }
    rules/a.yaml tcp: kind == "tcp"
    rules/a.yaml sliding: always
      3 from 2026-01-01T12:00:20.000Z to 2026-01-01T12:01:00.000Z, 60s
      sliding.rate{site="berlin"} Count
      sliding.paths{path="/v1/users",site="berlin"} Count
      sliding.cookies{site="berlin"} Missing
      sliding.took{le="150",site="berlin"} Bucketed { value: 150.0, millis: true }
      sliding.connect{site="berlin"} Missing
      sliding.size{le="+Inf",site="berlin"} Bucketed { value: 512.0, millis: false }
    "#);
}

#[test]
fn what_is_told_is_what_is_counted() {
    let rules = Arc::new(loaded(RULES));
    let tcp = Event {
        kind: Kind::Tcp,
        ..event()
    };
    for event in [event(), tcp] {
        let mut evaluator = Evaluator::new(Arc::clone(&rules), 100);
        evaluator.apply(&event, AT);
        let delta = evaluator.take();
        let matched = rules.explain(&event, AT).into_iter().filter_map(|e| {
            let matched = e.matched?;
            Some((e.rule, matched.last, matched.moved[0].series.tags.clone()))
        });
        let mut counted = Vec::new();
        for entry in &delta.entries {
            let grouping = &rules.layout().groupings[usize::from(entry.grouping.0)];
            for rule in &grouping.rules {
                if entry.row[rule.matched] == Cell::Count(1) {
                    let tags = with_tags(&grouping.tags(&entry.key), rule.tags.iter().cloned());
                    counted.push((&*rule.name, entry.start, tags));
                }
            }
        }
        assert_eq!(matched.collect::<Vec<_>>(), counted);
        assert!(!counted.is_empty());
    }
}
