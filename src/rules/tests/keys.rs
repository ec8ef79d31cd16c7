//! What the keys of a rule do, and what is said of them.

use super::diagnostics::said;
use super::*;
use crate::delta::{CellKind, Formula, Measure, Name, Output};

/// One rule with these keys besides its name.
fn rule(keys: &str) -> String {
    let keys: String = keys.lines().map(|line| format!("  {line}\n")).collect();
    format!("rules:\n- name: a\n{keys}")
}

/// What is said of each, in one line.
fn brief(rules: &[&str]) -> String {
    let mut text = String::new();
    for keys in rules {
        text += &format!("{keys}\n");
        for problem in load(&[source(&rule(keys))], &Options::default())
            .err()
            .unwrap_or_default()
        {
            text += &format!(
                "    {}:{}: {}\n",
                problem.line, problem.column, problem.message
            );
            if let Some(hint) = problem.hint {
                text += &format!("        hint: {hint}\n");
            }
        }
    }
    text
}

fn measures(keys: &str) -> Vec<Measure> {
    let rules = loaded(&rule(keys));
    rules.layout().groupings[0].rules[0].measures.clone()
}

/// The names of the series of an HTTP line's group.
fn named(keys: &str) -> Vec<String> {
    let rules = loaded(&rule(keys));
    let mut evaluator = Evaluator::new(Arc::new(rules), 10);
    evaluator.apply(&event(), crate::time::Timestamp::from_secs(0));
    let delta = evaluator.take();
    let layout = Arc::clone(&delta.layout);
    let mut names = Vec::new();
    for entry in &delta.entries {
        let grouping = &layout.groupings[usize::from(entry.grouping.0)];
        for rule in &grouping.rules {
            for measure in &rule.measures {
                let series = crate::metric::Series {
                    name: measure.name.of(&entry.key),
                    tags: grouping.tags(&entry.key),
                };
                names.push(series.to_string());
            }
        }
    }
    names
}

#[test]
fn the_rules_of_the_design_load() {
    let rules = loaded(
        r#"
rules:
  - name: http                       # series are named <rule>.<measure>
    where: kind == "http"
    by: [service]
    window: 10s
    measure:
      rate: rate()                   # events per second
      errors: ratio(status >= 500)   # share of events, 0 to 1
      p50: percentile(Tr, 50)        # ms; events without a Tr don't count
      p95: percentile(Tr, 95)
      p99: percentile(Tr, 99)

  - name: http.route
    where: kind == "http" && service == "users"
    by: [service, method, route]     # route: a template of the path
    routes: ["/v1/users/:id", "/v1/users/:id/cards"]
    limit: 200                       # series; the rest is summed into one named "other"
    measure: { rate: rate(), apdex: apdex(Ta, 500ms), latency: histogram(Ta) }
"#,
    );
    assert_eq!(rules.names().collect::<Vec<_>>(), ["http", "http.route"]);
    let grouping = &rules.layout().groupings[1];
    assert_eq!(grouping.limit, Some(200));
    assert_eq!(
        grouping.by.iter().map(|tag| &**tag).collect::<Vec<_>>(),
        ["method", "route", "service"]
    );
    assert_eq!(grouping.rules[0].measures.len(), 3);
}

#[test]
fn what_comes_later_is_told_as_such() {
    insta::assert_snapshot!(said("rules:\n- name: a\n  measure: {n: count()}\ninvariants: []\nalert: []\n"), @r#"
    rules/a.yaml:4:1: `invariants` are not part of weir yet
      |
    4 | invariants: []
      | ^^^^^^^^^^

    hint: leave them out of the file until they are

    rules/a.yaml:5:1: unknown key `alert`
      |
    5 | alert: []
      | ^^^^^

    hint: the keys are `rules`
    "#);
}

#[test]
fn groups_have_tags() {
    for (keys, want) in [
        (
            "by: [service]\nmeasure: {n: count()}",
            r#"a.n{service="www"}"#,
        ),
        (
            "by: [service, {code: status / 100}, 'tls ? \"tls\" : \"plain\"']\nmeasure: {n: count()}",
            r#"a.n{code="5",service="www",tls_tls_plain="tls"}"#,
        ),
        (
            "by: { svc: backend, head: 'request_headers[0]' }\nmeasure: {n: count()}",
            r#"a.n{head="example.org",svc="api"}"#,
        ),
        (
            "by: ['request_headers[1]']\nmeasure: {n: count()}",
            r#"a.n{request_headers_1="curl"}"#,
        ),
        (
            "by: [route]\nmeasure: {n: count()}",
            r#"a.n{route="/v1/users"}"#,
        ),
        (
            "by: [route]\nroutes: [/v1/:what]\nwhere: route == \"/v1/:what\"\nmeasure: {n: count()}",
            r#"a.n{route="/v1/:what"}"#,
        ),
        (
            "by: [route]\nroutes: [/v2]\nwhere: route == \"other\"\nmeasure: {n: count()}",
            r#"a.n{route="other"}"#,
        ),
        (
            "by: [service]\nseries: '{{service}}.{{ rule }}-{{measure}}'\nmeasure: {n: count()}",
            r#"www.a-n{service="www"}"#,
        ),
        (
            "series: http.requests\nmeasure: {n: count()}",
            "http.requests",
        ),
    ] {
        assert_eq!(named(keys), [want], "{keys}");
    }
}

#[test]
fn tags_of_a_rule_are_its_series() {
    let rules = loaded(&rule(
        "tags: { team: payments, env: prod }\nmeasure: {n: count()}",
    ));
    let tags = &rules.layout().groupings[0].rules[0].tags;
    let tags: Vec<_> = tags
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(tags, [("env", "prod"), ("team", "payments")]);
}

#[test]
fn windows_tumble_or_slide() {
    for (window, want) in [
        ("10s", (10, 10)),
        ("{ span: 60s, every: 10s }", (60, 10)),
        ("{ span: 1h, every: 10s }", (3600, 10)),
        ("{ span: 5m }", (300, 300)),
    ] {
        let rules = loaded(&rule(&format!("window: {window}\nmeasure: {{n: count()}}")));
        let window = rules.layout().groupings[0].window;
        assert_eq!((window.span.as_secs(), window.every.as_secs()), want);
    }
}

#[test]
fn values_are_converted() {
    use crate::delta::Arithmetic::{Divide, Multiply};
    for (measure, want) in [
        ("{ value: mean(Tr), unit: s }", Some((Divide, 1000.0))),
        ("{ value: mean(Tr), unit: us }", Some((Multiply, 1000.0))),
        ("{ value: mean(Tr), unit: ms }", None),
        (
            "{ value: max(bytes_read), unit: KiB }",
            Some((Divide, 1024.0)),
        ),
        (
            "{ value: ratio(tls), unit: percent }",
            Some((Multiply, 100.0)),
        ),
        ("{ value: count() }", None),
    ] {
        let measures = measures(&format!("measure: {{ n: {measure} }}"));
        let found = match &measures[0].output {
            Output::Value(Formula::Arithmetic(arithmetic, sides)) => match sides.1 {
                Formula::Const(factor) => Some((*arithmetic, factor)),
                _ => panic!("{sides:?}"),
            },
            _ => None,
        };
        assert_eq!(found, want, "{measure}");
    }
}

#[test]
fn a_rule_names_its_value_once() {
    let with = "value: Tw + Tc\nmeasure: { mean: mean(value), most: max(value) }";
    let without = "measure: { mean: mean(Tw + Tc), most: max(Tw + Tc) }";
    assert_eq!(measures(with), measures(without));
    let rules = loaded(&rule(with));
    let cells = &rules.layout().groupings[0].cells;
    assert_eq!(cells, &[CellKind::Count, CellKind::Sum, CellKind::Max]);
}

#[test]
fn what_is_wrong_with_keys() {
    insta::assert_snapshot!(brief(&[
        "window: { span: 60s, every: 7s }\nmeasure: {n: count()}",
        "window: { span: 24h, every: 1s }\nmeasure: {n: count()}",
        "window: { evry: 1s }\nmeasure: {n: count()}",
        "window: [10s]\nmeasure: {n: count()}",
        "limit: 0\nby: [service]\nmeasure: {n: count()}",
        "limit: many\nby: [service]\nmeasure: {n: count()}",
        "limit: 5\nmeasure: {n: count()}",
        "by: [{ 'a b': service }, { A: tls, a: tls }, '\"%\"']\nmeasure: {n: count()}",
        "by: [request_headers]\nmeasure: {n: count()}",
        "tags: { service: x, 'ä': y, t: 'ö', T: z }\nby: [service]\nmeasure: {n: count()}",
        "tags: [x]\nmeasure: {n: count()}",
        "series: x\nmeasure: {n: count(), m: count()}",
        "series: '{{sevice}}.{{x'\nby: [service]\nmeasure: {n: count()}",
        "series: 'a b'\nmeasure: {n: count()}",
        "series: weir.x\nmeasure: {n: count()}",
        "value: request_headers\nmeasure: {n: sum(value)}",
        "measure: {n: sum(value)}",
        "measure: {n: { value: count(), unit: s }}",
        "measure: {n: { value: mean(Tr), unit: KB }}",
        "measure: {n: { value: mean(Tr), unit: sec }}",
        "measure: {n: { value: count(), unit: percent }}",
        "measure: {n: { valu: count() }}",
        "measure: {n: [count()]}",
        "by: [{ le: status }]\nmeasure: {n: histogram(Tr)}",
        "tags: { client_ip: x }\nmeasure: {n: 'top(client_ip, 5)'}",
        "routes: [/a]\nmeasure: {n: count()}",
        "routes: []\nby: [route]\nmeasure: {n: count()}",
        "routes: [a, /b, /b]\nby: [route]\nmeasure: {n: count()}",
        "where: route == '/a'\nmeasure: {n: count()}",
        "where: kind == 'event'\nmeasure: {n: ratio(status == 200 && status == 300)}",
    ]), @r#"
    window: { span: 60s, every: 7s }
    measure: {n: count()}
        3:31: rule `a`: a window's span is a multiple of its `every`
            hint: 60 seconds are no whole number of 7 seconds
    window: { span: 24h, every: 1s }
    measure: {n: count()}
        3:31: rule `a`: a window slides over at most 360 steps, not 86400
            hint: choose a longer `every` or a shorter `span`
    window: { evry: 1s }
    measure: {n: count()}
        3:11: rule `a`: the key `span` is missing
        3:13: rule `a`: unknown key `evry`
            hint: did you mean `every`?
    window: [10s]
    measure: {n: count()}
        3:11: rule `a`: expected a text here, not a list or pairs
            hint: a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes
    limit: 0
    by: [service]
    measure: {n: count()}
        3:10: rule `a`: 0 is out of range
            hint: choose 1 to 10000000
    limit: many
    by: [service]
    measure: {n: count()}
        3:10: rule `a`: expected a whole number here, found `many`
    limit: 5
    measure: {n: count()}
        3:10: rule `a`: without `by` there is nothing to limit
            hint: leave it out, or say by what to group: `by: [service]`
    by: [{ 'a b': service }, { A: tls, a: tls }, '"%"']
    measure: {n: count()}
        3:10: rule `a`: `a b` is no name for a tag
            hint: tags' names are 1 to 64 of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`
        3:38: rule `a`: the tags `A` and `a` of `by` are one to Librato or Prometheus
        3:48: rule `a`: `` is no name for a tag, or a longer one than 64 characters
            hint: give the expression a tag: `by: [{ tag: expression }]`
    by: [request_headers]
    measure: {n: count()}
        3:8: rule `a`: expected a string, an int or a bool, found a list of strings
            hint: take one of the list, such as `request_headers[0]`
    tags: { service: x, 'ä': y, t: 'ö', T: z }
    by: [service]
    measure: {n: count()}
        3:11: rule `a`: `by` has the tag `service` already
        3:23: rule `a`: `ä` is no name for a tag
            hint: tags' names are 1 to 64 of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`
        3:34: rule `a`: `ö` is no value for a tag
            hint: tags' values are 1 to 255 of A-Z, a-z, 0-9, spaces and `.`, `:`, `_`, `-`, `?`, `\`, `/`
        3:39: rule `a`: the tags `t` and `T` are one to Librato or Prometheus
    tags: [x]
    measure: {n: count()}
        3:9: rule `a`: expected `key: value` pairs here
    series: x
    measure: {n: count(), m: count()}
        3:11: rule `a`: all measures would have the same name
            hint: put `{{measure}}` into it
    series: '{{sevice}}.{{x'
    by: [service]
    measure: {n: count()}
        3:12: rule `a`: unknown placeholder `sevice`
            hint: did you mean `service`?
        3:23: rule `a`: this `{{` is not closed
    series: 'a b'
    measure: {n: count()}
        3:13: rule `a`: a name cannot contain ` `
            hint: names consist of A-Z, a-z, 0-9 and `.`, `:`, `_`, `-`
    series: weir.x
    measure: {n: count()}
        3:11: rule `a`: series named `weir_…` at /metrics are weir's own counters
            hint: choose a name that does not begin with `weir`
    value: request_headers
    measure: {n: sum(value)}
        3:10: rule `a`: a value is a number, a string or a bool, found a list of strings
            hint: take one of the list, such as `request_headers[0]`
    measure: {n: sum(value)}
        3:20: rule `a`: `value` stands for nothing here
            hint: a rule's key `value` gives it a meaning, in that rule's measures
    measure: {n: { value: count(), unit: s }}
        3:40: rule `a`: `s` is a unit of time, and this measure is no time
            hint: leave the unit out: the measure is a plain number
    measure: {n: { value: mean(Tr), unit: KB }}
        3:41: rule `a`: `KB` is a unit of size, and this measure is no size
            hint: it is a time, and can be in `us`, `ms`, `s`, `min` and `h`
    measure: {n: { value: mean(Tr), unit: sec }}
        3:41: rule `a`: unknown unit `sec`
            hint: the units are `us`, `ms`, `s`, `min`, `h`, `B`, `KB`, `MB`, `GB`, `KiB`, `MiB`, `GiB` and `percent`
    measure: {n: { value: count(), unit: percent }}
        3:40: rule `a`: only a share, such as a `ratio`, can be in `percent`
            hint: leave the unit out: the measure is a plain number
    measure: {n: { valu: count() }}
        3:18: rule `a`: unknown key `valu`
            hint: did you mean `value`?
    measure: {n: [count()]}
        3:16: rule `a`: expected a text here, not a list or pairs
            hint: a text that begins with `{`, `[`, `!`, `&` or `*` needs quotes
    by: [{ le: status }]
    measure: {n: histogram(Tr)}
        4:16: rule `a`: `histogram` gives its series the tag `le`, which the rule gives them already
            hint: give the rule's tag another name
    tags: { client_ip: x }
    measure: {n: 'top(client_ip, 5)'}
        4:16: rule `a`: `top` gives its series the tag `client_ip`, which the rule gives them already
            hint: give the rule's tag another name
    routes: [/a]
    measure: {n: count()}
        3:3: rule `a`: nothing in the rule names `route`
            hint: group by it: `by: [service, route]`
    routes: []
    by: [route]
    measure: {n: count()}
        3:3: rule `a`: there is no route
            hint: list templates of paths, such as `/v1/users/:id`, or leave the key out
    routes: [a, /b, /b]
    by: [route]
    measure: {n: count()}
        3:12: rule `a`: a template begins with `/`
            hint: write `/a`
        3:19: rule `a`: `/b` is listed twice
            hint: keep one of the two
    where: route == '/a'
    measure: {n: count()}
        3:10: rule `a`: `route` needs the rule's `routes` here
            hint: list them: `routes: ["/v1/users/:id"]`; without them, `route` is only by what a rule groups: `by: [route]`
    where: kind == 'event'
    measure: {n: ratio(status == 200 && status == 300)}
        3:10: rule `a`: this can never hold: rules never see lines of kind `event`
            hint: HAProxy's own messages are not measured; the kinds that are: `http`, `tcp`, `error` and `connect`
        4:39: rule `a`: this can never hold: `status` is 200 and 300
            hint: if either is meant, join them with `||`
    "#);
}

#[test]
fn series_are_told_apart_without_their_tags() {
    insta::assert_snapshot!(said("rules:\n- name: a\n  by: [service]\n  series: '{{service}}.{{measure}}'\n  measure: {n: count()}\n- name: b\n  by: [host]\n  series: '{{host}}-{{measure}}'\n  measure: {n: count()}\n"), @r#"
    rules/a.yaml:9:13: rule `b`: the series `*-n` exists already, as `*.n`
      |
    9 |   measure: {n: count()}
      |             ^
      |
    note: the other measure
     --> rules/a.yaml:5:13
      |
    5 |   measure: {n: count()}
      |             -

    hint: names are compared without the tags in them, without case, as Librato does, and with `_` for `.`, `:` and `-`, as Prometheus has it
    "#);
}

#[test]
fn names_in_templates_are_values() {
    let measures = measures("by: [service, host]\nseries: 'x.{{service}}'\nmeasure: {n: count()}");
    assert!(matches!(&measures[0].name, Name::Template(parts) if parts.len() == 2));
}

#[test]
fn an_aggregate_of_another_tool_is_told_what_there_is_instead() {
    for (written, instead) in [
        ("ewma(Tr)", "`window: { span: 60s, every: 10s }`"),
        ("changed(status)", "`distinct(value)`"),
        ("avg(Tr)", "`mean(value)`"),
        ("median(Tr)", "`percentile(value, 50)`"),
        ("p95(Tr)", "`percentile(value, 95)`"),
        ("quantile(Tr, 95)", "`percentile(value, 95)`"),
        ("stdev(Tr)", "`stddev(value)`"),
        ("uniq(client_ip)", "`distinct(value)`"),
    ] {
        let said = brief(&[&format!("measure: {{ n: '{written}' }}")]);
        assert!(said.contains("unknown aggregate"), "{said}");
        let hint = said.lines().last().unwrap();
        assert!(hint.contains("hint:") && hint.contains(instead), "{said}");
    }
}

#[test]
fn a_percentage_is_no_fraction_of_one() {
    for (written, hint) in [
        (
            "0.95",
            "write 95 for 95 percent; 0.95 would be nearly the minimum",
        ),
        (
            "0.57",
            "write 57 for 57 percent; 0.57 would be nearly the minimum",
        ),
        (
            "0.999",
            "write 99.9 for 99.9 percent; 0.999 would be nearly the minimum",
        ),
    ] {
        let said = brief(&[&format!("measure: {{ n: 'percentile(Tr, {written})' }}")]);
        assert!(said.contains(hint), "{said}");
    }
    for allowed in ["0", "0.0", "1", "1.0", "1.5", "100"] {
        let keys = format!("measure: {{ n: 'percentile(Tr, {allowed})' }}");
        loaded(&rule(&keys));
    }
}
